//! The port of a store that can be written anew.

use std::sync::Arc;

use engine::Timestamp;
use futures_util::future::BoxFuture;

use crate::commit::{Epoch, Era, Head, Header, PartitionId, Position};
use crate::error::StorageError;
use crate::outbox::OutboxEntry;

/// What makes a partition one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The era of its history; 0 after [`Repair::close`].
    pub era: Era,
    /// The number of its ownership.
    pub epoch: Epoch,
    /// The place of its newest batch.
    pub last: Position,
    /// The newest time in it.
    pub newest_at: Option<Timestamp>,
}

/// How far those who follow the outbox have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// The long-term record.
    pub journal: Position,
    /// Booking lists.
    pub views: Position,
    /// Facts for others.
    pub bus: Position,
}

/// A partition as the store has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredPartition {
    /// Its marker; `None` if it is missing.
    pub marker: Option<Marker>,
    /// Its cursors; `None` if nothing is known of them.
    pub followed: Option<Followed>,
    /// Its events.
    pub events: Vec<StoredEvent>,
    /// All batches that are there, of outbox and logs, in any order. A log does not know the
    /// ownership of its batches: 0.
    pub batches: Vec<OutboxEntry>,
    /// What cannot be ours, in words.
    pub damaged: Vec<String>,
}

/// An event as the store has it, but for its batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its header.
    pub header: Header,
    /// Its snapshot, if all of it is there, with the head at which it was taken.
    pub snapshot: Option<(Head, Arc<[u8]>)>,
}

/// A partition to be written anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What makes it one again.
    pub marker: Marker,
    /// Its events.
    pub events: Vec<RestoredEvent>,
}

/// An event to be written anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoredEvent {
    /// Its header; `snapshot_seq` is that of the snapshot.
    pub header: Header,
    /// The place of its newest batch.
    pub position: Position,
    /// Its snapshot; `None` if not even its first batch can be replayed.
    pub snapshot: Option<(Head, Arc<[u8]>)>,
    /// The batches behind the snapshot: none, unless they cannot be replayed.
    pub log: Vec<OutboxEntry>,
}

/// A store that can be written anew, one partition at a time.
pub trait Repair: Send + Sync {
    /// How many partitions there are.
    fn partitions(&self) -> u16;

    /// The marker of each partition, in order.
    fn markers(&self) -> BoxFuture<'_, Result<Vec<Option<Marker>>, StorageError>>;

    /// From now on no commit of any ownership so far is taken, and nobody can claim the
    /// partition, until it is restored. What is in it stays.
    fn close(&self, partition: PartitionId) -> BoxFuture<'_, Result<(), StorageError>>;

    /// Everything that is there. What cannot be read is named and left out.
    fn read(&self, partition: PartitionId) -> BoxFuture<'_, Result<StoredPartition, StorageError>>;

    /// Write a closed or missing partition anew: exactly these events, an empty outbox, no
    /// owner, and every cursor at the marker's last position. It stays closed.
    fn restore(
        &self,
        partition: PartitionId,
        restored: Restored,
    ) -> BoxFuture<'_, Result<(), StorageError>>;

    /// Open a partition that was restored: from then on it can be claimed.
    fn open(
        &self,
        partition: PartitionId,
        marker: Marker,
    ) -> BoxFuture<'_, Result<(), StorageError>>;
}
