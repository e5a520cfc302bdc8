//! Changing an event's terms, its capacity above all.

use super::event::{check_terms, check_words, may_change};
use super::waitlist::{Room, serve};
use super::{Case, Outcome};
use crate::booking_event::{BookingEvent, Words};
use crate::command::{Terms, TermsChange};
use crate::decision::{EventReply, Rejection, Reply};
use crate::limits::MOVES_PER_DECISION;

/// Change terms and words. Added places go to the waitlist in the same decision; who
/// waits for more places than there will be leaves it.
pub(super) fn change(
    case: &Case<'_>,
    change: &TermsChange,
    words: &Words,
    if_version: Option<u32>,
) -> Result<Outcome, Rejection> {
    may_change(case, if_version)?;
    let terms = changed(case.terms, change);
    check_terms(&terms, case.limits)?;
    check_words(words)?;
    let counts = case.inventory.counts();
    if terms.capacity < counts.booked + counts.held {
        return Err(Rejection::CapacityBelowSold { booked: counts.booked, held: counts.held });
    }
    let reply = EventReply {
        version: case.inventory.version() + 1,
        seq: case.next_seq(),
        at: case.at,
        cancelled_bookings: 0,
    };
    let room = Room::of(case, &terms);
    let mut events =
        vec![BookingEvent::EventChanged { version: reply.version, terms, words: words.clone() }];
    serve(case, &room, MOVES_PER_DECISION, &mut events);
    Ok(Outcome { events, reply: Reply::Event(reply) })
}

fn changed(terms: &Terms, change: &TermsChange) -> Terms {
    Terms {
        capacity: change.capacity.unwrap_or(terms.capacity),
        opens_at: change.opens_at.unwrap_or(terms.opens_at),
        closes_at: change.closes_at.unwrap_or(terms.closes_at),
        ends_at: change.ends_at.unwrap_or(terms.ends_at),
        active: change.active.unwrap_or(terms.active),
        waitlist: change.waitlist.unwrap_or(terms.waitlist),
        max_per_booking: change.max_per_booking.unwrap_or(terms.max_per_booking),
    }
}
