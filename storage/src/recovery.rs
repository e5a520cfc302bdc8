//! Bringing back what was acknowledged after the store came back shorter, or empty.
//!
//! ```text
//! journal ┐                                  ┌▶ journal   what it lacks
//! store   ┼▶ merge: one history per event ─▶ ┼▶ lists     under the new era
//! tails   ┘        and what is missing       ├▶ bus       what lies above its cursor
//!                                            └▶ store     written anew, the marker last
//! ```
//!
//! A tail is what an owner has in memory: acknowledged, and maybe nowhere else. What belongs
//! together is decided by the chain alone, so nothing is ever made up; what is missing is
//! reported by event and seq.
//!
//! Broken off at any point, it is run again: until all partitions are written, nobody can
//! claim any, and every run begins an era of its own. Deliberately not here: asking replicas for
//! their tails, and telling people what was found.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::Limits;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::bus::MessageBus;
use crate::commit::{Epoch, Era, PartitionId};
use crate::error::StorageError;
use crate::outbox::{OutboxEntry, WholeJournal};
use crate::views::BookingViews;

mod merge;
mod partition;
mod plan;
mod rebuild;
mod repair;
mod replay;
mod report;

pub use merge::{Anchor, Found, History, Merged, Source, merge};
pub use rebuild::rebuild_views;
pub use repair::{Followed, Marker, Repair, Restored, RestoredEvent, StoredEvent, StoredPartition};
pub use report::{Branch, Fork, Gap, Hole, Origins, RebuildReport, Report, Sealed, Unreadable};

use partition::Job;

/// Partitions brought back at a time: most of the time is waiting for stores.
pub const AT_ONCE: usize = 16;

/// Everything that a recovery reads and writes.
#[derive(Clone)]
pub struct Parts {
    /// The store that came back shorter.
    pub repair: Arc<dyn Repair>,
    /// The long-term record.
    pub journal: Arc<dyn WholeJournal>,
    /// Booking lists.
    pub views: Arc<dyn BookingViews>,
    /// Facts for others, if they are to be published from here.
    pub bus: Option<Arc<dyn MessageBus>>,
}

/// What an owner has in memory of a partition: everything that it has committed or read and
/// not yet projected. Only of replicas that have served the history that is lost; what an
/// even earlier recovery has left behind would be taken for acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// Of which partition.
    pub partition: PartitionId,
    /// The ownership that it belongs to.
    pub epoch: Epoch,
    /// Its batches, in any order.
    pub entries: Vec<OutboxEntry>,
}

/// How a recovery is done.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The era to begin; by itself the one after the newest that store and journal know.
    pub era: Option<Era>,
    /// How long keys are remembered, as in the configuration of the replicas.
    pub limits: Limits,
    /// Only look, and report what would be done.
    pub check: bool,
    /// A replica that still serves, by name: then nothing is written. The caller asks them
    /// all; one that is closed, and only tells its tail, does not serve.
    pub serving: Option<String>,
}

/// Merge journal, store and tails, report what is missing, and write the store anew in the
/// next era. Twice in a row is harmless.
///
/// The caller makes sure that no replica serves any partition while it runs, and that all
/// replicas start anew afterwards: what they have in memory is of the old era. A replica
/// that it has overlooked cannot commit any more once its partition is closed, but what it
/// has committed since its tail was asked for is only in the store, as far as that goes.
/// Partitions are held in memory [`AT_ONCE`] at a time, and replaying keeps the thread busy.
///
/// # Errors
/// [`StorageError::NotDone`] if a replica serves or the era is not a new one; those of the
/// stores. What could not be read or replayed is no error, but in the report.
pub async fn recover(
    parts: &Parts,
    tails: Vec<Tail>,
    options: &Options,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Report, StorageError> {
    if let Some(replica) = options.serving.as_ref().filter(|_| !options.check) {
        return Err(StorageError::NotDone(format!(
            "{replica} still serves: what it takes on meanwhile would be lost"
        )));
    }
    let era = next_era(parts, options).await?;
    let partitions = parts.repair.partitions();
    let mut by_partition: BTreeMap<PartitionId, Vec<Tail>> = BTreeMap::new();
    for tail in tails {
        if tail.partition.0 >= partitions {
            let number = tail.partition.0;
            return Err(StorageError::NotDone(format!("a tail is of partition {number}")));
        }
        by_partition.entry(tail.partition).or_default().push(tail);
    }
    let mut report = Report { era, written: !options.check, ..Report::default() };
    if !options.check {
        // The era first: a run that follows a broken one does not take the same.
        parts.journal.begin_era(era).await?;
        // All before the first is written, so that a store is whole or cannot be used.
        for partition in (0..partitions).map(PartitionId) {
            parts.repair.close(partition).await?;
        }
    }
    let job = Job { parts, era, limits: &options.limits, check: options.check };
    let jobs = (0..partitions).map(PartitionId).map(|partition| {
        let (job, tails) = (&job, by_partition.remove(&partition).unwrap_or_default());
        async move {
            let mut part = Report::default();
            let marker = job.partition(partition, tails, &mut part).await?;
            Ok::<_, StorageError>((partition, marker, part))
        }
    });
    let mut jobs = stream::iter(jobs).buffered(AT_ONCE);
    let mut markers = Vec::new();
    let mut done = 0;
    while let Some((partition, marker, part)) = jobs.try_next().await? {
        report.add(part);
        markers.extend(marker.map(|marker| (partition, marker)));
        done += 1;
        progress(done, u64::from(partitions));
    }
    drop(jobs);
    // All of them, or none if it is broken off before: until then the store cannot be used.
    for (partition, marker) in markers {
        parts.repair.open(partition, marker).await?;
    }
    Ok(report)
}

async fn next_era(parts: &Parts, options: &Options) -> Result<Era, StorageError> {
    let markers = parts.repair.markers().await?;
    let stored = markers.iter().flatten().map(|marker| marker.era).max();
    let newest = parts.journal.newest_era().await?.max(stored.unwrap_or_default());
    match options.era {
        None => Ok(Era(newest.0 + 1)),
        Some(era) if era > newest => Ok(era),
        Some(era) => Err(StorageError::NotDone(format!(
            "era {} is not a new one: there was {} already",
            era.0, newest.0
        ))),
    }
}
