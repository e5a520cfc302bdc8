//! What all parts of one actor system share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use engine::EventId;
use storage::{
    BookingStores, Epoch, Era, OutboxEntry, PartitionId, Position, StorageError, Target,
};

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::admission::Admission;
use crate::clock::Clock;
use crate::committer::BatchIds;
use crate::directory::Directory;
use crate::error::SubmitError;
use crate::look::Look;
use crate::meters::Meters;
use crate::options::Options;
use crate::steward::Cluster;
use crate::supervisor::Supervision;
use crate::tail::Tail;
use crate::watchers::Watchers;

/// One actor system.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) stores: BookingStores,
    pub(crate) clock: Arc<dyn Clock>,
    /// The store's era; raised by a repair while replicas run.
    pub(crate) era: AtomicU32,
    pub(crate) ownership: Ownership,
    pub(crate) admission: Admission,
    pub(crate) directory: Directory,
    pub(crate) supervision: Supervision,
    pub(crate) tail: Tail,
    pub(crate) look: Look,
    /// What there is more of in a cluster; `None` in a process that owns everything.
    pub(crate) cluster: Option<Cluster>,
    pub(crate) commits: CommitGauge,
    pub(crate) meters: Meters,
    pub(crate) batch_ids: BatchIds,
    /// Turns of projectors: there may be one for each partition.
    pub(crate) projecting: Semaphore,
    pub(crate) watchers: Watchers,
    /// The system is stopping: nothing new is taken.
    pub(crate) draining: AtomicBool,
}

impl Shared {
    pub(crate) fn era(&self) -> Era {
        Era(self.era.load(Ordering::Acquire))
    }

    pub(crate) fn partition_of(&self, event: EventId) -> PartitionId {
        self.stores.commit.partition_of(event)
    }

    /// Batches of a partition after a position, in order: from the outbox, or from the
    /// journal what the outbox does not have any more.
    pub(crate) async fn batches_after(
        &self,
        partition: PartitionId,
        after: Position,
    ) -> Result<Vec<OutboxEntry>, StorageError> {
        let limit = self.options.projector_batch;
        let entries = self.stores.outbox.read(partition, after, limit).await?;
        let begins = entries.first().map(|entry| entry.position);
        let wanted = Position(after.0 + 1);
        let trimmed = match begins {
            Some(begins) => begins > wanted,
            None => self.stores.outbox.last(partition).await? >= wanted,
        };
        if !trimmed {
            return Ok(entries);
        }
        let mut journalled = self.stores.journal.follow(partition, after, limit).await?;
        if journalled.first().map(|entry| entry.position) != Some(wanted) {
            let at = wanted.0;
            let why = format!("batch {at} of partition {} is nowhere", partition.0);
            return Err(StorageError::Damaged(why));
        }
        journalled.retain(|entry| begins.is_none_or(|begins| entry.position < begins));
        Ok(journalled)
    }

    /// Up to where the views have a partition.
    pub(crate) async fn viewed(&self, partition: PartitionId) -> Result<Position, StorageError> {
        match self.stores.outbox.cursors() {
            Some(cursors) => cursors.cursor(partition, Target::Views).await,
            None => self.stores.views.cursor(partition).await,
        }
    }

    /// Read the outbox from the tail's first gap on: what is missing there is put in.
    pub(crate) async fn follow_outbox(&self, partition: PartitionId) -> Result<(), StorageError> {
        let epoch = self.tail.epoch(partition);
        if epoch == Epoch(0) {
            return Err(StorageError::NotDone("the partition is not here any more".into()));
        }
        let last = self.stores.outbox.last(partition).await?;
        let mut at = self.tail.followed(partition);
        while at < last && self.tail.epoch(partition) == epoch {
            let entries = self.batches_after(partition, at).await?;
            let Some(end) = entries.last().map(|entry| entry.position) else { break };
            // Whoever finds them in a list must find them for ever.
            self.stores.commit.barrier(partition).await?;
            for entry in entries {
                self.tail.push(partition, epoch, entry);
            }
            at = end;
        }
        Ok(())
    }

    /// Read the outbox into a tail that has begun, from the views' cursor on. Whatever its
    /// bound says: what is committed must be found.
    pub(crate) async fn fill(
        &self,
        partition: PartitionId,
        epoch: Epoch,
        views: Position,
    ) -> Result<(), StorageError> {
        let mut at = views;
        loop {
            let entries = self.batches_after(partition, at).await?;
            let Some(end) = entries.last().map(|entry| entry.position) else { return Ok(()) };
            for entry in entries {
                self.tail.push(partition, epoch, entry);
            }
            at = end;
        }
    }

    /// Why a partition is not served here.
    pub(crate) fn not_served(&self, partition: PartitionId) -> SubmitError {
        match &self.cluster {
            Some(cluster) => cluster.elsewhere(partition),
            None => SubmitError::Unavailable("this part of the events is closed for repair".into()),
        }
    }

    /// How many booking events are committed here and not yet in the views.
    pub(crate) fn lag(&self) -> usize {
        self.ownership.partitions().map(|partition| self.tail.len(partition)).sum()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}

/// Which partitions are ours, and under which epoch.
pub(crate) struct Ownership {
    partitions: Box<[Owned]>,
}

struct Owned {
    epoch: AtomicU64,
    /// It is served here.
    open: AtomicBool,
    /// Its tail is here and complete: also while it is being given away.
    tail: AtomicBool,
}

impl Ownership {
    /// So many partitions, none of which is served.
    pub(crate) fn new(partitions: u16) -> Self {
        let owned = |_| Owned {
            epoch: AtomicU64::new(0),
            open: AtomicBool::new(false),
            tail: AtomicBool::new(false),
        };
        Self { partitions: (0..partitions).map(owned).collect() }
    }

    /// Serve it under this ownership.
    pub(crate) fn open(&self, partition: PartitionId, epoch: Epoch) {
        let owned = &self.partitions[usize::from(partition.0)];
        owned.epoch.store(epoch.0, Ordering::Release);
        owned.tail.store(true, Ordering::Release);
        owned.open.store(true, Ordering::Release);
    }

    /// Nothing of it is here any more.
    pub(crate) fn leave(&self, partition: PartitionId) {
        let owned = &self.partitions[usize::from(partition.0)];
        owned.open.store(false, Ordering::Release);
        owned.tail.store(false, Ordering::Release);
    }

    /// The ownership under which a complete tail is here.
    pub(crate) fn has_tail(&self, partition: PartitionId) -> Option<Epoch> {
        let owned = &self.partitions[usize::from(partition.0)];
        owned.tail.load(Ordering::Acquire).then(|| self.epoch(partition))
    }

    /// Those that are served.
    pub(crate) fn served(&self) -> impl Iterator<Item = PartitionId> + '_ {
        self.partitions().filter(|partition| self.is_open(*partition))
    }

    /// The epoch under which we own a partition.
    pub(crate) fn epoch(&self, partition: PartitionId) -> Epoch {
        Epoch(self.partitions[usize::from(partition.0)].epoch.load(Ordering::Acquire))
    }

    /// Whether the partition may be served.
    pub(crate) fn is_open(&self, partition: PartitionId) -> bool {
        self.partitions[usize::from(partition.0)].open.load(Ordering::Acquire)
    }

    /// Serve nothing of it any more under this ownership. Who speaks of an earlier one, which
    /// is over anyway, changes nothing.
    pub(crate) fn close(&self, partition: PartitionId, epoch: Epoch) {
        if self.epoch(partition) == epoch {
            self.partitions[usize::from(partition.0)].open.store(false, Ordering::Release);
        }
    }

    /// All partitions.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = PartitionId> + use<> {
        let count = u16::try_from(self.partitions.len()).expect("partitions fit their id");
        (0..count).map(PartitionId)
    }
}

/// How many commits are on their way to the store: the projector yields to them.
#[derive(Default)]
pub(crate) struct CommitGauge {
    in_flight: AtomicUsize,
    /// How many there have been, to see whether one came and went.
    begun: AtomicU64,
    ended: AtomicU64,
    idle: tokio::sync::Notify,
    /// How many had ended when one was last seen to, for whoever asks for health.
    progress: Mutex<Option<(u64, Instant)>>,
}

/// Commits on their way, none of which ends for this long, are stuck: the disk does not
/// answer.
const STUCK: Duration = Duration::from_secs(5);

/// One commit on its way.
pub(crate) struct InFlight<'a>(&'a CommitGauge);

impl CommitGauge {
    /// How many are on their way.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Whether commits are on their way and none has ended for long, as far as whoever looks
    /// now and then can see.
    pub(crate) fn is_stuck(&self) -> bool {
        let ended = self.ended.load(Ordering::Acquire);
        let mut progress = self.progress.lock();
        if self.in_flight() == 0 {
            *progress = None;
            return false;
        }
        match &*progress {
            Some((before, since)) if *before == ended => since.elapsed() >= STUCK,
            _ => {
                *progress = Some((ended, Instant::now()));
                false
            }
        }
    }

    pub(crate) fn enter(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        self.begun.fetch_add(1, Ordering::AcqRel);
        InFlight(self)
    }

    /// Wait until no commit has been on its way for this long. A busy event has moments
    /// between two batches in which nothing is in flight; those are not calm.
    pub(crate) async fn calm(&self, span: Duration) {
        loop {
            self.idle().await;
            let begun = self.begun.load(Ordering::Acquire);
            tokio::time::sleep(span).await;
            let nothing_came = begun == self.begun.load(Ordering::Acquire);
            if nothing_came && self.in_flight.load(Ordering::Acquire) == 0 {
                return;
            }
        }
    }

    /// Wait until no commit is on its way.
    pub(crate) async fn idle(&self) {
        loop {
            // Listen first, look afterwards, so that no end is missed in between.
            let idle = self.idle.notified();
            if self.in_flight.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::AcqRel);
        if self.0.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn commits_of_which_none_ends_are_stuck() {
        let gauge = CommitGauge::default();
        let first = gauge.enter();
        let second = gauge.enter();
        assert!(!gauge.is_stuck());
        tokio::time::advance(STUCK).await;
        assert!(gauge.is_stuck());
        drop(first);
        assert!(!gauge.is_stuck(), "one has ended");
        tokio::time::advance(STUCK).await;
        assert!(gauge.is_stuck());
        drop(second);
        assert!(!gauge.is_stuck(), "there is none");
    }
}
