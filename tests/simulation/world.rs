//! The world: one clock, one queue of what is going to happen, one source of chance. The
//! same seed gives the same history to the last byte.

use std::collections::{BTreeMap, BTreeSet};

use actors::protocol::Replica;
use actors::protocol::coverage::Read;
use actors::protocol::suspicion::Pong;
use engine::EventId;
use harness::history::{Call as Recorded, Outcome};
use harness::random::Random;
use storage::{BookingRow, Epoch, PartitionId, Position, StorageError};

use crate::calls::{Call, Wanted};
use crate::crowd::Crowd;
use crate::faults::{Fault, Faults};
use crate::host::{Host, TICK};
use crate::mutants::Mutant;
use crate::store::{Ask, Said, Store, Views, When};

/// Microseconds since the run began.
pub(crate) type Micros = u64;

/// A millisecond.
pub(crate) const MILLI: Micros = 1_000;

/// The wall clock when the run begins, in milliseconds since 1970.
pub(crate) const BEGIN: i64 = 1_800_000_000_000;

/// How many replicas there are.
pub(crate) const REPLICAS: usize = 3;

/// From here on nothing breaks any more.
pub(crate) const HEALED: Micros = 8_000 * MILLI;

/// From here on nobody wants anything new.
pub(crate) const CALM: Micros = 9_000 * MILLI;

/// Everything is read back.
pub(crate) const READ_BACK: Micros = 14_000 * MILLI;

/// The end.
pub(crate) const END: Micros = 20_000 * MILLI;

/// Something a host wants done.
#[derive(Debug)]
pub(crate) enum Effect {
    Ask { request: u64, ask: Ask },
    Send { to: String, message: Message },
    Reply { client: usize, number: u64, outcome: Outcome },
    Timer(Micros, Timer),
    Project { partition: PartitionId, epoch: Epoch, upto: Position, rows: Vec<BookingRow> },
    ReadViews { list: u64, wanted: Wanted },
}

/// What a host waits for by the clock.
#[derive(Clone, Debug)]
pub(crate) enum Timer {
    Request(u64),
    CommitAgain(EventId, u64),
    List(u64, u64),
}

/// What reaches a host.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    Ping { to: Replica },
    Pong(Pong),
    Refused(Replica),
    Hint { partition: PartitionId, epoch: Epoch },
    Call { call: Call, expected: Epoch, hops: u8 },
    TailAsk { from: String, list: u64, round: u64, wanted: Wanted },
    TailAnswer { list: u64, round: u64, covered: Vec<(PartitionId, Read)>, rows: Vec<BookingRow> },
    ViewsAnswer { list: u64, rows: Vec<BookingRow> },
    Projected { partition: PartitionId, epoch: Epoch, upto: Position },
}

/// One life of a host.
type Life = (usize, u64);

#[derive(Debug)]
enum Event {
    Tick(Life),
    Timer(Life, Timer),
    AtStore {
        from: Life,
        request: u64,
        ask: Ask,
    },
    Said {
        to: Life,
        request: u64,
        said: Said,
    },
    Message {
        to: usize,
        from: Option<usize>,
        message: Message,
    },
    /// For one life only: answers of the views.
    Own {
        to: Life,
        message: Message,
    },
    Project {
        from: Life,
        partition: PartitionId,
        epoch: Epoch,
        upto: Position,
        rows: Vec<BookingRow>,
    },
    ReadViews {
        from: Life,
        list: u64,
        wanted: Wanted,
    },
    Answer {
        client: usize,
        number: u64,
        outcome: Outcome,
    },
    Client(usize),
    ClientLimit(usize, u64),
    Sync,
    Fault(Fault),
}

/// One end of a link: a host, or the store.
pub(crate) const STORE: usize = REPLICAS;

/// How bad the network is in a run.
#[derive(Clone, Copy, Debug)]
struct Weather {
    /// In a thousand messages, how many are lost, late, and sent twice.
    lost: u64,
    late: u64,
    twice: u64,
    /// In a hundred answers, how many a client never hears.
    unheard: u64,
    /// How long the store takes to sync, in microseconds.
    sync: u64,
    /// How long the views take to write, in microseconds.
    views: u64,
}

/// The world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Micros,
    order: u64,
    queue: BTreeMap<(Micros, u64), Event>,
    pub(crate) random: Random,
    weather: Weather,
    pub(crate) store: Store,
    pub(crate) store_up: bool,
    /// Answers that wait until everything is synced.
    unsynced: Vec<(Life, u64, Said)>,
    syncing: bool,
    pub(crate) views: Views,
    pub(crate) hosts: Vec<Host>,
    /// Links that are cut, both ways.
    pub(crate) cut: BTreeSet<(usize, usize)>,
    pub(crate) crowd: Crowd,
    pub(crate) history: Vec<Recorded>,
    mutant: Option<Mutant>,
}

impl World {
    pub(crate) fn new(seed: u64, mutant: Option<Mutant>) -> Self {
        let mut random = Random::new(seed);
        let rough = random.below(3);
        let weather = Weather {
            lost: rough * random.below(15),
            late: 10 + rough * random.below(40),
            twice: random.below(40),
            unheard: random.below(6),
            sync: if random.chance(25) { 600 * MILLI } else { 300 + random.below(6_000) },
            views: if random.chance(35) { 1_500 * MILLI } else { 20 * MILLI },
        };
        let strict = random.chance(50);
        // A guard is removed in the weather that it is there for.
        let (weather, strict) = match mutant {
            Some(Mutant::NoBarrier) => (Weather { sync: 600 * MILLI, ..weather }, false),
            // Batches that nobody hears of again, and late copies of them.
            Some(Mutant::NobodyFollows) => {
                (Weather { lost: 350, twice: 500, unheard: 0, ..weather }, strict)
            }
            Some(Mutant::ListWithoutEpochCheck) => {
                (Weather { views: 1_500 * MILLI, late: 80, ..weather }, strict)
            }
            _ => (weather, strict),
        };
        let mut world = Self {
            now: 0,
            order: 0,
            queue: BTreeMap::new(),
            weather,
            store: Store::new(strict, mutant),
            store_up: true,
            unsynced: Vec::new(),
            syncing: false,
            views: Views::default(),
            hosts: Vec::new(),
            cut: BTreeSet::new(),
            crowd: Crowd::new(&mut random),
            history: Vec::new(),
            random,
            mutant,
        };
        for index in 0..REPLICAS {
            let host = world.new_host(index);
            world.hosts.push(host);
        }
        for client in 0..world.crowd.len() {
            let at = 200 * MILLI + world.random.below(400 * MILLI);
            world.at(at, Event::Client(client));
        }
        for (at, fault) in Faults::plan(&mut world.random) {
            world.at(at, Event::Fault(fault));
        }
        world
    }

    /// Run until nothing is to happen any more, or the end.
    pub(crate) fn run(&mut self) {
        while let Some(((at, _), event)) = self.queue.pop_first() {
            if at > END {
                return;
            }
            self.now = at;
            self.happen(event);
        }
    }

    fn at(&mut self, at: Micros, event: Event) {
        self.order += 1;
        self.queue.insert((at, self.order), event);
    }

    pub(crate) fn fault_at(&mut self, at: Micros, fault: Fault) {
        self.at(at, Event::Fault(fault));
    }

    pub(crate) fn client_at(&mut self, at: Micros, client: usize) {
        self.at(at, Event::Client(client));
    }

    pub(crate) fn limit_at(&mut self, at: Micros, client: usize, number: u64) {
        self.at(at, Event::ClientLimit(client, number));
    }

    pub(crate) fn new_host(&mut self, index: usize) -> Host {
        let incarnation = self.random.bits();
        let skew = i64::try_from(self.random.below(400)).expect("small") - 200;
        let host = Host::new(index, incarnation, self.now, skew, self.mutant);
        let first = self.now + 1 + self.random.below(TICK);
        self.at(first, Event::Tick((index, incarnation)));
        host
    }

    fn life(&self, index: usize) -> Life {
        (index, self.hosts[index].replica.incarnation)
    }

    /// The host of this life, if it still lives; what reaches a stopped one waits.
    fn host(&mut self, life: Life) -> Option<&mut Host> {
        let now = self.now;
        let host = &mut self.hosts[life.0];
        if !host.up || host.replica.incarnation != life.1 {
            return None;
        }
        host.now = now;
        Some(host)
    }

    fn happen(&mut self, event: Event) {
        if let Some(until) = self.paused(&event) {
            let later = until + self.random.below(MILLI);
            return self.at(later, event);
        }
        match event {
            Event::Tick(life) => {
                let Some(host) = self.host(life) else { return };
                host.tick();
                self.settle(life);
                self.at(self.now + TICK, Event::Tick(life));
            }
            Event::Timer(life, timer) => {
                let Some(host) = self.host(life) else { return };
                match timer {
                    Timer::Request(request) => {
                        let lost = StorageError::Unknown("no answer in time".into());
                        host.answered(request, Err(lost));
                    }
                    Timer::CommitAgain(event, id) => host.commit_again(event, id),
                    Timer::List(list, round) => host.list_again(list, round),
                }
                self.settle(life);
            }
            Event::AtStore { from, request, ask } => self.at_store(from, request, &ask),
            Event::Said { to, request, said } => {
                if let Some(host) = self.host(to) {
                    host.answered(request, Ok(said));
                    self.settle(to);
                }
            }
            Event::Message { to, from, message } => self.message(to, from, message),
            Event::Own { to, message } => {
                if let Some(host) = self.host(to) {
                    host.hear(message);
                    self.settle(to);
                }
            }
            Event::Project { from, partition, epoch, upto, rows } => {
                for row in rows {
                    self.views.put(row);
                }
                let message = Message::Projected { partition, epoch, upto };
                let at = self.now + self.random.below(5 * MILLI);
                self.at(at, Event::Own { to: from, message });
            }
            Event::ReadViews { from, list, wanted } => {
                let rows = self.views.rows(|row| wanted.is(row));
                let at = self.now + self.random.below(5 * MILLI);
                self.at(at, Event::Own { to: from, message: Message::ViewsAnswer { list, rows } });
            }
            Event::Answer { client, number, outcome } => self.told(client, number, outcome),
            Event::Client(client) => self.client(client),
            Event::ClientLimit(client, number) => {
                self.told(client, number, Outcome::Unknown("no answer in time".into()));
            }
            Event::Sync => self.sync(),
            Event::Fault(fault) => self.strike(fault),
        }
    }

    /// Whether an event is for a stopped process, and until when.
    fn paused(&self, event: &Event) -> Option<Micros> {
        let index = match event {
            Event::Tick((index, _))
            | Event::Timer((index, _), _)
            | Event::Said { to: (index, _), .. }
            | Event::Own { to: (index, _), .. } => *index,
            Event::Message { to, .. } => *to,
            _ => return None,
        };
        let host = &self.hosts[index];
        (host.up && host.paused_until > self.now).then_some(host.paused_until)
    }

    /// Do what a host wants done.
    fn settle(&mut self, life: Life) {
        let effects = std::mem::take(&mut self.hosts[life.0].effects);
        for effect in effects {
            match effect {
                Effect::Ask { request, ask } => {
                    for at in self.arrivals(life.0, STORE) {
                        let ask = ask.clone();
                        self.at(at, Event::AtStore { from: life, request, ask });
                    }
                }
                Effect::Send { to, message } => {
                    let Some(to) = self.hosts.iter().position(|host| *host.replica.node == *to)
                    else {
                        continue;
                    };
                    if let Some(at) = self.arrivals(life.0, to).first() {
                        self.at(*at, Event::Message { to, from: Some(life.0), message });
                    }
                }
                Effect::Reply { client, number, outcome } => {
                    let lost = self.now < HEALED && self.random.chance(self.weather.unheard);
                    if !lost {
                        let at = self.now + self.latency();
                        self.at(at, Event::Answer { client, number, outcome });
                    }
                }
                Effect::Timer(after, timer) => self.at(self.now + after, Event::Timer(life, timer)),
                Effect::Project { partition, epoch, upto, rows } => {
                    // Slow at times: a replica that was taken over may write long after.
                    let slow = self.random.chance(5);
                    let span = if slow { 2_000 * MILLI } else { self.weather.views };
                    let at = self.now + self.random.below(span);
                    let from = life;
                    self.at(at, Event::Project { from, partition, epoch, upto, rows });
                }
                Effect::ReadViews { list, wanted } => {
                    let at = self.now + self.random.below(5 * MILLI);
                    self.at(at, Event::ReadViews { from: life, list, wanted });
                }
            }
        }
    }

    fn latency(&mut self) -> Micros {
        if self.random.below(1_000) < self.weather.late {
            return self.random.below(120 * MILLI);
        }
        50 + self.random.below(MILLI)
    }

    /// When a message arrives: never, once, or, for what a client of the store sends again
    /// by itself, twice, the second one perhaps much later.
    fn arrivals(&mut self, from: usize, to: usize) -> Vec<Micros> {
        let link = (from.min(to), from.max(to));
        let calm = self.now > HEALED;
        if self.cut.contains(&link) || (!calm && self.random.below(1_000) < self.weather.lost) {
            return Vec::new();
        }
        let mut arrivals = vec![self.now + self.latency()];
        if to == STORE && self.random.below(1_000) < self.weather.twice {
            let later = if self.random.chance(30) { 3_000 * MILLI } else { 30 * MILLI };
            arrivals.push(self.now + self.random.below(later));
        }
        arrivals
    }

    fn message(&mut self, to: usize, from: Option<usize>, message: Message) {
        let life = self.life(to);
        if let (Message::Ping { to: replica }, Some(from)) = (&message, from) {
            // A process that is gone refuses; another life of it does not answer for it.
            let host = &mut self.hosts[to];
            host.now = self.now;
            let answer = if host.up && host.replica == *replica {
                Message::Pong(host.pong())
            } else {
                Message::Refused(replica.clone())
            };
            if let Some(at) = self.arrivals(to, from).first() {
                self.at(*at, Event::Message { to: from, from: Some(to), message: answer });
            }
            return;
        }
        match (self.host(life), message) {
            (Some(host), message) => {
                host.hear(message);
                self.settle(life);
            }
            (None, Message::Call { call, .. }) => {
                let outcome = Outcome::Unknown("connection refused".into());
                let at = self.now + self.latency();
                self.at(at, Event::Answer { client: call.client, number: call.number, outcome });
            }
            (None, _) => {}
        }
    }

    /// A client's call, to a replica of the balancer's choice.
    pub(crate) fn call(&mut self, call: Call) {
        let to = usize::try_from(self.random.below(REPLICAS as u64)).expect("few");
        let at = self.now + self.latency();
        let message = Message::Call { call, expected: Epoch(0), hops: 0 };
        self.at(at, Event::Message { to, from: None, message });
    }

    fn at_store(&mut self, from: Life, request: u64, ask: &Ask) {
        if !self.store_up {
            return;
        }
        let (said, when) = self.store.answer(self.now, ask);
        match when {
            When::Now => self.say(from, request, said),
            When::Synced => self.unsynced.push((from, request, said)),
        }
        if self.store.is_dirty() && !self.syncing {
            self.syncing = true;
            let span = if self.now > HEALED { 5 * MILLI } else { self.weather.sync };
            let at = self.now + 100 + self.random.below(span);
            self.at(at, Event::Sync);
        }
    }

    fn say(&mut self, to: Life, request: u64, said: Said) {
        if let Some(at) = self.arrivals(STORE, to.0).first() {
            self.at(*at, Event::Said { to, request, said });
        }
    }

    fn sync(&mut self) {
        self.syncing = false;
        if !self.store_up {
            return;
        }
        self.store.sync();
        for (to, request, said) in std::mem::take(&mut self.unsynced) {
            self.say(to, request, said);
        }
    }

    /// The store is gone; answers that waited are never given.
    pub(crate) fn store_dies(&mut self, power: bool) {
        self.store_up = false;
        self.unsynced.clear();
        if power {
            self.store.crash();
        } else {
            // The process is gone, but the pages it wrote are there.
            self.store.sync();
        }
    }
}
