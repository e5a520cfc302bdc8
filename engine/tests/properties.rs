//! Random lives of an event: at every prefix the laws hold, the history replays to what
//! there is, and a repeated key changes nothing.
//!
//! The judge is a model of its own: a plain fold over the booking events, without any of
//! the engine's indexes.

use std::collections::BTreeMap;

use engine::{
    BookingEvent, BookingId, Cause, Command, CommandId, Decision, Entry, Envelope, EventId,
    Fingerprint, HoldId, Inventory, Key, KeyOrigin, Limits, Phase, Principal, Rejection, Reply,
    Seats, Seq, Span, Terms, TermsChange, Timestamp, UserId, Was, Words, decide, invariants,
};
use proptest::prelude::*;

const START: Timestamp = Timestamp::from_millis(1_763_900_000_000);
const PEOPLE: u8 = 7;

/// One thing that somebody tries.
#[derive(Clone, Debug)]
struct Step {
    /// Seconds that pass before.
    wait: u32,
    /// Whether what is due is done first, as the caller of the engine must.
    due_first: bool,
    who: u8,
    admin: bool,
    key: Option<(u8, KeyOrigin)>,
    wish: Wish,
}

#[derive(Clone, Debug)]
enum Wish {
    Book(Option<u32>, bool),
    Cancel(u8),
    Hold(u32),
    Confirm(u8),
    Extend,
    Release,
    Capacity(u32),
    Active(bool),
    Ends(u32),
    CancelEvent,
    Due,
    Restart,
}

fn wishes() -> impl Strategy<Value = Wish> {
    prop_oneof![
        12 => (prop::option::of(1..4u32), prop::bool::weighted(0.8))
            .prop_map(|(quantity, wait)| Wish::Book(quantity, wait)),
        8 => (0..PEOPLE).prop_map(Wish::Cancel),
        5 => (1..4u32).prop_map(Wish::Hold),
        4 => (0..PEOPLE).prop_map(Wish::Confirm),
        2 => Just(Wish::Extend),
        2 => Just(Wish::Release),
        3 => (0..9u32).prop_map(Wish::Capacity),
        1 => any::<bool>().prop_map(Wish::Active),
        1 => (0..4u32).prop_map(Wish::Ends),
        2 => Just(Wish::Due),
        2 => Just(Wish::Restart),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let origin = prop_oneof![Just(KeyOrigin::Client), Just(KeyOrigin::Edge)];
    let key = prop::option::of((0..12u8, origin));
    let wait = prop_oneof![4 => Just(0), 3 => 1..40u32, 1 => 40..900u32];
    let one = (wait, prop::bool::weighted(0.8), 0..PEOPLE, prop::bool::weighted(0.15), key);
    let one = (one, wishes()).prop_map(|((wait, due_first, who, admin, key), wish)| Step {
        wait,
        due_first,
        who,
        admin,
        key,
        wish,
    });
    let end = (any::<bool>(), 0..4u8).prop_map(|(cancelled, who)| (cancelled, who));
    (prop::collection::vec(one, 1..100), end).prop_map(|(mut steps, (cancelled, who))| {
        if cancelled {
            let wish = Wish::CancelEvent;
            let key = Some((99, KeyOrigin::Client));
            steps.push(Step { wait: 1, due_first: true, who, admin: who == 1, key, wish });
        }
        steps
    })
}

/// Small bounds, so that random lives reach them.
fn limits() -> Limits {
    Limits {
        capacity: 8,
        waitlist_entries: 4,
        holds: 3,
        hold_span: Span::seconds(60),
        hold_extensions: 2,
        expired_hold_memory: Span::minutes(5),
        expired_holds: 2,
        client_key_memory: Span::minutes(10),
        edge_key_memory: Span::minutes(1),
        keys_per_principal: 5,
    }
}

fn person(n: u8) -> UserId {
    UserId([n + 1; 16])
}

/// What the booking events say, folded naively.
#[derive(Default)]
struct Model {
    seq: u64,
    capacity: u32,
    ends_at: Timestamp,
    confirmed: BTreeMap<Seq, (UserId, u32)>,
    held: BTreeMap<Seq, (UserId, u32)>,
    waiting: BTreeMap<Seq, (UserId, u32)>,
}

impl Model {
    fn free(&self) -> u32 {
        let sum = |rows: &BTreeMap<Seq, (UserId, u32)>| rows.values().map(|row| row.1).sum::<u32>();
        self.capacity - sum(&self.confirmed) - sum(&self.held)
    }

    fn apply(&mut self, entry: &Entry) {
        for event in &entry.events {
            self.seq += 1;
            self.apply_event(event, entry.at);
            assert!(i64::from(self.free()) >= 0, "never oversold");
            let rows = self.confirmed.values().chain(self.held.values());
            let mut people: Vec<UserId> = rows.chain(self.waiting.values()).map(|r| r.0).collect();
            let all = people.len();
            people.sort_unstable();
            people.dedup();
            assert_eq!(people.len(), all, "one thing per person");
        }
    }

    fn apply_event(&mut self, event: &BookingEvent, at: Timestamp) {
        let seq = Seq(self.seq);
        match event {
            BookingEvent::EventOpened { terms, .. } | BookingEvent::EventChanged { terms, .. } => {
                (self.capacity, self.ends_at) = (terms.capacity, terms.ends_at);
            }
            BookingEvent::EventCancelled { bookings, .. } => {
                assert_eq!(*bookings as usize, self.confirmed.len() + self.waiting.len());
                self.confirmed.clear();
                self.held.clear();
                self.waiting.clear();
            }
            BookingEvent::BookingConfirmed { user, quantity, hold } => {
                let open = hold.and_then(|hold| self.held.remove(&hold.seq));
                if open.is_none() {
                    assert!(self.waiting.is_empty(), "newcomers never pass who waits");
                    assert!(quantity.get() <= self.free());
                }
                self.confirmed.insert(seq, (*user, quantity.get()));
            }
            BookingEvent::BookingWaitlisted { user, quantity } => {
                self.waiting.insert(seq, (*user, quantity.get()));
            }
            BookingEvent::BookingPromoted { booking } => {
                assert!(at < self.ends_at, "nobody is promoted once the event has ended");
                let (head, row) = self.waiting.pop_first().unwrap();
                assert_eq!(head, booking.seq, "first come, first served");
                self.confirmed.insert(head, row);
            }
            BookingEvent::BookingCancelled { booking, was, cause } => {
                let from = match was {
                    Was::Confirmed => &mut self.confirmed,
                    Was::Waitlisted => &mut self.waiting,
                };
                let row = from.remove(&booking.seq);
                assert_eq!(row, Some((booking.user, booking.quantity.get())));
                assert!(*cause != Cause::Capacity || booking.quantity.get() > self.capacity);
            }
            BookingEvent::HoldPlaced { user, quantity, .. } => {
                assert!(self.waiting.is_empty(), "holds never pass who waits");
                self.held.insert(seq, (*user, quantity.get()));
            }
            BookingEvent::HoldChanged { hold, .. } => {
                assert!(self.held.contains_key(&hold.seq));
            }
            BookingEvent::HoldEnded { hold, .. } => {
                let row = self.held.remove(&hold.seq);
                assert_eq!(row, Some((hold.user, hold.quantity.get())));
            }
        }
    }

    /// The waitlist has been served: its head does not fit, or nobody is served any more.
    fn check_served(&self, at: Timestamp) {
        if let Some((_, head)) = self.waiting.first_key_value() {
            assert!(head.1 > self.free() || at >= self.ends_at, "free places kept back");
            assert!(self.waiting.values().all(|row| row.1 <= self.capacity));
        }
    }
}

struct Life {
    limits: Limits,
    now: Timestamp,
    live: Inventory,
    /// Built from the entries alone, from the first one on.
    replayed: Inventory,
    model: Model,
    bookings: BTreeMap<u8, BookingId>,
    holds: BTreeMap<u8, HoldId>,
    accepted: Vec<(Envelope, Reply)>,
}

impl Life {
    fn new() -> Self {
        let limits = limits();
        let event = EventId([9; 16]);
        let mut life = Self {
            now: START,
            live: Inventory::new(event).with_limits(&limits),
            replayed: Inventory::new(event).with_limits(&limits),
            model: Model::default(),
            bookings: BTreeMap::new(),
            holds: BTreeMap::new(),
            accepted: Vec::new(),
            limits,
        };
        let terms = Terms {
            capacity: 4,
            opens_at: START,
            closes_at: START.plus(Span::minutes(30)),
            ends_at: START.plus(Span::minutes(40)),
            active: true,
            waitlist: true,
            max_per_booking: Seats::new(3).unwrap(),
        };
        let command = Command::Open { terms, words: Words::default() };
        life.decide(Principal::person(person(0)), None, command).unwrap();
        life
    }

    fn decide(
        &mut self,
        principal: Principal,
        key: Option<Key>,
        command: Command,
    ) -> Result<Decision, Rejection> {
        let envelope = Envelope { principal, at: self.now, key, command };
        let decision = decide(&self.live, &envelope, &self.limits)?;
        if let Some(entry) = &decision.entry {
            self.model.apply(entry);
            self.live.apply(entry);
            self.replayed.apply(entry);
        }
        if key.is_some() && !decision.replayed {
            self.accepted.push((envelope, decision.reply));
        }
        Ok(decision)
    }

    fn run_due(&mut self) {
        let mut rounds = 0;
        while self.live.next_deadline().is_some_and(|deadline| deadline <= self.now) {
            let decision = self.decide(Principal::SYSTEM, None, Command::RunDue).unwrap();
            assert!(decision.entry.is_some(), "what is due can be done");
            rounds += 1;
            assert!(rounds < 10, "what is due comes to an end");
        }
        self.model.check_served(self.now);
    }

    fn step(&mut self, step: &Step) {
        self.now = self.now.plus(Span::seconds(step.wait));
        if step.due_first {
            self.run_due();
        }
        let principal = Principal { user: person(step.who), admin: step.admin };
        let Some(command) = self.command(step) else {
            let restored = Inventory::restore(self.live.snapshot()).unwrap();
            self.live = restored.with_limits(&self.limits);
            return;
        };
        let key = step.key.map(|(n, origin)| Key {
            digest: CommandId([step.who, n, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            fingerprint: Fingerprint([n % 2; 8]),
            origin,
        });
        if let Ok(decision) = self.decide(principal, key, command) {
            self.note(&decision);
            if step.due_first {
                self.model.check_served(self.now);
            }
        }
    }

    fn command(&self, step: &Step) -> Option<Command> {
        let change = |change: TermsChange| Command::Change {
            change,
            words: Words::default(),
            if_version: None,
        };
        let hold = |who: u8| self.holds.get(&who).copied().unwrap_or(HoldId::NIL);
        Some(match &step.wish {
            Wish::Book(quantity, join_waitlist) => Command::Book {
                quantity: quantity.and_then(Seats::new),
                join_waitlist: *join_waitlist,
            },
            Wish::Cancel(whose) => {
                let whose = if step.admin { *whose } else { step.who };
                let booking = self.bookings.get(&whose).copied().unwrap_or(BookingId::NIL);
                Command::Cancel { booking }
            }
            Wish::Hold(quantity) => {
                Command::PlaceHold { quantity: Seats::new(*quantity)?, details: Words::default() }
            }
            Wish::Confirm(whose) if *whose == 0 => Command::Confirm { hold: hold(*whose) },
            Wish::Confirm(_) => Command::Confirm { hold: hold(step.who) },
            Wish::Extend => {
                Command::ChangeHold { hold: hold(step.who), details: None, extend: true }
            }
            Wish::Release => Command::ReleaseHold { hold: hold(step.who) },
            Wish::Capacity(n) => change(TermsChange { capacity: Some(*n), ..Default::default() }),
            Wish::Active(on) => change(TermsChange { active: Some(*on), ..Default::default() }),
            Wish::Ends(quarters) => {
                let ends_at = Some(START.plus(Span::minutes(30 + quarters * 15)));
                change(TermsChange { ends_at, ..Default::default() })
            }
            Wish::CancelEvent => Command::CancelEvent { if_version: None },
            Wish::Due => Command::RunDue,
            Wish::Restart => return None,
        })
    }

    fn note(&mut self, decision: &Decision) {
        let event = self.live.event();
        match &decision.reply {
            Reply::Booking(reply) => {
                let who = reply.booking.user.0[0] - 1;
                self.bookings.insert(who, reply.booking.id(event));
            }
            Reply::Hold(reply) => {
                self.holds.insert(reply.hold.user.0[0] - 1, reply.hold.id(event));
            }
            Reply::Event(_) | Reply::Ran => {}
        }
    }

    fn check(&self) {
        invariants::check(&self.live).unwrap();
        let snapshot = self.live.snapshot();
        assert_eq!(snapshot, self.replayed.snapshot(), "replay equals live");
        assert_eq!(snapshot.seq, Seq(self.model.seq));
        let restored = Inventory::restore(snapshot.clone()).unwrap();
        assert_eq!(restored.snapshot(), snapshot, "restored equals live");
        assert_eq!(restored.counts(), self.live.counts());
        assert_eq!(restored.next_deadline(), self.live.next_deadline());
        if self.live.phase() == Phase::Open {
            assert_eq!(self.live.free(), self.model.free());
        }
        for (position, seq) in self.model.waiting.keys().enumerate() {
            assert_eq!(self.live.waitlist_position(*seq), Some(position as u32 + 1));
        }
        self.check_repeats();
    }

    /// Every accepted key that is still alive is told the same, and nothing happens.
    fn check_repeats(&self) {
        for (envelope, reply) in &self.accepted {
            let Some(key) = envelope.key else { continue };
            let memory = match key.origin {
                KeyOrigin::Client => self.limits.client_key_memory,
                KeyOrigin::Edge => self.limits.edge_key_memory,
            };
            if self.now >= envelope.at.plus(memory) {
                continue;
            }
            let repeat = Envelope { at: self.now, ..envelope.clone() };
            let expected = Decision { entry: None, reply: *reply, replayed: true };
            assert_eq!(decide(&self.live, &repeat, &self.limits), Ok(expected));
            let fingerprint = Fingerprint([7; 8]);
            let other = Envelope { key: Some(Key { fingerprint, ..key }), ..repeat };
            assert_eq!(decide(&self.live, &other, &self.limits), Err(Rejection::KeyReused));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn laws_hold_at_every_prefix(steps in steps()) {
        let mut life = Life::new();
        life.check();
        for step in &steps {
            life.step(step);
            life.check();
        }
    }
}
