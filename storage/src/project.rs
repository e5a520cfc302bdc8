//! What projections do with booking events: pure functions, the same for every adapter
//! and for the tail in memory.

use engine::{
    BookingEvent, BookingId, BookingRef, BookingStatus, Cause, Entry, EventId, HoldId, HoldRef,
    Seats, Seq, Timestamp, UserId,
};

use crate::bus::Message;
use crate::commit::{Epoch, Era};
use crate::record;
use crate::views::{BookingRow, HoldChange, HoldStatus, HoldStep, ViewChange};

/// The changes of the booking views that follow from entries of an event, the first of
/// whose booking events has `first_seq`, in order.
#[must_use]
pub fn view_changes(event: EventId, entries: &[Entry], first_seq: Seq) -> Vec<ViewChange> {
    let mut changes = Vec::new();
    for (seq, at, fact) in numbered(entries, first_seq) {
        changes.extend(of_booking(event, seq, at, fact));
        changes.extend(of_hold(event, seq, at, fact).map(ViewChange::Hold));
    }
    changes
}

/// What a booking event means for the rows of bookings.
fn of_booking(event: EventId, seq: Seq, at: Timestamp, fact: &BookingEvent) -> Option<ViewChange> {
    match *fact {
        BookingEvent::BookingConfirmed { user, quantity, .. } => {
            Some(made(event, user, quantity, seq, at, BookingStatus::Confirmed))
        }
        BookingEvent::BookingWaitlisted { user, quantity } => {
            Some(made(event, user, quantity, seq, at, BookingStatus::Waitlisted))
        }
        BookingEvent::BookingPromoted { booking } => {
            Some(moved(event, booking, seq, at, BookingStatus::Confirmed))
        }
        BookingEvent::BookingCancelled { booking, .. } => {
            Some(moved(event, booking, seq, at, BookingStatus::Cancelled))
        }
        BookingEvent::EventCancelled { .. } => {
            Some(ViewChange::CancelAll { event, stamp: seq, at })
        }
        BookingEvent::EventOpened { .. }
        | BookingEvent::EventChanged { .. }
        | BookingEvent::HoldPlaced { .. }
        | BookingEvent::HoldChanged { .. }
        | BookingEvent::HoldEnded { .. } => None,
    }
}

/// What a booking event means for the rows of holds.
fn of_hold(event: EventId, seq: Seq, at: Timestamp, fact: &BookingEvent) -> Option<HoldChange> {
    let id = |hold: &HoldRef| HoldId::compose(hold.made_at, event, hold.seq);
    let (id, step) = match fact {
        BookingEvent::HoldPlaced { user, quantity, expires_at, details } => (
            HoldId::compose(at, event, seq),
            HoldStep::Placed {
                user: *user,
                quantity: *quantity,
                expires_at: *expires_at,
                details: details.clone(),
            },
        ),
        BookingEvent::HoldChanged { hold, expires_at, extensions, details } => (
            id(hold),
            HoldStep::Changed {
                expires_at: *expires_at,
                extensions: *extensions,
                details: details.clone(),
            },
        ),
        BookingEvent::HoldEnded { hold, cause } => {
            let status = match cause {
                Cause::Expiry => HoldStatus::Expired,
                Cause::User | Cause::Capacity => HoldStatus::Released,
            };
            (id(hold), HoldStep::Ended(status))
        }
        BookingEvent::BookingConfirmed { hold: Some(hold), .. } => {
            (id(hold), HoldStep::Ended(HoldStatus::Confirmed))
        }
        _ => return None,
    };
    Some(HoldChange { id, event, stamp: seq, at, step })
}

/// The messages for other services that follow from entries of an event: what changes
/// the event itself. The others follow when somebody listens to them.
#[must_use]
pub fn bus_messages(
    era: Era,
    epoch: Epoch,
    event: EventId,
    entries: &[Entry],
    first_seq: Seq,
) -> Vec<Message> {
    numbered(entries, first_seq)
        .filter_map(|(seq, at, fact)| {
            let kind = match fact {
                BookingEvent::EventOpened { .. } => "EventOpened",
                BookingEvent::EventChanged { .. } => "EventChanged",
                BookingEvent::EventCancelled { .. } => "EventCancelled",
                _ => return None,
            };
            // The key stays at home: who used which key is nobody else's business.
            let alone = Entry { at, answered: None, events: vec![fact.clone()] };
            let body = record::encode(seq, &[alone]);
            Some(Message { era, epoch, event, seq, kind, body })
        })
        .collect()
}

/// All booking events of some entries with their sequence numbers and times.
fn numbered(
    entries: &[Entry],
    first_seq: Seq,
) -> impl Iterator<Item = (Seq, Timestamp, &BookingEvent)> {
    entries
        .iter()
        .flat_map(|entry| entry.events.iter().map(|fact| (entry.at, fact)))
        .zip(first_seq.0..)
        .map(|((at, fact), seq)| (Seq(seq), at, fact))
}

fn made(
    event: EventId,
    user: UserId,
    quantity: Seats,
    seq: Seq,
    at: Timestamp,
    status: BookingStatus,
) -> ViewChange {
    moved(event, BookingRef { seq, made_at: at, user, quantity }, seq, at, status)
}

fn moved(
    event: EventId,
    booking: BookingRef,
    stamp: Seq,
    at: Timestamp,
    status: BookingStatus,
) -> ViewChange {
    ViewChange::Put(BookingRow {
        id: BookingId::compose(booking.made_at, event, booking.seq),
        event,
        user: booking.user,
        quantity: booking.quantity,
        status,
        seq: booking.seq,
        made_at: booking.made_at,
        changed_at: at,
        stamp,
    })
}
