//! What projections do with booking events: pure functions, the same for every adapter
//! and for the tail in memory.

use engine::{
    BookingEvent, BookingId, BookingRef, BookingStatus, Cause, Entry, EventId, HoldId, HoldRef,
    Seats, Seq, Timestamp, UserId,
};

use crate::bus::{Message, PLACES_CHANGED};
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

/// The messages for other services that follow from entries of an event: each change of
/// the event itself, and the facts about people's places that follow each other. The same
/// entries always make the same messages.
#[must_use]
pub fn bus_messages(
    era: Era,
    epoch: Epoch,
    event: EventId,
    entries: &[Entry],
    first_seq: Seq,
) -> Vec<Message> {
    let mut messages = Messages { era, epoch, event, made: Vec::new(), run: None };
    for (seq, at, fact) in numbered(entries, first_seq) {
        match kind_of(fact) {
            Some(PLACES_CHANGED) => messages.add_to_run(seq, at, fact),
            Some(kind) => {
                messages.end_run();
                messages.add(seq, kind, &[alone(at, fact)]);
            }
            None => messages.end_run(),
        }
    }
    messages.end_run();
    messages.made
}

/// What others are told of a booking event; `None` if nothing: a hold, its details and its
/// release are between one person and booking.
fn kind_of(fact: &BookingEvent) -> Option<&'static str> {
    match fact {
        BookingEvent::EventOpened { .. } => Some("EventOpened"),
        BookingEvent::EventChanged { .. } => Some("EventChanged"),
        BookingEvent::EventCancelled { .. } => Some("EventCancelled"),
        BookingEvent::BookingConfirmed { .. }
        | BookingEvent::BookingWaitlisted { .. }
        | BookingEvent::BookingPromoted { .. }
        | BookingEvent::BookingCancelled { .. }
        | BookingEvent::HoldEnded { cause: Cause::Expiry, .. } => Some(PLACES_CHANGED),
        BookingEvent::HoldPlaced { .. }
        | BookingEvent::HoldChanged { .. }
        | BookingEvent::HoldEnded { .. } => None,
    }
}

/// A booking event as an entry. The key stays at home: who used which key is nobody
/// else's business.
fn alone(at: Timestamp, fact: &BookingEvent) -> Entry {
    Entry { at, answered: None, events: vec![fact.clone()] }
}

/// Messages in the making, and the facts that are to be one message.
struct Messages {
    era: Era,
    epoch: Epoch,
    event: EventId,
    made: Vec<Message>,
    run: Option<(Seq, Vec<Entry>)>,
}

impl Messages {
    fn add(&mut self, seq: Seq, kind: &'static str, entries: &[Entry]) {
        let (era, epoch, event) = (self.era, self.epoch, self.event);
        let body = record::encode(seq, entries);
        self.made.push(Message { era, epoch, event, seq, kind, body });
    }

    fn add_to_run(&mut self, seq: Seq, at: Timestamp, fact: &BookingEvent) {
        let (_, entries) = self.run.get_or_insert_with(|| (seq, Vec::new()));
        match entries.last_mut() {
            // Of one decision, or of another one in the same moment: it makes no difference.
            Some(last) if last.at == at => last.events.push(fact.clone()),
            _ => entries.push(alone(at, fact)),
        }
    }

    fn end_run(&mut self) {
        if let Some((seq, entries)) = self.run.take() {
            self.add(seq, PLACES_CHANGED, &entries);
        }
    }
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
