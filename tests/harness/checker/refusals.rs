//! Refusals: at some moment between begin and end the rules must have said no.

use uuid::Uuid;

use super::Scene;
use super::course::{Course, State};
use super::report::{Check, Report};
use crate::history::{Call, Outcome, Refusal, Wish};

pub(super) fn check(calls: &[Call], scene: &Scene<'_>, report: &mut Report) {
    for call in calls.iter().filter(|call| call.wish.writes()) {
        let Outcome::Refused(refusal) = &call.outcome else { continue };
        // Too much at a time: says nothing about the event.
        if refusal.status == 429 || explained(call, refusal, scene) {
            continue;
        }
        report.add(Check::Refusals, || {
            format!(
                "{:?} of {} was refused: {} {}",
                call.wish, call.user, refusal.status, refusal.code
            )
        });
    }
}

fn explained(call: &Call, refusal: &Refusal, scene: &Scene<'_>) -> bool {
    let (event, seq) = match call.wish {
        Wish::Book { event, .. } | Wish::SetCapacity { event, .. } => (event, None),
        Wish::Cancel { booking } => match scene.effects.homes.get(&booking) {
            Some((event, seq)) => (*event, Some(*seq)),
            None => return false,
        },
        _ => return false,
    };
    let (Some(course), Some(windows)) = (scene.courses.get(&event), scene.windows.get(&event))
    else {
        // Nothing ever happened to it.
        return refusal.code == "not_found";
    };
    let (first, last) = windows.possible(call.started, call.ended);
    let mut moments = (first..=last).map(|decision| (decision, &course.states[decision]));
    moments.any(|(decision, state)| match call.wish {
        Wish::Book { quantity, join_waitlist, .. } => {
            let wish = Wanted { user: call.user, quantity: u64::from(quantity), join_waitlist };
            no_booking(refusal, &wish, course, decision, state, scene)
        }
        Wish::SetCapacity { capacity, .. } => match refusal.code.as_str() {
            "capacity_below_sold" => u64::from(capacity) < state.booked + state.held,
            "not_found" => !state.open,
            _ => false,
        },
        _ => {
            let made = seq.and_then(|seq| course.bookings.get(&seq));
            refusal.code == "not_found"
                && (!state.open || made.is_none_or(|booking| decision < booking.made))
        }
    })
}

struct Wanted {
    user: Uuid,
    quantity: u64,
    join_waitlist: bool,
}

fn no_booking(
    refusal: &Refusal,
    wish: &Wanted,
    course: &Course,
    decision: usize,
    state: &State,
    scene: &Scene<'_>,
) -> bool {
    match refusal.code.as_str() {
        "sold_out" => {
            let room = wish.quantity <= state.available();
            state.open && !room && !(wish.join_waitlist && state.waitlist)
        }
        "already_booked" => {
            let shown = refusal.existing.and_then(|id| scene.effects.homes.get(&id));
            let mut own = course.of_user.get(&wish.user).into_iter().flatten();
            own.any(|seq| {
                course.bookings[seq].is_live_after(decision)
                    && (refusal.existing.is_none() || shown == Some(&(course.event, *seq)))
            })
        }
        "exceeds_capacity" => wish.quantity > state.capacity,
        "sales_closed" => !state.active,
        "not_found" => !state.open,
        _ => false,
    }
}
