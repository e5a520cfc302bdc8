//! The reference model: one event's course, played from its journal, judged by the rules
//! of the contract. Plain counters and ordered maps, one thing at a time.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::report::{Check, Report};
use crate::history::Status;
use crate::journal::{Cause, Decision, Fact, Named, Terms, Was};

/// Most promotions and other moves of one decision; with so many, the rest comes in a
/// decision of its own, and until then free places may stand beside a waiting head.
const MOVES_PER_DECISION: usize = 256;

/// How an event went.
#[derive(Clone, Debug)]
pub struct Course {
    /// Which event.
    pub event: Uuid,
    /// The sums before the first decision, and after each.
    pub states: Vec<State>,
    /// Every booking that was ever made, by the seq it was made at.
    pub bookings: BTreeMap<u64, Booking>,
    /// The seqs of each person's bookings, in order.
    pub of_user: HashMap<Uuid, Vec<u64>>,
    /// Each version, with the decision that made it and the capacity it has.
    pub versions: BTreeMap<u32, (usize, u32)>,
    /// The waiting ones, by the seq they were made at.
    pub queue: BTreeMap<u64, u32>,
    terms: Option<Terms>,
    holds: BTreeMap<u64, (Uuid, u32)>,
    live: HashMap<Uuid, u64>,
    keys: HashMap<[u8; 16], usize>,
    unfinished: bool,
}

/// Sums over an event after a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Booking events so far.
    pub seq: u64,
    /// Version of terms and words.
    pub version: u32,
    /// Whether it was opened and not cancelled.
    pub open: bool,
    /// Whether it is sold at all.
    pub active: bool,
    /// Whether people may wait.
    pub waitlist: bool,
    /// Places in all.
    pub capacity: u64,
    /// Places of confirmed bookings.
    pub booked: u64,
    /// Places of open holds.
    pub held: u64,
    /// Places that waiting entries wish for.
    pub waitlisted: u64,
    /// How many entries wait.
    pub waitlist_entries: u64,
}

impl State {
    /// Places that nobody has.
    #[must_use]
    pub fn free(&self) -> u64 {
        self.capacity.saturating_sub(self.booked + self.held)
    }

    /// Places that a newcomer can have.
    #[must_use]
    pub fn available(&self) -> u64 {
        if self.waitlist_entries > 0 { 0 } else { self.free() }
    }
}

/// A booking's life. Decisions are counted from 1.
#[derive(Clone, Copy, Debug)]
pub struct Booking {
    /// Whose.
    pub user: Uuid,
    /// How many places.
    pub quantity: u32,
    /// The decision that made it.
    pub made: usize,
    /// Its place in the queue when it was made, if it had to wait.
    pub position: Option<u32>,
    /// The decision that promoted it.
    pub promoted: Option<usize>,
    /// The decision that ended it, and why.
    pub ended: Option<(usize, Ending)>,
}

/// Why a booking ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Somebody wanted it.
    Wanted,
    /// The system did it by a rule.
    Rule,
    /// The event was cancelled.
    Event,
}

impl Booking {
    /// What it is worth at the end.
    #[must_use]
    pub fn status(&self) -> Status {
        if self.ended.is_some() {
            Status::Cancelled
        } else if self.position.is_some() && self.promoted.is_none() {
            Status::Waitlisted
        } else {
            Status::Confirmed
        }
    }

    /// The decisions after which it has this status: from the first to the last, which is
    /// `usize::MAX` where it is still so.
    #[must_use]
    pub fn span(&self, status: Status) -> Option<(usize, usize)> {
        let end = self.ended.map_or(usize::MAX, |(decision, _)| decision - 1);
        let span = match status {
            Status::Cancelled => (self.ended?.0, usize::MAX),
            Status::Waitlisted => {
                self.position?;
                (self.made, self.promoted.map_or(end, |decision| decision - 1))
            }
            Status::Confirmed if self.position.is_some() => (self.promoted?, end),
            Status::Confirmed => (self.made, end),
        };
        Some(span)
    }

    /// Whether it has or awaits places after `decision`.
    #[must_use]
    pub fn is_live_after(&self, decision: usize) -> bool {
        self.made <= decision && self.ended.is_none_or(|(end, _)| decision < end)
    }
}

impl Course {
    /// An event that nothing has happened to.
    #[must_use]
    pub fn new(event: Uuid) -> Self {
        Self {
            event,
            states: vec![State::default()],
            bookings: BTreeMap::new(),
            of_user: HashMap::new(),
            versions: BTreeMap::new(),
            queue: BTreeMap::new(),
            terms: None,
            holds: BTreeMap::new(),
            live: HashMap::new(),
            keys: HashMap::new(),
            unfinished: false,
        }
    }

    /// How many decisions there were.
    #[must_use]
    pub fn decisions(&self) -> usize {
        self.states.len() - 1
    }

    /// The sums at the end.
    #[must_use]
    pub fn last(&self) -> State {
        *self.states.last().unwrap_or(&State::default())
    }

    /// Whether moves are still to come that did not fit into one decision.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.unfinished
    }

    /// The decision after which the event stood at `seq`, if there is one: the first of
    /// those that did.
    #[must_use]
    pub fn decision_at_seq(&self, seq: u64) -> Option<usize> {
        let decision = self.states.partition_point(|state| state.seq < seq);
        (self.states.get(decision)?.seq == seq).then_some(decision)
    }

    /// Plays one decision, whose first booking event has `first_seq`.
    pub fn decide(&mut self, decision: &Decision, first_seq: u64, report: &mut Report) {
        let number = self.states.len();
        let event = self.event;
        self.states.push(self.last());
        if let Some(key) = decision.key
            && let Some(before) = self.keys.insert(key, number)
        {
            report.add(Check::KeysWithTwoEffects, || {
                format!("event {event}: decisions {before} and {number} answer the same key")
            });
        }
        let mut moves = 0;
        for (seq, fact) in (first_seq..).zip(&decision.facts) {
            self.now().seq = seq;
            self.play(fact, seq, number, report);
            moves += usize::from(is_move(fact));
            let state = self.last();
            if state.booked + state.held > state.capacity {
                report.add(Check::Oversold, || {
                    format!(
                        "event {event}, seq {seq}: {} booked and {} held of {}",
                        state.booked, state.held, state.capacity
                    )
                });
            }
        }
        self.judge_queue(decision, moves, report);
    }

    /// What must be true of the queue whenever a decision is over.
    fn judge_queue(&mut self, decision: &Decision, moves: usize, report: &mut Report) {
        let (event, state, number) = (self.event, self.last(), self.decisions());
        let Some(terms) = self.terms.filter(|_| state.open) else { return };
        let over = decision.at >= terms.ends_at;
        let fits = |quantity: &u32| u64::from(*quantity) <= state.free();
        let served = over || !self.queue.values().next().is_some_and(fits);
        let changed = decision.facts.iter().any(|fact| matches!(fact, Fact::Changed(..)));
        let too_large = |quantity: &u32| u64::from(*quantity) > state.capacity;
        let fitting = !changed || over || !self.queue.values().any(too_large);
        self.unfinished = !(served && fitting) && (self.unfinished || moves >= MOVES_PER_DECISION);
        if !self.unfinished && !served {
            report.add(Check::QueueOrder, || {
                format!(
                    "event {event}, after decision {number} (seq {}): {} places are free and \
                     the head of the queue, which fits, still waits",
                    state.seq,
                    state.free()
                )
            });
        }
        if !self.unfinished && !fitting {
            report.add(Check::QueueOrder, || {
                format!("event {event}, after decision {number}: one waits for more than all")
            });
        }
    }

    fn play(&mut self, fact: &Fact, seq: u64, decision: usize, report: &mut Report) {
        match fact {
            Fact::Opened(terms) => {
                self.set_terms(*terms, 1, decision, self.terms.is_none(), report);
                self.now().open = true;
            }
            Fact::Changed(version, terms) => {
                let next = *version == self.last().version + 1;
                self.set_terms(*terms, *version, decision, next, report);
            }
            Fact::EventCancelled(version, bookings) => {
                self.cancel_all(*version, *bookings, decision, report);
            }
            Fact::Confirmed(user, quantity, hold) => {
                self.confirm(*user, *quantity, *hold, (seq, decision), report);
            }
            Fact::Waitlisted(user, quantity) => {
                self.wait(*user, *quantity, (seq, decision), report);
            }
            Fact::Promoted(booking) => self.promote(*booking, decision, report),
            Fact::Cancelled(booking, was, cause) => {
                self.cancel(*booking, *was, *cause, decision, report);
            }
            Fact::HoldPlaced(user, quantity) => {
                self.pass_nobody("a hold was placed", seq, report);
                self.come(*user, seq, report);
                self.holds.insert(seq, (*user, *quantity));
                self.now().held += u64::from(*quantity);
            }
            Fact::HoldChanged(_) => {}
            Fact::HoldEnded(hold) => {
                self.end_hold(*hold);
                self.live.remove(&hold.user);
            }
        }
    }

    fn set_terms(
        &mut self,
        terms: Terms,
        version: u32,
        decision: usize,
        in_order: bool,
        report: &mut Report,
    ) {
        if !in_order {
            report.add(Check::Sequence, || {
                format!("event {}: version {version} out of order", self.event)
            });
        }
        self.terms = Some(terms);
        self.versions.entry(version).or_insert((decision, terms.capacity));
        let state = self.now();
        state.version = version;
        state.capacity = u64::from(terms.capacity);
        state.active = terms.active;
        state.waitlist = terms.waitlist;
    }

    fn cancel_all(&mut self, version: u32, told: u32, decision: usize, report: &mut Report) {
        let mut ended = 0;
        for booking in self.bookings.values_mut().filter(|booking| booking.ended.is_none()) {
            booking.ended = Some((decision, Ending::Event));
            ended += 1;
        }
        if ended != told {
            report.add(Check::Answers, || {
                format!("event {}: cancelled with {told} bookings, it had {ended}", self.event)
            });
        }
        self.queue.clear();
        self.holds.clear();
        self.live.clear();
        let State { seq, capacity, active, waitlist, .. } = self.last();
        *self.now() = State { seq, capacity, active, waitlist, version, ..State::default() };
    }

    fn confirm(
        &mut self,
        user: Uuid,
        quantity: u32,
        hold: Option<Named>,
        at: (u64, usize),
        report: &mut Report,
    ) {
        let held = hold.is_some_and(|hold| self.end_hold(hold));
        if held {
            self.live.remove(&user);
        } else {
            self.pass_nobody("a newcomer was confirmed", at.0, report);
        }
        self.come(user, at.0, report);
        self.now().booked += u64::from(quantity);
        self.add(user, quantity, None, at);
    }

    fn wait(&mut self, user: Uuid, quantity: u32, at: (u64, usize), report: &mut Report) {
        self.come(user, at.0, report);
        if self.queue.is_empty() && u64::from(quantity) <= self.last().free() {
            report.add(Check::QueueOrder, || {
                format!("event {}, seq {}: one must wait although there is room", self.event, at.0)
            });
        }
        self.queue.insert(at.0, quantity);
        let state = self.now();
        state.waitlisted += u64::from(quantity);
        state.waitlist_entries += 1;
        let position = u32::try_from(self.queue.len()).unwrap_or(u32::MAX);
        self.add(user, quantity, Some(position), at);
    }

    fn promote(&mut self, named: Named, decision: usize, report: &mut Report) {
        let head = self.queue.keys().next().copied();
        if head != Some(named.seq) {
            report.add(Check::QueueOrder, || {
                format!(
                    "event {}: seq {} was promoted, the head of the queue was {head:?}",
                    self.event, named.seq
                )
            });
        }
        self.leave_queue(named.seq);
        self.now().booked += u64::from(named.quantity);
        if let Some(booking) = self.bookings.get_mut(&named.seq) {
            booking.promoted.get_or_insert(decision);
        }
    }

    fn cancel(
        &mut self,
        named: Named,
        was: Was,
        cause: Cause,
        decision: usize,
        report: &mut Report,
    ) {
        let event = self.event;
        let status = match was {
            Was::Confirmed => Status::Confirmed,
            Was::Waitlisted => Status::Waitlisted,
        };
        let Some(booking) = self.bookings.get_mut(&named.seq).filter(|booking| {
            (booking.user, booking.quantity) == (named.user, named.quantity)
                && booking.status() == status
        }) else {
            report.add(Check::Answers, || {
                format!("event {event}: seq {} was cancelled, which was not {was:?}", named.seq)
            });
            return;
        };
        let ending = if cause == Cause::User { Ending::Wanted } else { Ending::Rule };
        booking.ended = Some((decision, ending));
        self.live.remove(&named.user);
        if was == Was::Waitlisted {
            self.leave_queue(named.seq);
        } else {
            let state = self.now();
            state.booked = state.booked.saturating_sub(u64::from(named.quantity));
        }
        let sent_away = cause == Cause::Capacity;
        if sent_away && (was == Was::Confirmed || u64::from(named.quantity) <= self.last().capacity)
        {
            report.add(Check::QueueOrder, || {
                format!("event {event}: seq {} was sent away although it fits", named.seq)
            });
        }
    }

    /// A newcomer gets places: then nobody may be waiting.
    fn pass_nobody(&mut self, what: &str, seq: u64, report: &mut Report) {
        if !self.queue.is_empty() {
            report.add(Check::QueueOrder, || {
                format!(
                    "event {}, seq {seq}: {what} while {} were waiting",
                    self.event,
                    self.queue.len()
                )
            });
        }
    }

    /// Somebody gets a booking, a hold or a waiting entry: then there is none yet.
    fn come(&mut self, user: Uuid, seq: u64, report: &mut Report) {
        if let Some(before) = self.live.insert(user, seq) {
            report.add(Check::Duplicates, || {
                format!("event {}: {user} came at seq {before} and {seq}", self.event)
            });
        }
    }

    fn add(&mut self, user: Uuid, quantity: u32, position: Option<u32>, at: (u64, usize)) {
        let (seq, made) = at;
        self.bookings.entry(seq).or_insert(Booking {
            user,
            quantity,
            made,
            position,
            promoted: None,
            ended: None,
        });
        self.of_user.entry(user).or_default().push(seq);
    }

    fn leave_queue(&mut self, seq: u64) {
        if let Some(quantity) = self.queue.remove(&seq) {
            let state = self.now();
            state.waitlisted -= u64::from(quantity);
            state.waitlist_entries -= 1;
        }
    }

    /// Gives a hold's places back; whether there were any.
    fn end_hold(&mut self, hold: Named) -> bool {
        let Some((_, quantity)) = self.holds.remove(&hold.seq) else { return false };
        self.now().held -= u64::from(quantity);
        true
    }

    fn now(&mut self) -> &mut State {
        self.states.last_mut().expect("there is a state before the first decision")
    }
}

/// Whether a booking event counts against the moves of a decision.
fn is_move(fact: &Fact) -> bool {
    match fact {
        Fact::Promoted(_) | Fact::HoldEnded(_) => true,
        Fact::Cancelled(_, _, cause) => *cause != Cause::User,
        _ => false,
    }
}
