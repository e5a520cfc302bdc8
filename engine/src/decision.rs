//! Decisions, replies, rejections.

use crate::booking_event::Entry;
use crate::id::{BookingId, EventId, HoldId, UserId};
use crate::inventory::Seq;
use crate::seats::Seats;
use crate::time::Timestamp;

/// The engine's answer to an accepted command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What goes into the history; `None` when nothing changes (a repeated key, or a
    /// deadline with nothing due).
    pub entry: Option<Entry>,
    /// What the caller is told once `entry`, and everything before it, is durable.
    pub reply: Reply,
    /// Whether the reply is that of an earlier command with the same key.
    pub replayed: bool,
}

/// What an accepted command is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The event exists now, has changed, or is cancelled.
    Event(EventReply),
    /// The booking that was made, confirmed or cancelled.
    Booking(BookingReply),
    /// The hold that was placed, changed or released.
    Hold(HoldReply),
    /// What was due is done.
    Ran,
}

/// The outcome of opening, changing or cancelling an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventReply {
    /// The version from now on.
    pub version: u32,
    /// The sequence number of the booking event that made it so.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// How many bookings were cancelled with the event; 0 otherwise.
    pub cancelled_bookings: u32,
}

/// A booking as its owner is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookingReply {
    /// The booking.
    pub booking: Booking,
    /// Its place in the queue, from 1, as of the decision; `None` unless it waits.
    pub waitlist_position: Option<u32>,
}

/// One person's places at an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booking {
    /// The place in the event's history it was made at: never changes, and is the
    /// order of the waitlist.
    pub seq: Seq,
    /// Whose.
    pub user: UserId,
    /// How many places.
    pub quantity: Seats,
    /// Whether it has them.
    pub status: BookingStatus,
    /// When it was made.
    pub made_at: Timestamp,
    /// When its status last changed.
    pub changed_at: Timestamp,
}

impl Booking {
    /// Its id; `event` must be the event it belongs to.
    #[must_use]
    pub const fn id(&self, event: EventId) -> BookingId {
        BookingId::compose(self.made_at, event, self.seq)
    }
}

/// What a booking is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BookingStatus {
    /// It has its places.
    Confirmed,
    /// It waits for them.
    Waitlisted,
    /// It is over.
    Cancelled,
}

/// A hold as its owner is told of it. Its details are not kept here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldReply {
    /// The hold.
    pub hold: Hold,
    /// Whether it is still open after the command.
    pub open: bool,
}

/// Places set aside for a user until a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The place in the event's history it was made at.
    pub seq: Seq,
    /// For whom.
    pub user: UserId,
    /// How many places.
    pub quantity: Seats,
    /// When it was made.
    pub made_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// How often it has been extended.
    pub extensions: u8,
}

impl Hold {
    /// Its id; `event` must be the event it belongs to.
    #[must_use]
    pub const fn id(&self, event: EventId) -> HoldId {
        HoldId::compose(self.made_at, event, self.seq)
    }
}

/// A refusal by the rules. Not an error: it changes nothing and is not remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The event was never opened, or is cancelled.
    NoSuchEvent,
    /// No such booking, or not the principal's.
    NoSuchBooking,
    /// No such hold, or not the principal's.
    NoSuchHold,
    /// The event was opened before, by another command.
    AlreadyOpen,
    /// Only the organizer or an admin may do this.
    NotOrganizer,
    /// `If-Match` named another version.
    VersionMismatch {
        /// The version it has.
        current: u32,
    },
    /// The person has a booking or a waiting entry here.
    AlreadyBooked {
        /// That one.
        existing: BookingReply,
    },
    /// The person holds places here, but another number of them, or wants a second hold.
    HasHold {
        /// That hold.
        hold: Hold,
    },
    /// Not enough free places, and waiting is not possible or not wanted.
    SoldOut {
        /// Places a newcomer can have now.
        available: u32,
        /// Entries that wait.
        waitlist_entries: u32,
    },
    /// The waitlist has its greatest length.
    WaitlistFull {
        /// That length.
        entries: u32,
    },
    /// The event has its greatest number of open holds.
    TooManyHolds {
        /// That number.
        holds: u32,
    },
    /// Sales have not begun.
    NotYetOpen {
        /// When they will.
        opens_at: Timestamp,
    },
    /// Sales are over, or closed by the organizer.
    SalesClosed,
    /// More places wanted than the event has in all.
    ExceedsCapacity {
        /// How many it has.
        capacity: u32,
    },
    /// More places wanted than one booking may have.
    TooManySeats {
        /// How many it may have.
        max_per_booking: Seats,
    },
    /// The hold's time is over and its places are gone or awaited.
    HoldExpired,
    /// The hold has been extended as often as it may.
    NoMoreExtensions {
        /// How often it may.
        extensions: u8,
    },
    /// The new capacity is below what is booked and held.
    CapacityBelowSold {
        /// Places booked.
        booked: u32,
        /// Places held.
        held: u32,
    },
    /// Terms that contradict themselves or a limit.
    BadTerms(BadTerms),
    /// The key was used with another body.
    KeyReused,
    /// The principal has as many remembered keys here as it may.
    TooManyKeys {
        /// How many it may.
        limit: u32,
    },
}

/// What is wrong with terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTerms {
    /// The capacity is zero or above the limit.
    Capacity,
    /// Sales would close before they open, or after the event's end.
    Times,
    /// Words above the size limit.
    Words,
}
