//! Replicas that share a store in memory and speak with one another without a network. Each
//! has a runtime of its own, so that it can be killed as a process is.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use actors::protocol::Replica;
use actors::protocol::suspicion::Pong;
use actors::{
    BoxOffice, Clock, FreshViews, Identity, Options, PeerError, Peers, Receipt, Request, Steward,
    SubmitError, System, TailAnswer, TailQuestion,
};
use engine::{BookingStatus, Command, EventId, Seats, Terms, Timestamp, UserId, Words};
use futures_util::future::BoxFuture;
use storage::memory::{MemoryMembers, MemoryStore};
use storage::{BookingRow, Epoch, PageRequest, PartitionId};
use tokio::runtime::Runtime;
use tokio::time::{Duration, Instant};

use crate::support::{START, book, eventually, request, user};

const PARTITIONS: u16 = 32;

/// The clock of all of them stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(START)
    }
}

/// What others reach of a replica.
#[derive(Clone)]
struct Door {
    steward: Steward,
    views: FreshViews,
}

/// Who is reached under which address. Whoever is not in it refuses connections.
#[derive(Default)]
struct Network(Mutex<BTreeMap<String, Door>>);

impl Network {
    fn door(&self, address: &str) -> Result<Door, PeerError> {
        self.0.lock().unwrap().get(address).cloned().ok_or(PeerError::Refused)
    }
}

type Answer<'a, T> = BoxFuture<'a, Result<T, PeerError>>;

impl Peers for Network {
    fn ping<'a>(&'a self, address: &'a str) -> Answer<'a, Pong> {
        let pong = self.door(address).map(|door| door.steward.pong());
        Box::pin(async move { pong })
    }

    fn hint<'a>(
        &'a self,
        address: &'a str,
        partition: PartitionId,
        epoch: Epoch,
    ) -> Answer<'a, ()> {
        let hinted = self.door(address).map(|door| door.steward.hinted(partition, epoch));
        Box::pin(async move { hinted })
    }

    fn tails<'a>(&'a self, address: &'a str, question: &'a TailQuestion) -> Answer<'a, TailAnswer> {
        let door = self.door(address);
        Box::pin(async move {
            let told = door?.views.tails(question).await;
            told.map_err(|error| PeerError::Failed(error.to_string()))
        })
    }
}

/// A replica with a runtime of its own.
struct One {
    runtime: Runtime,
    system: Option<System>,
    office: BoxOffice,
    views: FreshViews,
    steward: Steward,
}

/// Several replicas, by name.
struct Cluster {
    store: MemoryStore,
    members: Arc<MemoryMembers>,
    network: Arc<Network>,
    replicas: BTreeMap<String, One>,
    lives: u64,
    keys: AtomicU64,
}

impl Cluster {
    async fn of(names: &[&str]) -> Self {
        let mut cluster = Self {
            store: MemoryStore::apart(PARTITIONS),
            members: Arc::default(),
            network: Arc::default(),
            replicas: BTreeMap::new(),
            lives: 0,
            keys: AtomicU64::new(1),
        };
        for name in names {
            cluster.start(name).await.unwrap();
        }
        cluster.settled().await;
        cluster
    }

    async fn start(&mut self, name: &str) -> Result<(), actors::StartError> {
        self.lives += 1;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let identity = Identity {
            replica: Replica::new(name, self.lives),
            address: format!("{name}:1"),
            members: self.members.clone(),
            peers: self.network.clone(),
            on_duplicate: Arc::new(|| panic!("another of this name")),
        };
        let stores = self.store.stores().booking();
        let options = Options {
            restart_pause: Duration::from_millis(5),
            projector_yield: Duration::from_millis(20),
            ..Options::default()
        };
        let joined = runtime.spawn(actors::join(options, stores, Arc::new(Still), identity));
        let system = match joined.await.unwrap() {
            Ok(system) => system,
            Err(error) => {
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let (office, views) = (system.box_office(), system.fresh_views());
        let steward = system.steward().unwrap();
        let door = Door { steward: steward.clone(), views: views.clone() };
        self.network.0.lock().unwrap().insert(format!("{name}:1"), door);
        let one = One { runtime, system: Some(system), office, views, steward };
        self.replicas.insert(name.to_owned(), one);
        Ok(())
    }

    /// As `kill -9` does.
    fn kill(&mut self, name: &str) {
        self.network.0.lock().unwrap().remove(&format!("{name}:1"));
        let one = self.replicas.remove(name).unwrap();
        one.runtime.shutdown_background();
    }

    /// As SIGTERM does.
    async fn stop(&mut self, name: &str) {
        let mut one = self.replicas.remove(name).unwrap();
        let system = one.system.take().unwrap();
        let network = self.network.clone();
        let address = format!("{name}:1");
        let stopping = one.runtime.spawn(async move {
            let deadline = Instant::now() + Duration::from_secs(10);
            system.hand_over(deadline).await;
            network.0.lock().unwrap().remove(&address);
            system.stop(deadline).await;
        });
        stopping.await.unwrap();
        one.runtime.shutdown_background();
    }

    fn open(&self) -> usize {
        self.replicas.values().map(|one| one.steward.status().open).sum()
    }

    /// Everything is served, and everybody has a share.
    async fn settled(&self) {
        eventually("every partition is served", async || {
            let shares: Vec<_> = self.replicas.values().map(|one| one.steward.status()).collect();
            self.open() == usize::from(PARTITIONS)
                && shares.iter().all(|status| status.open > 0 && status.moving == 0)
        })
        .await;
    }

    fn owner(&self, event: EventId) -> Option<&One> {
        self.replicas.values().find(|one| one.steward.serves(event).is_some())
    }

    fn request(&self, who: UserId, command: Command) -> Request {
        request(self.keys.fetch_add(1, Ordering::SeqCst), who, command)
    }

    /// Hand in a command wherever its event is served, by the same key until it is answered.
    async fn submit(&self, event: EventId, who: UserId, command: Command) -> Receipt {
        let request = self.request(who, command);
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(owner) = self.owner(event) {
                let (office, again) = (owner.office.clone(), request.clone());
                let again = Request { deadline: Instant::now() + Duration::from_secs(5), ..again };
                let asked = owner.runtime.spawn(async move { office.submit(event, again).await });
                match asked.await.unwrap() {
                    Ok(receipt) => return receipt,
                    Err(SubmitError::Refused(rejection)) => panic!("{rejection:?}"),
                    Err(_) => {}
                }
            }
            assert!(Instant::now() < patience, "never answered");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn create(&self, event: EventId, capacity: u32) {
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
        self.submit(event, user(0), open).await;
    }

    /// A person's list, asked at one replica.
    async fn list(&self, at: &str, who: UserId) -> Vec<BookingRow> {
        let one = &self.replicas[at];
        let views = one.views.clone();
        let page = PageRequest { after: None, status: None, limit: 100 };
        let list = one.runtime.spawn(async move { views.of_user(who, page).await });
        list.await.unwrap().unwrap()
    }

    fn end(self) {
        for (_, one) in self.replicas {
            one.runtime.shutdown_background();
        }
    }
}

fn event(n: u8) -> EventId {
    EventId([n; 16])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_partition_has_one_owner_and_others_say_who_it_is() {
    let cluster = Cluster::of(&["b1", "b2", "b3"]).await;
    for n in 1..=10 {
        cluster.create(event(n), 5).await;
        // It may be on its way to where it belongs; then they know a moment later.
        eventually("all say the same", async || {
            let Some(owner) = cluster.owner(event(n)) else { return false };
            let owner = owner.steward.node().to_owned();
            let others = cluster.replicas.iter().filter(|(name, _)| **name != owner);
            for (name, one) in others {
                assert_eq!(one.steward.serves(event(n)), None, "{name} serves it as well");
                let (office, wish) = (one.office.clone(), cluster.request(user(1), book()));
                let asked = one.runtime.spawn(async move { office.submit(event(n), wish).await });
                match asked.await.unwrap() {
                    Err(SubmitError::Elsewhere(there)) if *there.node == *owner => {
                        assert_eq!(there.address, format!("{owner}:1"));
                    }
                    Err(SubmitError::Elsewhere(_) | SubmitError::Unavailable(_)) => return false,
                    other => panic!("{other:?}"),
                }
            }
            true
        })
        .await;
    }
    cluster.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_show_what_was_answered_anywhere() {
    let cluster = Cluster::of(&["b1", "b2", "b3"]).await;
    for n in 1..=20 {
        cluster.create(event(n), 5).await;
        cluster.submit(event(n), user(1), book()).await;
        for at in ["b1", "b2", "b3"] {
            let list = cluster.list(at, user(1)).await;
            assert_eq!(list.len(), usize::from(n), "at {at}");
        }
    }
    let gone = Command::CancelEvent { if_version: None };
    cluster.submit(event(3), user(0), gone).await;
    for at in ["b1", "b2", "b3"] {
        let list = cluster.list(at, user(1)).await;
        let cancelled: Vec<_> =
            list.iter().filter(|row| row.status == BookingStatus::Cancelled).collect();
        assert_eq!(cancelled.len(), 1, "at {at}");
        assert_eq!(cancelled[0].event, event(3));
    }
    cluster.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_replica_is_killed_the_others_go_on_with_everything_it_answered() {
    let mut cluster = Cluster::of(&["b1", "b2", "b3"]).await;
    for n in 1..=12 {
        cluster.create(event(n), 50).await;
    }
    let mut booked = 0;
    for round in 0..3 {
        for n in 1..=12 {
            cluster.submit(event(n), user(100 + round), book()).await;
            booked += 1;
        }
        let victim = cluster.owner(event(1)).unwrap().steward.node().to_owned();
        cluster.kill(&victim);
        for n in 1..=12 {
            cluster.submit(event(n), user(200 + round), book()).await;
            booked += 1;
        }
        cluster.settled().await;
        cluster.start(&victim).await.unwrap();
        cluster.settled().await;
    }
    let mut seen = HashSet::new();
    for who in (100..103).chain(200..203) {
        for row in cluster.list("b2", user(who)).await {
            assert_eq!(row.status, BookingStatus::Confirmed);
            assert!(seen.insert(row.id), "twice");
        }
    }
    assert_eq!(seen.len(), booked);
    cluster.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_told_to_stop_gives_everything_away_first() {
    let mut cluster = Cluster::of(&["b1", "b2"]).await;
    for n in 1..=8 {
        cluster.create(event(n), 50).await;
    }
    cluster.stop("b1").await;
    cluster.settled().await;
    let holders = cluster.store.stores().commit.holders().await.unwrap();
    assert!(holders.iter().all(|held| held.owner.as_deref().unwrap().starts_with("b2#")));
    for n in 1..=8 {
        cluster.submit(event(n), user(7), book()).await;
    }
    assert_eq!(cluster.list("b2", user(7)).await.len(), 8);
    cluster.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_living_name_is_nobody_elses() {
    let mut cluster = Cluster::of(&["b1"]).await;
    let refused = cluster.start("b1").await;
    assert!(matches!(refused, Err(actors::StartError::NameTaken(name)) if name == "b1"));
    cluster.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_is_closed_in_the_store_is_served_by_nobody() {
    let cluster = Cluster::of(&["b1", "b2"]).await;
    cluster.create(event(1), 50).await;
    let partition = cluster.store.stores().commit.partition_of(event(1));
    let commit = cluster.store.stores().commit;
    let epoch = commit.epoch(partition).await.unwrap();
    assert!(!commit.close(partition, Epoch(epoch.0 + 1)).await.unwrap(), "not of another epoch");
    assert!(commit.close(partition, epoch).await.unwrap());
    eventually("everybody knows", async || {
        cluster.replicas.values().all(|one| one.steward.status().broken == 1)
    })
    .await;
    assert!(cluster.owner(event(1)).is_none());
    eventually("all others are served", async || cluster.open() == usize::from(PARTITIONS) - 1)
        .await;
    let one = &cluster.replicas["b1"];
    let (office, wish) = (one.office.clone(), cluster.request(user(1), book()));
    let asked = one.runtime.spawn(async move { office.submit(event(1), wish).await });
    assert!(matches!(asked.await.unwrap(), Err(SubmitError::Unavailable(_))));
    cluster.end();
}
