//! The end: all lists and counts say the same, and nothing that was shown is missing.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::Scene;
use super::lives::{HOLD_SPAN, Hold, Source};
use crate::checker::report::{Check, Report};
use crate::history::{SeenBooking, Status};
use crate::served::ServedEvent;

pub(super) fn check(scene: &Scene<'_>, report: &mut Report) {
    check_nothing_lost(scene, report);
    for served in &scene.served.events {
        check_sums(served, scene, report);
        check_queue(served, report);
        check_rows(served, scene, report);
        check_holds(served, scene, report);
    }
    let events: BTreeSet<Uuid> = scene.served.events.iter().map(|event| event.id).collect();
    for (user, rows) in &scene.served.users {
        for row in rows.iter().filter(|row| row.user != *user || !events.contains(&row.event)) {
            report.add(Check::Replay, || format!("the list of {user} has {row:?}"));
        }
    }
}

/// Every booking that was ever shown is in the list of its event and of its owner, and
/// has ended only if somebody wanted that.
fn check_nothing_lost(scene: &Scene<'_>, report: &mut Report) {
    for ((event, seq), life) in &scene.lives {
        let lists = usize::from(scene.served_event(*event).is_some())
            + usize::from(scene.served.users.contains_key(&life.user));
        let at_end = || life.sightings.iter().filter(|seen| seen.source == Source::End);
        if at_end().count() < lists {
            report.add(Check::Lost, || {
                format!("event {event}: seq {seq} of {} is missing at the end", life.user)
            });
        }
        let cancelled = at_end().any(|seen| seen.status == Status::Cancelled);
        if cancelled && life.cancelled_from.is_none() && !life.by_rule {
            report.add(Check::Unasked, || {
                format!("event {event}: nobody wanted seq {seq} to be cancelled")
            });
        }
    }
}

/// The counts are the sums of the list.
fn check_sums(served: &ServedEvent, scene: &Scene<'_>, report: &mut Report) {
    let sum = |status: Status| {
        let rows = served.bookings.iter().filter(move |row| row.status == status);
        rows.map(|row| u64::from(row.quantity)).sum::<u64>()
    };
    let (event, shown) = (served.id, &served.availability);
    let booked = sum(Status::Confirmed);
    let entries = served.bookings.iter().filter(|row| row.status == Status::Waitlisted).count();
    let sums = (booked, sum(Status::Waitlisted), entries as u64, u64::from(served.capacity));
    if sums != (shown.booked, shown.waitlisted, shown.waitlist_entries, shown.capacity) {
        report.add(Check::Replay, || format!("event {event}: {shown:?}, the list has {sums:?}"));
    }
    if booked + shown.held > u64::from(served.capacity) {
        report.add(Check::Oversold, || {
            format!("event {event}: {booked} booked and {} held at the end", shown.held)
        });
    }
    let last = scene.lives_of(event).next_back().map_or(0, |(seq, _)| seq);
    if last > shown.as_of_seq {
        report.add(Check::Lost, || {
            format!("event {event} ends at seq {}, seq {last} was shown", shown.as_of_seq)
        });
    }
}

/// Who waits has a place, in the order of seqs, and nobody could have got places.
fn check_queue(served: &ServedEvent, report: &mut Report) {
    let event = served.id;
    let rows: BTreeMap<u64, &SeenBooking> =
        served.bookings.iter().map(|row| (row.seq, row)).collect();
    let waiting = rows.values().filter(|row| row.status == Status::Waitlisted);
    for (row, position) in waiting.clone().zip(1..) {
        if row.position != Some(position) {
            report.add(Check::QueueOrder, || {
                format!("event {event}: place {position} in the queue is {row:?}")
            });
        }
    }
    let head = waiting.clone().next();
    if let Some(head) = head.filter(|row| u64::from(row.quantity) <= served.availability.free) {
        report.add(Check::QueueOrder, || {
            format!(
                "event {event}: {} places are free, and {head:?} fits",
                served.availability.free
            )
        });
    }
}

/// The list of an event and those of its people have the same rows.
fn check_rows(served: &ServedEvent, scene: &Scene<'_>, report: &mut Report) {
    let event = served.id;
    let mut live = BTreeSet::new();
    let mut seqs = BTreeSet::new();
    for row in &served.bookings {
        if row.status != Status::Cancelled && !live.insert(row.user) {
            report.add(Check::Duplicates, || format!("event {event}: {} has two", row.user));
        }
        if !seqs.insert(row.seq) || row.event != event {
            report.add(Check::Replay, || format!("the list of event {event} has {row:?}"));
        }
        let Some(own) = scene.served.users.get(&row.user) else { continue };
        let same = own.iter().filter(|other| (other.event, other.seq) == (event, row.seq));
        let same: Vec<_> = same.collect();
        // A place in the queue is asked for by each list anew, and nobody writes any more.
        if same != [row] {
            report.add(Check::Replay, || {
                format!("event {event} has {row:?}, its owner has {same:?}")
            });
        }
    }
}

/// Places that are held at the end belong to holds that were asked for.
fn check_holds(served: &ServedEvent, scene: &Scene<'_>, report: &mut Report) {
    let holds = || scene.holds.iter().filter(|hold| hold.event == served.id);
    let sure = |hold: &&Hold| {
        hold.told.is_some_and(|(_, _, told)| scene.end - told < HOLD_SPAN)
            && hold.ended_from.is_none()
    };
    let sum = |holds: &mut dyn Iterator<Item = &Hold>| -> u64 {
        holds.map(|hold| u64::from(hold.quantity)).sum()
    };
    let least = sum(&mut holds().filter(sure));
    let most = sum(&mut holds().filter(|hold| !hold.confirmed));
    let held = served.availability.held;
    if held < least {
        report.add(Check::Lost, || format!("event {}: {held} held, not {least}", served.id));
    }
    if held > most {
        report.add(Check::Replay, || format!("event {}: {held} held, at most {most}", served.id));
    }
}
