//! The partitions of a store under repair, in memory.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::now;
use crate::commit::{Epoch, Era, PartitionId};
use crate::error::StorageError;
use crate::recovery::{Followed, Marker, Repair, Restored, StoredEvent, StoredPartition};

/// The partitions of a store under repair, in memory. Those that nobody has set are missing.
#[derive(Debug)]
pub struct MemoryRepair {
    partitions: u16,
    state: Mutex<BTreeMap<PartitionId, StoredPartition>>,
}

impl MemoryRepair {
    /// An emptied store that had so many partitions.
    #[must_use]
    pub fn new(partitions: u16) -> Self {
        Self { partitions, state: Mutex::default() }
    }

    /// What is in a partition from now on.
    pub fn set(&self, partition: PartitionId, stored: StoredPartition) {
        self.state.lock().insert(partition, stored);
    }

    /// What is in a partition.
    #[must_use]
    pub fn get(&self, partition: PartitionId) -> StoredPartition {
        self.state.lock().get(&partition).cloned().unwrap_or_default()
    }
}

impl Repair for MemoryRepair {
    fn partitions(&self) -> u16 {
        self.partitions
    }

    fn markers(&self) -> BoxFuture<'_, Result<Vec<Option<Marker>>, StorageError>> {
        now((0..self.partitions).map(|n| self.get(PartitionId(n)).marker).collect())
    }

    fn close(&self, partition: PartitionId) -> BoxFuture<'_, Result<(), StorageError>> {
        let mut state = self.state.lock();
        if let Some(marker) = state.get_mut(&partition).and_then(|stored| stored.marker.as_mut()) {
            (marker.era, marker.epoch) = (Era(0), Epoch(marker.epoch.0 + 1));
        }
        now(())
    }

    fn read(&self, partition: PartitionId) -> BoxFuture<'_, Result<StoredPartition, StorageError>> {
        now(self.get(partition))
    }

    fn restore(
        &self,
        partition: PartitionId,
        restored: Restored,
    ) -> BoxFuture<'_, Result<(), StorageError>> {
        let Restored { marker, events } = restored;
        if self.get(partition).marker.is_some_and(|marker| marker.era != Era(0)) {
            let error = StorageError::NotDone("the partition is not closed".into());
            return Box::pin(std::future::ready(Err(error)));
        }
        let batches = events.iter().flat_map(|event| event.log.clone()).collect();
        let event = |event: crate::recovery::RestoredEvent| StoredEvent {
            header: event.header,
            snapshot: event.snapshot,
        };
        let last = marker.last;
        let stored = StoredPartition {
            marker: Some(Marker { era: Era(0), ..marker }),
            followed: Some(Followed { journal: last, views: last, bus: last }),
            events: events.into_iter().map(event).collect(),
            batches,
            damaged: Vec::new(),
        };
        self.set(partition, stored);
        now(())
    }

    fn open(
        &self,
        partition: PartitionId,
        marker: Marker,
    ) -> BoxFuture<'_, Result<(), StorageError>> {
        self.set(partition, StoredPartition { marker: Some(marker), ..self.get(partition) });
        now(())
    }
}
