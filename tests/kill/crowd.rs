//! The clients: what they want next is drawn from their part of the seed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use harness::client::Client;
use harness::eventually::PATIENCE;
use harness::history::{Answer, History, Outcome, Status, Told, Wish};
use harness::people::{People, Person};
use harness::random::Random;
use harness::recorder::Recorder;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::new_key;

/// The capacity with which the changing event begins.
pub(crate) const FIRST_CAPACITY: u32 = 60;

/// How many of the clients change the capacity, at the same time.
const CHANGERS: usize = 2;

/// People that a client goes back to.
const ACQUAINTANCES: usize = 24;

/// After so many calls with a key somebody is not seen again: nobody may have more than
/// 64 remembered keys at an event.
const KEYS_PER_PERSON: usize = 20;

/// Pause before the next try when there was no server, or no answer.
const PAUSE: Duration = Duration::from_millis(10);

/// An event of the run.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    /// Which event.
    pub(crate) id: Uuid,
    /// How many in a hundred keep what they booked, when they come again.
    pub(crate) keeps: u64,
    /// How many in a hundred are ready to wait.
    pub(crate) waits: u64,
}

/// What all clients share.
#[derive(Clone)]
pub(crate) struct Crowd {
    /// Takes every call.
    pub(crate) history: Arc<History>,
    /// Makes people.
    pub(crate) people: Arc<People>,
    /// The events: tiny, large, changing.
    pub(crate) events: [Event; 3],
    /// Where the server listens now.
    pub(crate) address: watch::Receiver<SocketAddr>,
    /// Whether it is time to finish.
    pub(crate) over: watch::Receiver<bool>,
    /// Calls that got no answer even when nobody killed any more.
    pub(crate) never_told: Arc<AtomicUsize>,
}

impl Crowd {
    /// Starts the clients. Each returns the people it was.
    pub(crate) fn start(
        &self,
        clients: usize,
        random: &Random,
        organizer: &Person,
    ) -> JoinSet<Vec<Person>> {
        let mut tasks = JoinSet::new();
        for number in 0..clients {
            let client = self.client(number, random);
            if number < CHANGERS {
                tasks.spawn(client.change_capacity(self.visitor(organizer.clone())));
            } else {
                tasks.spawn(client.visit());
            }
        }
        tasks
    }

    fn client(&self, number: usize, random: &Random) -> Visiting {
        let address = *self.address.borrow();
        Visiting {
            crowd: self.clone(),
            random: random.part(100 + number as u64),
            recorder: Recorder::new(&self.history, number, Client::new(address)),
            twin: Recorder::new(&self.history, number, Client::new(address)),
            people: Vec::new(),
        }
    }

    fn visitor(&self, person: Person) -> Visitor {
        Visitor { person, bookings: [None; 3], answered: Vec::new(), unknown: None, keys: 0 }
    }

    fn is_over(&self) -> bool {
        *self.over.borrow()
    }
}

/// The people of all clients, when all have finished.
pub(crate) async fn joined(tasks: JoinSet<Vec<Person>>) -> Vec<Person> {
    tasks.join_all().await.into_iter().flatten().collect()
}

/// A write with its key.
type Write = (Wish, Arc<str>);

/// Somebody, and what a client remembers of them.
struct Visitor {
    person: Person,
    /// Their last booking at each event, and whether it was cancelled since.
    bookings: [Option<(Uuid, bool)>; 3],
    /// Writes that were answered.
    answered: Vec<Write>,
    /// A write whose outcome they did not learn and still want to.
    unknown: Option<Write>,
    keys: usize,
}

/// One client at work.
struct Visiting {
    crowd: Crowd,
    random: Random,
    recorder: Recorder,
    /// A second connection, for the same call at the same time.
    twin: Recorder,
    people: Vec<Person>,
}

impl Visiting {
    /// Comes and goes as one person after the other until it is over.
    async fn visit(mut self) -> Vec<Person> {
        let mut known: Vec<Visitor> = Vec::new();
        while !self.crowd.is_over() {
            let stranger = known.is_empty() || self.random.chance(30);
            let mut visitor = if stranger {
                let person = self.crowd.people.attendee(self.random.uuid());
                self.people.push(person.clone());
                self.crowd.visitor(person)
            } else {
                let n = self.random.below(known.len() as u64);
                known.swap_remove(usize::try_from(n).unwrap_or(0))
            };
            self.one_visit(&mut visitor).await;
            let room = known.len() < ACQUAINTANCES && visitor.keys < KEYS_PER_PERSON;
            if room || visitor.unknown.is_some() {
                known.push(visitor);
            } else {
                self.part_from(visitor).await;
            }
        }
        self.finish(known).await;
        self.people
    }

    /// Whoever still wants to know asks again, now that nobody kills any more.
    async fn finish(&mut self, visitors: Vec<Visitor>) {
        let deadline = Instant::now() + PATIENCE;
        for mut visitor in visitors {
            while visitor.unknown.is_some() && Instant::now() < deadline {
                self.ask_again(&mut visitor).await;
            }
            if visitor.unknown.is_some() {
                self.crowd.never_told.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    async fn one_visit(&mut self, visitor: &mut Visitor) {
        if visitor.unknown.is_some() {
            return self.ask_again(visitor).await;
        }
        let event = match self.random.below(100) {
            0..35 => 0,
            35..75 => 1,
            _ => 2,
        };
        match visitor.bookings[event] {
            Some((booking, false)) if self.random.chance(80) => {
                if self.random.chance(self.crowd.events[event].keeps) {
                    self.look(visitor, event, Some(booking)).await;
                } else {
                    self.cancel(visitor, booking).await;
                    self.look(visitor, event, Some(booking)).await;
                }
            }
            // Cancelled before, or to be told that one has a booking: both are tried.
            Some((booking, true)) if self.random.chance(25) => {
                self.cancel(visitor, booking).await;
            }
            _ => {
                self.book(visitor, event).await;
                let booking = visitor.bookings[event].map(|(booking, _)| booking);
                self.look(visitor, event, booking).await;
            }
        }
        if self.random.chance(30) {
            self.repeat(visitor).await;
        }
    }

    /// Nobody comes back to this one: what is not kept is given back, or the small
    /// events would be full for ever.
    async fn part_from(&mut self, mut visitor: Visitor) {
        for place in 0..visitor.bookings.len() {
            if let Some((booking, false)) = visitor.bookings[place]
                && !self.random.chance(self.crowd.events[place].keeps)
            {
                self.cancel(&mut visitor, booking).await;
            }
        }
    }

    async fn book(&mut self, visitor: &mut Visitor, event: usize) {
        let quantity = [1, 1, 1, 2, 3][usize::try_from(self.random.below(5)).unwrap_or(0)];
        let Event { id: event, waits, .. } = self.crowd.events[event];
        let join_waitlist = self.random.chance(waits);
        let wish = Wish::Book { event, quantity, join_waitlist };
        self.write(visitor, wish).await;
    }

    async fn cancel(&mut self, visitor: &mut Visitor, booking: Uuid) {
        self.write(visitor, Wish::Cancel { booking }).await;
    }

    /// A write with a new key; now and then sent twice at the same time, and now and
    /// then given up when the outcome is unknown.
    async fn write(&mut self, visitor: &mut Visitor, wish: Wish) {
        let key = new_key(&mut self.random);
        visitor.keys += 1;
        let outcome = if self.random.chance(10) {
            self.move_to_server();
            let (one, two) = tokio::join!(
                self.recorder.call(&visitor.person, &wish, Some(&key)),
                self.twin.call(&visitor.person, &wish, Some(&key)),
            );
            one.into_iter().chain(two).max_by_key(|o| matches!(o, Outcome::Answered(_)))
        } else {
            self.call(&visitor.person, &wish, Some(&key)).await
        };
        match outcome {
            Some(Outcome::Unknown(_)) | None => {
                if self.random.chance(85) {
                    visitor.unknown = Some((wish, key));
                }
            }
            Some(outcome) => visitor.learn(&self.crowd, &wish, &key, &outcome),
        }
    }

    /// Repeats a write whose outcome is unknown.
    async fn ask_again(&mut self, visitor: &mut Visitor) {
        let Some((wish, key)) = visitor.unknown.take() else { return };
        match self.call(&visitor.person, &wish, Some(&key)).await {
            Some(Outcome::Unknown(_)) | None => {
                visitor.unknown = Some((wish, key));
                sleep(PAUSE).await;
            }
            Some(outcome) => visitor.learn(&self.crowd, &wish, &key, &outcome),
        }
    }

    /// Repeats something that was answered before: the answer must be the same.
    async fn repeat(&mut self, visitor: &mut Visitor) {
        if visitor.answered.is_empty() {
            return;
        }
        let n = self.random.below(visitor.answered.len() as u64);
        let (wish, key) = visitor.answered[usize::try_from(n).unwrap_or(0)].clone();
        self.call(&visitor.person, &wish, Some(&key)).await;
    }

    /// Looks at a booking, at the own list, at the counts.
    async fn look(&mut self, visitor: &Visitor, event: usize, booking: Option<Uuid>) {
        let wish = match (self.random.below(100), booking) {
            (0..45, Some(booking)) => Wish::ReadBooking { booking },
            (0..80, _) => Wish::ReadOwn,
            _ => Wish::ReadAvailability { event: self.crowd.events[event].id },
        };
        self.call(&visitor.person, &wish, None).await;
    }

    /// The organizer, and then one admin after the other: the capacity goes up and down.
    async fn change_capacity(mut self, mut organizer: Visitor) -> Vec<Person> {
        let event = self.crowd.events[2].id;
        let mut last = FIRST_CAPACITY;
        while !self.crowd.is_over() {
            self.ask_again(&mut organizer).await;
            if organizer.keys >= KEYS_PER_PERSON && organizer.unknown.is_none() {
                let admin = self.crowd.people.admin(self.random.uuid());
                organizer = self.crowd.visitor(admin);
            }
            let capacity = self.next_capacity(&organizer.person, event).await;
            if capacity != last && organizer.unknown.is_none() {
                last = capacity;
                self.write(&mut organizer, Wish::SetCapacity { event, capacity }).await;
            }
            if self.random.chance(30) {
                self.repeat(&mut organizer).await;
            }
            // It is the others' turn: an event that changes all the time sells nothing.
            sleep(self.random.millis(20, 200)).await;
        }
        self.finish(vec![organizer]).await;
        Vec::new()
    }

    /// Mostly somewhat more than what is sold, sometimes less, which must be refused;
    /// seldom so much more that the promotions take more than one decision.
    async fn next_capacity(&mut self, organizer: &Person, event: Uuid) -> u32 {
        let look = Wish::ReadAvailability { event };
        let sold = match self.call(organizer, &look, None).await {
            Some(Outcome::Answered(Answer { told: Told::Availability(counts), .. })) => {
                counts.booked
            }
            _ => u64::from(FIRST_CAPACITY),
        };
        let most = if self.random.chance(5) { 900 } else { 60 };
        let capacity = (sold + self.random.below(most)).saturating_sub(15).max(1);
        u32::try_from(capacity).unwrap_or(FIRST_CAPACITY)
    }

    /// One call; waits for a server if there is none. `None` if there was none any more
    /// within the patience.
    async fn call(
        &mut self,
        person: &Person,
        wish: &Wish,
        key: Option<&Arc<str>>,
    ) -> Option<Outcome> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            self.move_to_server();
            let outcome = self.recorder.call(person, wish, key).await;
            if outcome.is_some() {
                return outcome;
            }
            sleep(PAUSE).await;
        }
        None
    }

    fn move_to_server(&mut self) {
        let address = *self.crowd.address.borrow();
        self.recorder.client().move_to(address);
        self.twin.client().move_to(address);
    }
}

impl Visitor {
    /// Remembers what came of a write.
    fn learn(&mut self, crowd: &Crowd, wish: &Wish, key: &Arc<str>, outcome: &Outcome) {
        let Outcome::Answered(answer) = outcome else { return };
        self.answered.push((wish.clone(), Arc::clone(key)));
        let Told::Booking(row) = &answer.told else { return };
        if let Some(place) = crowd.events.iter().position(|event| event.id == row.event) {
            self.bookings[place] = Some((row.id, row.status == Status::Cancelled));
        }
    }
}
