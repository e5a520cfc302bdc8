//! What is due: holds whose time is over, and what a long decision left to do.

use super::waitlist::{Room, serve};
use super::{Case, Outcome};
use crate::booking_event::{BookingEvent, Cause, Entry};
use crate::command::Envelope;
use crate::decision::{Decision, Reply};
use crate::inventory::{Row, hold_ref};
use crate::limits::MOVES_PER_DECISION;

/// End the holds whose time is over and serve the waitlist with their places. At most
/// [`MOVES_PER_DECISION`] in all; `next_deadline` tells whether something remains.
pub(super) fn run_due(case: &Case<'_>, envelope: &Envelope) -> Decision {
    let mut events = Vec::new();
    let mut freed = 0;
    let due = case.inventory.due_holds(case.at).filter_map(Row::hold);
    for hold in due.take(MOVES_PER_DECISION) {
        freed += hold.quantity.get();
        events.push(BookingEvent::HoldEnded { hold: hold_ref(&hold), cause: Cause::Expiry });
    }
    let moves = MOVES_PER_DECISION - events.len();
    serve(case, &Room::of(case, case.terms).freed(freed), moves, &mut events);
    let idle = events.is_empty();
    let mut decision = Outcome { events, reply: Reply::Ran }.decided(envelope);
    if idle && case.inventory.work_left() {
        // People were still to be promoted when the event ended, and the process was not
        // there. Nobody is any more; only the time has to be taken note of, or this would
        // be due for ever.
        decision.entry.get_or_insert(Entry { at: case.at, answered: None, events: Vec::new() });
    }
    decision
}
