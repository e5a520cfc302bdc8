//! Keys already answered, and what they were told.

use crate::booking_event::Answered;
use crate::command::{CommandId, Fingerprint, Key, KeyOrigin};
use crate::decision::{Booking, BookingReply, BookingStatus, Hold, HoldReply, Reply};
use crate::id::UserId;
use crate::inventory::fifo::{Fifo, NUMBERS};
use crate::inventory::people::{NONE, People, Person};
use crate::inventory::slab::Slab;
use crate::inventory::{Memory, Seq};
use crate::seats::Seats;
use crate::snapshot::RememberedKey;
use crate::time::{Span, Timestamp};

/// Most keys of each origin forgotten by one entry. An entry adds at most one, so what
/// ran out shrinks, and no entry has to pay for a long silence.
const FORGOTTEN_PER_ENTRY: usize = 8;

/// Keys and outcomes. A principal's keys are a chain beginning at the person; those of
/// each origin are a queue in the order of time, because they all live equally long.
#[derive(Clone, Debug)]
pub(crate) struct AnsweredKeys {
    client: Fifo<Kept>,
    edge: Fifo<Kept>,
    /// Replies that do not fit into a [`Kept`].
    replies: Slab<Reply>,
}

/// A remembered key: 72 bytes, there may be one for each booking.
#[derive(Clone, Copy, Debug)]
struct Kept {
    digest: CommandId,
    fingerprint: Fingerprint,
    principal: UserId,
    at: Timestamp,
    told: Told,
    /// The principal's next older key, or [`NONE`].
    older: u32,
}

const _: () = assert!(size_of::<Kept>() == 72);

/// A reply, small. Nearly all are of the first three kinds, in which person and time are
/// those of the key itself.
#[derive(Clone, Copy, Debug)]
enum Told {
    /// Places.
    Confirmed { seq: PackedSeq, quantity: Seats },
    /// A place in the queue.
    Waiting { seq: PackedSeq, quantity: Seats, position: u32 },
    /// A hold, until so long after.
    Held { seq: PackedSeq, quantity: Seats, span: Span },
    /// Anything else, kept whole.
    Other { reply: u32 },
}

const _: () = assert!(size_of::<Told>() == 20);

/// A seq that needs no alignment of its own.
#[derive(Clone, Copy, Debug)]
struct PackedSeq([u32; 2]);

impl PackedSeq {
    const fn new(seq: Seq) -> Self {
        Self([(seq.0 >> 32) as u32, seq.0 as u32])
    }

    const fn seq(self) -> Seq {
        Seq(((self.0[0] as u64) << 32) | self.0[1] as u64)
    }
}

/// Where a key is: the number in its queue, with a bit for which queue it is.
#[derive(Clone, Copy)]
struct KeyRef(u32);

impl KeyRef {
    const fn new(origin: KeyOrigin, number: u32) -> Self {
        match origin {
            KeyOrigin::Client => Self(number),
            KeyOrigin::Edge => Self(number | NUMBERS),
        }
    }

    const fn origin(self) -> KeyOrigin {
        if self.0 & NUMBERS == 0 { KeyOrigin::Client } else { KeyOrigin::Edge }
    }

    const fn number(self) -> u32 {
        self.0 & (NUMBERS - 1)
    }
}

/// What a look-up of a key finds.
pub(crate) struct Found {
    /// The fingerprint it came with and what it was told, if it is remembered.
    pub(crate) answer: Option<(Fingerprint, Reply)>,
    /// How many live keys the principal has.
    pub(crate) live: u32,
}

impl AnsweredKeys {
    pub(crate) const fn new() -> Self {
        Self { client: Fifo::new(), edge: Fifo::new(), replies: Slab::new() }
    }

    /// Look for a key among those of `person` that live at `at`. A dead one may still be
    /// there, because pruning is done little by little.
    pub(crate) fn find(
        &self,
        person: Person,
        digest: CommandId,
        at: Timestamp,
        memory: &Memory,
    ) -> Found {
        let mut found = Found { answer: None, live: 0 };
        let mut next = person.keys;
        while next != NONE {
            let key = KeyRef(next);
            let kept = self.kept(key);
            if at < kept.at.plus(memory.of_key(key.origin())) {
                found.live += 1;
                if kept.digest == digest {
                    found.answer = Some((kept.fingerprint, self.reply(kept)));
                }
            }
            next = kept.older;
        }
        found
    }

    /// Remember one more key.
    pub(crate) fn remember(&mut self, answered: &Answered, at: Timestamp, people: &mut People) {
        let Answered { key, principal, reply } = answered;
        let kept = Kept {
            digest: key.digest,
            fingerprint: key.fingerprint,
            principal: *principal,
            at,
            told: self.told(reply, *principal, at),
            older: NONE,
        };
        let place = KeyRef::new(key.origin, self.queue(key.origin).push(kept));
        self.kept_mut(place).older = people.put_key(*principal, place.0);
    }

    /// Forget some of the keys whose time is over at `at`.
    pub(crate) fn prune(&mut self, at: Timestamp, memory: &Memory, people: &mut People) {
        for origin in [KeyOrigin::Client, KeyOrigin::Edge] {
            for _ in 0..FORGOTTEN_PER_ENTRY {
                let queue = self.queue(origin);
                let Some((number, oldest)) = queue.front() else { break };
                if at < oldest.at.plus(memory.of_key(origin)) {
                    break;
                }
                let oldest = *oldest;
                self.unchain(&oldest, KeyRef::new(origin, number), people);
                self.queue(origin).pop_front();
                if let Told::Other { reply } = oldest.told {
                    self.replies.remove(reply);
                }
            }
        }
    }

    /// All keys: the client's in the order of time, then those of the edge.
    pub(crate) fn iter(&self) -> impl Iterator<Item = RememberedKey> {
        let client = self.client.iter().map(|kept| (KeyOrigin::Client, kept));
        let edge = self.edge.iter().map(|kept| (KeyOrigin::Edge, kept));
        client.chain(edge).map(|(origin, kept)| RememberedKey {
            at: kept.at,
            answered: Answered {
                key: Key { digest: kept.digest, fingerprint: kept.fingerprint, origin },
                principal: kept.principal,
                reply: self.reply(kept),
            },
        })
    }

    pub(crate) const fn len(&self) -> usize {
        self.client.len() + self.edge.len()
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.client.heap_bytes() + self.edge.heap_bytes() + self.replies.heap_bytes()
    }

    const fn queue(&mut self, origin: KeyOrigin) -> &mut Fifo<Kept> {
        match origin {
            KeyOrigin::Client => &mut self.client,
            KeyOrigin::Edge => &mut self.edge,
        }
    }

    fn kept(&self, key: KeyRef) -> &Kept {
        match key.origin() {
            KeyOrigin::Client => self.client.get(key.number()),
            KeyOrigin::Edge => self.edge.get(key.number()),
        }
    }

    fn kept_mut(&mut self, key: KeyRef) -> &mut Kept {
        self.queue(key.origin()).get_mut(key.number())
    }

    /// Take a key out of the chain of its principal.
    fn unchain(&mut self, kept: &Kept, place: KeyRef, people: &mut People) {
        let mut next = people.get(kept.principal).keys;
        if next == place.0 {
            people.set_keys(kept.principal, kept.older);
            return;
        }
        loop {
            assert_ne!(next, NONE, "a key is in the chain of its principal");
            let newer = self.kept_mut(KeyRef(next));
            if newer.older == place.0 {
                newer.older = kept.older;
                return;
            }
            next = newer.older;
        }
    }

    fn told(&mut self, reply: &Reply, principal: UserId, at: Timestamp) -> Told {
        Told::small(reply, principal, at)
            .unwrap_or_else(|| Told::Other { reply: self.replies.insert(*reply) })
    }

    fn reply(&self, kept: &Kept) -> Reply {
        let (user, at) = (kept.principal, kept.at);
        match kept.told {
            Told::Confirmed { seq, quantity } => {
                booking_reply(seq, user, quantity, BookingStatus::Confirmed, at, None)
            }
            Told::Waiting { seq, quantity, position } => {
                booking_reply(seq, user, quantity, BookingStatus::Waitlisted, at, Some(position))
            }
            Told::Held { seq, quantity, span } => {
                let (seq, expires_at) = (seq.seq(), at.plus(span));
                let hold = Hold { seq, user, quantity, made_at: at, expires_at, extensions: 0 };
                Reply::Hold(HoldReply { hold, open: true })
            }
            Told::Other { reply } => *self.replies.get(reply),
        }
    }
}

impl Told {
    /// The reply in little space, if nothing gets lost by it.
    fn small(reply: &Reply, principal: UserId, at: Timestamp) -> Option<Self> {
        match reply {
            Reply::Booking(BookingReply { booking, waitlist_position }) => {
                let Booking { seq, user, quantity, status, made_at, changed_at } = *booking;
                if user != principal || made_at != at || changed_at != at {
                    return None;
                }
                let seq = PackedSeq::new(seq);
                match (status, *waitlist_position) {
                    (BookingStatus::Confirmed, None) => Some(Self::Confirmed { seq, quantity }),
                    (BookingStatus::Waitlisted, Some(position)) => {
                        Some(Self::Waiting { seq, quantity, position })
                    }
                    _ => None,
                }
            }
            Reply::Hold(HoldReply { hold, open: true }) => {
                let Hold { seq, user, quantity, made_at, expires_at, extensions } = *hold;
                if user != principal || made_at != at || extensions != 0 {
                    return None;
                }
                let span = expires_at.millis().checked_sub(at.millis())?;
                let span = Span::millis(u32::try_from(span).ok()?);
                Some(Self::Held { seq: PackedSeq::new(seq), quantity, span })
            }
            _ => None,
        }
    }
}

fn booking_reply(
    seq: PackedSeq,
    user: UserId,
    quantity: Seats,
    status: BookingStatus,
    at: Timestamp,
    waitlist_position: Option<u32>,
) -> Reply {
    let seq = seq.seq();
    let booking = Booking { seq, user, quantity, status, made_at: at, changed_at: at };
    Reply::Booking(BookingReply { booking, waitlist_position })
}
