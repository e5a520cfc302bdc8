//! Which call had which effect: everything that was answered must be in the journal, and
//! everything in the journal must have been wanted, once per key.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use uuid::Uuid;

use super::course::{Booking, Course, Ending};
use super::report::{Check, Report};
use super::{Courses, Evidence};
use crate::history::{Answer, Call, Moment, Outcome, SeenBooking, Status, Told, Wish};
use crate::served::Served;

/// What is known of when effects came about, and of who was told.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// Where each booking id that was ever shown leads: event and seq.
    pub(super) homes: HashMap<Uuid, (Uuid, u64)>,
    /// Per event: a decision, and that it came about not before and not after.
    pub(super) bounds: BTreeMap<Uuid, Vec<Bound>>,
    /// Per event and person: when the person was answered, and by which decision.
    pub(super) own: HashMap<(Uuid, Uuid), Vec<(Moment, usize)>>,
}

/// A decision and the real time it lies in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) decision: usize,
    pub(super) from: Moment,
    pub(super) to: Moment,
}

/// All calls with one key.
pub(super) struct Attempt<'a> {
    pub(super) user: Uuid,
    pub(super) wish: &'a Wish,
    /// When the first call began that was not refused.
    pub(super) started: Moment,
    /// When the first granted call ended.
    pub(super) answered: Option<Moment>,
    pub(super) answer: Option<&'a Answer>,
    /// Whether at least one call was not refused.
    pub(super) possible: bool,
}

impl Wish {
    /// What an effect of this wish is recognised by: the event, and places or capacity.
    pub(super) fn figure(&self) -> Option<(Uuid, u64)> {
        match self {
            Self::Book { event, quantity, .. } | Self::Confirm { event, quantity, .. } => {
                Some((*event, u64::from(*quantity)))
            }
            Self::SetCapacity { event, capacity } => Some((*event, u64::from(*capacity))),
            _ => None,
        }
    }
}

/// The journal does not say who changed an event: any admin may.
const ANYBODY: Uuid = Uuid::nil();

/// What an effect and the wish for it have in common: event, person, places or capacity.
pub(super) type Figure = (Uuid, Uuid, u64);

/// Attempts that may still have an effect.
type Pairs<'a> = HashMap<Figure, Vec<&'a Attempt<'a>>>;

pub(super) fn match_calls(
    evidence: &Evidence<'_>,
    courses: &Courses,
    report: &mut Report,
) -> Effects {
    let mut effects =
        Effects { homes: homes(evidence.calls, evidence.served, report), ..Effects::default() };
    let attempts = attempts(evidence.calls, report);
    match_bookings(&attempts, courses, &mut effects, report);
    match_cancellations(&attempts, courses, &mut effects, report);
    match_changes(&attempts, courses, &mut effects, report);
    bound_by_reads(evidence.calls, courses, &mut effects);
    effects
}

/// Every id that was shown must belong to one booking.
pub(super) fn homes(
    calls: &[Call],
    served: &Served,
    report: &mut Report,
) -> HashMap<Uuid, (Uuid, u64)> {
    let mut homes = HashMap::new();
    let told = calls.iter().filter_map(Call::told).flat_map(rows);
    let lists = served.events.iter().map(|event| &event.bookings);
    let served = lists.chain(served.users.values()).flatten();
    for row in told.chain(served) {
        let home = (row.event, row.seq);
        let before = *homes.entry(row.id).or_insert(home);
        if before != home {
            report.add(Check::Answers, || {
                format!("booking {} is shown as {before:?} and as {home:?}", row.id)
            });
        }
    }
    homes
}

/// The bookings that an answer shows.
pub(super) fn rows(told: &Told) -> &[SeenBooking] {
    match told {
        Told::Booking(row) => std::slice::from_ref(row),
        Told::Bookings(rows) => rows,
        Told::Hold(_) | Told::Event { .. } | Told::Availability(_) | Told::Garbled(_) => &[],
    }
}

/// The writes, one for all calls with the same key; a call without a key is alone.
pub(super) fn attempts<'a>(calls: &'a [Call], report: &mut Report) -> Vec<Attempt<'a>> {
    let mut attempts: Vec<Attempt<'a>> = Vec::new();
    let mut by_key: HashMap<(Uuid, &Arc<str>, &Wish), usize> = HashMap::new();
    for call in calls.iter().filter(|call| call.wish.writes()) {
        let place = match &call.key {
            Some(key) => *by_key.entry((call.user, key, &call.wish)).or_insert(attempts.len()),
            None => attempts.len(),
        };
        if place == attempts.len() {
            attempts.push(Attempt {
                user: call.user,
                wish: &call.wish,
                started: Moment::MAX,
                answered: None,
                answer: None,
                possible: false,
            });
        }
        attempts[place].take(call, report);
    }
    attempts
}

impl<'a> Attempt<'a> {
    fn take(&mut self, call: &'a Call, report: &mut Report) {
        if matches!(call.outcome, Outcome::Refused(_)) {
            return;
        }
        self.possible = true;
        self.started = self.started.min(call.started);
        let Outcome::Answered(answer) = &call.outcome else { return };
        self.answered = Some(self.answered.map_or(call.ended, |ended| ended.min(call.ended)));
        if let Told::Garbled(what) = &answer.told {
            report.add(Check::Answers, || format!("{:?} was answered with {what}", call.wish));
        }
        match self.answer {
            Some(first) if first.body != answer.body => {
                report.add(Check::KeysWithTwoEffects, || {
                    format!(
                        "key {:?} of {} was answered with {} and with {}",
                        call.key,
                        call.user,
                        String::from_utf8_lossy(&first.body),
                        String::from_utf8_lossy(&answer.body)
                    )
                });
            }
            Some(_) => {}
            None => self.answer = Some(answer),
        }
    }
}

impl Effects {
    fn bound(&mut self, event: Uuid, decision: usize, from: Moment, to: Moment) {
        self.bounds.entry(event).or_default().push(Bound { decision, from, to });
    }

    /// A person was answered by a decision.
    fn tell(&mut self, event: Uuid, decision: usize, attempt: &Attempt<'_>) {
        if let Some(answered) = attempt.answered {
            self.own.entry((event, attempt.user)).or_default().push((answered, decision));
        }
    }
}

fn match_bookings(
    attempts: &[Attempt<'_>],
    courses: &Courses,
    effects: &mut Effects,
    report: &mut Report,
) {
    let mut claimed: HashMap<(Uuid, u64), Uuid> = HashMap::new();
    let mut open = Pairs::new();
    for attempt in attempts.iter().filter(|attempt| attempt.possible) {
        let (Wish::Book { event, quantity, .. } | Wish::Confirm { event, quantity, .. }) =
            attempt.wish
        else {
            continue;
        };
        let Some(answer) = attempt.answer else {
            open.entry((*event, attempt.user, u64::from(*quantity))).or_default().push(attempt);
            continue;
        };
        let Told::Booking(row) = &answer.told else { continue };
        let made = courses
            .get(event)
            .and_then(|course| course.bookings.get(&row.seq))
            .filter(|made| (made.user, made.quantity) == (attempt.user, *quantity));
        let Some(made) = made else {
            report.add(Check::Lost, || {
                format!(
                    "event {event}: {} was answered {:?} at seq {}",
                    attempt.user, row.status, row.seq
                )
            });
            continue;
        };
        judge_booked(attempt, *event, row, made, report);
        if claimed.insert((*event, row.seq), attempt.user).is_some() {
            report.add(Check::Answers, || {
                format!("event {event}: seq {} was answered to two keys", row.seq)
            });
        }
        let to = attempt.answered.unwrap_or(Moment::MAX);
        effects.bound(*event, made.made, attempt.started, to);
        effects.tell(*event, made.made, attempt);
    }
    let rest = courses.iter().flat_map(|(event, course)| {
        let rest =
            course.bookings.iter().filter(|(seq, _)| !claimed.contains_key(&(*event, **seq)));
        rest.map(|(_, made)| ((*event, made.user, u64::from(made.quantity)), made.made))
    });
    match_rest(rest, &mut open, attempts, effects, report);
}

fn judge_booked(
    attempt: &Attempt<'_>,
    event: Uuid,
    row: &SeenBooking,
    made: &Booking,
    report: &mut Report,
) {
    let status = if made.position.is_some() { Status::Waitlisted } else { Status::Confirmed };
    let right = row.status == status
        && row.position == made.position
        && row.event == event
        && row.user == attempt.user
        && row.quantity == made.quantity;
    if !right {
        report.add(Check::Answers, || {
            format!("event {event}: told {row:?}, made {status:?} in place {:?}", made.position)
        });
    }
}

/// Bookings that no answer names: each needs a key of its own whose outcome is unknown.
/// Both in the order of time, so that each booking gets the earliest begin it can have.
fn match_rest<'a>(
    rest: impl Iterator<Item = (Figure, usize)>,
    open: &mut Pairs<'a>,
    attempts: &'a [Attempt<'a>],
    effects: &mut Effects,
    report: &mut Report,
) {
    for candidates in open.values_mut() {
        // The earliest is at the end, where it is taken from.
        candidates.sort_by_key(|attempt| std::cmp::Reverse(attempt.started));
    }
    for (figure, decision) in rest {
        let (event, user, _) = figure;
        if let Some(attempt) = open.get_mut(&figure).and_then(Vec::pop) {
            effects.bound(event, decision, attempt.started, Moment::MAX);
            continue;
        }
        report.add(blame(attempts, figure), || {
            format!("event {event}: decision {decision} is a booking of {user} without its key")
        });
    }
}

/// What is wrong with an effect for which no key is left.
pub(super) fn blame(attempts: &[Attempt<'_>], (event, user, figure): Figure) -> Check {
    let keys = || {
        attempts.iter().filter(|attempt| {
            (attempt.user == user || user == ANYBODY)
                && attempt.wish.figure() == Some((event, figure))
        })
    };
    if keys().any(|attempt| attempt.possible) {
        Check::KeysWithTwoEffects
    } else if keys().next().is_some() {
        Check::Refusals
    } else {
        Check::Unasked
    }
}

fn match_cancellations(
    attempts: &[Attempt<'_>],
    courses: &Courses,
    effects: &mut Effects,
    report: &mut Report,
) {
    let mut wanted: HashMap<(Uuid, u64), (Moment, Moment)> = HashMap::new();
    for attempt in attempts.iter().filter(|attempt| attempt.possible) {
        let Wish::Cancel { booking } = attempt.wish else { continue };
        let Some(home) = effects.homes.get(booking).copied() else {
            report.add(Check::Answers, || format!("nobody was ever shown booking {booking}"));
            continue;
        };
        let (from, to) = wanted.entry(home).or_insert((Moment::MAX, Moment::MAX));
        *from = attempt.started.min(*from);
        let Some(answer) = attempt.answer else { continue };
        *to = attempt.answered.unwrap_or(Moment::MAX).min(*to);
        let ended = booking_at(courses, home).and_then(|booking| booking.ended);
        match (ended, &answer.told) {
            (None, _) => report.add(Check::Lost, || {
                format!(
                    "event {}: {} was answered that seq {} is cancelled",
                    home.0, attempt.user, home.1
                )
            }),
            (Some((decision, _)), Told::Booking(row)) => {
                effects.tell(home.0, decision, attempt);
                if row.status != Status::Cancelled || row.id != *booking {
                    report.add(Check::Answers, || {
                        format!("cancelling {booking} was answered with {row:?}")
                    });
                }
            }
            (Some(_), _) => {}
        }
    }
    for (event, course) in courses {
        for (seq, booking) in &course.bookings {
            let Some((decision, ending)) = booking.ended else { continue };
            match (wanted.get(&(*event, *seq)), ending) {
                (Some((from, to)), Ending::Wanted) => effects.bound(*event, decision, *from, *to),
                (Some((_, to)), _) => effects.bound(*event, decision, 0, *to),
                (None, Ending::Wanted) => report.add(Check::Unasked, || {
                    format!("event {event}: nobody wanted seq {seq} to be cancelled")
                }),
                (None, _) => {}
            }
        }
    }
}

/// Changes: an answer shows the event as it was when it was written, so it may show a
/// later version than the one it made, if somebody else was faster.
fn match_changes(
    attempts: &[Attempt<'_>],
    courses: &Courses,
    effects: &mut Effects,
    report: &mut Report,
) {
    let mut claimed: HashSet<(Uuid, u32)> = HashSet::new();
    let mut open = Pairs::new();
    for attempt in attempts.iter().filter(|attempt| attempt.possible) {
        let Wish::SetCapacity { event, capacity } = attempt.wish else { continue };
        if let Some(Answer { told: Told::Event { version, capacity: shown }, .. }) = attempt.answer
        {
            let course = courses.get(event);
            judge_changed(*event, *version, *shown, course, report);
            let made = course.and_then(|course| course.versions.get(version));
            if let Some((decision, stored)) = made
                && stored == capacity
                && claimed.insert((*event, *version))
            {
                let to = attempt.answered.unwrap_or(Moment::MAX);
                effects.bound(*event, *decision, attempt.started, to);
                continue;
            }
        }
        open.entry((*event, ANYBODY, u64::from(*capacity))).or_default().push(attempt);
    }
    for (event, course) in courses {
        // The first version is the event's creation, which is not recorded.
        let changes = course.versions.iter().filter(|(version, _)| **version > 1);
        for (_, (decision, capacity)) in
            changes.filter(|(version, _)| !claimed.contains(&(*event, **version)))
        {
            let wanted = (*event, ANYBODY, u64::from(*capacity));
            // Those that were answered come first: they must have an effect.
            let candidates = open.entry(wanted).or_default();
            candidates.sort_by_key(|attempt| attempt.answered.is_some());
            if candidates.pop().is_none() {
                report.add(blame(attempts, wanted), || {
                    format!("event {event}: decision {decision} is a change without its key")
                });
            }
        }
    }
    for ((event, _, capacity), left) in &open {
        for attempt in left.iter().filter(|attempt| attempt.answered.is_some()) {
            report.add(Check::Lost, || {
                format!("event {event}: {} was answered capacity {capacity}", attempt.user)
            });
        }
    }
}

/// The capacity in an answer is live: that of its version, or of a later one.
fn judge_changed(
    event: Uuid,
    version: u32,
    shown: u32,
    course: Option<&Course>,
    report: &mut Report,
) {
    let Some(course) = course.filter(|course| course.versions.contains_key(&version)) else {
        report.add(Check::Lost, || format!("event {event}: version {version} was answered"));
        return;
    };
    if !course.versions.range(version..).any(|(_, (_, capacity))| *capacity == shown) {
        report.add(Check::Answers, || {
            format!("event {event}: capacity {shown} was answered with version {version}")
        });
    }
}

/// Whoever saw an effect proves that it had come about.
fn bound_by_reads(calls: &[Call], courses: &Courses, effects: &mut Effects) {
    let reads = calls.iter().filter(|call| !call.wish.writes());
    for (call, told) in reads.filter_map(|call| Some((call, call.told()?))) {
        for row in rows(told) {
            let span = booking_at(courses, (row.event, row.seq))
                .and_then(|booking| booking.span(row.status));
            if let Some((decision, _)) = span {
                effects.bound(row.event, decision, 0, call.ended);
            }
        }
        if let (Told::Availability(counts), Wish::ReadAvailability { event }) = (told, &call.wish)
            && let Some(decision) =
                courses.get(event).and_then(|course| course.decision_at_seq(counts.as_of_seq))
        {
            effects.bound(*event, decision, 0, call.ended);
        }
    }
}

/// The booking made at a seq of an event.
pub(super) fn booking_at(courses: &Courses, (event, seq): (Uuid, u64)) -> Option<&Booking> {
    courses.get(&event).and_then(|course: &Course| course.bookings.get(&seq))
}
