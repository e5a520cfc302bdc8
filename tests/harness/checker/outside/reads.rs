//! Reads: they show what had been answered before they began.

use std::collections::{BTreeSet, HashMap};

use uuid::Uuid;

use super::Scene;
use crate::checker::report::{Check, Report};
use crate::history::{Call, Outcome, SeenAvailability, SeenBooking, Told, Wish};

/// Most rows of a list that is asked for without a limit.
const USUAL_LIMIT: usize = 100;

/// The counts of each event at each seq.
type Counts = HashMap<(Uuid, u64), SeenAvailability>;

pub(super) fn check(scene: &Scene<'_>, report: &mut Report) {
    let mut homes_of: HashMap<Uuid, Vec<(Uuid, u64)>> = HashMap::new();
    for (home, life) in &scene.lives {
        homes_of.entry(life.user).or_default().push(*home);
    }
    let mut counts = Counts::new();
    for call in scene.calls.iter().filter(|call| !call.wish.writes()) {
        let told = match &call.outcome {
            Outcome::Unknown(_) => continue,
            Outcome::Refused(refusal) => {
                if refusal.status != 429 {
                    report.add(Check::MissedReads, || {
                        format!("{:?} of {} was refused: {}", call.wish, call.user, refusal.code)
                    });
                }
                continue;
            }
            Outcome::Answered(answer) => &answer.told,
        };
        match (&call.wish, told) {
            (Wish::ReadBooking { booking }, Told::Booking(row)) if row.id == *booking => {}
            (Wish::ReadOwn, Told::Bookings(rows)) => {
                let own = homes_of.get(&call.user).map_or(&[][..], Vec::as_slice);
                find_missing(call, rows, own, scene, report);
            }
            (Wish::ReadAvailability { event }, Told::Availability(shown)) => {
                judge_counts(*event, shown, scene, &mut counts, report);
            }
            (wish, told) => {
                report.add(Check::Answers, || format!("{wish:?} was answered with {told:?}"));
            }
        }
    }
}

/// What anybody had been shown before must be in the list of its owner.
fn find_missing(
    call: &Call,
    rows: &[SeenBooking],
    own: &[(Uuid, u64)],
    scene: &Scene<'_>,
    report: &mut Report,
) {
    for row in rows.iter().filter(|row| row.user != call.user) {
        report.add(Check::Answers, || format!("the list of {} has {row:?}", call.user));
    }
    if rows.len() >= USUAL_LIMIT {
        return;
    }
    let shown: BTreeSet<(Uuid, u64)> = rows.iter().map(|row| (row.event, row.seq)).collect();
    for home in own.iter().filter(|home| !shown.contains(*home)) {
        if scene.lives[home].made.1 < call.started {
            report.add(Check::MissedReads, || {
                format!("the list of {} lacks seq {} of event {}", call.user, home.1, home.0)
            });
        }
    }
}

/// Counts may be old, but they say of when they are, and agree with all others of then.
fn judge_counts(
    event: Uuid,
    shown: &SeenAvailability,
    scene: &Scene<'_>,
    counts: &mut Counts,
    report: &mut Report,
) {
    if shown.booked + shown.held > shown.capacity {
        report.add(Check::Oversold, || format!("event {event} shows {shown:?}"));
    }
    let free = shown.capacity.saturating_sub(shown.booked + shown.held);
    let available = if shown.waitlist_entries > 0 { 0 } else { free };
    if (shown.free, shown.available) != (free, available) {
        report.add(Check::Answers, || format!("event {event} shows {shown:?}"));
    }
    let before = *counts.entry((event, shown.as_of_seq)).or_insert(*shown);
    if before != *shown {
        report.add(Check::Answers, || {
            format!("event {event} shows {before:?} and {shown:?} as of the same seq")
        });
    }
    if let Some(served) = scene.served_event(event) {
        let last = &served.availability;
        if shown.as_of_seq > last.as_of_seq {
            report.add(Check::Lost, || {
                format!(
                    "event {event} showed seq {}, it ends at {}",
                    shown.as_of_seq, last.as_of_seq
                )
            });
        }
    }
}
