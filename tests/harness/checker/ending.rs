//! The end: what is served, and stored as sums, is what the journal replays to.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::course::Course;
use super::reads::same_counts;
use super::report::{Check, Report};
use super::{Courses, Evidence};
use crate::history::{SeenBooking, Status};
use crate::journal::Header;
use crate::served::ServedEvent;

pub(super) fn check(evidence: &Evidence<'_>, courses: &Courses, report: &mut Report) {
    for (event, course) in courses {
        if course.is_unfinished() {
            report.add(Check::QueueOrder, || format!("event {event}: moves are still to come"));
        }
        check_header(course, evidence, report);
    }
    for served in &evidence.served.events {
        let Some(course) = courses.get(&served.id) else {
            report.add(Check::Lost, || format!("event {} is not in the journal", served.id));
            continue;
        };
        check_event(course, served, report);
    }
    for (user, rows) in &evidence.served.users {
        check_own_list(*user, rows, courses, report);
    }
}

fn check_header(course: &Course, evidence: &Evidence<'_>, report: &mut Report) {
    let state = course.last();
    let chain = evidence.journal.batches.iter().rfind(|batch| batch.event == course.event);
    let replayed = Header {
        seq: state.seq,
        chain: chain.map_or([0; 16], |batch| batch.chain),
        booked: state.booked,
        held: state.held,
        waitlisted: state.waitlisted,
        waitlist_entries: state.waitlist_entries,
        capacity: state.capacity,
        version: u64::from(state.version),
    };
    let stored = evidence.journal.headers.get(&course.event);
    if stored != Some(&replayed) {
        report.add(Check::Replay, || {
            format!("event {}: stored {stored:?}, replayed {replayed:?}", course.event)
        });
    }
}

fn check_event(course: &Course, served: &ServedEvent, report: &mut Report) {
    let (event, state) = (course.event, course.last());
    if !same_counts(&served.availability, &state) {
        report.add(Check::Replay, || {
            format!("event {event}: {:?} is served, replayed {state:?}", served.availability)
        });
    }
    if (u64::from(served.capacity), served.version) != (state.capacity, state.version) {
        report.add(Check::Replay, || {
            format!(
                "event {event}: capacity {} in version {} is served, replayed {state:?}",
                served.capacity, served.version
            )
        });
    }
    let mut live = BTreeSet::new();
    for row in served.bookings.iter().filter(|row| row.status != Status::Cancelled) {
        if !live.insert(row.user) {
            report.add(Check::Duplicates, || {
                format!("event {event}: {} is served with two bookings", row.user)
            });
        }
    }
    let rows = by_seq(&served.bookings, |row| row.event == event, report);
    compare(course, course.bookings.keys(), &rows, "the event's list", report);
}

fn check_own_list(user: Uuid, rows: &[SeenBooking], courses: &Courses, report: &mut Report) {
    for row in rows.iter().filter(|row| !courses.contains_key(&row.event) || row.user != user) {
        report.add(Check::Replay, || format!("the list of {user} has {row:?}"));
    }
    for (event, course) in courses {
        let own = by_seq(rows, |row| row.event == *event, report);
        let seqs = course.of_user.get(&user).into_iter().flatten();
        compare(course, seqs, &own, &format!("the list of {user}"), report);
    }
}

fn by_seq<'a>(
    rows: &'a [SeenBooking],
    wanted: impl Fn(&SeenBooking) -> bool,
    report: &mut Report,
) -> BTreeMap<u64, &'a SeenBooking> {
    let mut by_seq = BTreeMap::new();
    for row in rows.iter().filter(|row| wanted(row)) {
        if by_seq.insert(row.seq, row).is_some() {
            report.add(Check::Replay, || format!("a list has {row:?} twice"));
        }
    }
    by_seq
}

/// Compares the bookings made at `seqs` with the rows of a list.
fn compare<'a>(
    course: &Course,
    seqs: impl Iterator<Item = &'a u64>,
    rows: &BTreeMap<u64, &SeenBooking>,
    list: &str,
    report: &mut Report,
) {
    let event = course.event;
    let mut expected = 0;
    for seq in seqs {
        expected += 1;
        let booking = &course.bookings[seq];
        let Some(row) = rows.get(seq) else {
            report.add(Check::Replay, || format!("{list} lacks seq {seq} of event {event}"));
            continue;
        };
        let replayed = (booking.user, booking.quantity, booking.status());
        if (row.user, row.quantity, row.status) != replayed {
            report.add(Check::Replay, || format!("{list} has {row:?}, replayed {replayed:?}"));
        }
    }
    if expected != rows.len() {
        report.add(Check::Replay, || {
            format!("{list} has {} rows of event {event}, replayed {expected}", rows.len())
        });
    }
    check_positions(course, rows, list, report);
}

/// Places in the queue, counted from 1: whoever waits has one, nobody else.
fn check_positions(
    course: &Course,
    rows: &BTreeMap<u64, &SeenBooking>,
    list: &str,
    report: &mut Report,
) {
    let waiting = rows.keys().filter(|seq| course.queue.contains_key(*seq)).count();
    let mut expected: BTreeMap<u64, u32> = BTreeMap::new();
    if waiting > 0 {
        expected.extend(course.queue.keys().copied().zip(1..));
    }
    for row in rows.values() {
        let position = expected.get(&row.seq).copied();
        if row.position != position {
            report.add(Check::Replay, || format!("{list} has {row:?}, replayed {position:?}"));
        }
    }
}
