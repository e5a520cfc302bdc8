//! What must be so at every moment: nobody twice, never too many, nobody passed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use super::Scene;
use super::lives::{HOLD_SPAN, Life, Sighting, Source};
use crate::checker::report::{Check, Report};
use crate::history::{Moment, Status};

pub(super) fn check(scene: &Scene<'_>, report: &mut Report) {
    let events: BTreeSet<Uuid> = scene.lives.keys().map(|(event, _)| *event).collect();
    for event in events {
        check_duplicates(scene, event, report);
        check_places(scene, event, report);
        check_queue(scene, event, report);
        check_real_time(scene, event, report);
    }
    for ((event, seq), life) in &scene.lives {
        check_course(*event, *seq, life, report);
        check_positions(*event, *seq, life, report);
    }
}

/// A stretch in which somebody surely had so many places.
type Stretch = (Moment, Moment, u64);

/// The stretches of a booking and of holds, by person.
fn check_duplicates(scene: &Scene<'_>, event: Uuid, report: &mut Report) {
    let mut by_user: HashMap<Uuid, Vec<(Moment, Moment)>> = HashMap::new();
    for (_, life) in scene.lives_of(event) {
        let (from, to) = (life.made.1, life.alive_until());
        by_user.entry(life.user).or_default().push((from, to));
    }
    for (user, (from, to, _)) in held(scene, event) {
        by_user.entry(user).or_default().push((from, to));
    }
    for (user, mut stretches) in by_user {
        stretches.retain(|(from, to)| from < to);
        stretches.sort_unstable();
        let mut until = 0;
        for (from, to) in stretches {
            if from < until {
                report.add(Check::Duplicates, || {
                    format!("event {event}: {user} had two bookings or holds at moment {from}")
                });
            }
            until = until.max(to);
        }
    }
}

/// When holds were surely open.
fn held(scene: &Scene<'_>, event: Uuid) -> impl Iterator<Item = (Uuid, Stretch)> {
    let of_event = scene.holds.iter().filter(move |hold| hold.event == event);
    of_event.filter_map(|hold| {
        let (_, _, from) = hold.told?;
        // One that nobody confirmed may have run out; when, is not known here.
        let to = hold.ended_from.filter(|to| to - from < HOLD_SPAN)?;
        Some((hold.user, (from, to, u64::from(hold.quantity))))
    })
}

/// Never more than there are, at any moment that is known.
fn check_places(scene: &Scene<'_>, event: Uuid, report: &mut Report) {
    let Some(places) = scene.most_places(event) else { return };
    let booked = scene.lives_of(event).filter_map(|(_, life)| {
        let from = life.known_as(Status::Confirmed)?;
        Some((from, life.alive_until(), u64::from(life.quantity)))
    });
    let mut changes: BTreeMap<Moment, (u64, u64)> = BTreeMap::new();
    let stretches = booked.chain(held(scene, event).map(|(_, stretch)| stretch));
    for (from, to, quantity) in stretches.filter(|(from, to, _)| from < to) {
        changes.entry(from).or_default().0 += quantity;
        changes.entry(to).or_default().1 += quantity;
    }
    let mut taken = 0;
    for (moment, (more, less)) in changes {
        taken = taken + more - less;
        if taken > places {
            report.add(Check::Oversold, || {
                format!("event {event}, moment {moment}: {taken} places were gone of {places}")
            });
            return;
        }
    }
}

/// Who came later and has places, while somebody before still waits afterwards, has
/// passed them. Places that had been held may have been taken before.
fn check_queue(scene: &Scene<'_>, event: Uuid, report: &mut Report) {
    let mut passed_by: Option<(Moment, u64)> = None;
    for (seq, life) in scene.lives_of(event).rev() {
        if let (Some(waited), Some((moment, by))) = (life.waited_until(), passed_by)
            && waited > moment
        {
            report.add(Check::QueueOrder, || {
                format!("event {event}: seq {by} had places while seq {seq} was still waiting")
            });
        }
        if let Some(moment) = life.known_as(Status::Confirmed)
            && passed_by.is_none_or(|(before, _)| moment < before)
            && !scene.may_hold(event, life.user)
        {
            passed_by = Some((moment, seq));
        }
    }
}

/// What was wanted only after something else had been answered comes after it.
fn check_real_time(scene: &Scene<'_>, event: Uuid, report: &mut Report) {
    let mut earliest = Moment::MAX;
    for (seq, life) in scene.lives_of(event).rev() {
        earliest = earliest.min(life.made.1);
        if life.made.0 > earliest {
            report.add(Check::RealTime, || {
                format!("event {event}: seq {seq} was wanted only after a later one was told")
            });
        }
    }
}

/// Waiting, confirmed, cancelled: never back.
fn check_course(event: Uuid, seq: u64, life: &Life, report: &mut Report) {
    let statuses = [Status::Confirmed, Status::Waitlisted, Status::Cancelled];
    for seen in &life.sightings {
        let later = statuses.into_iter().filter(|status| rank(*status) > rank(seen.status));
        let first = later.flat_map(|status| life.seen_as(status)).min_by_key(|first| first.to);
        if let Some(first) = first.filter(|first| first.to < seen.from) {
            report.add(blame(first, seen), || {
                let was = (first.status, first.to);
                format!("event {event}, seq {seq}: {was:?} and then {:?}", (seen.status, seen.from))
            });
        }
    }
    if life.sightings.iter().any(|seen| seen.status == Status::Waitlisted)
        && let Some(first) = never_waited(life)
    {
        report.add(Check::Answers, || {
            format!("event {event}, seq {seq}: confirmed at once ({first:?}), and then waiting")
        });
    }
}

/// The answer by which it was confirmed at once: then it can never be seen waiting.
fn never_waited(life: &Life) -> Option<Moment> {
    let mut made = life.seen_as(Status::Confirmed);
    made.find(|seen| seen.source == Source::Write).map(|seen| seen.to)
}

fn rank(status: Status) -> u8 {
    match status {
        Status::Waitlisted => 0,
        Status::Confirmed => 1,
        Status::Cancelled => 2,
    }
}

fn blame(first: &Sighting, then: &Sighting) -> Check {
    match (first.source, then.source) {
        (_, Source::End) => Check::Lost,
        (Source::Write, _) => Check::MissedReads,
        _ => Check::StaleReads,
    }
}

/// A place in the queue only ever falls.
fn check_positions(event: Uuid, seq: u64, life: &Life, report: &mut Report) {
    let placed = || life.sightings.iter().filter_map(|seen| Some((seen, seen.position?)));
    for (seen, position) in placed() {
        if seen.status != Status::Waitlisted || position == 0 {
            report.add(Check::Answers, || format!("event {event}, seq {seq}: {seen:?}"));
        }
        let risen = placed().find(|(before, was)| before.to < seen.from && *was < position);
        if let Some((_, was)) = risen {
            report.add(Check::QueueOrder, || {
                format!("event {event}, seq {seq}: place {was} in the queue, then {position}")
            });
        }
    }
}
