//! Booking events: facts the engine decided, in the past tense, immutable.

use core::fmt;
use std::sync::Arc;

use crate::command::{Key, Terms};
use crate::decision::Reply;
use crate::id::UserId;
use crate::inventory::Seq;
use crate::seats::Seats;
use crate::time::Timestamp;

/// What one decision leaves in the history: its booking events, when they happened,
/// and the key they answer. Each booking event takes the next [`Seq`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The actor's time of the decision.
    pub at: Timestamp,
    /// The key that was answered, with what a repeat of it is told.
    pub answered: Option<Answered>,
    /// What happened, in order. Empty when a keyed command found its wish already
    /// fulfilled (`answered` is there), and, rarely, when only time has to be taken note
    /// of: the event ended before all of its waitlist could be served.
    pub events: Vec<BookingEvent>,
}

/// An accepted key and its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The key.
    pub key: Key,
    /// Who used it.
    pub principal: UserId,
    /// What a repeat is told.
    pub reply: Reply,
}

/// A fact about an event's places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BookingEvent {
    /// The event came into being, with version 1.
    EventOpened {
        /// Who may change it.
        organizer: UserId,
        /// Its first terms.
        terms: Terms,
        /// Its description.
        words: Words,
    },
    /// Terms or words changed.
    EventChanged {
        /// The version from now on: one more than before.
        version: u32,
        /// The terms from now on, all of them.
        terms: Terms,
        /// The changed words.
        words: Words,
    },
    /// The event was cancelled, and with it every booking, waiting entry and hold.
    EventCancelled {
        /// The version from now on: one more than before.
        version: u32,
        /// How many bookings (confirmed or waiting) went with it.
        bookings: u32,
    },
    /// Somebody has places.
    BookingConfirmed {
        /// Who.
        user: UserId,
        /// How many.
        quantity: Seats,
        /// The hold it came from, whose places it took over.
        hold: Option<HoldRef>,
    },
    /// Somebody waits, at the end of the queue.
    BookingWaitlisted {
        /// Who.
        user: UserId,
        /// For how many.
        quantity: Seats,
    },
    /// The first of the queue has places now.
    BookingPromoted {
        /// Which booking.
        booking: BookingRef,
    },
    /// A booking or a waiting entry ended.
    BookingCancelled {
        /// Which booking.
        booking: BookingRef,
        /// Whether it had places or was waiting.
        was: Was,
        /// Why.
        cause: Cause,
    },
    /// Places were set aside.
    HoldPlaced {
        /// For whom.
        user: UserId,
        /// How many.
        quantity: Seats,
        /// Until when.
        expires_at: Timestamp,
        /// Details of the coming booking.
        details: Words,
    },
    /// A hold got other details, a later end, or both.
    HoldChanged {
        /// Which hold.
        hold: HoldRef,
        /// Its end from now on.
        expires_at: Timestamp,
        /// How often it has been extended.
        extensions: u8,
        /// New details, if they changed.
        details: Option<Words>,
    },
    /// A hold ended without a booking.
    HoldEnded {
        /// Which hold.
        hold: HoldRef,
        /// Why: its owner or its time.
        cause: Cause,
    },
}

/// Enough of a booking to compose its id and to write its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BookingRef {
    /// The sequence number it was made at.
    pub seq: Seq,
    /// When it was made.
    pub made_at: Timestamp,
    /// Whose it is.
    pub user: UserId,
    /// How many places.
    pub quantity: Seats,
}

/// Enough of a hold to compose its id and to write its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HoldRef {
    /// The sequence number it was made at.
    pub seq: Seq,
    /// When it was made.
    pub made_at: Timestamp,
    /// Whose it is.
    pub user: UserId,
    /// How many places.
    pub quantity: Seats,
}

/// What a cancelled booking had been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Was {
    /// It had places.
    Confirmed,
    /// It was waiting.
    Waitlisted,
}

/// Why something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Its owner wanted it, or an admin on the owner's behalf.
    User,
    /// Its time ran out.
    Expiry,
    /// The capacity was reduced below what it needs.
    Capacity,
}

/// Text or details that the engine carries but never reads; at most
/// [`crate::limits::WORDS_BYTES`].
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Words(pub Arc<[u8]>);

impl Words {
    /// Words out of bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(Arc::from(bytes))
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}
