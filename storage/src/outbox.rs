//! Booking events committed and not yet projected. On SQLite the ledger is log, outbox
//! and journal at once and never trimmed.

use std::sync::Arc;

use engine::{EventId, Seq, Timestamp};
use futures_util::future::BoxFuture;

use crate::commit::{Chain, Epoch, PartitionId, Position};
use crate::error::StorageError;

/// A committed batch as the outbox has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Its place.
    pub position: Position,
    /// Whose.
    pub event: EventId,
    /// The seq of its first booking event.
    pub first_seq: Seq,
    /// The seq of its last booking event; below `first_seq` if it has none.
    pub last_seq: Seq,
    /// The ownership under which it was committed.
    pub epoch: Epoch,
    /// The chain after it.
    pub chain: Chain,
    /// The time of its last decision.
    pub at: Timestamp,
    /// Its entries in stored form, verbatim.
    pub blob: Arc<[u8]>,
}

/// Reads what was committed, in order.
pub trait Outbox: Send + Sync {
    /// The last position of a partition; 0 when nothing was committed.
    fn last(&self, partition: PartitionId) -> BoxFuture<'_, Result<Position, StorageError>>;

    /// Entries after `after`, in order, at most `limit`.
    fn read(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StorageError>>;
}

/// The long-term record of one event, read back for verification, rebuild and history.
pub trait Journal: Send + Sync {
    /// Batches of an event from the one that contains `from`, in order, at most `limit`.
    fn history(
        &self,
        event: EventId,
        from: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StorageError>>;
}
