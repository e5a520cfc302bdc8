//! Bookings and holds as they were seen: by whom, when, and as what.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::Scene;
use crate::checker::effects::{Attempt, Figure, blame, rows};
use crate::checker::report::{Check, Report};
use crate::history::{Call, Moment, SeenBooking, Status, Told, Wish};
use crate::served::Served;

/// A hold that was told so long ago, in nanoseconds, may have run out.
pub(super) const HOLD_SPAN: Moment = 540_000_000_000;

/// How a booking became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The answer to a write of its owner.
    Write,
    /// A read during the run.
    Read,
    /// What was read back at the end.
    End,
}

/// Once a booking was seen: at some moment between the two it was so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    pub(super) from: Moment,
    pub(super) to: Moment,
    pub(super) status: Status,
    pub(super) position: Option<u32>,
    pub(super) source: Source,
}

/// A booking's life, as far as it was seen.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) id: Uuid,
    pub(super) user: Uuid,
    pub(super) quantity: u32,
    /// It came about not before, and not after.
    pub(super) made: (Moment, Moment),
    /// When the first call began that may have ended it.
    pub(super) cancelled_from: Option<Moment>,
    /// Whether a rule may have ended it without any call, while it waited.
    pub(super) by_rule: bool,
    pub(super) sightings: Vec<Sighting>,
}

/// A hold that was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    pub(super) event: Uuid,
    pub(super) user: Uuid,
    pub(super) quantity: u32,
    /// When it was first asked for.
    pub(super) started: Moment,
    /// Its id and seq, and when they were told.
    pub(super) told: Option<(Uuid, u64, Moment)>,
    /// When the first call began that may have made a booking of it.
    pub(super) ended_from: Option<Moment>,
    /// Whether a booking was surely made of it.
    pub(super) confirmed: bool,
}

impl Life {
    fn new(row: &SeenBooking) -> Self {
        Self {
            id: row.id,
            user: row.user,
            quantity: row.quantity,
            made: (0, Moment::MAX),
            cancelled_from: None,
            by_rule: false,
            sightings: Vec::new(),
        }
    }

    /// When it was first known to have this status.
    pub(super) fn known_as(&self, status: Status) -> Option<Moment> {
        self.seen_as(status).map(|sighting| sighting.to).min()
    }

    /// Until when it surely was not over.
    pub(super) fn alive_until(&self) -> Moment {
        let live = self.sightings.iter().filter(|sighting| sighting.status != Status::Cancelled);
        let seen = live.clone().map(|sighting| sighting.from).max().unwrap_or(0);
        if live.into_iter().any(|sighting| sighting.source == Source::End) {
            return Moment::MAX;
        }
        // A rule sends away only those who never got their places.
        let by_rule = self.by_rule && self.known_as(Status::Confirmed).is_none();
        let wanted = self.cancelled_from.filter(|_| !by_rule);
        wanted.map_or(seen, |from| from.max(seen))
    }

    /// Until when it surely waited, if it ever did.
    pub(super) fn waited_until(&self) -> Option<Moment> {
        self.seen_as(Status::Waitlisted).map(|sighting| sighting.from).max()
    }

    pub(super) fn seen_as(&self, status: Status) -> impl Iterator<Item = &Sighting> {
        self.sightings.iter().filter(move |sighting| sighting.status == status)
    }
}

/// All bookings that were ever shown.
pub(super) fn gather(
    calls: &[Call],
    served: &Served,
    attempts: &[Attempt<'_>],
    end: Moment,
    report: &mut Report,
) -> BTreeMap<(Uuid, u64), Life> {
    let mut lives = BTreeMap::new();
    for attempt in attempts {
        let Some(answer) = attempt.answer else { continue };
        let to = attempt.answered.unwrap_or(end);
        for row in rows(&answer.told) {
            see(&mut lives, row, (attempt.started, to), Source::Write, report);
        }
    }
    for call in calls.iter().filter(|call| !call.wish.writes()) {
        for row in call.told().map_or(&[][..], rows) {
            see(&mut lives, row, (call.started, call.ended), Source::Read, report);
        }
    }
    let lists = served.events.iter().map(|event| &event.bookings).chain(served.users.values());
    for row in lists.flatten() {
        see(&mut lives, row, (end, end), Source::End, report);
    }
    lives
}

fn see(
    lives: &mut BTreeMap<(Uuid, u64), Life>,
    row: &SeenBooking,
    (from, to): (Moment, Moment),
    source: Source,
    report: &mut Report,
) {
    let life = lives.entry((row.event, row.seq)).or_insert_with(|| Life::new(row));
    if life.id != row.id {
        let other = life.id;
        report.add(Check::Sequence, || {
            format!("event {}: seq {} is booking {other} and {}", row.event, row.seq, row.id)
        });
        return;
    }
    if (life.user, life.quantity) != (row.user, row.quantity) {
        report.add(Check::Answers, || format!("{row:?} was shown as another's, or another size"));
    }
    life.made.1 = life.made.1.min(to);
    let (status, position) = (row.status, row.position);
    life.sightings.push(Sighting { from, to, status, position, source });
}

/// All holds that may ever have been, with what may have ended them.
pub(super) fn holds(attempts: &[Attempt<'_>]) -> Vec<Hold> {
    let mut holds: Vec<Hold> = attempts
        .iter()
        .filter(|attempt| attempt.possible)
        .filter_map(|attempt| {
            let Wish::Hold { event, quantity } = attempt.wish else { return None };
            let told = match (attempt.answer.map(|answer| &answer.told), attempt.answered) {
                (Some(Told::Hold(hold)), Some(to)) => Some((hold.id, hold.seq, to)),
                _ => None,
            };
            Some(Hold {
                event: *event,
                user: attempt.user,
                quantity: *quantity,
                started: attempt.started,
                told,
                ended_from: None,
                confirmed: false,
            })
        })
        .collect();
    let mut of_user: HashMap<(Uuid, Uuid), Vec<usize>> = HashMap::new();
    for (place, hold) in holds.iter().enumerate() {
        of_user.entry((hold.event, hold.user)).or_default().push(place);
    }
    for attempt in attempts.iter().filter(|attempt| attempt.possible) {
        // Booking as many as are held confirms the hold, too.
        let (event, named) = match attempt.wish {
            Wish::Confirm { event, hold, .. } => (*event, Some(*hold)),
            Wish::Book { event, .. } => (*event, None),
            _ => continue,
        };
        for place in of_user.get(&(event, attempt.user)).into_iter().flatten() {
            let hold = &mut holds[*place];
            let Some((id, _, told)) = hold.told else { continue };
            let before = attempt.answered.is_some_and(|answered| answered < hold.started);
            if before || named.is_some_and(|named| named != id) {
                continue;
            }
            let from = attempt.started.max(told);
            hold.ended_from = Some(hold.ended_from.map_or(from, |before| before.min(from)));
            hold.confirmed |= named.is_some() && attempt.answer.is_some();
        }
    }
    holds
}

/// Which key made and which ended each booking.
pub(super) fn match_keys(scene: &mut Scene<'_>, report: &mut Report) {
    let mut claimed = HashSet::new();
    let mut open: HashMap<Figure, Vec<Moment>> = HashMap::new();
    for attempt in scene.attempts.iter().filter(|attempt| attempt.possible) {
        match attempt.wish {
            Wish::Book { event, quantity, .. } | Wish::Confirm { event, quantity, .. } => {
                let figure = (*event, attempt.user, u64::from(*quantity));
                match attempt.answer.map(|answer| &answer.told) {
                    None => open.entry(figure).or_default().push(attempt.started),
                    Some(Told::Booking(row)) => {
                        claim(&mut scene.lives, attempt, figure, row, &mut claimed, report);
                    }
                    Some(told) => report.add(Check::Answers, || {
                        format!("{:?} was answered with {told:?}", attempt.wish)
                    }),
                }
            }
            Wish::Cancel { booking } => {
                let life = scene.homes.get(booking).and_then(|home| scene.lives.get_mut(home));
                let Some(life) = life else { continue };
                let from = life.cancelled_from.map_or(attempt.started, |f| f.min(attempt.started));
                life.cancelled_from = Some(from);
                judge_cancelled(attempt, *booking, report);
            }
            _ => {}
        }
    }
    match_rest(scene, &claimed, open, report);
    let changed: HashSet<Uuid> =
        scene.attempts.iter().filter_map(|attempt| changed_event(attempt.wish)).collect();
    for ((event, _), life) in &mut scene.lives {
        life.by_rule = changed.contains(event);
    }
}

/// The event of which somebody wanted another capacity.
fn changed_event(wish: &Wish) -> Option<Uuid> {
    match wish {
        Wish::SetCapacity { event, .. } => Some(*event),
        _ => None,
    }
}

fn claim(
    lives: &mut BTreeMap<(Uuid, u64), Life>,
    attempt: &Attempt<'_>,
    (event, user, quantity): Figure,
    row: &SeenBooking,
    claimed: &mut HashSet<(Uuid, u64)>,
    report: &mut Report,
) {
    if (row.event, row.user, u64::from(row.quantity)) != (event, user, quantity)
        || row.status == Status::Cancelled
    {
        report.add(Check::Answers, || format!("{:?} was answered with {row:?}", attempt.wish));
    }
    if !claimed.insert((row.event, row.seq)) {
        report.add(Check::Answers, || {
            format!("event {event}: seq {} was answered to two keys", row.seq)
        });
    }
    if let Some(life) = lives.get_mut(&(row.event, row.seq)) {
        life.made.0 = attempt.started;
    }
}

fn judge_cancelled(attempt: &Attempt<'_>, booking: Uuid, report: &mut Report) {
    let Some(answer) = attempt.answer else { return };
    let right = matches!(&answer.told, Told::Booking(row)
        if row.id == booking && row.status == Status::Cancelled);
    if !right {
        report.add(Check::Answers, || {
            format!("cancelling {booking} was answered with {:?}", answer.told)
        });
    }
}

/// Bookings that no answer names: each needs a key of its own whose outcome is unknown.
/// Both in the order of time, so that each gets the earliest begin that it can have.
fn match_rest(
    scene: &mut Scene<'_>,
    claimed: &HashSet<(Uuid, u64)>,
    mut open: HashMap<Figure, Vec<Moment>>,
    report: &mut Report,
) {
    for begins in open.values_mut() {
        // The earliest is at the end, where it is taken from.
        begins.sort_unstable_by_key(|begin| std::cmp::Reverse(*begin));
    }
    for (home, life) in scene.lives.iter_mut().filter(|(home, _)| !claimed.contains(home)) {
        let figure = (home.0, life.user, u64::from(life.quantity));
        match open.get_mut(&figure).and_then(Vec::pop) {
            Some(begin) => life.made.0 = begin,
            None => report.add(blame(&scene.attempts, figure), || {
                format!("event {}: seq {} of {} has no key", home.0, home.1, life.user)
            }),
        }
    }
}
