//! Placing, changing and releasing holds.

use super::confirm::{OwnHold, own_hold};
use super::event::check_words;
use super::sales::{not_too_many, nothing_booked, on_sale, sold_out};
use super::waitlist::{Room, serve};
use super::{Case, Outcome};
use crate::booking_event::{BookingEvent, Cause, Words};
use crate::decision::{Hold, HoldReply, Rejection, Reply};
use crate::id::HoldId;
use crate::inventory::hold_ref;
use crate::limits::MOVES_PER_DECISION;
use crate::seats::Seats;

/// Set places aside that nobody waits for. Holds never wait.
pub(super) fn place(
    case: &Case<'_>,
    quantity: Seats,
    details: &Words,
) -> Result<Outcome, Rejection> {
    nothing_booked(case)?;
    if let Some(hold) = case.hold() {
        return Err(Rejection::HasHold { hold });
    }
    on_sale(case)?;
    not_too_many(case, quantity)?;
    check_words(details)?;
    if quantity.get() > case.inventory.available() {
        return Err(sold_out(case));
    }
    if case.inventory.open_holds() >= case.limits.holds as usize {
        return Err(Rejection::TooManyHolds { holds: case.limits.holds });
    }
    let hold = Hold {
        seq: case.next_seq(),
        user: case.principal.user,
        quantity,
        made_at: case.at,
        expires_at: case.at.plus(case.limits.hold_span),
        extensions: 0,
    };
    let event = BookingEvent::HoldPlaced {
        user: hold.user,
        quantity,
        expires_at: hold.expires_at,
        details: details.clone(),
    };
    Ok(Outcome { events: vec![event], reply: Reply::Hold(HoldReply { hold, open: true }) })
}

/// Replace a hold's details, extend it to a full span from now, or both.
pub(super) fn change(
    case: &Case<'_>,
    id: HoldId,
    details: Option<&Words>,
    extend: bool,
) -> Result<Outcome, Rejection> {
    let mut hold = open_hold(case, id)?;
    if case.at >= hold.expires_at {
        return Err(Rejection::HoldExpired);
    }
    if extend {
        let extensions = case.limits.hold_extensions;
        if hold.extensions >= extensions {
            return Err(Rejection::NoMoreExtensions { extensions });
        }
        hold.extensions += 1;
        // Never earlier than it was, should the span have been shortened meanwhile.
        hold.expires_at = hold.expires_at.max(case.at.plus(case.limits.hold_span));
    }
    if let Some(details) = details {
        check_words(details)?;
    }
    let reply = Reply::Hold(HoldReply { hold, open: true });
    if !extend && details.is_none() {
        return Ok(Outcome::nothing(reply));
    }
    let event = BookingEvent::HoldChanged {
        hold: hold_ref(&hold),
        expires_at: hold.expires_at,
        extensions: hold.extensions,
        details: details.cloned(),
    };
    Ok(Outcome { events: vec![event], reply })
}

/// Give a hold's places back; they go to the waitlist in the same decision.
pub(super) fn release(case: &Case<'_>, id: HoldId) -> Result<Outcome, Rejection> {
    let hold = open_hold(case, id)?;
    let mut events = vec![BookingEvent::HoldEnded { hold: hold_ref(&hold), cause: Cause::User }];
    let room = Room::of(case, case.terms).freed(hold.quantity.get());
    serve(case, &room, MOVES_PER_DECISION, &mut events);
    Ok(Outcome { events, reply: Reply::Hold(HoldReply { hold, open: false }) })
}

fn open_hold(case: &Case<'_>, id: HoldId) -> Result<Hold, Rejection> {
    match own_hold(case, id)? {
        OwnHold::Open(hold) => Ok(hold),
        OwnHold::Expired(_) => Err(Rejection::HoldExpired),
    }
}
