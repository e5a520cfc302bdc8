//! Turning holds into bookings.

use super::sales::{new_booking, nothing_booked, on_sale};
use super::{Case, Outcome};
use crate::booking_event::{BookingEvent, HoldRef};
use crate::decision::{BookingReply, BookingStatus, Hold, Rejection, Reply};
use crate::id::HoldId;
use crate::inventory::hold_ref;
use crate::seats::Seats;

/// Confirm one's own hold, open or remembered.
pub(super) fn confirm(case: &Case<'_>, id: HoldId) -> Result<Outcome, Rejection> {
    // First, so that the second click on a hold's button shows the booking that the
    // first one made, although that hold is gone.
    nothing_booked(case)?;
    match own_hold(case, id)? {
        OwnHold::Open(hold) => open_hold(case, &hold),
        OwnHold::Expired(hold) => expired_hold(case, hold),
    }
}

/// A hold of the principal.
pub(super) enum OwnHold {
    /// It has its places.
    Open(Hold),
    /// Its time is over, not too long ago.
    Expired(HoldRef),
}

/// Find a hold; others' holds do not exist, not even for admins.
pub(super) fn own_hold(case: &Case<'_>, id: HoldId) -> Result<OwnHold, Rejection> {
    let own = case.hold();
    if let Some(hold) = own.filter(|hold| hold.id(case.inventory.event()) == id) {
        return Ok(OwnHold::Open(hold));
    }
    let expired = case.inventory.expired_hold(id, case.at, case.limits);
    match expired.filter(|hold| hold.user == case.principal.user) {
        Some(hold) => Ok(OwnHold::Expired(hold)),
        None => Err(Rejection::NoSuchHold),
    }
}

/// Confirm a hold that has its places.
pub(super) fn open_hold(case: &Case<'_>, hold: &Hold) -> Result<Outcome, Rejection> {
    // Its time is over, but it was not ended yet: its places belong to who waits.
    if case.at >= hold.expires_at && case.inventory.counts().waitlist_entries > 0 {
        return Err(Rejection::HoldExpired);
    }
    Ok(booked(case, hold.quantity, Some(hold_ref(hold))))
}

/// Confirm a hold whose places went back, if they are still there for newcomers.
fn expired_hold(case: &Case<'_>, hold: HoldRef) -> Result<Outcome, Rejection> {
    if let Some(other) = case.hold() {
        return Err(Rejection::HasHold { hold: other });
    }
    on_sale(case)?;
    if hold.quantity.get() > case.inventory.available() {
        return Err(Rejection::HoldExpired);
    }
    Ok(booked(case, hold.quantity, Some(hold)))
}

/// The principal has places.
pub(super) fn booked(case: &Case<'_>, quantity: Seats, hold: Option<HoldRef>) -> Outcome {
    let event = BookingEvent::BookingConfirmed { user: case.principal.user, quantity, hold };
    let booking = new_booking(case, quantity, BookingStatus::Confirmed);
    let reply = BookingReply { booking, waitlist_position: None };
    Outcome { events: vec![event], reply: Reply::Booking(reply) }
}
