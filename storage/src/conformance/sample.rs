//! Inventories that are not decided by an engine, but look like it to a store.

use std::sync::Arc;

use engine::{
    Answered, BookingEvent, CommandId, Counts, Entry, EventId, Fingerprint, Key, KeyOrigin, Phase,
    Reply, Seats, Seq, Terms, Timestamp, UserId, Words,
};

use crate::commit::{Batch, BatchId, Epoch, Head, Position, Summary};
use crate::outbox::OutboxEntry;
use crate::{chain, record};

/// The time at which samples begin.
pub const START: Timestamp = Timestamp::from_millis(1_763_900_000_000);

/// Numbers that look random and are the same in every run (`SplitMix64`).
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    /// Sixteen bytes.
    pub fn bytes(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.roll().to_be_bytes());
        bytes[8..].copy_from_slice(&self.roll().to_be_bytes());
        bytes
    }
}

/// `START` and so many milliseconds.
#[must_use]
pub const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(START.millis() + millis)
}

/// An event of its own for each number.
#[must_use]
pub fn event(n: u64) -> EventId {
    EventId(Dice(n ^ 0xeeee_0000).bytes())
}

/// A person for each number.
#[must_use]
pub fn user(n: u64) -> UserId {
    UserId(Dice(n ^ 0x7777_0000).bytes())
}

/// An entry with this many bookings by people from `first_user` on, and nothing else.
#[must_use]
pub fn bookings(at: Timestamp, first_user: u64, count: u64) -> Entry {
    let events = (first_user..first_user + count)
        .map(|n| BookingEvent::BookingConfirmed { user: user(n), quantity: Seats::ONE, hold: None })
        .collect();
    Entry { at, answered: None, events }
}

/// An entry that only remembers a key: its wish was fulfilled already.
#[must_use]
pub fn key_alone(at: Timestamp, n: u64) -> Entry {
    let mut dice = Dice(n);
    let key = Key {
        digest: CommandId(dice.bytes()),
        fingerprint: Fingerprint(dice.roll().to_be_bytes()),
        origin: KeyOrigin::Client,
    };
    let answered = Answered { key, principal: user(n), reply: Reply::Ran };
    Entry { at, answered: Some(answered), events: Vec::new() }
}

/// An event's history as its owner has it in memory.
#[derive(Debug, Clone)]
pub struct Owner {
    /// Which event.
    pub event: EventId,
    /// Where its history stands.
    pub head: Head,
    /// The sums at the head.
    pub summary: Summary,
    /// The time of the last decision.
    pub at: Timestamp,
    dice: Dice,
}

impl Owner {
    /// The owner of the event with this number, before anything happened to it.
    #[must_use]
    pub fn new(n: u64) -> Self {
        let summary = Summary {
            capacity: 1_000_000,
            phase: Phase::Open,
            version: 1,
            next_deadline: None,
            counts: Counts::default(),
        };
        Self { event: event(n), head: Head::default(), summary, at: START, dice: Dice(n) }
    }

    /// The batch that opens the event. A history that begins with it can be replayed by the
    /// engine; the others only look like one to a store.
    pub fn opening(&mut self, epoch: Epoch) -> Batch {
        let terms = Terms {
            capacity: self.summary.capacity,
            opens_at: START,
            closes_at: at(86_400_000),
            ends_at: at(2 * 86_400_000),
            active: true,
            waitlist: true,
            max_per_booking: Seats::ONE,
        };
        let words = Words::new(b"words");
        let opened = BookingEvent::EventOpened { organizer: user(0), terms, words };
        let entry = Entry { at: self.at, answered: None, events: vec![opened] };
        let blob = record::encode(Seq(self.head.seq.0 + 1), &[entry]);
        self.with(epoch, blob, 1, self.summary, self.at)
    }

    /// The next batch, with this many bookings; with none it just remembers a key. The
    /// owner stays where it is until [`Owner::follow`].
    pub fn batch(&mut self, epoch: Epoch, bookings_in_it: u64) -> Batch {
        let at = Timestamp::from_millis(self.at.millis() + 1);
        let entry = match bookings_in_it {
            0 => key_alone(at, self.dice.roll()),
            n => bookings(at, self.head.seq.0, n),
        };
        let first_seq = Seq(self.head.seq.0 + 1);
        let mut summary = self.summary;
        summary.counts.booked += u32::try_from(bookings_in_it).unwrap_or(0);
        self.with(epoch, record::encode(first_seq, &[entry]), bookings_in_it, summary, at)
    }

    fn with(
        &mut self,
        epoch: Epoch,
        blob: Arc<[u8]>,
        booking_events: u64,
        summary: Summary,
        at: Timestamp,
    ) -> Batch {
        let next = Head {
            seq: Seq(self.head.seq.0 + booking_events),
            chain: chain::next(self.head.chain, &blob),
        };
        let id = BatchId(self.dice.bytes());
        Batch { epoch, event: self.event, id, base: self.head, next, summary, at, blob }
    }

    /// A batch as an outbox has it at a place.
    #[must_use]
    pub fn placed(batch: &Batch, position: u64) -> OutboxEntry {
        OutboxEntry {
            position: Position(position),
            event: batch.event,
            first_seq: Seq(batch.base.seq.0 + 1),
            last_seq: batch.next.seq,
            epoch: batch.epoch,
            chain: batch.next.chain,
            at: batch.at,
            blob: batch.blob.clone(),
        }
    }

    /// A batch was applied: go on from there.
    pub fn follow(&mut self, batch: &Batch) {
        self.head = batch.next;
        self.summary = batch.summary;
        self.at = batch.at;
    }
}
