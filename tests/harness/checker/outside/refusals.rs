//! Refusals: those that nothing can explain.

use uuid::Uuid;

use super::Scene;
use crate::checker::report::{Check, Report};
use crate::history::{Call, Outcome, Refusal, Status, Wish};

pub(super) fn check(scene: &Scene<'_>, report: &mut Report) {
    for call in scene.calls.iter().filter(|call| call.wish.writes()) {
        let Outcome::Refused(refusal) = &call.outcome else { continue };
        // Too much at a time: says nothing about the event.
        if refusal.status == 429 || explained(call, refusal, scene) {
            continue;
        }
        report.add(Check::Refusals, || {
            let code = (refusal.status, &refusal.code);
            format!("{:?} of {} was refused: {code:?}", call.wish, call.user)
        });
    }
}

fn explained(call: &Call, refusal: &Refusal, scene: &Scene<'_>) -> bool {
    match (&call.wish, refusal.code.as_str()) {
        (Wish::Book { join_waitlist: true, .. }, "sold_out") => false,
        (Wish::Book { event, quantity, .. } | Wish::Hold { event, quantity }, "sold_out") => {
            no_room(*event, *quantity, call, scene)
        }
        (
            Wish::Book { event, .. } | Wish::Hold { event, .. } | Wish::Confirm { event, .. },
            "already_booked",
        ) => booked(*event, call, refusal, scene),
        (Wish::Book { event, .. } | Wish::Hold { event, .. }, "has_hold") => {
            scene.may_hold(*event, call.user)
        }
        (
            Wish::Book { event, quantity, .. } | Wish::Hold { event, quantity },
            "exceeds_capacity",
        ) => {
            let served = scene.served_event(*event);
            let changed = scene.capacities(*event).next().is_some();
            changed || served.is_some_and(|served| *quantity > served.capacity)
        }
        (Wish::SetCapacity { .. }, "capacity_below_sold") => true,
        // Of the others none can be: bookings, holds and events that were shown stay.
        _ => false,
    }
}

/// Whether all places may have been gone, or somebody may have waited.
fn no_room(event: Uuid, quantity: u32, call: &Call, scene: &Scene<'_>) -> bool {
    if scene.capacities(event).next().is_some() {
        return true;
    }
    let Some(places) = scene.most_places(event) else { return true };
    let mut taken: u64 = 0;
    for (_, life) in scene.lives_of(event) {
        let over = life.known_as(Status::Cancelled).is_some_and(|over| over < call.started);
        if life.made.0 <= call.ended && !over {
            taken += u64::from(life.quantity);
            if life.seen_as(Status::Waitlisted).next().is_some() {
                return true;
            }
        }
    }
    let holds = scene.holds.iter().filter(|hold| hold.event == event);
    taken += holds.map(|hold| u64::from(hold.quantity)).sum::<u64>();
    taken + u64::from(quantity) > places
}

/// Whether the caller may have had a booking, and if one was shown, that one.
fn booked(event: Uuid, call: &Call, refusal: &Refusal, scene: &Scene<'_>) -> bool {
    let mut own = scene.lives_of(event).filter(|(_, life)| life.user == call.user);
    own.any(|(_, life)| {
        let over = life.known_as(Status::Cancelled).is_some_and(|over| over < call.started);
        life.made.0 <= call.ended && !over && refusal.existing.is_none_or(|shown| shown == life.id)
    })
}
