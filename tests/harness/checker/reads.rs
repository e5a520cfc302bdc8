//! Reads: they show what had been answered before they began, and nothing that never was.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::Scene;
use super::course::{Booking, State};
use super::effects::booking_at;
use super::report::{Check, Report};
use crate::history::{Call, Moment, Outcome, SeenAvailability, SeenBooking, Status, Told, Wish};

/// Most rows of a list that is asked for without a limit.
const USUAL_LIMIT: usize = 100;

pub(super) fn check(calls: &[Call], scene: &Scene<'_>, report: &mut Report) {
    for call in calls.iter().filter(|call| !call.wish.writes()) {
        match &call.outcome {
            Outcome::Unknown(_) => {}
            Outcome::Refused(refusal) if refusal.status == 429 => {}
            Outcome::Refused(refusal) => report.add(Check::MissedReads, || {
                format!("{:?} of {} was refused: {}", call.wish, call.user, refusal.code)
            }),
            Outcome::Answered(answer) => judge(call, &answer.told, scene, report),
        }
    }
}

fn judge(call: &Call, told: &Told, scene: &Scene<'_>, report: &mut Report) {
    match (&call.wish, told) {
        (Wish::ReadBooking { booking }, Told::Booking(row)) if row.id == *booking => {
            judge_row(call, row, scene, report);
        }
        (Wish::ReadOwn, Told::Bookings(rows)) => {
            for row in rows {
                judge_row(call, row, scene, report);
            }
            if rows.len() < USUAL_LIMIT {
                find_missing(call, rows, scene, report);
            }
        }
        (Wish::ReadAvailability { event }, Told::Availability(counts)) => {
            judge_counts(call, *event, counts, scene, report);
        }
        (wish, told) => {
            report.add(Check::Answers, || format!("{wish:?} was answered with {told:?}"));
        }
    }
}

fn judge_row(call: &Call, row: &SeenBooking, scene: &Scene<'_>, report: &mut Report) {
    let made = booking_at(scene.courses, (row.event, row.seq))
        .filter(|made| (made.user, made.quantity) == (row.user, row.quantity));
    let (Some(made), Some(windows)) = (made, scene.windows.get(&row.event)) else {
        report.add(Check::Lost, || format!("shown, but not in the journal: {row:?}"));
        return;
    };
    let Some((since, until)) = made.span(row.status) else {
        report.add(Check::Lost, || format!("shown, but never so in the journal: {row:?}"));
        return;
    };
    let (first, last) = windows.possible(call.started, call.ended);
    if since > last {
        report.add(Check::Answers, || format!("shown before it came about: {row:?}"));
    } else if until < first {
        let own = until < scene.effects.told_before(row.event, call);
        let check = if own { Check::MissedReads } else { Check::StaleReads };
        report
            .add(check, || format!("{:?} shows what was over before it began: {row:?}", call.wish));
    }
    judge_position(call, row, made, report);
}

/// A place in the queue only ever falls. A list asks for the places after it has read
/// its rows, so it has none for whoever has left the queue meanwhile.
fn judge_position(call: &Call, row: &SeenBooking, made: &Booking, report: &mut Report) {
    let right = match (row.status, row.position) {
        (Status::Waitlisted, Some(shown)) => shown >= 1 && Some(shown) <= made.position,
        (Status::Waitlisted, None) => call.wish == Wish::ReadOwn,
        (_, shown) => shown.is_none(),
    };
    if !right {
        report.add(Check::Answers, || {
            format!("a place in the queue that cannot be: {row:?}, first {:?}", made.position)
        });
    }
}

/// What the reader had been answered before must be in the list.
fn find_missing(call: &Call, rows: &[SeenBooking], scene: &Scene<'_>, report: &mut Report) {
    let shown: BTreeSet<(Uuid, u64)> = rows.iter().map(|row| (row.event, row.seq)).collect();
    for (event, course) in scene.courses {
        let Some(seqs) = course.of_user.get(&call.user) else { continue };
        let (first, _) = scene.windows[event].possible(call.started, call.ended);
        for seq in seqs.iter().filter(|seq| !shown.contains(&(*event, **seq))) {
            if course.bookings[seq].made <= first {
                report.add(Check::MissedReads, || {
                    format!("the list of {} lacks seq {seq} of event {event}", call.user)
                });
            }
        }
    }
}

/// Counts may be old, but they say of when they are, and must be right for then.
fn judge_counts(
    call: &Call,
    event: Uuid,
    counts: &SeenAvailability,
    scene: &Scene<'_>,
    report: &mut Report,
) {
    if counts.booked + counts.held > counts.capacity {
        report.add(Check::Oversold, || format!("event {event} shows {counts:?}"));
    }
    let Some(course) = scene.courses.get(&event) else {
        report.add(Check::Lost, || format!("event {event} is shown and not in the journal"));
        return;
    };
    let seq = counts.as_of_seq;
    let Some(decision) = course.decision_at_seq(seq) else {
        let check = if seq > course.last().seq { Check::Lost } else { Check::Answers };
        report.add(check, || {
            format!("event {event} shows counts as of seq {seq}, where no decision ended")
        });
        return;
    };
    let state = course.states[decision];
    if !same_counts(counts, &state) {
        report.add(Check::Answers, || format!("event {event} shows {counts:?}, it had {state:?}"));
    }
    let (_, last) = scene.windows[&event].possible(call.started, call.ended);
    if decision > last {
        report.add(Check::Answers, || {
            format!("event {event} shows counts as of seq {seq} before that came about")
        });
    }
}

/// Whether counts are those of a state.
pub(super) fn same_counts(counts: &SeenAvailability, state: &State) -> bool {
    *counts
        == SeenAvailability {
            capacity: state.capacity,
            booked: state.booked,
            held: state.held,
            free: state.free(),
            available: state.available(),
            waitlisted: state.waitlisted,
            waitlist_entries: state.waitlist_entries,
            as_of_seq: state.seq,
        }
}

impl super::effects::Effects {
    /// The last decision of an event that the caller had been answered by before the
    /// call began.
    fn told_before(&self, event: Uuid, call: &Call) -> usize {
        let told: &[(Moment, usize)] = self.own.get(&(event, call.user)).map_or(&[], Vec::as_slice);
        let before = told.iter().filter(|(answered, _)| *answered < call.started);
        before.map(|(_, decision)| *decision).max().unwrap_or(0)
    }
}
