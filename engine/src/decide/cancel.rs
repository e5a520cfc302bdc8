//! Cancelling bookings and leaving the waitlist.

use super::waitlist::{Room, serve};
use super::{Case, Outcome};
use crate::booking_event::{BookingEvent, Cause, Was};
use crate::decision::{Booking, BookingReply, BookingStatus, Rejection, Reply};
use crate::id::BookingId;
use crate::inventory::booking_ref;
use crate::limits::MOVES_PER_DECISION;

/// Cancel one's own booking, or as an admin anybody's. What becomes free goes to the
/// waitlist in the same decision, so that no newcomer ever sees it.
pub(super) fn cancel(case: &Case<'_>, id: BookingId) -> Result<Outcome, Rejection> {
    let booking = find(case, id).ok_or(Rejection::NoSuchBooking)?;
    let (was, freed) = match booking.status {
        BookingStatus::Confirmed => (Was::Confirmed, booking.quantity.get()),
        _ => (Was::Waitlisted, 0),
    };
    let mut events = vec![BookingEvent::BookingCancelled {
        booking: booking_ref(&booking),
        was,
        cause: Cause::User,
    }];
    let room = Room::of(case, case.terms).freed(freed).without(booking.seq);
    serve(case, &room, MOVES_PER_DECISION, &mut events);
    let over = Booking { status: BookingStatus::Cancelled, changed_at: case.at, ..booking };
    let reply = BookingReply { booking: over, waitlist_position: None };
    Ok(Outcome { events, reply: Reply::Booking(reply) })
}

fn find(case: &Case<'_>, id: BookingId) -> Option<Booking> {
    let event = case.inventory.event();
    let own = case.booking();
    own.filter(|booking| booking.id(event) == id)
        .or_else(|| case.inventory.booking(id).filter(|_| case.principal.admin))
}
