//! The inventory: what the engine knows of one event's seats.
//!
//! Everything that a decision needs is here, in memory; nothing that only readers need
//! (words, details, cancelled bookings) is.

mod answered;
mod apply;
mod fifo;
mod holds;
mod people;
mod rows;
mod seq_list;
mod slab;
mod waitlist;

use crate::booking_event::HoldRef;
use crate::command::{Key, KeyOrigin, Terms};
use crate::decision::{Booking, BookingReply, Hold};
use crate::id::{BookingId, EventId, HoldId, UserId};
use crate::limits::Limits;
use crate::snapshot::{ExpiredHold, RememberedKey};
use crate::time::{Span, Timestamp};

use answered::{AnsweredKeys, Found};
use holds::{Deadlines, ExpiredHolds};
pub(crate) use people::Person;
use people::{NONE, People};
pub(crate) use rows::{Row, State, booking_ref, hold_ref};
use seq_list::SeqList;
use slab::Slab;
use waitlist::Waitlist;

/// Position of an inventory in its history: how many booking events it has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Seq(pub u64);

/// Sums over an inventory. `booked + held` never exceeds the capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Counts {
    /// Places of confirmed bookings.
    pub booked: u32,
    /// Places set aside by open holds.
    pub held: u32,
    /// Places that waiting entries wish for.
    pub waitlisted: u64,
    /// How many entries wait.
    pub waitlist_entries: u32,
}

/// Where an event is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Phase {
    /// Nothing was ever decided for it.
    #[default]
    Unopened,
    /// It exists.
    Open,
    /// It was cancelled. Nothing more can happen to it.
    Cancelled,
}

/// What the engine knows of one event's seats. Written by [`Inventory::apply`] alone.
#[derive(Clone, Debug)]
pub struct Inventory {
    event: EventId,
    seq: Seq,
    phase: Phase,
    version: u32,
    organizer: Option<UserId>,
    terms: Option<Terms>,
    last_time: Timestamp,
    counts: Counts,
    rows: Slab<Row>,
    /// All rows in the order of seq, to find them by booking or hold id.
    by_seq: SeqList,
    people: People,
    waitlist: Waitlist,
    deadlines: Deadlines,
    expired: ExpiredHolds,
    answered: AnsweredKeys,
    memory: Memory,
}

/// How long things are remembered: the part of [`Limits`] that `apply` needs.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    client_key: Span,
    edge_key: Span,
    expired_hold: Span,
    expired_holds: u32,
}

impl Memory {
    const fn of_key(&self, origin: KeyOrigin) -> Span {
        match origin {
            KeyOrigin::Client => self.client_key,
            KeyOrigin::Edge => self.edge_key,
        }
    }
}

impl From<&Limits> for Memory {
    fn from(limits: &Limits) -> Self {
        Self {
            client_key: limits.client_key_memory,
            edge_key: limits.edge_key_memory,
            expired_hold: limits.expired_hold_memory,
            expired_holds: limits.expired_holds,
        }
    }
}

impl Inventory {
    /// The inventory of an event that nothing was ever decided for. Keys and expired
    /// holds are remembered as long as [`Limits::default`] says.
    #[must_use]
    pub fn new(event: EventId) -> Self {
        Self {
            event,
            seq: Seq(0),
            phase: Phase::Unopened,
            version: 0,
            organizer: None,
            terms: None,
            last_time: Timestamp::EPOCH,
            counts: Counts::default(),
            rows: Slab::new(),
            by_seq: SeqList::default(),
            people: People::default(),
            waitlist: Waitlist::default(),
            deadlines: Deadlines::default(),
            expired: ExpiredHolds::default(),
            answered: AnsweredKeys::new(),
            memory: Memory::from(&Limits::default()),
        }
    }

    /// The same inventory, remembering keys and expired holds as long as `limits` say.
    /// For installations that do not use the default limits: right after
    /// [`Inventory::new`] or [`Inventory::restore`], with the limits given to `decide`.
    #[must_use]
    pub fn with_limits(mut self, limits: &Limits) -> Self {
        self.memory = Memory::from(limits);
        self
    }

    /// Whose seats.
    #[must_use]
    pub const fn event(&self) -> EventId {
        self.event
    }

    /// How many booking events it has seen.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// Where the event is in its life.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Version of terms and words: 0 before the event was opened, then from 1.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The terms; `None` before the event was opened. A cancelled event keeps its last.
    #[must_use]
    pub const fn terms(&self) -> Option<&Terms> {
        self.terms.as_ref()
    }

    /// Who may change the event; `None` before it was opened.
    #[must_use]
    pub const fn organizer(&self) -> Option<UserId> {
        self.organizer
    }

    /// The sums.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Places neither booked nor held: capacity − booked − held; 0 unless the event is
    /// open.
    #[must_use]
    pub fn free(&self) -> u32 {
        match (&self.terms, self.phase) {
            (Some(terms), Phase::Open) => terms.capacity - self.counts.booked - self.counts.held,
            _ => 0,
        }
    }

    /// What a newcomer can book now, opening times aside: the free places, but 0 while
    /// anybody waits, because they belong to the waitlist.
    #[must_use]
    pub fn available(&self) -> u32 {
        if self.waitlist.is_empty() { self.free() } else { 0 }
    }

    /// The greatest time of all entries so far; [`Timestamp::EPOCH`] before the first.
    #[must_use]
    pub const fn last_time(&self) -> Timestamp {
        self.last_time
    }

    /// When [`crate::Command::RunDue`] is wanted next: the end of the first hold, or the
    /// time of the last entry if that left work over (so at once, also after a restart).
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if self.work_left() { Some(self.last_time) } else { self.deadlines.first() }
    }

    /// A confirmed or waiting booking by its id.
    #[must_use]
    pub fn booking(&self, id: BookingId) -> Option<Booking> {
        if id.tag() != Some(self.event.tag()) {
            return None;
        }
        self.row_with(id.seq_low(), id.made_at()).and_then(Row::booking)
    }

    /// The confirmed or waiting booking of a person.
    #[must_use]
    pub fn booking_of(&self, user: UserId) -> Option<Booking> {
        self.row_of(self.person(user)).and_then(Row::booking)
    }

    /// An open hold by its id.
    #[must_use]
    pub fn hold(&self, id: HoldId) -> Option<Hold> {
        if id.tag() != Some(self.event.tag()) {
            return None;
        }
        self.row_with(id.seq_low(), id.made_at()).and_then(Row::hold)
    }

    /// The open hold of a person.
    #[must_use]
    pub fn hold_of(&self, user: UserId) -> Option<Hold> {
        self.row_of(self.person(user)).and_then(Row::hold)
    }

    /// Place in the queue, from 1, of the waiting booking made at `seq`; `None` if it
    /// does not wait.
    #[must_use]
    pub fn waitlist_position(&self, seq: Seq) -> Option<u32> {
        self.waitlist.position(seq)
    }

    /// The booking together with its current place in the queue.
    #[must_use]
    pub fn with_position(&self, booking: Booking) -> BookingReply {
        BookingReply { booking, waitlist_position: self.waitlist_position(booking.seq) }
    }

    /// How many bookings, waiting entries and open holds there are.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.by_seq.len()
    }

    /// How many answered keys are remembered.
    #[must_use]
    pub fn remembered_keys(&self) -> usize {
        self.answered.len()
    }

    /// Estimated bytes on the heap, from the capacities of all collections.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.rows.heap_bytes()
            + self.by_seq.heap_bytes()
            + self.people.heap_bytes()
            + self.waitlist.heap_bytes()
            + self.deadlines.heap_bytes()
            + self.expired.heap_bytes()
            + self.answered.heap_bytes()
    }
}

/// What `decide`, the laws and snapshots see besides.
impl Inventory {
    /// Whether the last decision left something that can be done at once: entries that a
    /// reduced capacity made impossible, or places for who waits.
    pub(crate) fn work_left(&self) -> bool {
        let (Some(terms), Phase::Open) = (&self.terms, self.phase) else { return false };
        let Some((_, head)) = self.waitlist.front() else { return false };
        self.waitlist.oversized(terms.capacity).next().is_some()
            || (self.last_time < terms.ends_at && self.rows.get(head).quantity.get() <= self.free())
    }

    /// Where to find what a person has here.
    pub(crate) fn person(&self, user: UserId) -> Person {
        self.people.get(user)
    }

    pub(crate) fn row_of(&self, person: Person) -> Option<&Row> {
        (person.row != NONE).then(|| self.rows.get(person.row))
    }

    /// The row made at this time whose seq ends in these bits. There is one candidate for
    /// each four million booking events.
    fn row_with(&self, seq_low: u32, made_at: Timestamp) -> Option<&Row> {
        const STEP: usize = 1 << 22;
        (u64::from(seq_low)..=self.seq.0)
            .step_by(STEP)
            .filter_map(|seq| self.by_seq.get(Seq(seq)))
            .map(|row| self.rows.get(row))
            .find(|row| row.made_at == made_at)
    }

    /// Who waits, first come first.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Row> {
        self.waitlist.iter().map(|(_, row)| self.rows.get(row))
    }

    /// Waiting entries that need more than `capacity`, largest first.
    pub(crate) fn oversized(&self, capacity: u32) -> impl Iterator<Item = &Row> {
        self.waitlist
            .oversized(capacity)
            .filter_map(|seq| self.by_seq.get(seq))
            .map(|row| self.rows.get(row))
    }

    /// Open holds whose time is over at `at`, the earliest first.
    pub(crate) fn due_holds(&self, at: Timestamp) -> impl Iterator<Item = &Row> {
        self.deadlines.due(at).map(|row| self.rows.get(row))
    }

    pub(crate) fn open_holds(&self) -> usize {
        self.deadlines.len()
    }

    pub(crate) fn expired_hold(
        &self,
        id: HoldId,
        at: Timestamp,
        limits: &Limits,
    ) -> Option<HoldRef> {
        if id.tag() != Some(self.event.tag()) {
            return None;
        }
        self.expired.get(id, at, &Memory::from(limits)).map(|expired| expired.hold)
    }

    pub(crate) fn find_key(
        &self,
        principal: Person,
        key: &Key,
        at: Timestamp,
        limits: &Limits,
    ) -> Found {
        self.answered.find(principal, key.digest, at, &Memory::from(limits))
    }

    /// All rows in the order of seq.
    pub(crate) fn all_rows(&self) -> impl Iterator<Item = &Row> {
        self.by_seq.iter().map(|(_, row)| self.rows.get(row))
    }

    pub(crate) fn expired_holds(&self) -> impl Iterator<Item = &ExpiredHold> {
        self.expired.iter()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = RememberedKey> {
        self.answered.iter()
    }

    pub(crate) fn has_deadline(&self, hold: &Row) -> bool {
        self.deadlines.contains(hold.time, hold.seq)
    }

    /// How many people are known, and how many large entries wait: compared with the rows
    /// by the laws.
    pub(crate) fn index_sizes(&self) -> (usize, usize) {
        (self.people.len(), self.waitlist.large_len())
    }
}
