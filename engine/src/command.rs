//! Commands: wishes in the imperative, which may be refused.

use crate::booking_event::Words;
use crate::id::{BookingId, HoldId, UserId};
use crate::seats::Seats;
use crate::time::Timestamp;

/// Who wants something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    /// The person; [`UserId::NIL`] for the system itself.
    pub user: UserId,
    /// Whether the person may do what only organizers and owners may.
    pub admin: bool,
}

impl Principal {
    /// The system itself: runs what is due.
    pub const SYSTEM: Self = Self { user: UserId::NIL, admin: true };

    /// An ordinary person.
    #[must_use]
    pub const fn person(user: UserId) -> Self {
        Self { user, admin: false }
    }
}

/// A command with everything that the engine cannot know by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Who wants it.
    pub principal: Principal,
    /// The actor's time. Never smaller than that of any earlier envelope given to the
    /// same inventory.
    pub at: Timestamp,
    /// The key under which an accepted outcome is remembered; internal commands have
    /// none.
    pub key: Option<Key>,
    /// What is wanted.
    pub command: Command,
}

/// The idempotency key of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Digest over (principal, call, key).
    pub digest: CommandId,
    /// Digest over the canonical body: the same key with another body is refused.
    pub fingerprint: Fingerprint,
    /// Who made it, which decides how long it is kept.
    pub origin: KeyOrigin,
}

/// Digest over (principal, call, key) that identifies a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub [u8; 16]);

/// Digest over the canonical body of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 8]);

/// Who made an idempotency key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyOrigin {
    /// The client sent it.
    Client,
    /// The edge made it, because the client sent none.
    Edge,
}

/// What can be sold, when, to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Places in all, from 1 to [`crate::Limits::capacity`].
    pub capacity: u32,
    /// Nothing is sold before.
    pub opens_at: Timestamp,
    /// Nothing is sold from here on.
    pub closes_at: Timestamp,
    /// Nobody is promoted from here on. Not before `closes_at`.
    pub ends_at: Timestamp,
    /// `false` closes sales; bookings stay and the waitlist goes on being served.
    pub active: bool,
    /// Whether people may wait when it is sold out.
    pub waitlist: bool,
    /// Most places of one booking or hold.
    pub max_per_booking: Seats,
}

/// Changes of terms: `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TermsChange {
    /// See [`Terms::capacity`].
    pub capacity: Option<u32>,
    /// See [`Terms::opens_at`].
    pub opens_at: Option<Timestamp>,
    /// See [`Terms::closes_at`].
    pub closes_at: Option<Timestamp>,
    /// See [`Terms::ends_at`].
    pub ends_at: Option<Timestamp>,
    /// See [`Terms::active`].
    pub active: Option<bool>,
    /// See [`Terms::waitlist`].
    pub waitlist: Option<bool>,
    /// See [`Terms::max_per_booking`].
    pub max_per_booking: Option<Seats>,
}

/// A wish, imperative; the person it is for is the envelope's principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Bring the event into being. `words` are its description, opaque to the engine.
    /// The principal becomes the organizer.
    Open {
        /// Its first terms.
        terms: Terms,
        /// Its description.
        words: Words,
    },
    /// Change terms and words; only the organizer or an admin.
    Change {
        /// Terms to change.
        change: TermsChange,
        /// The changed words, opaque.
        words: Words,
        /// Refuse unless the event has this version (`If-Match`).
        if_version: Option<u32>,
    },
    /// Cancel the whole event with all its bookings; only the organizer or an admin.
    CancelEvent {
        /// Refuse unless the event has this version (`If-Match`).
        if_version: Option<u32>,
    },
    /// Book places, or wait for them. Who holds places confirms that hold.
    Book {
        /// How many; `None` is one, or as many as are held.
        quantity: Option<Seats>,
        /// Wait when there is no room.
        join_waitlist: bool,
    },
    /// Turn a hold into a booking.
    Confirm {
        /// The hold, the principal's own.
        hold: HoldId,
    },
    /// Cancel one's booking, or leave the waitlist. An admin may cancel for others.
    Cancel {
        /// The booking.
        booking: BookingId,
    },
    /// Set places aside for a while.
    PlaceHold {
        /// How many.
        quantity: Seats,
        /// The details of the coming booking, opaque.
        details: Words,
    },
    /// Replace a hold's details, extend it, or both.
    ChangeHold {
        /// The hold, the principal's own.
        hold: HoldId,
        /// New details, or `None` to leave them.
        details: Option<Words>,
        /// Extend to a full span from now.
        extend: bool,
    },
    /// Give a hold's places back.
    ReleaseHold {
        /// The hold, the principal's own.
        hold: HoldId,
    },
    /// Do what is due at the envelope's time: end holds, serve the waitlist, at most
    /// [`crate::limits::MOVES_PER_DECISION`] at once. Run it until
    /// [`crate::Inventory::next_deadline`] is in the future, before any other command.
    RunDue,
}

impl Command {
    /// What is wanted, in a word, for logs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::Change { .. } => "change",
            Self::CancelEvent { .. } => "cancel_event",
            Self::Book { .. } => "book",
            Self::Confirm { .. } => "confirm",
            Self::Cancel { .. } => "cancel",
            Self::PlaceHold { .. } => "place_hold",
            Self::ChangeHold { .. } => "change_hold",
            Self::ReleaseHold { .. } => "release_hold",
            Self::RunDue => "run_due",
        }
    }
}
