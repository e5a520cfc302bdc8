//! A box office, people and a clock that a test can turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use actors::{BoxOffice, Clock, Options, Receipt, Request, SubmitError, System};
use engine::{
    BookingReply, BookingStatus, Command, CommandId, EventId, Fingerprint, Key, KeyOrigin,
    Principal, Reply, Seats, Terms, Timestamp, UserId, Words,
};
use storage::Stores;
use storage::memory::MemoryStore;
use tokio::time::Instant;

pub(crate) const START: i64 = 1_763_900_000_000;

/// A clock that stands still until it is turned, and that can be made to panic.
#[derive(Debug)]
pub(crate) struct TestClock {
    now: AtomicI64,
    broken: AtomicBool,
}

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap();
        self.now.fetch_add(by, Ordering::SeqCst);
    }

    /// Every look at it panics while it is broken.
    pub(crate) fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        assert!(!self.broken.load(Ordering::SeqCst), "the clock is broken");
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }
}

pub(crate) struct Stage {
    pub(crate) store: MemoryStore,
    pub(crate) stores: Stores,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) system: System,
    keys: AtomicU64,
}

pub(crate) const EVENT: EventId = EventId([7; 16]);

pub(crate) fn user(n: u32) -> UserId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    bytes[15] = 1;
    UserId(bytes)
}

pub(crate) fn quick() -> Options {
    Options {
        commit_deadline: Duration::from_millis(300),
        commit_retry_pause: Duration::from_millis(5),
        restart_pause: Duration::from_millis(5),
        deadline_sweep: Duration::from_millis(50),
        ..Options::default()
    }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(quick()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        Self::on(MemoryStore::new(1), START, options).await
    }

    pub(crate) async fn on(store: MemoryStore, now: i64, options: Options) -> Self {
        let stores = store.stores();
        Self::on_stores(store, stores, now, options).await
    }

    pub(crate) async fn on_stores(
        store: MemoryStore,
        stores: Stores,
        now: i64,
        options: Options,
    ) -> Self {
        let clock =
            Arc::new(TestClock { now: AtomicI64::new(now), broken: AtomicBool::new(false) });
        let system =
            actors::start(options, stores.booking(), clock.clone(), "test", [1; 8]).await.unwrap();
        Self { store, stores, clock, system, keys: AtomicU64::new(1) }
    }

    /// Stop this system and start the next on the same store.
    pub(crate) async fn restart(self, options: Options) -> Self {
        let now = self.clock.now().millis();
        let keys = self.keys.load(Ordering::SeqCst);
        self.system.stop(Instant::now() + Duration::from_secs(5)).await;
        let next = Self::on_stores(self.store, self.stores, now, options).await;
        next.keys.store(keys, Ordering::SeqCst);
        next
    }

    pub(crate) fn office(&self) -> BoxOffice {
        self.system.box_office()
    }

    pub(crate) fn request(&self, who: UserId, command: Command) -> Request {
        request(self.keys.fetch_add(1, Ordering::SeqCst), who, command)
    }

    pub(crate) async fn submit(
        &self,
        who: UserId,
        command: Command,
    ) -> Result<Receipt, SubmitError> {
        self.office().submit(EVENT, self.request(who, command)).await
    }

    pub(crate) async fn open(&self, capacity: u32) {
        let terms = Terms {
            capacity,
            opens_at: Timestamp::from_millis(START),
            closes_at: Timestamp::from_millis(START + 86_400_000),
            ends_at: Timestamp::from_millis(START + 90_000_000),
            active: true,
            waitlist: true,
            max_per_booking: Seats::new(10).unwrap(),
        };
        let open = Command::Open { terms, words: Words::new(b"{}") };
        self.submit(user(0), open).await.unwrap();
    }

    pub(crate) async fn book(&self, who: u32) -> Result<BookingReply, SubmitError> {
        let receipt = self.submit(user(who), book()).await?;
        Ok(booking(&receipt))
    }

    pub(crate) async fn status(&self, who: u32) -> Option<BookingStatus> {
        let deadline = Instant::now() + Duration::from_secs(5);
        let found = self.office().booking_of(EVENT, user(who), deadline).await.unwrap();
        found.map(|found| found.booking.status)
    }
}

/// A request whose key has this number.
pub(crate) fn request(number: u64, who: UserId, command: Command) -> Request {
    let mut digest = [0; 16];
    digest[..8].copy_from_slice(&number.to_be_bytes());
    Request {
        principal: Principal::person(who),
        key: Key {
            digest: CommandId(digest),
            fingerprint: Fingerprint([0; 8]),
            origin: KeyOrigin::Client,
        },
        command,
        deadline: Instant::now() + Duration::from_secs(5),
    }
}

pub(crate) fn book() -> Command {
    Command::Book { quantity: None, join_waitlist: true }
}

pub(crate) fn booking(receipt: &Receipt) -> BookingReply {
    match receipt.reply {
        Reply::Booking(reply) => reply,
        ref other => panic!("{other:?}"),
    }
}

/// Wait until something is true; a bound on patience, not a guess at a duration.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let patience = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < patience, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
