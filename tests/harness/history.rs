//! The history of a run: every call with what was wanted, when it began and ended on one
//! monotonic clock, and what came of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use uuid::Uuid;

/// Nanoseconds since the run began, on one monotonic clock for all clients.
pub type Moment = u64;

/// What somebody wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wish {
    /// Places, or a place in the queue.
    Book {
        /// Of which event.
        event: Uuid,
        /// How many.
        quantity: u32,
        /// Whether to wait when there is no room.
        join_waitlist: bool,
    },
    /// An end of one's booking.
    Cancel {
        /// Which booking.
        booking: Uuid,
    },
    /// Places set aside for a while.
    Hold {
        /// Of which event.
        event: Uuid,
        /// How many.
        quantity: u32,
    },
    /// A booking of what is held.
    Confirm {
        /// Which hold.
        hold: Uuid,
        /// Of which event.
        event: Uuid,
        /// How many places.
        quantity: u32,
    },
    /// Another capacity, by the organizer.
    SetCapacity {
        /// Of which event.
        event: Uuid,
        /// How many places.
        capacity: u32,
    },
    /// One booking.
    ReadBooking {
        /// Which booking.
        booking: Uuid,
    },
    /// The list of all own bookings.
    ReadOwn,
    /// The counts of an event.
    ReadAvailability {
        /// Of which event.
        event: Uuid,
    },
}

impl Wish {
    /// Whether it changes something when it is granted.
    #[must_use]
    pub fn writes(&self) -> bool {
        !matches!(self, Self::ReadBooking { .. } | Self::ReadOwn | Self::ReadAvailability { .. })
    }
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was granted.
    Answered(Answer),
    /// It was refused; that must have changed nothing.
    Refused(Refusal),
    /// A timeout, a reset or a 5xx: it may have happened, at any later time, once.
    Unknown(String),
}

/// A granted call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The body, byte for byte.
    pub body: Arc<[u8]>,
    /// Whether the answer said that it repeats an earlier one.
    pub replayed: bool,
    /// What the body says.
    pub told: Told,
}

/// What the body of an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A booking.
    Booking(SeenBooking),
    /// A list of bookings.
    Bookings(Vec<SeenBooking>),
    /// A hold.
    Hold(SeenHold),
    /// An event after a change.
    Event {
        /// Its version.
        version: u32,
        /// Its capacity.
        capacity: u32,
    },
    /// The counts of an event.
    Availability(SeenAvailability),
    /// Something that cannot be read as what was asked for.
    Garbled(String),
}

/// A booking as it was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenBooking {
    /// Its id.
    pub id: Uuid,
    /// Of which event.
    pub event: Uuid,
    /// Whose.
    pub user: Uuid,
    /// How many places.
    pub quantity: u32,
    /// What it is worth.
    pub status: Status,
    /// Its place in the event's history.
    pub seq: u64,
    /// Its place in the queue, from 1.
    pub position: Option<u32>,
}

/// A hold as it was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenHold {
    /// Its id.
    pub id: Uuid,
    /// Of which event.
    pub event: Uuid,
    /// Whose.
    pub user: Uuid,
    /// How many places.
    pub quantity: u32,
    /// Its place in the event's history.
    pub seq: u64,
}

/// What a booking is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It has its places.
    Confirmed,
    /// It waits for them.
    Waitlisted,
    /// It is over.
    Cancelled,
}

/// The counts of an event as they were shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenAvailability {
    /// Places in all.
    pub capacity: u64,
    /// Places of confirmed bookings.
    pub booked: u64,
    /// Places of open holds.
    pub held: u64,
    /// Places that nobody has.
    pub free: u64,
    /// Places that a newcomer can have.
    pub available: u64,
    /// Places that waiting entries wish for.
    pub waitlisted: u64,
    /// How many entries wait.
    pub waitlist_entries: u64,
    /// The seq these counts are of.
    pub as_of_seq: u64,
}

/// A refused call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The problem's code.
    pub code: String,
    /// The booking that stood in the way, if one was shown.
    pub existing: Option<Uuid>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which of the clients made it.
    pub client: usize,
    /// For whom.
    pub user: Uuid,
    /// The idempotency key that was sent.
    pub key: Option<Arc<str>>,
    /// What was wanted.
    pub wish: Wish,
    /// Just before it was sent.
    pub started: Moment,
    /// Just after the answer was there, or the hope for one was gone.
    pub ended: Moment,
    /// What came of it.
    pub outcome: Outcome,
}

impl Call {
    /// What it was told, if it was granted.
    #[must_use]
    pub fn told(&self) -> Option<&Told> {
        match &self.outcome {
            Outcome::Answered(answer) => Some(&answer.told),
            Outcome::Refused(_) | Outcome::Unknown(_) => None,
        }
    }
}

/// Takes calls from all clients at once.
#[derive(Debug)]
pub struct History {
    began: Instant,
    calls: Mutex<Vec<Call>>,
}

impl Default for History {
    fn default() -> Self {
        Self { began: Instant::now(), calls: Mutex::default() }
    }
}

impl History {
    /// The time now on the run's clock.
    #[must_use]
    pub fn now(&self) -> Moment {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(Moment::MAX)
    }

    /// Keeps a call that has ended.
    pub fn keep(&self, call: Call) {
        // A client that panicked while it held the lock has pushed or not pushed; the
        // list is whole either way.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    /// How many calls were kept so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether nothing was kept yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All calls, in the order in which they began.
    #[must_use]
    pub fn take(&self) -> Vec<Call> {
        let mut calls =
            std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner));
        calls.sort_by_key(|call| (call.started, call.ended));
        calls
    }
}
