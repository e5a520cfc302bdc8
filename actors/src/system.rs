//! Starting and stopping an actor system.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};
use storage::{BookingStores, Claim, Epoch, Era, Member, PartitionId, StorageError};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::admission::Admission;
use crate::box_office::BoxOffice;
use crate::clock::Clock;
use crate::committer::BatchIds;
use crate::directory::Directory;
use crate::fresh_views::FreshViews;
use crate::look::Look;
use crate::meters::Meters;
use crate::options::Options;
use crate::projector::Projector;
use crate::shared::{CommitGauge, Ownership, Shared};
use crate::steward::{Cluster, Identity, Steward};
use crate::supervisor::Supervision;
use crate::sweeper;
use crate::tail::Tail;
use crate::watchers::Watchers;

/// How often a claim is tried again when somebody else was faster.
const CLAIM_ATTEMPTS: usize = 3;

/// Most projectors that write at a time.
const PROJECTING: usize = 16;

/// Clocks compared at a time when a replica starts.
const CHECKS_AT_ONCE: usize = 64;

/// How long a row of one's own name is looked at before it is taken for a dead one's:
/// longer than the longest pause between two of its announcements.
const NAME_PATIENCE: Duration = Duration::from_millis(1_200);

/// Pause before work that panicked is gone on with.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// How often a stopping system looks whether all commands are answered.
const DRAIN_LOOK: Duration = Duration::from_millis(5);

/// Why an actor system could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store failed.
    #[error("the store cannot be used: {0}")]
    Storage(#[from] StorageError),
    /// Somebody else keeps claiming the events.
    #[error("another process keeps claiming the events")]
    Claimed,
    /// The newest stored time lies too far in the future: the clock is wrong.
    #[error(
        "the clock is {ahead_seconds} seconds behind the newest stored time: set the clock, then start again"
    )]
    ClockBehind {
        /// How far the newest stored time is ahead, in seconds.
        ahead_seconds: i64,
    },
    /// A living replica has this name.
    #[error("a replica with the name {0} is running: give this one another name")]
    NameTaken(String),
    /// The supervisor could not be started.
    #[error("the supervisor could not be started: {0}")]
    Supervisor(String),
}

/// A running actor system.
pub struct System {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Claim all partitions, bring the projections up, start the supervisor. When this
/// returns, commands may be handed in.
///
/// `owner` names this process to others; `incarnation` is random, other at each start.
///
/// # Errors
/// [`StartError`]: nothing is left running.
pub async fn start(
    options: Options,
    stores: BookingStores,
    clock: Arc<dyn Clock>,
    owner: &str,
    incarnation: [u8; 8],
) -> Result<System, StartError> {
    let partitions: Vec<_> = (0..stores.commit.partitions()).map(PartitionId).collect();
    let mut epochs = Vec::new();
    for &partition in &partitions {
        check_clock(&options, &stores, &*clock, partition).await?;
        epochs.push(claim(&stores, partition, owner).await?);
        stores.commit.barrier(partition).await?;
    }
    let era = stores.commit.era().await?;
    let shared = shared(options, stores, clock, era, incarnation, None);
    let mut prepared = Vec::new();
    for (&partition, epoch) in partitions.iter().zip(epochs) {
        prepared.push(Projector::prepare(&shared, partition, epoch).await?);
        shared.ownership.open(partition, epoch);
    }
    Supervision::start(&shared).await.map_err(|error| StartError::Supervisor(error.to_string()))?;
    let (stop, stopped) = watch::channel(false);
    let run = |projector: Projector| tokio::spawn(projector.run(stopped.clone()));
    let mut tasks: Vec<_> = prepared.into_iter().map(run).collect();
    tasks.push(tokio::spawn(sweeper::run(Arc::clone(&shared), stopped)));
    Ok(System { shared, stop, tasks })
}

/// Start as one replica among others: partitions are claimed, served and given away as
/// members come and go. Returns as soon as requests may land here; those for events that are
/// served elsewhere are answered with [`SubmitError::Elsewhere`](crate::SubmitError).
///
/// # Errors
/// [`StartError`]: nothing is left running.
pub async fn join(
    options: Options,
    stores: BookingStores,
    clock: Arc<dyn Clock>,
    identity: Identity,
) -> Result<System, StartError> {
    check_name(&identity).await?;
    let checks = (0..stores.commit.partitions()).map(|partition| {
        let (options, stores, clock) = (&options, &stores, &*clock);
        async move { check_clock(options, stores, clock, PartitionId(partition)).await }
    });
    let mut checks = stream::iter(checks).buffer_unordered(CHECKS_AT_ONCE);
    while let Some(checked) = checks.next().await {
        checked?;
    }
    drop(checks);
    let era = stores.commit.era().await?;
    let incarnation = identity.replica.incarnation.to_be_bytes();
    let cluster = Cluster::new(identity, stores.commit.partitions());
    let shared = shared(options, stores, clock, era, incarnation, Some(cluster));
    Supervision::start(&shared).await.map_err(|error| StartError::Supervisor(error.to_string()))?;
    let (stop, stopped) = watch::channel(false);
    let steward = Steward::new(Arc::clone(&shared));
    let tasks = vec![
        tokio::spawn(steady("steward", {
            let stopped = stopped.clone();
            move || steward.clone().run(stopped.clone())
        })),
        tokio::spawn(steady("sweeper", {
            let shared = Arc::clone(&shared);
            move || sweeper::run(Arc::clone(&shared), stopped.clone())
        })),
    ];
    Ok(System { shared, stop, tasks })
}

/// Work that goes on whatever panics in it: others rely on it and nobody watches it.
async fn steady<F: Future<Output = ()>>(task: &'static str, work: impl Fn() -> F) {
    while AssertUnwindSafe(work()).catch_unwind().await.is_err() {
        tracing::error!(task, "a task panicked");
        tokio::time::sleep(AFTER_PANIC).await;
    }
}

fn shared(
    options: Options,
    stores: BookingStores,
    clock: Arc<dyn Clock>,
    era: Era,
    incarnation: [u8; 8],
    cluster: Option<Cluster>,
) -> Arc<Shared> {
    let partitions = stores.commit.partitions();
    Arc::new(Shared {
        era: AtomicU32::new(era.0),
        ownership: Ownership::new(partitions),
        admission: Admission::new(options.in_flight, options.in_flight_per_principal),
        directory: Directory::new(options.in_flight_per_event),
        supervision: Supervision::default(),
        tail: Tail::new(partitions, options.tail_limit),
        look: Look::new(Arc::clone(&stores.commit)),
        cluster,
        commits: CommitGauge::default(),
        meters: Meters::new(),
        batch_ids: BatchIds::new(incarnation),
        projecting: Semaphore::new(PROJECTING),
        watchers: Watchers::default(),
        draining: AtomicBool::new(false),
        options,
        stores,
        clock,
    })
}

/// A name stands for one process: whoever has it and is alive keeps it.
async fn check_name(identity: &Identity) -> Result<(), StartError> {
    let Identity { replica, members, .. } = identity;
    let row = |rows: Vec<Member>| rows.into_iter().find(|row| row.node == *replica.node);
    let Some(before) = row(members.all().await?) else { return Ok(()) };
    tokio::time::sleep(NAME_PATIENCE).await;
    match row(members.all().await?) {
        Some(after) if after.incarnation == before.incarnation && after.tick == before.tick => {
            Ok(())
        }
        Some(_) => Err(StartError::NameTaken(replica.node.to_string())),
        None => Ok(()),
    }
}

async fn check_clock(
    options: &Options,
    stores: &BookingStores,
    clock: &dyn Clock,
    partition: PartitionId,
) -> Result<(), StartError> {
    let Some(newest) = stores.commit.newest_time(partition).await? else { return Ok(()) };
    let ahead = newest.millis() - clock.now().millis();
    if ahead > i64::try_from(options.clock_tolerance.as_millis()).unwrap_or(i64::MAX) {
        return Err(StartError::ClockBehind { ahead_seconds: ahead / 1_000 });
    }
    Ok(())
}

async fn claim(
    stores: &BookingStores,
    partition: PartitionId,
    owner: &str,
) -> Result<Epoch, StartError> {
    let mut expected = stores.commit.epoch(partition).await?;
    for _ in 0..CLAIM_ATTEMPTS {
        match stores.commit.claim(partition, owner, expected, true).await? {
            Claim::Won(epoch) => return Ok(epoch),
            Claim::Lost(current) => expected = current,
            Claim::TooSoon => break,
        }
    }
    Err(StartError::Claimed)
}

/// What is looked up when somebody asks for the figures. Cheap to clone.
#[derive(Clone)]
pub struct Gauges(Arc<Shared>);

impl Gauges {
    /// Look it up, and tell whoever counts in this process.
    pub fn set(&self) {
        self.0.set_gauges();
    }
}

impl System {
    /// What is looked up when somebody asks for the figures.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        Gauges(Arc::clone(&self.shared))
    }

    /// The door for commands.
    #[must_use]
    pub fn box_office(&self) -> BoxOffice {
        BoxOffice::new(Arc::clone(&self.shared))
    }

    /// Lists that miss nothing that was answered.
    #[must_use]
    pub fn fresh_views(&self) -> FreshViews {
        FreshViews::new(Arc::clone(&self.shared))
    }

    /// How many booking events are committed and not yet in the views.
    #[must_use]
    pub fn projection_lag(&self) -> usize {
        self.shared.lag()
    }

    /// What other replicas ask of this one; `None` in a process that owns everything.
    #[must_use]
    pub fn steward(&self) -> Option<Steward> {
        self.shared.cluster.as_ref().map(|_| Steward::new(Arc::clone(&self.shared)))
    }

    /// Give everything away to other replicas, as far as that is possible by `deadline`; what
    /// comes meanwhile is answered or passed on. In a process that owns everything there is
    /// nobody to give it to.
    pub async fn hand_over(&self, deadline: Instant) {
        if let Some(steward) = self.steward() {
            steward.hand_over(deadline).await;
        }
    }

    /// How many events are remembered, awake or not.
    #[must_use]
    pub fn places(&self) -> usize {
        self.shared.directory.len()
    }

    /// How many events are awake.
    #[must_use]
    pub fn awake(&self) -> usize {
        self.shared.directory.awake()
    }

    /// How many events are watched.
    #[must_use]
    pub fn watched(&self) -> usize {
        self.shared.watchers.len()
    }

    /// End every watch of an event: whoever streams changes has to let go before requests
    /// in flight can be waited for.
    pub fn end_watches(&self) {
        self.shared.watchers.end();
    }

    /// Take nothing new, answer what was taken, let the projector finish, stop the actors.
    /// What is not done by `deadline` is left as a kill would leave it: safe.
    pub async fn stop(self, deadline: Instant) {
        self.shared.draining.store(true, Ordering::Release);
        self.end_watches();
        while self.shared.admission.in_flight() > 0 && Instant::now() < deadline {
            tokio::time::sleep(DRAIN_LOOK).await;
        }
        let _ = timeout_at(deadline, self.shared.commits.idle()).await;
        let _ = self.stop.send(true);
        for task in self.tasks {
            if timeout_at(deadline, task).await.is_err() {
                tracing::warn!("the projector did not finish; it goes on at the next start");
            }
        }
        if let Some(cluster) = &self.shared.cluster {
            let steward = Steward::new(Arc::clone(&self.shared));
            let _ = timeout_at(deadline, steward.leave()).await;
            cluster.end();
        }
        for actor in self.shared.directory.awake_actors() {
            actor.stop(None);
        }
        self.shared.supervision.stop();
    }
}
