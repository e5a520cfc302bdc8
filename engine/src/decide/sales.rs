//! Booking places, or waiting for them.

use super::{Case, Outcome, confirm};
use crate::booking_event::BookingEvent;
use crate::decision::{Booking, BookingReply, BookingStatus, Rejection, Reply};
use crate::seats::Seats;

/// Book places, whole; else wait for them, whole. Who holds places confirms that hold.
pub(super) fn book(
    case: &Case<'_>,
    quantity: Option<Seats>,
    join_waitlist: bool,
) -> Result<Outcome, Rejection> {
    nothing_booked(case)?;
    if let Some(hold) = case.hold() {
        return match quantity {
            Some(quantity) if quantity != hold.quantity => Err(Rejection::HasHold { hold }),
            _ => confirm::open_hold(case, &hold),
        };
    }
    let quantity = quantity.unwrap_or(Seats::ONE);
    on_sale(case)?;
    not_too_many(case, quantity)?;
    if quantity.get() <= case.inventory.available() {
        return Ok(confirm::booked(case, quantity, None));
    }
    if case.terms.waitlist && join_waitlist {
        return wait(case, quantity);
    }
    Err(sold_out(case))
}

/// The end of the queue.
fn wait(case: &Case<'_>, quantity: Seats) -> Result<Outcome, Rejection> {
    let entries = case.inventory.counts().waitlist_entries;
    if entries >= case.limits.waitlist_entries {
        return Err(Rejection::WaitlistFull { entries });
    }
    let event = BookingEvent::BookingWaitlisted { user: case.principal.user, quantity };
    let booking = new_booking(case, quantity, BookingStatus::Waitlisted);
    let reply = BookingReply { booking, waitlist_position: Some(entries + 1) };
    Ok(Outcome { events: vec![event], reply: Reply::Booking(reply) })
}

/// The booking that the first booking event of this decision makes.
pub(super) const fn new_booking(
    case: &Case<'_>,
    quantity: Seats,
    status: BookingStatus,
) -> Booking {
    Booking {
        seq: case.next_seq(),
        user: case.principal.user,
        quantity,
        status,
        made_at: case.at,
        changed_at: case.at,
    }
}

/// One booking or waiting entry per person.
pub(super) fn nothing_booked(case: &Case<'_>) -> Result<(), Rejection> {
    match case.booking() {
        Some(booking) => {
            Err(Rejection::AlreadyBooked { existing: case.inventory.with_position(booking) })
        }
        None => Ok(()),
    }
}

/// Whether anything is sold now.
pub(super) fn on_sale(case: &Case<'_>) -> Result<(), Rejection> {
    if !case.terms.active || case.at >= case.terms.closes_at {
        return Err(Rejection::SalesClosed);
    }
    if case.at < case.terms.opens_at {
        return Err(Rejection::NotYetOpen { opens_at: case.terms.opens_at });
    }
    Ok(())
}

/// Whether so many places may be in one booking or hold.
pub(super) fn not_too_many(case: &Case<'_>, quantity: Seats) -> Result<(), Rejection> {
    if quantity > case.terms.max_per_booking {
        return Err(Rejection::TooManySeats { max_per_booking: case.terms.max_per_booking });
    }
    if quantity.get() > case.terms.capacity {
        return Err(Rejection::ExceedsCapacity { capacity: case.terms.capacity });
    }
    Ok(())
}

pub(super) fn sold_out(case: &Case<'_>) -> Rejection {
    Rejection::SoldOut {
        available: case.inventory.available(),
        waitlist_entries: case.inventory.counts().waitlist_entries,
    }
}
