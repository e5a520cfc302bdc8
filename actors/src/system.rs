//! Starting and stopping an actor system.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use storage::{Claim, Epoch, PartitionId, Position, StorageError, Stores};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::admission::Admission;
use crate::box_office::BoxOffice;
use crate::clock::Clock;
use crate::committer::BatchIds;
use crate::directory::Directory;
use crate::fresh_views::FreshViews;
use crate::options::Options;
use crate::projector::Projector;
use crate::shared::{CommitGauge, Ownership, Shared};
use crate::supervisor::Supervision;
use crate::sweeper;
use crate::tail::Tail;
use crate::watchers::Watchers;

/// How often a claim is tried again when somebody else was faster.
const CLAIM_ATTEMPTS: usize = 3;

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
    /// The supervisor could not be started.
    #[error("the supervisor could not be started: {0}")]
    Supervisor(String),
}

/// A running actor system.
pub struct System {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    projectors: Vec<JoinHandle<()>>,
    sweeper: JoinHandle<()>,
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
    stores: Stores,
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
    let projected = partitions.iter().map(|_| Position(0)).collect();
    let shared = Arc::new(Shared {
        era: stores.commit.era().await?,
        ownership: Ownership::new(epochs),
        admission: Admission::new(options.in_flight, options.in_flight_per_principal),
        directory: Directory::new(options.in_flight_per_event),
        supervision: Supervision::default(),
        tail: Tail::new(projected, options.tail_limit),
        commits: CommitGauge::default(),
        batch_ids: BatchIds::new(incarnation),
        watchers: Watchers::default(),
        draining: AtomicBool::new(false),
        options,
        stores,
        clock,
    });
    let mut prepared = Vec::new();
    for &partition in &partitions {
        prepared.push(Projector::prepare(&shared, partition).await?);
    }
    Supervision::start(&shared).await.map_err(|error| StartError::Supervisor(error.to_string()))?;
    let (stop, stopped) = watch::channel(false);
    let run = |projector: Projector| tokio::spawn(projector.run(stopped.clone()));
    let projectors = prepared.into_iter().map(run).collect();
    let sweeper = tokio::spawn(sweeper::run(Arc::clone(&shared), partitions, stopped.clone()));
    Ok(System { shared, stop, projectors, sweeper })
}

async fn check_clock(
    options: &Options,
    stores: &Stores,
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

async fn claim(stores: &Stores, partition: PartitionId, owner: &str) -> Result<Epoch, StartError> {
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

impl System {
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
        let tail = &self.shared.tail;
        self.shared.ownership.partitions().map(|partition| tail.len(partition)).sum()
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
        for projector in self.projectors {
            if timeout_at(deadline, projector).await.is_err() {
                tracing::warn!("the projector did not finish; it goes on at the next start");
            }
        }
        let _ = timeout_at(deadline, self.sweeper).await;
        for actor in self.shared.directory.awake_actors() {
            actor.stop(None);
        }
        self.shared.supervision.stop();
    }
}
