//! Booking events committed and not yet projected. On SQLite the ledger is log, outbox
//! and journal at once and never trimmed; on Redis the outbox is trimmed as far as the
//! journal has it.

use std::sync::Arc;

use engine::{EventId, Seq, Timestamp};
use futures_util::future::BoxFuture;

use crate::commit::{Chain, Epoch, Era, PartitionId, Position};
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

/// What is fed from the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// The long-term record.
    Journal,
    /// Booking lists.
    Views,
    /// Facts for others.
    Bus,
}

/// Reads what was committed, in order.
pub trait Outbox: Send + Sync {
    /// The last position of a partition; 0 when nothing was committed.
    fn last(&self, partition: PartitionId) -> BoxFuture<'_, Result<Position, StorageError>>;

    /// Entries after `after`, in order, at most `limit`. What was trimmed is not among them:
    /// whoever needs it asks [`Journal::follow`].
    fn read(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StorageError>>;

    /// The cursors kept beside this outbox; `None` where each target keeps its own, in the
    /// transaction of the effect.
    fn cursors(&self) -> Option<&dyn Cursors> {
        None
    }
}

/// Cursors kept beside the outbox, for targets that cannot keep them with their effects.
pub trait Cursors: Send + Sync {
    /// Up to where a target has everything; 0 at first.
    fn cursor(
        &self,
        partition: PartitionId,
        target: Target,
    ) -> BoxFuture<'_, Result<Position, StorageError>>;

    /// The target has everything up to `upto`, durably. `false`, and nothing moves, if the
    /// epoch is not current. A cursor never goes backwards.
    ///
    /// When the journal's moves, the outbox is trimmed up to it.
    fn advance(
        &self,
        partition: PartitionId,
        epoch: Epoch,
        target: Target,
        upto: Position,
    ) -> BoxFuture<'_, Result<bool, StorageError>>;
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

    /// Batches of a partition after `after`, in the order of the outbox, at most `limit`.
    fn follow(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StorageError>>;
}

/// A batch in the place of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Of which event.
    pub event: EventId,
    /// The first seq of the batch that is there already.
    pub first_seq: Seq,
}

/// A journal apart from the outbox, which has to be written. It never skips and never
/// overwrites.
pub trait JournalWriter: Journal {
    /// Keep these batches of one partition, in their order, durably. What is there already
    /// stays as it is. A batch in the place of a different one is not written, nor is
    /// anything after it: that is a history gone wrong, and the partition closes.
    ///
    /// A batch with the same first booking event that was written in an earlier era is not
    /// in the way: a recovery has judged it, and goes on beside it.
    fn append(
        &self,
        partition: PartitionId,
        era: Era,
        entries: Vec<Arc<OutboxEntry>>,
    ) -> BoxFuture<'_, Result<Option<Conflict>, StorageError>>;
}

/// A journal that a recovery reads whole, and in which eras begin.
pub trait WholeJournal: JournalWriter {
    /// Batches of a partition after a place, in the order of their places, whether or not
    /// there is one in every place, and with both of a conflict. At least `limit` of them if
    /// there are as many: a page ends between two places. An empty page is the end.
    fn scan(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StorageError>>;

    /// The newest era that was begun; the first if none was.
    fn newest_era(&self) -> BoxFuture<'_, Result<Era, StorageError>>;

    /// From now on this era has been begun, durably: no recovery takes it again, whatever
    /// becomes of this one.
    fn begin_era(&self, era: Era) -> BoxFuture<'_, Result<(), StorageError>>;
}
