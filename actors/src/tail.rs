//! The tail: what is committed and not yet in the views, in memory.
//!
//! A commit only appends its batch here. Decoding and indexing is paid by the first
//! reader who asks, and what no reader ever asked for is never indexed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::Timestamp;
use parking_lot::Mutex;
use storage::{Epoch, OutboxEntry, PartitionId, Position, StorageError};
use tokio::sync::Notify;

mod index;

use index::Index;
pub(crate) use index::Overlay;
pub use index::{TailRows, Wanted};

/// Above this share of its bound (in percent) the tail makes the projector go on without
/// yielding to commits.
const PRESSING_PERCENT: usize = 80;

/// A booking event with its key has fewer bytes than this in its batch.
const LONG_BYTES: usize = 512;

/// All partitions' tails.
pub(crate) struct Tail {
    partitions: Box<[PartitionTail]>,
    limit: usize,
}

struct PartitionTail {
    queue: Mutex<Queue>,
    /// What readers have indexed, of which ownership's tail.
    index: Mutex<(Epoch, Index)>,
    /// Booking events in the queue.
    size: AtomicUsize,
    /// And their bytes, those of the bookkeeping with them.
    bytes: AtomicUsize,
    pushed: Notify,
}

/// How far the views are behind.
pub(crate) struct Behind {
    /// Positions of the outbox that they lack.
    pub(crate) batches: usize,
    pub(crate) bytes: usize,
    /// When the oldest of them was decided.
    pub(crate) oldest: Option<Timestamp>,
}

/// Batches in the order of the outbox. A commit that is acknowledged to its actor a
/// moment after its successor leaves a gap for that moment.
struct Queue {
    /// The ownership under which this tail is kept; none before the first, and once it is
    /// over.
    epoch: Epoch,
    /// Everything up to here is in the views.
    projected: Position,
    entries: VecDeque<Option<Arc<OutboxEntry>>>,
    /// How many of the first entries have no gap among them.
    ready: usize,
    /// What no reader has indexed yet, in the order it came.
    unindexed: VecDeque<Arc<OutboxEntry>>,
}

impl Queue {
    fn new(epoch: Epoch, projected: Position) -> Self {
        let (entries, unindexed) = (VecDeque::new(), VecDeque::new());
        Self { epoch, projected, entries, ready: 0, unindexed }
    }
}

impl Tail {
    /// Empty tails of so many partitions; at most `limit` booking events each.
    pub(crate) fn new(partitions: u16, limit: usize) -> Self {
        let tail = |_| PartitionTail {
            queue: Mutex::new(Queue::new(Epoch(0), Position(0))),
            index: Mutex::default(),
            size: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            pushed: Notify::new(),
        };
        Self { partitions: (0..partitions).map(tail).collect(), limit }
    }

    /// A tail begins under this ownership: the views have everything up to here. What an
    /// earlier ownership left is gone.
    pub(crate) fn begin(&self, partition: PartitionId, epoch: Epoch, projected: Position) {
        let tail = self.of(partition);
        let mut queue = tail.queue.lock();
        *queue = Queue::new(epoch, projected);
        tail.size.store(0, Ordering::Release);
        tail.bytes.store(0, Ordering::Release);
        drop(queue);
        // A reader who is at it may take long, and is not waited for: the next one sees that
        // the index is of another ownership.
        if let Some(mut index) = tail.index.try_lock() {
            *index = (epoch, Index::default());
        }
    }

    /// The ownership is over: nothing of it is kept.
    pub(crate) fn end(&self, partition: PartitionId) {
        self.begin(partition, Epoch(0), Position(0));
    }

    fn of(&self, partition: PartitionId) -> &PartitionTail {
        &self.partitions[usize::from(partition.0)]
    }

    /// A batch was committed, as somebody heard under this ownership. One that is known
    /// already changes nothing, nor does one heard of under an ownership that is over: the
    /// next one reads the outbox. Never fails: what is committed must be found, whatever the
    /// bound says.
    pub(crate) fn push(&self, partition: PartitionId, epoch: Epoch, entry: OutboxEntry) {
        let tail = self.of(partition);
        let (size, bytes) = (booking_events(&entry), bytes_of(&entry));
        let entry = Arc::new(entry);
        {
            let mut queue = tail.queue.lock();
            if queue.epoch != epoch || epoch == Epoch(0) {
                return;
            }
            let Some(place) = entry.position.0.checked_sub(queue.projected.0 + 1) else { return };
            let place = usize::try_from(place).expect("the tail fits into memory");
            while queue.entries.len() <= place {
                queue.entries.push_back(None);
            }
            if queue.entries[place].is_some() {
                return;
            }
            queue.entries[place] = Some(Arc::clone(&entry));
            while queue.entries.get(queue.ready).is_some_and(Option::is_some) {
                queue.ready += 1;
            }
            queue.unindexed.push_back(entry);
            // Under the lock, so that nobody takes it off before it was added.
            tail.size.fetch_add(size, Ordering::AcqRel);
            tail.bytes.fetch_add(bytes, Ordering::AcqRel);
        }
        tail.pushed.notify_one();
    }

    /// The next batches for the views, without gaps, at most `limit`.
    pub(crate) fn ready(&self, partition: PartitionId, limit: usize) -> Vec<Arc<OutboxEntry>> {
        let queue = self.of(partition).queue.lock();
        queue.entries.iter().take(limit).map_while(Clone::clone).collect()
    }

    /// Everything up to `upto` is in the views now.
    pub(crate) fn projected(&self, partition: PartitionId, epoch: Epoch, upto: Position) {
        let tail = self.of(partition);
        let (mut size, mut bytes) = (0, 0);
        {
            let mut queue = tail.queue.lock();
            if queue.epoch != epoch {
                return;
            }
            while queue.projected < upto {
                let Some(entry) = queue.entries.pop_front() else { break };
                size += entry.as_deref().map_or(0, booking_events);
                bytes += entry.as_deref().map_or(0, bytes_of);
                queue.projected.0 += 1;
                queue.ready = queue.ready.saturating_sub(1);
            }
            let projected = queue.projected;
            while queue.unindexed.front().is_some_and(|entry| entry.position <= projected) {
                queue.unindexed.pop_front();
            }
            tail.size.fetch_sub(size, Ordering::AcqRel);
            tail.bytes.fetch_sub(bytes, Ordering::AcqRel);
        }
        let mut index = tail.index.lock();
        if index.0 == epoch {
            index.1.forget(upto);
        }
    }

    /// The ownership under which a tail is kept.
    pub(crate) fn epoch(&self, partition: PartitionId) -> Epoch {
        self.of(partition).queue.lock().epoch
    }

    /// What is committed and not yet in the views, for whoever repairs a store.
    pub(crate) fn entries(&self, partition: PartitionId) -> Vec<Arc<OutboxEntry>> {
        self.of(partition).queue.lock().entries.iter().flatten().cloned().collect()
    }

    /// Wait until something was pushed since the last wait.
    pub(crate) async fn pushed(&self, partition: PartitionId) {
        self.of(partition).pushed.notified().await;
    }

    /// The last position without a gap behind it: what a follower of the outbox has.
    pub(crate) fn followed(&self, partition: PartitionId) -> Position {
        let queue = self.of(partition).queue.lock();
        Position(queue.projected.0 + queue.ready as u64)
    }

    /// Up to where the views have a partition.
    pub(crate) fn viewed(&self, partition: PartitionId) -> Position {
        self.of(partition).queue.lock().projected
    }

    /// How far the views are behind a partition.
    pub(crate) fn behind(&self, partition: PartitionId) -> Behind {
        let tail = self.of(partition);
        let queue = tail.queue.lock();
        Behind {
            batches: queue.entries.len(),
            bytes: tail.bytes.load(Ordering::Acquire),
            oldest: queue.entries.iter().flatten().next().map(|entry| entry.at),
        }
    }

    /// How many booking events are in the tail of a partition.
    pub(crate) fn len(&self, partition: PartitionId) -> usize {
        self.of(partition).size.load(Ordering::Acquire)
    }

    /// Whether no new command may be taken: the views are too far behind.
    pub(crate) fn is_full(&self, partition: PartitionId) -> bool {
        self.len(partition) >= self.limit
    }

    /// Whether the projector must go on without yielding.
    pub(crate) fn is_pressing(&self, partition: PartitionId) -> bool {
        self.len(partition) >= self.limit / 100 * PRESSING_PERCENT
    }

    /// What the tail knows of the wanted rows. Take it *before* the views are read: what
    /// leaves the tail in between is in the views by then.
    pub(crate) fn overlay(
        &self,
        partition: PartitionId,
        wanted: Wanted,
    ) -> Result<Overlay, StorageError> {
        let tail = self.of(partition);
        let mut index = tail.index.lock();
        let (epoch, mut fresh) = {
            let mut queue = tail.queue.lock();
            (queue.epoch, std::mem::take(&mut queue.unindexed))
        };
        if index.0 != epoch {
            *index = (epoch, Index::default());
        }
        // Decoded under the readers' lock only: commits go on meanwhile.
        while let Some(entry) = fresh.front() {
            if let Err(error) = index.1.add(entry) {
                // Back with it: the next reader must not get a list that is silently short.
                let mut queue = tail.queue.lock();
                if queue.epoch == epoch {
                    fresh.append(&mut queue.unindexed);
                    queue.unindexed = fresh;
                }
                return Err(error);
            }
            fresh.pop_front();
        }
        Ok(index.1.overlay(wanted))
    }
}

/// What one batch takes of memory, its index left out.
fn bytes_of(entry: &OutboxEntry) -> usize {
    entry.blob.len() + size_of::<OutboxEntry>()
}

/// What a batch counts for the bound: its booking events, but those that are long, such as
/// holds with details, for as many as fit into their bytes.
fn booking_events(entry: &OutboxEntry) -> usize {
    let events = (entry.last_seq.0 + 1).saturating_sub(entry.first_seq.0);
    usize::try_from(events).unwrap_or(usize::MAX).max(entry.blob.len() / LONG_BYTES)
}
