//! The row that a booking, a waiting entry and a hold have in common.

use crate::booking_event::{BookingRef, HoldRef};
use crate::decision::{Booking, BookingStatus, Hold};
use crate::id::UserId;
use crate::inventory::Seq;
use crate::seats::Seats;
use crate::time::Timestamp;

/// What a person has at an event. One row per person, so that having two things at once
/// cannot be expressed. 48 bytes: there may be a million of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) seq: Seq,
    pub(crate) user: UserId,
    pub(crate) made_at: Timestamp,
    /// When its status last changed; for a hold, when it ends.
    pub(crate) time: Timestamp,
    pub(crate) quantity: Seats,
    pub(crate) state: State,
    /// How often a hold has been extended; 0 for bookings.
    pub(crate) extensions: u8,
}

const _: () = assert!(size_of::<Row>() == 48);

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Confirmed,
    Waiting,
    Held,
}

impl Row {
    /// The row as a booking; `None` for a hold.
    pub(crate) fn booking(&self) -> Option<Booking> {
        let status = match self.state {
            State::Confirmed => BookingStatus::Confirmed,
            State::Waiting => BookingStatus::Waitlisted,
            State::Held => return None,
        };
        Some(Booking {
            seq: self.seq,
            user: self.user,
            quantity: self.quantity,
            status,
            made_at: self.made_at,
            changed_at: self.time,
        })
    }

    /// The row as a hold; `None` for a booking.
    pub(crate) fn hold(&self) -> Option<Hold> {
        (self.state == State::Held).then_some(Hold {
            seq: self.seq,
            user: self.user,
            quantity: self.quantity,
            made_at: self.made_at,
            expires_at: self.time,
            extensions: self.extensions,
        })
    }

    pub(crate) fn of_booking(booking: &Booking) -> Option<Self> {
        let state = match booking.status {
            BookingStatus::Confirmed => State::Confirmed,
            BookingStatus::Waitlisted => State::Waiting,
            BookingStatus::Cancelled => return None,
        };
        Some(Self {
            seq: booking.seq,
            user: booking.user,
            made_at: booking.made_at,
            time: booking.changed_at,
            quantity: booking.quantity,
            state,
            extensions: 0,
        })
    }

    pub(crate) const fn of_hold(hold: &Hold) -> Self {
        Self {
            seq: hold.seq,
            user: hold.user,
            made_at: hold.made_at,
            time: hold.expires_at,
            quantity: hold.quantity,
            state: State::Held,
            extensions: hold.extensions,
        }
    }

    pub(crate) const fn booking_ref(&self) -> BookingRef {
        BookingRef {
            seq: self.seq,
            made_at: self.made_at,
            user: self.user,
            quantity: self.quantity,
        }
    }
}

/// The parts of a hold that name it.
pub(crate) const fn hold_ref(hold: &Hold) -> HoldRef {
    HoldRef { seq: hold.seq, made_at: hold.made_at, user: hold.user, quantity: hold.quantity }
}

/// The parts of a booking that name it.
pub(crate) const fn booking_ref(booking: &Booking) -> BookingRef {
    BookingRef {
        seq: booking.seq,
        made_at: booking.made_at,
        user: booking.user,
        quantity: booking.quantity,
    }
}
