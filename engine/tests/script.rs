//! A scenario's language: a command on the left, its outcome on the right.
//!
//! ```text
//! == a title begins a fresh event
//! limits keys=2 holds=1
//! olga: open capacity=2        -> v1 #1
//! ann: book 2                  -> confirmed 2 #2
//! root!: cancel ann key=k1     -> cancelled 2 #2
//! tick 10 minutes
//! due                          -> nothing
//! counts                       -> booked 0, held 0, waiting 0 for 0, free 2, available 2
//! ```
//!
//! A person is a word, with `!` an admin. `crowd 300:` lets 300 people do the same and
//! tells how many got which outcome. Bookings and holds are named by whose they are (the
//! latest one). `#n` is a seq, `m` are minutes and `s` seconds since the beginning.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use engine::{
    Answered, BookingEvent, BookingId, BookingReply, BookingStatus, Cause, Command, CommandId,
    Decision, Entry, Envelope, EventId, Fingerprint, HoldId, HoldReply, Inventory, Key, KeyOrigin,
    Limits, Principal, Rejection, Reply, Seats, Span, Terms, TermsChange, Timestamp, UserId, Words,
    decide, invariants,
};

/// When every scenario begins.
const START: i64 = 1_763_900_000_000;

/// The event that a scenario is about.
pub(crate) struct Stage {
    limits: Limits,
    now: Timestamp,
    pub(crate) inventory: Inventory,
    history: Vec<Entry>,
    bookings: HashMap<String, BookingId>,
    holds: HashMap<String, HoldId>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self {
            limits: Limits::default(),
            now: Timestamp::from_millis(START),
            inventory: Inventory::new(EventId(*b"the-first-event!")),
            history: Vec::new(),
            bookings: HashMap::new(),
            holds: HashMap::new(),
        }
    }

    /// Run one line's left side and tell the outcome.
    pub(crate) fn run(&mut self, line: &str) -> String {
        let outcome = match line.split_once(": ") {
            Some((who, wish)) => match who.strip_prefix("crowd ") {
                Some(many) => self.crowd(many.parse().unwrap(), wish),
                None => self.wish(who, wish),
            },
            None => self.direct(line),
        };
        if let Err(law) = invariants::check(&self.inventory) {
            panic!("after `{line}`: {law}");
        }
        outcome
    }

    /// The history replays to what there is.
    pub(crate) fn check_replay(&self) {
        let mut replayed = Inventory::new(self.inventory.event()).with_limits(&self.limits);
        for entry in &self.history {
            replayed.apply(entry);
        }
        assert_eq!(replayed.snapshot(), self.inventory.snapshot());
    }

    fn direct(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["limits", ..] => self.set_limits(&words[1..]),
            ["tick", n, unit] => {
                let n: i64 = n.parse().unwrap();
                self.now = Timestamp::from_millis(self.now.millis() + n * unit_millis(unit));
                String::new()
            }
            ["due"] => self.decide(Principal::SYSTEM, None, Command::RunDue),
            ["restart"] => {
                let snapshot = self.inventory.snapshot();
                let restored = Inventory::restore(snapshot.clone()).unwrap();
                self.inventory = restored.with_limits(&self.limits);
                assert_eq!(self.inventory.snapshot(), snapshot);
                String::new()
            }
            ["counts"] => {
                let counts = self.inventory.counts();
                format!(
                    "booked {}, held {}, waiting {} for {}, free {}, available {}",
                    counts.booked,
                    counts.held,
                    counts.waitlist_entries,
                    counts.waitlisted,
                    self.inventory.free(),
                    self.inventory.available()
                )
            }
            ["keys"] => self.inventory.remembered_keys().to_string(),
            ["deadline"] => self.inventory.next_deadline().map_or("none".into(), since_start),
            ["has", who] => self.has(who),
            _ => panic!("unknown line: {line}"),
        }
    }

    fn set_limits(&mut self, settings: &[&str]) -> String {
        for setting in settings {
            let (name, value) = setting.split_once('=').unwrap();
            let value: u32 = value.parse().unwrap();
            match name {
                "capacity" => self.limits.capacity = value,
                "keys" => self.limits.keys_per_principal = value,
                "holds" => self.limits.holds = value,
                "waitlist" => self.limits.waitlist_entries = value,
                "expired" => self.limits.expired_holds = value,
                _ => panic!("unknown limit: {name}"),
            }
        }
        self.inventory = self.inventory.clone().with_limits(&self.limits);
        String::new()
    }

    fn has(&self, who: &str) -> String {
        let user = user(who);
        match (self.inventory.booking_of(user), self.inventory.hold_of(user)) {
            (Some(booking), None) => self.booking(&self.inventory.with_position(booking)),
            (None, Some(hold)) => held(&HoldReply { hold, open: true }),
            (None, None) => "nothing".into(),
            both => panic!("{who} has two things: {both:?}"),
        }
    }

    fn crowd(&mut self, many: usize, wish: &str) -> String {
        let mut outcomes = BTreeMap::<String, usize>::new();
        for n in 1..=many {
            let outcome = self.wish(&format!("c{n}"), wish);
            let kind = outcome.split([' ', ';']).next().unwrap_or_default();
            *outcomes.entry(kind.to_owned()).or_default() += 1;
        }
        let parts: Vec<String> = outcomes.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        parts.join(", ")
    }

    fn wish(&mut self, who: &str, wish: &str) -> String {
        let (name, admin) = match who.strip_suffix('!') {
            Some(name) => (name, true),
            None => (who, false),
        };
        let (keys, words): (Vec<&str>, Vec<&str>) =
            wish.split_whitespace().partition(|word| word.contains("key="));
        let key = keys.first().map(|key| self.key(name, key, &words.join(" ")));
        let command = self.command(name, &words);
        self.decide(Principal { user: user(name), admin }, key, command)
    }

    fn key(&self, who: &str, word: &str, body: &str) -> Key {
        let (kind, text) = word.split_once('=').unwrap();
        let origin = if kind == "edgekey" { KeyOrigin::Edge } else { KeyOrigin::Client };
        let digest = CommandId(user(&format!("{who}/{text}")).0);
        let hash = body.bytes().fold(7u64, |h, b| h.wrapping_mul(1_000_003) ^ u64::from(b));
        Key { digest, fingerprint: Fingerprint(hash.to_be_bytes()), origin }
    }

    fn command(&self, who: &str, words: &[&str]) -> Command {
        let named = |at: usize| words.get(at).copied().unwrap_or(who);
        let seats =
            |at: usize| words.get(at).and_then(|word| word.parse().ok()).and_then(Seats::new);
        let has = |word: &str| words.contains(&word);
        let booking =
            |at: usize| self.bookings.get(named(at)).copied().unwrap_or(BookingId([0x77; 16]));
        let hold = |at: usize| self.holds.get(named(at)).copied().unwrap_or(HoldId([0x77; 16]));
        let change = changes(&words[1..]);
        let if_version = words
            .iter()
            .find_map(|word| word.strip_prefix("if="))
            .map(|version| version.parse().unwrap());
        match words[0] {
            "open" => {
                Command::Open { terms: applied(&default_terms(), &change), words: text(words) }
            }
            "change" => Command::Change { change, words: text(words), if_version },
            "cancel-event" => Command::CancelEvent { if_version },
            "book" => Command::Book { quantity: seats(1), join_waitlist: !has("or-nothing") },
            "confirm" => Command::Confirm { hold: hold(1) },
            "cancel" => Command::Cancel { booking: booking(1) },
            "hold" => Command::PlaceHold {
                quantity: seats(1).unwrap_or(Seats::ONE),
                details: text(words),
            },
            "extend" => Command::ChangeHold { hold: hold(1), details: None, extend: true },
            "detail" => {
                Command::ChangeHold { hold: hold(1), details: Some(text(words)), extend: false }
            }
            "touch" => Command::ChangeHold { hold: hold(1), details: None, extend: false },
            "release" => Command::ReleaseHold { hold: hold(1) },
            other => panic!("unknown wish: {other}"),
        }
    }

    fn decide(&mut self, principal: Principal, key: Option<Key>, command: Command) -> String {
        let envelope = Envelope { principal, at: self.now, key, command };
        let before = self.inventory.snapshot();
        match decide(&self.inventory, &envelope, &self.limits) {
            Ok(decision) => {
                self.take_over(&decision);
                self.told(&decision)
            }
            Err(rejection) => {
                assert_eq!(self.inventory.snapshot(), before, "a refusal changes nothing");
                self.refused(&rejection)
            }
        }
    }

    fn take_over(&mut self, decision: &Decision) {
        if let Some(entry) = &decision.entry {
            self.inventory.apply(entry);
            self.history.push(entry.clone());
            if let Some(Answered { reply, .. }) = &entry.answered {
                assert_eq!(*reply, decision.reply, "a repeat is told what was told");
            }
        }
        if decision.replayed {
            return;
        }
        let event = self.inventory.event();
        match &decision.reply {
            Reply::Booking(BookingReply { booking, .. }) => {
                self.bookings.insert(name(booking.user), booking.id(event));
            }
            Reply::Hold(HoldReply { hold, .. }) => {
                self.holds.insert(name(hold.user), hold.id(event));
            }
            Reply::Event(_) | Reply::Ran => {}
        }
    }

    fn told(&self, decision: &Decision) -> String {
        let mut told = match &decision.reply {
            Reply::Event(reply) => {
                let cancelled = match reply.cancelled_bookings {
                    0 => String::new(),
                    n => format!(" cancelled {n}"),
                };
                format!("v{} #{}{cancelled}", reply.version, reply.seq.0)
            }
            Reply::Booking(reply) => self.booking(reply),
            Reply::Hold(reply) => held(reply),
            Reply::Ran => "ran".into(),
        };
        if decision.replayed {
            return format!("again {told}");
        }
        match &decision.entry {
            None => return if told == "ran" { "nothing".into() } else { told + "; nothing" },
            Some(entry) if entry.events.is_empty() => told.push_str("; nothing"),
            Some(entry) => told.push_str(&moves(entry)),
        }
        told
    }

    fn booking(&self, reply: &BookingReply) -> String {
        let booking = &reply.booking;
        let mut told = match booking.status {
            BookingStatus::Confirmed => "confirmed",
            BookingStatus::Waitlisted => "waitlisted",
            BookingStatus::Cancelled => "cancelled",
        }
        .to_owned();
        write!(told, " {} #{}", booking.quantity, booking.seq.0).unwrap();
        if booking.made_at != booking.changed_at {
            write!(told, " since {}", since_start(booking.changed_at)).unwrap();
        }
        if let Some(position) = reply.waitlist_position {
            write!(told, " at {position}").unwrap();
        }
        told
    }

    fn refused(&self, rejection: &Rejection) -> String {
        match rejection {
            Rejection::AlreadyBooked { existing } => {
                format!("AlreadyBooked: {}", self.booking(existing))
            }
            Rejection::HasHold { hold } => {
                format!("HasHold: {}", held(&HoldReply { hold: *hold, open: true }))
            }
            Rejection::NotYetOpen { opens_at } => format!("NotYetOpen: {}", since_start(*opens_at)),
            other => format!("{other:?}"),
        }
    }
}

/// What happened to others than the one who wished.
fn moves(entry: &Entry) -> String {
    let mut moves = Vec::<(&str, UserId)>::new();
    for event in &entry.events {
        match event {
            BookingEvent::BookingPromoted { booking } => moves.push(("promoted", booking.user)),
            BookingEvent::BookingCancelled { booking, cause: Cause::Capacity, .. } => {
                moves.push(("left", booking.user));
            }
            BookingEvent::HoldEnded { hold, cause: Cause::Expiry } => {
                moves.push(("expired", hold.user));
            }
            _ => {}
        }
    }
    let mut told = String::new();
    for kind in ["expired", "left", "promoted"] {
        let of_kind = moves.iter().filter(|(k, _)| *k == kind);
        let names: Vec<String> = of_kind.map(|(_, user)| name(*user)).collect();
        match names.len() {
            0 => {}
            1..=4 => write!(told, "; {kind} {}", names.join(" ")).unwrap(),
            many => write!(told, "; {kind} {many}").unwrap(),
        }
    }
    told
}

fn held(reply: &HoldReply) -> String {
    let hold = &reply.hold;
    if !reply.open {
        return format!("released {} #{}", hold.quantity, hold.seq.0);
    }
    let until = since_start(hold.expires_at);
    format!("held {} #{} until {until} extended {}", hold.quantity, hold.seq.0, hold.extensions)
}

fn since_start(at: Timestamp) -> String {
    let millis = at.millis() - START;
    if millis % 60_000 == 0 {
        format!("{}m", millis / 60_000)
    } else if millis % 1_000 == 0 {
        format!("{}s", millis / 1_000)
    } else {
        format!("{millis}ms")
    }
}

/// On sale for a day from the beginning, over after two.
fn default_terms() -> Terms {
    let start = Timestamp::from_millis(START);
    Terms {
        capacity: 10,
        opens_at: start,
        closes_at: start.plus(Span::hours(24)),
        ends_at: start.plus(Span::hours(48)),
        active: true,
        waitlist: true,
        max_per_booking: Seats::new(10).unwrap(),
    }
}

fn changes(words: &[&str]) -> TermsChange {
    let mut change = TermsChange::default();
    let time = |minutes: &str| {
        let minutes: i64 = minutes.strip_suffix('m').unwrap().parse().unwrap();
        Some(Timestamp::from_millis(START + minutes * 60_000))
    };
    for (name, value) in words.iter().filter_map(|word| word.split_once('=')) {
        match name {
            "capacity" => change.capacity = Some(value.parse().unwrap()),
            "opens" => change.opens_at = time(value),
            "closes" => change.closes_at = time(value),
            "ends" => change.ends_at = time(value),
            "active" => change.active = Some(value == "yes"),
            "waitlist" => change.waitlist = Some(value == "yes"),
            "most" => change.max_per_booking = Seats::new(value.parse().unwrap()),
            "if" | "words" => {}
            _ => panic!("unknown term: {name}"),
        }
    }
    change
}

fn applied(terms: &Terms, change: &TermsChange) -> Terms {
    Terms {
        capacity: change.capacity.unwrap_or(terms.capacity),
        opens_at: change.opens_at.unwrap_or(terms.opens_at),
        closes_at: change.closes_at.unwrap_or(terms.closes_at),
        ends_at: change.ends_at.unwrap_or(terms.ends_at),
        active: change.active.unwrap_or(terms.active),
        waitlist: change.waitlist.unwrap_or(terms.waitlist),
        max_per_booking: change.max_per_booking.unwrap_or(terms.max_per_booking),
    }
}

/// `words=N` asks for N bytes of them.
fn text(words: &[&str]) -> Words {
    let size = words.iter().find_map(|word| word.strip_prefix("words="));
    Words::new(&vec![b'x'; size.map_or(3, |size| size.parse().unwrap())])
}

fn unit_millis(unit: &str) -> i64 {
    match unit.trim_end_matches('s') {
        "millisecond" => 1,
        "second" => 1_000,
        "minute" => 60_000,
        "hour" => 3_600_000,
        other => panic!("unknown unit: {other}"),
    }
}

/// The id of a person is the name itself.
fn user(name: &str) -> UserId {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    UserId(bytes)
}

fn name(user: UserId) -> String {
    String::from_utf8_lossy(&user.0).trim_end_matches('\0').to_owned()
}
