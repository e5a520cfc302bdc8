//! Decisions per second: `decide` and `apply`, nothing else.
//!
//! Each command is measured on an event that is (nearly) empty and on one with 100,000
//! bookings; the second must not be much slower. The state is that of a running sale:
//! every booking came with a key made by the edge, the oldest keys are forgotten one by
//! one as new ones come in.
//!
//! Copies of the event, and the commands, are made outside the measured time.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use engine::{
    BookingId, Command, CommandId, Entry, Envelope, EventId, Fingerprint, Inventory, Key,
    KeyOrigin, Limits, Principal, Reply, Seats, Terms, Timestamp, UserId, Words, decide,
};

/// The event's size in the second case.
const MANY: usize = 100_000;

/// Commands decided on one copy of the event before a fresh copy is taken: few on an
/// empty event, so that it stays nearly empty.
const FEW_COMMANDS: usize = 1_000;

/// On the large event more, because copying it takes long.
const MANY_COMMANDS: usize = 10_000;

/// Commands decided on a copy before the clock starts: a fresh copy has no room to grow
/// and would pay for it inside the measured time.
const WARM_UP: usize = 16;

/// Time between two commands: with it, 100,000 bookings just fill the time for which
/// keys made by the edge are kept, and each new one lets the oldest be forgotten.
const STEP_MILLIS: i64 = 3;

/// When the event was opened.
const OPENED: i64 = 1_763_900_000_000;

/// An event and commands that are all accepted on it, in order.
struct Scene {
    event: Inventory,
    commands: Vec<Envelope>,
    next_user: u64,
    now: i64,
}

impl Scene {
    fn new(capacity: usize) -> Self {
        let event = EventId([7; 16]);
        let mut scene =
            Self { event: Inventory::new(event), commands: Vec::new(), next_user: 1, now: OPENED };
        let terms = Terms {
            capacity: u32::try_from(capacity).expect("a capacity below the limit"),
            opens_at: Timestamp::from_millis(OPENED),
            closes_at: Timestamp::from_millis(OPENED * 2),
            ends_at: Timestamp::from_millis(OPENED * 2),
            active: true,
            waitlist: true,
            max_per_booking: Seats::ONE,
        };
        let open =
            scene.envelope(UserId([1; 16]), Command::Open { terms, words: Words::default() });
        scene.decide_now(&open);
        scene
    }

    /// A command of `user`, a step later than the one before.
    fn envelope(&mut self, user: UserId, command: Command) -> Envelope {
        self.now += STEP_MILLIS;
        let mut digest = [0; 16];
        digest[..8].copy_from_slice(&spread(self.now as u64).to_be_bytes());
        let key = Key {
            digest: CommandId(digest),
            fingerprint: Fingerprint([3; 8]),
            origin: KeyOrigin::Edge,
        };
        Envelope {
            principal: Principal::person(user),
            at: Timestamp::from_millis(self.now),
            key: Some(key),
            command,
        }
    }

    fn new_user(&mut self) -> UserId {
        self.next_user += 1;
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&spread(self.next_user).to_be_bytes());
        bytes[8..].copy_from_slice(&self.next_user.to_be_bytes());
        UserId(bytes)
    }

    fn decide_now(&mut self, envelope: &Envelope) -> Reply {
        let decision = decide(&self.event, envelope, &Limits::default()).expect("accepted");
        self.event.apply(&decision.entry.expect("something happens"));
        decision.reply
    }

    /// A new person books now; returns who, and which booking.
    fn book(&mut self) -> (UserId, BookingId) {
        let user = self.new_user();
        let command = Command::Book { quantity: None, join_waitlist: true };
        let envelope = self.envelope(user, command);
        let Reply::Booking(reply) = self.decide_now(&envelope) else { panic!("not a booking") };
        (user, reply.booking.id(self.event.event()))
    }

    /// New people book.
    fn booking(size: usize, commands: usize) -> Self {
        let mut scene = Self::new(size + commands);
        for _ in 0..size {
            scene.book();
        }
        for _ in 0..commands {
            let user = scene.new_user();
            let command = Command::Book { quantity: None, join_waitlist: true };
            let envelope = scene.envelope(user, command);
            scene.commands.push(envelope);
        }
        scene
    }

    /// New people hold a place and confirm it, two commands each.
    fn holding(size: usize, commands: usize) -> Self {
        let mut scene = Self::new(size + commands);
        for _ in 0..size {
            scene.book();
        }
        // The id of a hold is known once it is placed: played once on a copy.
        let before = scene.event.clone();
        for _ in 0..commands / 2 {
            let user = scene.new_user();
            let details = Words::default();
            let place = Command::PlaceHold { quantity: Seats::ONE, details };
            let place = scene.envelope(user, place);
            let Reply::Hold(reply) = scene.decide_now(&place) else { panic!("not a hold") };
            let hold = reply.hold.id(scene.event.event());
            let confirm = scene.envelope(user, Command::Confirm { hold });
            scene.decide_now(&confirm);
            scene.commands.extend([place, confirm]);
        }
        scene.event = before;
        scene
    }

    /// A sold-out event: each cancellation promotes the first who waits.
    fn cancelling(size: usize, commands: usize) -> Self {
        let size = size.max(commands);
        let mut scene = Self::new(size);
        let booked: Vec<_> = (0..size).map(|_| scene.book()).collect();
        for _ in 0..commands {
            scene.book();
        }
        // All over the event, not in the order of the bookings.
        let stride = size / commands;
        for (user, booking) in booked.into_iter().step_by(stride).take(commands) {
            let envelope = scene.envelope(user, Command::Cancel { booking });
            scene.commands.push(envelope);
        }
        scene
    }

    /// Decides and applies the next `count` commands; how long that took.
    fn play(&self, limits: &Limits, count: usize) -> Duration {
        let mut event = self.event.clone();
        let (warm_up, measured) = self.commands.split_at(WARM_UP);
        for envelope in warm_up {
            step(&mut event, envelope, limits);
        }
        let started = Instant::now();
        for envelope in &measured[..count] {
            step(&mut event, envelope, limits);
        }
        started.elapsed()
    }
}

fn step(event: &mut Inventory, envelope: &Envelope, limits: &Limits) {
    let decision = decide(event, black_box(envelope), limits);
    let decision = decision.expect("every prepared command is accepted");
    let entry: Option<Entry> = decision.entry;
    event.apply(&entry.expect("every prepared command changes something"));
    black_box(decision.reply);
}

/// Spreads the bits of a counter, as those of digests and ids are.
const fn spread(n: u64) -> u64 {
    let n = (n ^ (n >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    n ^ (n >> 29)
}

/// What makes a scene out of the event's size and a number of commands.
type Make = fn(usize, usize) -> Scene;

fn decisions(criterion: &mut Criterion) {
    let limits = Limits::default();
    let kinds: [(&str, Make); 3] = [
        ("book", Scene::booking),
        ("hold_and_confirm", Scene::holding),
        ("cancel_with_promotion", Scene::cancelling),
    ];
    for (name, make) in kinds {
        let mut group = criterion.benchmark_group(name);
        // One element is one decision: decided and applied.
        group.throughput(Throughput::Elements(1));
        group.sample_size(20).measurement_time(Duration::from_secs(3));
        for (size, commands) in [(0, FEW_COMMANDS), (MANY, MANY_COMMANDS)] {
            let scene = make(size, commands + WARM_UP);
            let id = BenchmarkId::from_parameter(format!("{size} bookings"));
            group.bench_function(id, |bencher| {
                bencher.iter_custom(|iterations| {
                    let mut left = usize::try_from(iterations).unwrap_or(usize::MAX);
                    let mut took = Duration::ZERO;
                    while left > 0 {
                        let count = left.min(commands);
                        took += scene.play(&limits, count);
                        left -= count;
                    }
                    took
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
