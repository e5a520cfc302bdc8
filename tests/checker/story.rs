//! A small history in which everything happens once, made by hand, for tests to spoil.

use std::collections::BTreeMap;
use std::sync::Arc;

use harness::checker::{Evidence, Report, check};
use harness::history::{
    Answer, Call, Moment, Outcome, Refusal, SeenAvailability, SeenBooking, Status, Told, Wish,
};
use harness::journal::{Batch, Cause, Decision, Fact, Header, Journal, Named, Terms, Was};
use harness::served::{Served, ServedEvent};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub(crate) const EVENT: Uuid = Uuid::from_u128(0xe0);
pub(crate) const ORGANIZER: Uuid = Uuid::from_u128(0x0f);
pub(crate) const ALICE: Uuid = Uuid::from_u128(0xa1);
pub(crate) const BOB: Uuid = Uuid::from_u128(0xb0);
pub(crate) const CAROL: Uuid = Uuid::from_u128(0xc0);
pub(crate) const DAVE: Uuid = Uuid::from_u128(0xd0);
pub(crate) const EVE: Uuid = Uuid::from_u128(0xe1);
pub(crate) const FRANK: Uuid = Uuid::from_u128(0xf0);
pub(crate) const GINA: Uuid = Uuid::from_u128(0x61);
pub(crate) const HELEN: Uuid = Uuid::from_u128(0x4e);
pub(crate) const IVAN: Uuid = Uuid::from_u128(0x1f);

/// The evidence of a run, before the journal is sealed with seqs and hashes.
#[derive(Clone)]
pub(crate) struct Story {
    pub(crate) calls: Vec<Call>,
    pub(crate) batches: Vec<Vec<Decision>>,
    pub(crate) epochs: Vec<u64>,
    pub(crate) sums: Sums,
    pub(crate) served: Served,
}

/// The stored sums at the end.
#[derive(Clone, Copy)]
pub(crate) struct Sums {
    pub(crate) capacity: u64,
    pub(crate) booked: u64,
    pub(crate) version: u64,
}

impl Sums {
    pub(crate) fn of(capacity: u64, booked: u64) -> Self {
        Self { capacity, booked, version: 2 }
    }
}

impl Story {
    /// Three places, later five. Alice and Bob have them all, Carol and Dave wait; Alice
    /// cancels and Carol follows; Dave needs more than is left and holds the queue until
    /// the organizer adds places. The server was restarted in the middle.
    pub(crate) fn good() -> Self {
        let mut story = Self::empty();
        story.batches = vec![
            vec![decision(1, vec![Fact::Opened(terms(3))])],
            vec![
                decision(2, vec![Fact::Confirmed(ALICE, 2, None)]),
                decision(2, vec![Fact::Confirmed(BOB, 1, None)]),
            ],
            vec![decision(3, vec![Fact::Waitlisted(CAROL, 1)])],
            vec![decision(4, vec![Fact::Waitlisted(DAVE, 2)])],
            vec![decision(
                5,
                vec![
                    Fact::Cancelled(named(2, ALICE, 2), Was::Confirmed, Cause::User),
                    Fact::Promoted(named(4, CAROL, 1)),
                ],
            )],
            vec![decision(6, vec![Fact::Changed(2, terms(5)), Fact::Promoted(named(5, DAVE, 2))])],
            vec![decision(7, vec![Fact::Confirmed(GINA, 1, None)])],
        ];
        story.epochs = vec![1, 1, 1, 1, 2, 2, 2];
        story.sums = Sums::of(5, 5);
        story.write_calls();
        story.write_served();
        story
    }

    fn write_calls(&mut self) {
        use Status::{Cancelled, Confirmed, Waitlisted};
        self.call(ALICE, "a", book(2), 10, 20, row(2, ALICE, 2, Confirmed, None));
        self.call(BOB, "b", book(1), 11, 21, row(3, BOB, 1, Confirmed, None));
        self.call(CAROL, "c", book(1), 22, 30, row(4, CAROL, 1, Waitlisted, Some(1)));
        self.call(DAVE, "d", book(2), 31, 40, unknown());
        self.call(DAVE, "d", book(2), 41, 50, row(5, DAVE, 2, Waitlisted, Some(2)));
        self.call(DAVE, "d", book(2), 51, 52, row(5, DAVE, 2, Waitlisted, Some(2)));
        let only_now = Wish::Book { event: EVENT, quantity: 1, join_waitlist: false };
        self.call(EVE, "e", only_now, 53, 54, refused("sold_out", None));
        self.call(BOB, "b2", book(1), 55, 56, refused("already_booked", Some(id(3))));
        let counts = SeenAvailability {
            capacity: 3,
            booked: 3,
            held: 0,
            free: 0,
            available: 0,
            waitlisted: 3,
            waitlist_entries: 2,
            as_of_seq: 5,
        };
        let look = Wish::ReadAvailability { event: EVENT };
        self.call(EVE, "", look, 57, 58, answered(Told::Availability(counts)));
        self.call(ALICE, "ac", cancel(2), 60, 70, row(2, ALICE, 2, Cancelled, None));
        self.call(CAROL, "", read(4), 71, 72, row(4, CAROL, 1, Confirmed, None));
        let own = Told::Bookings(vec![seen(2, ALICE, 2, Cancelled, None)]);
        self.call(ALICE, "", Wish::ReadOwn, 73, 74, answered(own));
        self.call(ORGANIZER, "o", capacity(1), 75, 76, refused("capacity_below_sold", None));
        let changed = Told::Event { version: 2, capacity: 5 };
        self.call(ORGANIZER, "o", capacity(5), 80, 90, answered(changed));
        self.call(DAVE, "", read(5), 91, 92, row(5, DAVE, 2, Confirmed, None));
        self.call(FRANK, "f", book(1), 93, 94, unknown());
        self.call(GINA, "g", book(1), 95, 96, unknown());
        self.call(HELEN, "h", book(6), 97, 98, refused("exceeds_capacity", None));
    }

    fn write_served(&mut self) {
        let rows = [
            seen(2, ALICE, 2, Status::Cancelled, None),
            seen(3, BOB, 1, Status::Confirmed, None),
            seen(4, CAROL, 1, Status::Confirmed, None),
            seen(5, DAVE, 2, Status::Confirmed, None),
            seen(10, GINA, 1, Status::Confirmed, None),
        ];
        for row in &rows {
            self.served.users.entry(row.user).or_default().push(row.clone());
        }
        self.served.users.entry(EVE).or_default();
        self.served.events.push(ServedEvent {
            id: EVENT,
            availability: SeenAvailability {
                capacity: 5,
                booked: 5,
                held: 0,
                free: 0,
                available: 0,
                waitlisted: 0,
                waitlist_entries: 0,
                as_of_seq: 10,
            },
            capacity: 5,
            version: 2,
            bookings: rows.to_vec(),
        });
    }

    /// One place and a queue of `waiting`; then there is room for all, and so many moves
    /// take two decisions.
    pub(crate) fn crowd(waiting: u64) -> Self {
        let mut story = Self::empty();
        let person = |n: u64| Uuid::from_u128(0x1000 + u128::from(n));
        story.batches.push(vec![decision(1, vec![Fact::Opened(terms(1))])]);
        for n in 0..=waiting {
            let fact = if n == 0 {
                Fact::Confirmed(person(n), 1, None)
            } else {
                Fact::Waitlisted(person(n), 1)
            };
            story.batches.push(vec![decision(2, vec![fact])]);
            story.call(person(n), "k", book(1), 10, 20, unknown());
        }
        let total = u32::try_from(waiting).unwrap() + 1;
        story.call(ORGANIZER, "o", capacity(total), 30, 40, unknown());
        let mut moves: Vec<Fact> =
            (1..=waiting).map(|n| Fact::Promoted(named(n + 2, person(n), 1))).collect();
        let rest = moves.split_off(moves.len().min(256));
        moves.insert(0, Fact::Changed(2, terms(total)));
        story.batches.push(vec![decision(3, moves)]);
        story.batches.push(vec![decision(3, rest)]);
        story.epochs = vec![1; story.batches.len()];
        story.sums = Sums::of(waiting + 1, waiting + 1);
        story
    }

    fn empty() -> Self {
        Self {
            calls: Vec::new(),
            batches: Vec::new(),
            epochs: Vec::new(),
            sums: Sums::of(0, 0),
            served: Served::default(),
        }
    }

    pub(crate) fn call(
        &mut self,
        user: Uuid,
        key: &str,
        wish: Wish,
        started: Moment,
        ended: Moment,
        outcome: Outcome,
    ) {
        let key = (!key.is_empty()).then(|| Arc::from(key));
        self.calls.push(Call { client: 0, user, key, wish, started, ended, outcome });
    }

    /// The first call of somebody.
    pub(crate) fn call_of(&mut self, user: Uuid) -> &mut Call {
        self.calls.iter_mut().find(|call| call.user == user).unwrap()
    }

    /// The last call of somebody.
    pub(crate) fn last_call_of(&mut self, user: Uuid) -> &mut Call {
        self.calls.iter_mut().rfind(|call| call.user == user).unwrap()
    }

    /// A row of the event's list, moved out of its owner's list.
    pub(crate) fn row(&mut self, seq: u64) -> &mut SeenBooking {
        for rows in self.served.users.values_mut() {
            rows.retain(|row| row.seq != seq);
        }
        self.served.users.retain(|_, rows| !rows.is_empty());
        self.served.events[0].bookings.iter_mut().find(|row| row.seq == seq).unwrap()
    }

    /// The journal with seqs, hashes and sums as they should be.
    pub(crate) fn journal(&self) -> Journal {
        let (mut seq, mut chain) = (0, [0; 16]);
        let mut batches = Vec::new();
        for ((position, decisions), epoch) in (1..).zip(&self.batches).zip(self.epochs()) {
            let blob = format!("batch {position}").into_bytes();
            let digest = Sha256::new().chain_update(chain).chain_update(&blob).finalize();
            chain.copy_from_slice(&digest[..16]);
            let facts: u64 = decisions.iter().map(|decision| decision.facts.len() as u64).sum();
            let (first_seq, last_seq) = (seq + 1, seq + facts);
            seq = last_seq;
            let decisions = decisions.clone();
            let event = EVENT;
            batches.push(Batch {
                position,
                event,
                first_seq,
                last_seq,
                epoch,
                chain,
                blob,
                decisions,
            });
        }
        let header = Header {
            seq,
            chain,
            booked: self.sums.booked,
            held: 0,
            waitlisted: 0,
            waitlist_entries: 0,
            capacity: self.sums.capacity,
            version: self.sums.version,
        };
        Journal { batches, headers: BTreeMap::from([(EVENT, header)]) }
    }

    fn epochs(&self) -> impl Iterator<Item = u64> {
        let last = self.epochs.last().copied().unwrap_or(1);
        self.epochs.iter().copied().chain(std::iter::repeat(last))
    }

    pub(crate) fn report(&self) -> Report {
        self.report_on(&self.journal())
    }

    pub(crate) fn report_on(&self, journal: &Journal) -> Report {
        check(&Evidence { calls: &self.calls, journal, served: &self.served })
    }
}

pub(crate) fn terms(capacity: u32) -> Terms {
    Terms { capacity, ends_at: 1_000, active: true, waitlist: true }
}

pub(crate) fn decision(at: i64, facts: Vec<Fact>) -> Decision {
    Decision { at, key: None, facts }
}

pub(crate) fn named(seq: u64, user: Uuid, quantity: u32) -> Named {
    Named { seq, user, quantity }
}

/// The id of the booking made at a seq.
pub(crate) fn id(seq: u64) -> Uuid {
    Uuid::from_u128(0x1d00_0000 + u128::from(seq))
}

pub(crate) fn book(quantity: u32) -> Wish {
    Wish::Book { event: EVENT, quantity, join_waitlist: true }
}

pub(crate) fn cancel(seq: u64) -> Wish {
    Wish::Cancel { booking: id(seq) }
}

pub(crate) fn read(seq: u64) -> Wish {
    Wish::ReadBooking { booking: id(seq) }
}

pub(crate) fn capacity(capacity: u32) -> Wish {
    Wish::SetCapacity { event: EVENT, capacity }
}

pub(crate) fn seen(
    seq: u64,
    user: Uuid,
    quantity: u32,
    status: Status,
    position: Option<u32>,
) -> SeenBooking {
    SeenBooking { id: id(seq), event: EVENT, user, quantity, status, seq, position }
}

/// An answer with one booking.
pub(crate) fn row(
    seq: u64,
    user: Uuid,
    quantity: u32,
    status: Status,
    position: Option<u32>,
) -> Outcome {
    answered(Told::Booking(seen(seq, user, quantity, status, position)))
}

/// An answer; the same words are the same bytes.
pub(crate) fn answered(told: Told) -> Outcome {
    let body = format!("{told:?}").into_bytes().into();
    Outcome::Answered(Answer { body, replayed: false, told })
}

pub(crate) fn refused(code: &str, existing: Option<Uuid>) -> Outcome {
    Outcome::Refused(Refusal { status: 409, code: code.to_owned(), existing })
}

pub(crate) fn unknown() -> Outcome {
    Outcome::Unknown("reset".to_owned())
}
