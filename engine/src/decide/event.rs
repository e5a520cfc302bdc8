//! Opening and cancelling events.

use super::{Case, Outcome, next_seq};
use crate::booking_event::{BookingEvent, Words};
use crate::command::{Envelope, Terms};
use crate::decision::{BadTerms, EventReply, Rejection, Reply};
use crate::inventory::{Inventory, Phase};
use crate::limits::{Limits, WORDS_BYTES};

/// Bring an event into being, with version 1.
pub(super) fn open(
    inventory: &Inventory,
    envelope: &Envelope,
    limits: &Limits,
    terms: &Terms,
    words: &Words,
) -> Result<Outcome, Rejection> {
    match inventory.phase() {
        Phase::Unopened => {}
        Phase::Open => return Err(Rejection::AlreadyOpen),
        Phase::Cancelled => return Err(Rejection::NoSuchEvent),
    }
    check_terms(terms, limits)?;
    check_words(words)?;
    let reply = EventReply {
        version: inventory.version() + 1,
        seq: next_seq(inventory),
        at: envelope.at,
        cancelled_bookings: 0,
    };
    let event = BookingEvent::EventOpened {
        organizer: envelope.principal.user,
        terms: terms.clone(),
        words: words.clone(),
    };
    Ok(Outcome { events: vec![event], reply: Reply::Event(reply) })
}

/// Cancel the event and everything in it: one booking event, however many bookings.
pub(super) fn cancel(case: &Case<'_>, if_version: Option<u32>) -> Result<Outcome, Rejection> {
    may_change(case, if_version)?;
    let bookings = (case.inventory.rows() - case.inventory.open_holds()) as u32;
    let reply = EventReply {
        version: case.inventory.version() + 1,
        seq: case.next_seq(),
        at: case.at,
        cancelled_bookings: bookings,
    };
    let event = BookingEvent::EventCancelled { version: reply.version, bookings };
    Ok(Outcome { events: vec![event], reply: Reply::Event(reply) })
}

/// Whether the principal may change the event, and means the version that it has.
pub(super) fn may_change(case: &Case<'_>, if_version: Option<u32>) -> Result<(), Rejection> {
    let owner = case.inventory.organizer() == Some(case.principal.user);
    if !owner && !case.principal.admin {
        return Err(Rejection::NotOrganizer);
    }
    let current = case.inventory.version();
    if if_version.is_some_and(|version| version != current) {
        return Err(Rejection::VersionMismatch { current });
    }
    Ok(())
}

pub(super) fn check_terms(terms: &Terms, limits: &Limits) -> Result<(), Rejection> {
    if terms.capacity == 0 || terms.capacity > limits.capacity {
        return Err(Rejection::BadTerms(BadTerms::Capacity));
    }
    if terms.opens_at > terms.closes_at || terms.closes_at > terms.ends_at {
        return Err(Rejection::BadTerms(BadTerms::Times));
    }
    Ok(())
}

pub(super) fn check_words(words: &Words) -> Result<(), Rejection> {
    if words.0.len() > WORDS_BYTES {
        return Err(Rejection::BadTerms(BadTerms::Words));
    }
    Ok(())
}
