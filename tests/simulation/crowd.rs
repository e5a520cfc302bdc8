//! The clients: they book, cancel, read and change, repeat by the same key what nobody
//! could tell them the outcome of, and write their history.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{
    BookingId, Command, CommandId, EventId, Fingerprint, Key, KeyOrigin, Seats, Terms, TermsChange,
    Timestamp, UserId, Words,
};
use harness::history::{Call as Recorded, Outcome, Told, Wish};
use harness::random::Random;
use uuid::Uuid;

use crate::calls::{Call, Want, Wanted, uuid};
use crate::world::{BEGIN, CALM, MILLI, Micros, READ_BACK, World};

/// How many clients there are, the organizer apart.
const CLIENTS: usize = 5;

/// People per client.
const PEOPLE: usize = 4;

/// How many events there are.
const EVENTS: usize = 3;

/// How long a client waits for an answer.
const LIMIT: Micros = 2_500 * MILLI;

/// How often it repeats what nobody could tell it the outcome of.
const REPEATS: u32 = 6;

/// How often something is read back at the end before it counts as not served.
const READ_REPEATS: u32 = 12;

/// Everybody.
#[derive(Debug)]
pub(crate) struct Crowd {
    pub(crate) events: Vec<EventId>,
    pub(crate) organizer: UserId,
    clients: Vec<Client>,
    numbers: u64,
    /// The lists at the end, by whose they are.
    pub(crate) lists: BTreeMap<Uuid, Outcome>,
    /// What nobody answered at the end.
    pub(crate) unserved: Vec<String>,
}

#[derive(Debug)]
struct Client {
    people: Vec<UserId>,
    /// What it has seen of its own bookings.
    seen: Vec<(EventId, BookingId, UserId)>,
    task: Option<Task>,
    /// Somebody who has just booked and wants to see it.
    looks: Option<UserId>,
    /// What it has still to read back; the first of them is asked for now.
    read_back: Option<Vec<Wanted>>,
}

/// A wish with all its calls.
#[derive(Clone, Debug)]
struct Task {
    number: u64,
    user: UserId,
    /// `None`: it is not part of the history.
    wish: Option<Wish>,
    want: Want,
    key: Option<(Arc<str>, Key)>,
    started: Micros,
    tries: u32,
}

impl Crowd {
    pub(crate) fn new(random: &mut Random) -> Self {
        let id = |random: &mut Random| random.uuid().into_bytes();
        let client = |random: &mut Random| Client {
            people: (0..PEOPLE).map(|_| UserId(id(random))).collect(),
            seen: Vec::new(),
            task: None,
            looks: None,
            read_back: None,
        };
        Self {
            events: (0..EVENTS).map(|_| EventId(id(random))).collect(),
            organizer: UserId(id(random)),
            clients: (0..=CLIENTS).map(|_| client(random)).collect(),
            numbers: 0,
            lists: BTreeMap::new(),
            unserved: Vec::new(),
        }
    }

    /// The organizer's client is the last.
    pub(crate) fn len(&self) -> usize {
        self.clients.len()
    }

    fn is_organizer(&self, client: usize) -> bool {
        client + 1 == self.clients.len()
    }

    /// Everybody whose list is read back.
    pub(crate) fn people(&self) -> impl Iterator<Item = UserId> {
        self.clients.iter().flat_map(|client| client.people.iter().copied())
    }
}

impl World {
    /// A client's turn: repeat, or want something new, or read everything back.
    pub(crate) fn client(&mut self, client: usize) {
        if self.crowd.clients[client].task.is_none() {
            let task = if self.now >= READ_BACK {
                self.read_back_task(client)
            } else if self.now >= CALM {
                let at = READ_BACK + self.random.below(50 * MILLI);
                self.client_at(at, client);
                None
            } else {
                Some(self.new_task(client))
            };
            let Some(task) = task else { return };
            self.crowd.clients[client].task = Some(task);
        }
        self.crowd.numbers += 1;
        let number = self.crowd.numbers;
        let now = self.now;
        let task = self.crowd.clients[client].task.as_mut().expect("there is one");
        (task.number, task.started) = (number, now);
        task.tries += 1;
        let key = task.key.as_ref().map(|(_, key)| *key);
        let call = Call { client, number, user: task.user, key, want: task.want.clone() };
        self.call(call);
        self.limit_at(now + LIMIT, client, number);
    }

    /// A call has ended, in one way or another.
    pub(crate) fn told(&mut self, client: usize, number: u64, outcome: Outcome) {
        let now = self.now;
        let waits = self.crowd.clients[client].task.as_ref().is_some_and(|t| t.number == number);
        if !waits {
            return;
        }
        let mut task = self.crowd.clients[client].task.take().expect("it waits");
        // Two moments are never the same, so that before and after can be told apart.
        let stamp = |at: Micros, order: u64| at * 1_000_000 + order;
        if let Some(wish) = &task.wish {
            let order = self.history.len() as u64 % 900_000;
            self.history.push(Recorded {
                client,
                user: uuid(task.user.bytes()),
                key: task.key.as_ref().map(|(key, _)| Arc::clone(key)),
                wish: wish.clone(),
                started: stamp(task.started, order),
                ended: stamp(now, order),
                outcome: outcome.clone(),
            });
        }
        if let Outcome::Answered(answer) = &outcome
            && let (Told::Booking(row), Some(wish)) = (&answer.told, &task.wish)
            && matches!(wish, Wish::Book { .. })
        {
            let (event, id) = (EventId(row.event.into_bytes()), BookingId(row.id.into_bytes()));
            self.crowd.clients[client].seen.push((event, id, task.user));
            if self.random.chance(25) {
                // People look whether it is really there.
                self.crowd.clients[client].looks = Some(task.user);
            }
        }
        let unknown = matches!(outcome, Outcome::Unknown(_));
        let reading_back = self.crowd.clients[client].read_back.is_some();
        let repeats = if reading_back { READ_REPEATS } else { REPEATS };
        if unknown && (task.tries < repeats || (task.wish.is_none() && !reading_back)) {
            task.number = 0;
            self.crowd.clients[client].task = Some(task);
            let pause = (10 + self.random.below(300)) * MILLI;
            return self.client_at(now + pause, client);
        }
        if reading_back {
            self.keep_read(client, &task, outcome);
        }
        let at_once = reading_back || self.crowd.clients[client].looks.is_some();
        let pause = if at_once { MILLI } else { self.random.below(60 * MILLI) };
        self.client_at(now + pause, client);
    }

    fn keep_read(&mut self, client: usize, task: &Task, outcome: Outcome) {
        let Want::List(wanted) = task.want else { unreachable!("only lists are read back") };
        let whose = match wanted {
            Wanted::User(user) => uuid(user.bytes()),
            Wanted::Event(event) => uuid(event.bytes()),
        };
        if matches!(outcome, Outcome::Unknown(_)) {
            self.crowd.unserved.push(format!("the list of {whose}: {outcome:?}"));
        }
        self.crowd.lists.insert(whose, outcome);
        self.crowd.clients[client].read_back.as_mut().expect("it reads back").pop();
    }

    fn read_back_task(&mut self, client: usize) -> Option<Task> {
        if self.crowd.clients[client].read_back.is_none() {
            let own = self.crowd.clients[client].people.iter().copied().map(Wanted::User);
            let mut wanted: Vec<Wanted> = own.collect();
            if self.crowd.is_organizer(client) {
                wanted.extend(self.crowd.events.iter().copied().map(Wanted::Event));
            }
            self.crowd.clients[client].read_back = Some(wanted);
        }
        let next = *self.crowd.clients[client].read_back.as_ref()?.last()?;
        Some(task(self.crowd.organizer, None, Want::List(next), None))
    }

    fn new_task(&mut self, client: usize) -> Task {
        if self.crowd.is_organizer(client) {
            return self.organizer_task(client);
        }
        if let Some(user) = self.crowd.clients[client].looks.take() {
            return task(user, Some(Wish::ReadOwn), Want::List(Wanted::User(user)), None);
        }
        let random = &mut self.random;
        let pick =
            |random: &mut Random, n: usize| usize::try_from(random.below(n as u64)).expect("few");
        let event = self.crowd.events[pick(random, EVENTS)];
        let me = &self.crowd.clients[client];
        let user = me.people[pick(random, PEOPLE)];
        let known = (!me.seen.is_empty()).then(|| me.seen[pick(random, me.seen.len())]);
        let kind = random.below(100);
        match known {
            Some((event, booking, user)) if kind < 30 => {
                let wish = Wish::Cancel { booking: uuid(booking.bytes()) };
                let want = Want::Command(event, Command::Cancel { booking });
                task(user, Some(wish), want, Some(new_key(random)))
            }
            Some((event, booking, user)) if kind < 45 => {
                let wish = Wish::ReadBooking { booking: uuid(booking.bytes()) };
                task(user, Some(wish), Want::Booking(event, booking), None)
            }
            _ if kind < 60 => task(user, Some(Wish::ReadOwn), Want::List(Wanted::User(user)), None),
            _ if kind < 66 => {
                let wish = Wish::ReadAvailability { event: uuid(event.bytes()) };
                task(user, Some(wish), Want::Header(event), None)
            }
            _ => {
                let quantity = 1 + u32::try_from(random.below(2)).expect("small");
                let join_waitlist = random.chance(75);
                let wish = Wish::Book { event: uuid(event.bytes()), quantity, join_waitlist };
                let command = Command::Book { quantity: Seats::new(quantity), join_waitlist };
                task(user, Some(wish), Want::Command(event, command), Some(new_key(random)))
            }
        }
    }

    /// First all events are opened, which the history does not tell; then their capacity
    /// goes up and down.
    fn organizer_task(&mut self, client: usize) -> Task {
        let organizer = self.crowd.organizer;
        let opened = self.crowd.clients[client].seen.len();
        let random = &mut self.random;
        if let Some(event) = self.crowd.events.get(opened).copied() {
            self.crowd.clients[client].seen.push((event, BookingId::NIL, organizer));
            let capacity = [2, 4, 8][opened % 3];
            let command = Command::Open { terms: terms(capacity), words: Words::default() };
            return task(organizer, None, Want::Command(event, command), Some(new_key(random)));
        }
        let which = usize::try_from(random.below(EVENTS as u64)).expect("few");
        let event = self.crowd.events[which];
        let capacity = 2 + u32::try_from(random.below(9)).expect("small");
        let change = TermsChange { capacity: Some(capacity), ..TermsChange::default() };
        let words = Words::default();
        let command = Command::Change { change, words, if_version: None };
        let wish = Wish::SetCapacity { event: uuid(event.bytes()), capacity };
        task(organizer, Some(wish), Want::Command(event, command), Some(new_key(random)))
    }
}

fn task(user: UserId, wish: Option<Wish>, want: Want, key: Option<(Arc<str>, Key)>) -> Task {
    Task { number: 0, user, wish, want, key, started: 0, tries: 0 }
}

fn new_key(random: &mut Random) -> (Arc<str>, Key) {
    let id = random.uuid();
    let key = Key {
        digest: CommandId(id.into_bytes()),
        fingerprint: Fingerprint([0; 8]),
        origin: KeyOrigin::Client,
    };
    (Arc::from(id.simple().to_string()), key)
}

fn terms(capacity: u32) -> Terms {
    let after = |days: i64| Timestamp::from_millis(BEGIN + days * 86_400_000);
    Terms {
        capacity,
        opens_at: after(-1),
        closes_at: after(30),
        ends_at: after(31),
        active: true,
        waitlist: true,
        max_per_booking: Seats::new(10).expect("not zero"),
    }
}
