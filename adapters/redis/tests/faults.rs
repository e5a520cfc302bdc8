//! A Redis of the test's own: killed in the middle of commits, emptied, and set so that it
//! would lose what it acknowledges.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use adapter_redis::{Durability, Options, Redis};
use storage::conformance::sample::Owner;
use storage::{Claim, CommitOutcome, CommitStore, Epoch, Era, Position, StorageError};
use tempfile::TempDir;
use tokio::net::TcpSocket;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// Longest time until a server answers, or a store is usable again.
const PATIENCE: Duration = Duration::from_secs(20);

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// The kills of a test come so many turns later each time: before, while and after a batch
/// is written.
const MOMENTS: usize = 30;

/// How often the server is killed.
const ROUNDS: usize = 10;

/// A Redis on a port of its own.
struct Server {
    folder: TempDir,
    port: u16,
    /// Bound to the port, without listening, so that nobody else is given it while the server
    /// is not there.
    _place: TcpSocket,
    child: Child,
}

impl Server {
    async fn start(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let place = TcpSocket::new_v4().expect("a socket");
        place.set_reuseaddr(true).expect("an option");
        place.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let port = place.local_addr().expect("an address").port();
        let text = format!(
            "bind 127.0.0.1\nport {port}\ndir {}\nsave \"\"\n{settings}\n",
            folder.path().display()
        );
        std::fs::write(folder.path().join("redis.conf"), text).expect("a file");
        let child = Self::launch(folder.path());
        let server = Self { folder, port, _place: place, child };
        server.answers().await;
        server
    }

    fn launch(folder: &Path) -> Child {
        Command::new("redis-server")
            .arg(folder.join("redis.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("redis-server is installed")
    }

    async fn answers(&self) {
        let client = redis::Client::open(self.url()).expect("an address");
        let until = Instant::now() + PATIENCE;
        loop {
            if let Ok(mut connection) = client.get_multiplexed_async_connection().await {
                let answer: Result<String, _> =
                    redis::cmd("PING").query_async(&mut connection).await;
                if answer.is_ok() {
                    return;
                }
            }
            assert!(Instant::now() < until, "redis-server does not answer");
            sleep(LOOK).await;
        }
    }

    async fn kill(&mut self) {
        self.child.kill().await.expect("it was there");
    }

    async fn start_again(&mut self) {
        self.child = Self::launch(self.folder.path());
        self.answers().await;
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    fn options(&self) -> Options {
        Options { partitions: 2, ..Options::new(&self.url(), 1) }
    }

    async fn tell(&self, command: &redis::Cmd) {
        let client = redis::Client::open(self.url()).expect("an address");
        let mut connection = client.get_multiplexed_async_connection().await.expect("one");
        let () = command.query_async(&mut connection).await.expect("an answer");
    }
}

const SAFE: &str = "appendonly yes\nappendfsync always\nmaxmemory-policy noeviction";

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_answer_was_lost_is_repeated_until_it_is_known() {
    let mut server = Server::start(SAFE).await;
    Redis::create(&server.options()).await.expect("partitions");
    let redis = Redis::connect(&server.options()).await.expect("a connection");
    let store = redis.commit();
    let mut owner = Owner::new(1);
    let partition = store.partition_of(owner.event);
    let won = store.claim(partition, "one", Epoch(0), false).await.expect("a claim");
    let Claim::Won(epoch) = won else { panic!("{won:?}") };
    let (mut repeated, mut known_again) = (0, 0);
    for round in 0..ROUNDS {
        // Some are acknowledged before the kill, one is on its way.
        for _ in 0..10 {
            let batch = owner.batch(epoch, 2);
            let (outcome, attempts) = commit_until_known(&*store, &batch).await;
            let again = attempts > 1 && matches!(outcome, CommitOutcome::AlreadyApplied(_));
            assert!(again || matches!(outcome, CommitOutcome::Applied(_)), "{outcome:?}");
            owner.follow(&batch);
        }
        let batch = owner.batch(epoch, 1);
        let sending = {
            let (store, batch) = (store.clone(), batch.clone());
            tokio::spawn(async move { commit_until_known(&*store, &batch).await })
        };
        for _ in 0..MOMENTS * round {
            tokio::task::yield_now().await;
        }
        server.kill().await;
        server.start_again().await;
        let (outcome, attempts) = sending.await.expect("an outcome");
        repeated += usize::from(attempts > 1);
        known_again += usize::from(matches!(outcome, CommitOutcome::AlreadyApplied(_)));
        assert!(
            matches!(outcome, CommitOutcome::Applied(_) | CommitOutcome::AlreadyApplied(_)),
            "{outcome:?}"
        );
        owner.follow(&batch);
    }
    println!("repeated {repeated}, found applied {known_again}");
    let loaded = store.load(owner.event).await.expect("a load").expect("a history");
    assert_eq!(loaded.header.head, owner.head, "nothing that was acknowledged is lost");
    assert_eq!(loaded.tail.len(), ROUNDS * 11, "each batch once");
}

/// Repeat one batch until its outcome is known; with the number of attempts.
async fn commit_until_known(
    store: &dyn CommitStore,
    batch: &storage::Batch,
) -> (CommitOutcome, usize) {
    let until = Instant::now() + PATIENCE;
    for attempt in 1.. {
        match store.commit(batch.clone()).await {
            Ok(outcome) => return (outcome, attempt),
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        sleep(LOOK).await;
    }
    unreachable!("it ends")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_would_lose_bookings_is_refused() {
    for (settings, named) in [
        ("appendonly yes\nappendfsync everysec", "appendfsync"),
        ("appendonly yes\nappendfsync no", "appendfsync"),
        ("appendonly no\nappendfsync always", "appendonly"),
        ("appendonly yes\nappendfsync always\nmaxmemory-policy allkeys-lru", "maxmemory-policy"),
        (
            "appendonly yes\nappendfsync always\nno-appendfsync-on-rewrite yes",
            "no-appendfsync-on-rewrite",
        ),
        ("appendonly yes\nappendfsync always\nreplicaof 127.0.0.1 1", "replica"),
    ] {
        let server = Server::start(settings).await;
        let error = Redis::create(&server.options()).await.expect_err(settings);
        assert!(error.to_string().contains(named), "{settings}: {error}");
        assert!(matches!(error, StorageError::NotDone(_)), "{error:?}");
        let weaker = Options { durability: Durability::EverySecond, ..server.options() };
        let named_weaker = Redis::create(&weaker).await.is_ok();
        assert_eq!(named_weaker, settings.ends_with("everysec"), "{settings}, by name");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_set_otherwise_later_is_found_out_at_the_next_connection() {
    let mut server = Server::start(SAFE).await;
    Redis::create(&server.options()).await.expect("partitions");
    let store = Redis::connect(&server.options()).await.expect("a connection").commit();
    store.holders().await.expect("an answer");
    let file = server.folder.path().join("redis.conf");
    let text = std::fs::read_to_string(&file).expect("its settings");
    std::fs::write(&file, text.replace("always", "everysec")).expect("a file");
    server.kill().await;
    server.start_again().await;
    let until = Instant::now() + PATIENCE;
    loop {
        let error = store.holders().await.expect_err("it is refused");
        if error.to_string().contains("appendfsync") {
            return;
        }
        assert!(Instant::now() < until, "{error}");
        sleep(LOOK).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_store_is_not_a_new_one() {
    let server = Server::start(SAFE).await;
    let refused = Redis::connect(&server.options()).await.err().expect("nothing is there");
    assert!(refused.to_string().contains("migrate"), "{refused}");
    Redis::create(&server.options()).await.expect("partitions");
    let store = Redis::connect(&server.options()).await.expect("a connection").commit();
    let mut owner = Owner::new(1);
    let partition = store.partition_of(owner.event);
    let claim = async || store.claim(partition, "one", Epoch(0), true).await;
    assert_eq!(claim().await.expect("a claim"), Claim::Won(Epoch(1)));
    server.tell(&redis::cmd("FLUSHALL")).await;
    let batch = owner.batch(Epoch(1), 1);
    assert_eq!(store.commit(batch).await.expect("an outcome"), CommitOutcome::Fenced);
    let claimed = claim().await;
    assert!(matches!(claimed, Err(StorageError::Damaged(_))), "{claimed:?}");
    let holders = store.holders().await.expect("holders, as the server is there");
    assert_eq!(holders.len(), 2);
    for holder in holders {
        let of = (holder.era, holder.epoch, holder.owner, holder.last);
        assert_eq!(of, (Era(0), Epoch(0), None, Position(0)), "nobody can own what is missing");
    }
}
