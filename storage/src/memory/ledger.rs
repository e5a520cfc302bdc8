//! Commits, outbox and journal in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{EventId, EventTag, Seq, Timestamp};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::faults::{Fault, Faults};
use super::now;
use crate::commit::{
    Batch, BatchId, Claim, CommitOutcome, CommitStore, Epoch, Era, Head, Header, Holder, Known,
    Loaded, PartitionId, Position, SnapshotToKeep, Validity, compare, judge,
};
use crate::error::StorageError;
use crate::outbox::{Cursors, Journal, Outbox, OutboxEntry, Target};

/// Nothing here outlives the process, so there is only one history.
const ERA: Era = Era(1);

/// Commits, outbox and journal in memory.
#[derive(Debug)]
pub struct MemoryLedger {
    state: Mutex<State>,
    partitions: u16,
    faults: Faults,
    /// Whether cursors are kept here, and the outbox is trimmed by that of the journal.
    keeps_cursors: bool,
}

#[derive(Debug)]
struct State {
    partitions: Vec<Partition>,
    events: BTreeMap<EventId, Inventory>,
}

#[derive(Debug, Clone, Default)]
struct Partition {
    epoch: Epoch,
    owner: Option<String>,
    newest_at: Option<Timestamp>,
    /// For repair.
    closed: bool,
    /// The batch at position `n` is at index `n - 1`.
    batches: Vec<OutboxEntry>,
    cursors: BTreeMap<Target, Position>,
}

#[derive(Debug)]
struct Inventory {
    header: Header,
    position: Position,
    snapshot: Option<Snapshot>,
}

#[derive(Debug)]
struct Snapshot {
    /// The batch whose head it was taken at. A batch without booking events shares its
    /// seq with the one before it, so seq alone does not say where the tail begins.
    position: Position,
    head: Head,
    blob: Arc<[u8]>,
}

impl MemoryLedger {
    pub(super) fn new(partitions: u16) -> Self {
        let partitions = partitions.max(1);
        let state = State {
            partitions: vec![Partition::default(); usize::from(partitions)],
            events: BTreeMap::new(),
        };
        let faults = Faults::default();
        Self { state: Mutex::new(state), partitions, faults, keeps_cursors: false }
    }

    pub(super) fn trimmed(partitions: u16) -> Self {
        Self { keeps_cursors: true, ..Self::new(partitions) }
    }

    pub(super) fn faults(&self) -> Faults {
        self.faults.clone()
    }

    /// Runs `read` on a partition; one that does not exist has nothing in it.
    fn partition<T: Default>(&self, id: PartitionId, read: impl FnOnce(&Partition) -> T) -> T {
        self.state.lock().partitions.get(usize::from(id.0)).map(read).unwrap_or_default()
    }

    fn write(&self, batch: &Batch) -> CommitOutcome {
        let lawful = batch.broken_law().is_none();
        let mut state = self.state.lock();
        let state = &mut *state;
        let partition = &mut state.partitions[usize::from(self.partition_of(batch.event).0)];
        let stored = state.events.get(&batch.event);
        let known = Known {
            epoch: partition.epoch,
            head: stored.map(|inventory| inventory.header.head).unwrap_or_default(),
            last: stored.map(|inventory| (inventory.header.batch, inventory.position)),
        };
        if let Some(outcome) = judge(batch, lawful, &known) {
            return outcome;
        }
        let position = Position(partition.batches.len() as u64 + 1);
        partition.newest_at = partition.newest_at.max(Some(batch.at));
        partition.batches.push(OutboxEntry {
            position,
            event: batch.event,
            first_seq: Seq(batch.base.seq.0 + 1),
            last_seq: batch.next.seq,
            epoch: batch.epoch,
            chain: batch.next.chain,
            at: batch.at,
            blob: batch.blob.clone(),
        });
        let inventory = state.events.entry(batch.event).or_insert_with(|| Inventory {
            header: Header {
                event: batch.event,
                head: Head::default(),
                batch: BatchId::default(),
                summary: batch.summary,
                at: batch.at,
                snapshot_seq: Seq(0),
            },
            position,
            snapshot: None,
        });
        inventory.position = position;
        inventory.header = Header {
            head: batch.next,
            batch: batch.id,
            summary: batch.summary,
            at: batch.at,
            ..inventory.header
        };
        CommitOutcome::Applied(position)
    }

    /// An event's batches after a position, in order.
    fn batches<'a>(
        &self,
        state: &'a State,
        event: EventId,
        after: Position,
    ) -> impl Iterator<Item = &'a OutboxEntry> {
        state.partitions[usize::from(self.partition_of(event).0)]
            .batches
            .iter()
            .filter(move |entry| entry.event == event && entry.position > after)
    }
}

impl CommitStore for MemoryLedger {
    fn partitions(&self) -> u16 {
        self.partitions
    }

    fn era(&self) -> BoxFuture<'_, Result<Era, StorageError>> {
        now(ERA)
    }

    fn epoch(&self, partition: PartitionId) -> BoxFuture<'_, Result<Epoch, StorageError>> {
        now(self.partition(partition, |partition| partition.epoch))
    }

    fn claim<'a>(
        &'a self,
        partition: PartitionId,
        owner: &'a str,
        expected: Epoch,
        _owner_is_gone: bool,
    ) -> BoxFuture<'a, Result<Claim, StorageError>> {
        let mut state = self.state.lock();
        let claim = match state.partitions.get_mut(usize::from(partition.0)) {
            Some(partition) if partition.closed => {
                Err(StorageError::Damaged("the partition is closed".into()))
            }
            Some(partition) if partition.epoch == expected => {
                partition.epoch = Epoch(expected.0 + 1);
                partition.owner = Some(owner.to_owned());
                Ok(Claim::Won(partition.epoch))
            }
            Some(partition) => Ok(Claim::Lost(partition.epoch)),
            None => Err(StorageError::NotDone(format!("there is no partition {}", partition.0))),
        };
        Box::pin(std::future::ready(claim))
    }

    fn holders(&self) -> BoxFuture<'_, Result<Vec<Holder>, StorageError>> {
        let state = self.state.lock();
        let holder = |(partition, held): (u16, &Partition)| Holder {
            partition: PartitionId(partition),
            era: if held.closed { Era(0) } else { ERA },
            epoch: held.epoch,
            owner: held.owner.clone(),
            last: Position(held.batches.len() as u64),
        };
        now((0..self.partitions).zip(&state.partitions).map(holder).collect())
    }

    fn release(
        &self,
        partition: PartitionId,
        epoch: Epoch,
    ) -> BoxFuture<'_, Result<bool, StorageError>> {
        let mut state = self.state.lock();
        let held = state.partitions.get_mut(usize::from(partition.0));
        let held = held.filter(|held| held.epoch == epoch && held.owner.is_some());
        let released = held.is_some();
        if let Some(held) = held {
            held.epoch = Epoch(epoch.0 + 1);
            held.owner = None;
        }
        now(released)
    }

    fn close(
        &self,
        partition: PartitionId,
        epoch: Epoch,
    ) -> BoxFuture<'_, Result<bool, StorageError>> {
        let mut state = self.state.lock();
        let held = state.partitions.get_mut(usize::from(partition.0));
        let held = held.filter(|held| !held.closed && held.epoch == epoch);
        let closes = held.is_some();
        if let Some(held) = held {
            held.epoch = Epoch(held.epoch.0 + 1);
            held.owner = None;
            held.closed = true;
        }
        now(closes)
    }

    fn barrier(&self, _: PartitionId) -> BoxFuture<'_, Result<(), StorageError>> {
        now(())
    }

    fn newest_time(
        &self,
        partition: PartitionId,
    ) -> BoxFuture<'_, Result<Option<Timestamp>, StorageError>> {
        now(self.partition(partition, |partition| partition.newest_at))
    }

    fn load(&self, event: EventId) -> BoxFuture<'_, Result<Option<Loaded>, StorageError>> {
        if self.faults.strikes_load() {
            let error = StorageError::NotDone("a load that was to fail".into());
            return Box::pin(std::future::ready(Err(error)));
        }
        let state = self.state.lock();
        now(state.events.get(&event).map(|inventory| {
            let after = inventory.snapshot.as_ref().map_or(Position(0), |s| s.position);
            Loaded {
                header: inventory.header,
                snapshot: inventory.snapshot.as_ref().map(|s| s.blob.clone()),
                from: inventory.snapshot.as_ref().map(|s| s.head).unwrap_or_default(),
                tail: self.batches(&state, event, after).map(|entry| entry.blob.clone()).collect(),
            }
        }))
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<CommitOutcome, StorageError>> {
        Box::pin(async move {
            match self.faults.enter().await {
                None => Ok(self.write(&batch)),
                Some(Fault::NotDone) => {
                    Err(StorageError::NotDone("a commit that was to fail".into()))
                }
                Some(Fault::Full) => Err(StorageError::Full("as it was to be".into())),
                Some(Fault::UnknownBefore) => {
                    Err(StorageError::Unknown("a commit that was to be lost".into()))
                }
                Some(Fault::UnknownAfter) => {
                    self.write(&batch);
                    Err(StorageError::Unknown("an answer that was to be lost".into()))
                }
            }
        })
    }

    fn validate(
        &self,
        event: EventId,
        epoch: Epoch,
        head: Head,
    ) -> BoxFuture<'_, Result<Validity, StorageError>> {
        let current = self.partition(self.partition_of(event), |partition| partition.epoch);
        let stored = self.state.lock().events.get(&event).map(|i| i.header.head);
        now(compare(current, stored.unwrap_or_default(), epoch, head))
    }

    fn keep_snapshot(&self, snapshot: SnapshotToKeep) -> BoxFuture<'_, Result<bool, StorageError>> {
        let SnapshotToKeep { epoch, event, head, blob } = snapshot;
        let mut state = self.state.lock();
        let current = state.partitions[usize::from(self.partition_of(event).0)].epoch;
        let place = self
            .batches(&state, event, Position(0))
            .find(|entry| entry.last_seq == head.seq && entry.chain == head.chain)
            .map(|entry| entry.position);
        let (Some(position), Some(inventory)) = (place, state.events.get_mut(&event)) else {
            return now(false);
        };
        if epoch != current || head.seq <= inventory.header.snapshot_seq {
            return now(false);
        }
        inventory.header.snapshot_seq = head.seq;
        inventory.snapshot = Some(Snapshot { position, head, blob });
        now(true)
    }

    fn headers(
        &self,
        events: Vec<EventId>,
    ) -> BoxFuture<'_, Result<Vec<Option<Header>>, StorageError>> {
        let state = self.state.lock();
        now(events.iter().map(|event| state.events.get(event).map(|i| i.header)).collect())
    }

    fn due(
        &self,
        partition: PartitionId,
        at: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<EventId>, StorageError>> {
        let state = self.state.lock();
        let mut due: Vec<_> = state
            .events
            .keys()
            .filter(|event| self.partition_of(**event) == partition)
            .filter_map(|event| Some((state.events[event].header.summary.next_deadline?, *event)))
            .filter(|(deadline, _)| *deadline <= at)
            .collect();
        due.sort_unstable();
        now(due.into_iter().take(limit).map(|(_, event)| event).collect())
    }

    fn events_by_tag(&self, tag: EventTag) -> BoxFuture<'_, Result<Vec<EventId>, StorageError>> {
        now(self.state.lock().events.keys().copied().filter(|event| event.tag() == tag).collect())
    }
}

impl Outbox for MemoryLedger {
    fn last(&self, partition: PartitionId) -> BoxFuture<'_, Result<Position, StorageError>> {
        now(self.partition(partition, |partition| Position(partition.batches.len() as u64)))
    }

    fn read(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StorageError>> {
        now(self.partition(partition, |partition| {
            // What the journal has is not here any more. The log of an event is kept apart.
            let trimmed = partition.cursors.get(&Target::Journal).copied().unwrap_or_default();
            let skip = usize::try_from(after.max(trimmed).0).unwrap_or(usize::MAX);
            partition.batches.iter().skip(skip).take(limit).cloned().collect()
        }))
    }

    fn cursors(&self) -> Option<&dyn Cursors> {
        self.keeps_cursors.then_some(self as &dyn Cursors)
    }
}

impl Cursors for MemoryLedger {
    fn cursor(
        &self,
        partition: PartitionId,
        target: Target,
    ) -> BoxFuture<'_, Result<Position, StorageError>> {
        now(self.partition(partition, |p| p.cursors.get(&target).copied().unwrap_or_default()))
    }

    fn advance(
        &self,
        partition: PartitionId,
        epoch: Epoch,
        target: Target,
        upto: Position,
    ) -> BoxFuture<'_, Result<bool, StorageError>> {
        let mut state = self.state.lock();
        let held = state.partitions.get_mut(usize::from(partition.0));
        let held = held.filter(|held| held.epoch == epoch && epoch != Epoch(0));
        let current = held.is_some();
        if let Some(held) = held {
            let cursor = held.cursors.entry(target).or_default();
            *cursor = upto.max(*cursor);
        }
        now(current)
    }
}

impl Journal for MemoryLedger {
    fn history(
        &self,
        event: EventId,
        from: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StorageError>> {
        let state = self.state.lock();
        let history = self
            .batches(&state, event, Position(0))
            .filter(|entry| entry.first_seq >= from || entry.last_seq >= from);
        now(history.take(limit).cloned().collect())
    }

    fn follow(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StorageError>> {
        self.read(partition, after, limit)
    }
}
