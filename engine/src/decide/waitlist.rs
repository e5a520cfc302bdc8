//! Serving who waits: strictly in order, whole or not at all.

use super::Case;
use crate::booking_event::{BookingEvent, Cause, Was};
use crate::command::Terms;
use crate::inventory::{Row, Seq};

/// What the queue is served from: the event as it will be after the booking events that
/// the decision already has.
pub(super) struct Room {
    free: u32,
    capacity: u32,
    /// Nobody is promoted once the event has ended.
    promoting: bool,
    /// An entry that leaves by this very decision.
    leaving: Option<Seq>,
}

impl Room {
    /// The room under these terms.
    pub(super) const fn of(case: &Case<'_>, terms: &Terms) -> Self {
        let counts = case.inventory.counts();
        Self {
            free: terms.capacity - counts.booked - counts.held,
            capacity: terms.capacity,
            promoting: case.at.millis() < terms.ends_at.millis(),
            leaving: None,
        }
    }

    /// With so many places more.
    pub(super) const fn freed(self, places: u32) -> Self {
        Self { free: self.free + places, ..self }
    }

    /// As if this entry did not wait.
    pub(super) const fn without(self, seq: Seq) -> Self {
        Self { leaving: Some(seq), ..self }
    }
}

/// Let those go who need more places than there are in all; then promote from the head
/// while the head fits. At most `moves` in all: what remains is left to a continuation,
/// and until then the free places still belong to the waitlist.
pub(super) fn serve(case: &Case<'_>, room: &Room, moves: usize, events: &mut Vec<BookingEvent>) {
    let stays = |row: &&Row| Some(row.seq) != room.leaving;
    let mut oversized = case.inventory.oversized(room.capacity).filter(stays);
    let mut moves = moves;
    for row in oversized.by_ref().take(moves) {
        events.push(BookingEvent::BookingCancelled {
            booking: row.booking_ref(),
            was: Was::Waitlisted,
            cause: Cause::Capacity,
        });
        moves -= 1;
    }
    if !room.promoting {
        return;
    }
    let mut free = room.free;
    let fits = |row: &&Row| row.quantity.get() <= room.capacity;
    for row in case.inventory.waiting().filter(stays).filter(fits) {
        if moves == 0 || row.quantity.get() > free {
            break;
        }
        free -= row.quantity.get();
        moves -= 1;
        events.push(BookingEvent::BookingPromoted { booking: row.booking_ref() });
    }
}
