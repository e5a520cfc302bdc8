//! `ledger.db`: commits, outbox and journal.

use engine::{EventId, EventTag, Seq, Timestamp};
use futures_util::future::BoxFuture;
use storage::{
    Batch, Claim, CommitOutcome, CommitStore, Epoch, Era, Head, Header, Holder, Journal, Loaded,
    Outbox, OutboxEntry, PartitionId, Position, SnapshotToKeep, StorageError, Validity,
    commit::compare,
};

use crate::readers::Readers;
use crate::writer::Writer;

pub(crate) mod reads;
mod writes;

pub(crate) use writes::Known;

/// The one partition of a data folder: the folder's lock makes its owner exclusive.
pub(crate) const ONLY: PartitionId = PartitionId(0);

/// What a batch writes beside its blob: its header, and the pages around both.
const BATCH_OVERHEAD: usize = 12 * 1024;

/// Commits, outbox and journal in `ledger.db`.
pub(crate) struct Ledger {
    pub(crate) writer: Writer<Known>,
    pub(crate) readers: Readers,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

fn no_such(partition: PartitionId) -> StorageError {
    StorageError::NotDone(format!("there is no partition {}", partition.0))
}

impl CommitStore for Ledger {
    fn partitions(&self) -> u16 {
        1
    }

    fn always_answers(&self) -> bool {
        true
    }

    fn era(&self) -> Answer<'_, Era> {
        Box::pin(self.readers.call(|connection| Ok(reads::ownership(connection)?.1)))
    }

    fn epoch(&self, partition: PartitionId) -> Answer<'_, Epoch> {
        Box::pin(async move {
            if partition != ONLY {
                return Ok(Epoch(0));
            }
            self.readers.call(|connection| Ok(reads::ownership(connection)?.0)).await
        })
    }

    fn claim<'a>(
        &'a self,
        partition: PartitionId,
        owner: &'a str,
        expected: Epoch,
        _owner_is_gone: bool,
    ) -> Answer<'a, Claim> {
        Box::pin(async move {
            if partition != ONLY {
                return Err(no_such(partition));
            }
            let owner = owner.to_owned();
            self.writer
                .call(BATCH_OVERHEAD, move |connection, known| {
                    known.claim(connection, &owner, expected)
                })
                .await
        })
    }

    fn holders(&self) -> Answer<'_, Vec<Holder>> {
        Box::pin(self.readers.call(|connection| Ok(vec![reads::holder(connection)?])))
    }

    fn release(&self, partition: PartitionId, epoch: Epoch) -> Answer<'_, bool> {
        Box::pin(async move {
            if partition != ONLY {
                return Ok(false);
            }
            self.writer
                .call(BATCH_OVERHEAD, move |connection, known| known.release(connection, epoch))
                .await
        })
    }

    /// Nothing is read here that is not synced.
    fn barrier(&self, _: PartitionId) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn newest_time(&self, partition: PartitionId) -> Answer<'_, Option<Timestamp>> {
        Box::pin(async move {
            if partition != ONLY {
                return Ok(None);
            }
            self.readers.call(reads::newest_time).await
        })
    }

    fn load(&self, event: EventId) -> Answer<'_, Option<Loaded>> {
        Box::pin(self.readers.call(move |connection| reads::load(connection, event)))
    }

    fn commit(&self, batch: Batch) -> Answer<'_, CommitOutcome> {
        Box::pin(async move {
            // Hashing the blob is work for the many callers, not for the one writer.
            let broken = batch.broken_law();
            if let Some(law) = broken {
                tracing::error!(event = %batch.event, law, "a batch breaks a law");
            }
            let bytes = batch.blob.len() + BATCH_OVERHEAD;
            self.writer
                .call(bytes, move |connection, known| {
                    known.commit(connection, &batch, broken.is_none())
                })
                .await
        })
    }

    fn validate(&self, event: EventId, epoch: Epoch, head: Head) -> Answer<'_, Validity> {
        Box::pin(self.readers.call(move |connection| {
            let (current, stored) = reads::head(connection, event)?;
            Ok(compare(current, stored, epoch, head))
        }))
    }

    fn keep_snapshot(&self, snapshot: SnapshotToKeep) -> Answer<'_, bool> {
        Box::pin(async move {
            let bytes = snapshot.blob.len() + BATCH_OVERHEAD;
            self.writer
                .call(bytes, move |connection, known| known.keep_snapshot(connection, &snapshot))
                .await
        })
    }

    fn headers(&self, events: Vec<EventId>) -> Answer<'_, Vec<Option<Header>>> {
        Box::pin(self.readers.call(move |connection| reads::headers(connection, &events)))
    }

    fn due(
        &self,
        partition: PartitionId,
        now: Timestamp,
        limit: usize,
    ) -> Answer<'_, Vec<EventId>> {
        Box::pin(async move {
            if partition != ONLY {
                return Ok(Vec::new());
            }
            self.readers.call(move |connection| reads::due(connection, now, limit)).await
        })
    }

    fn events_by_tag(&self, tag: EventTag) -> Answer<'_, Vec<EventId>> {
        Box::pin(self.readers.call(move |connection| reads::events_by_tag(connection, tag)))
    }
}

impl Outbox for Ledger {
    fn last(&self, partition: PartitionId) -> Answer<'_, Position> {
        Box::pin(async move {
            if partition != ONLY {
                return Ok(Position(0));
            }
            self.readers.call(reads::last).await
        })
    }

    fn read(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> Answer<'_, Vec<OutboxEntry>> {
        Box::pin(async move {
            if partition != ONLY {
                return Ok(Vec::new());
            }
            self.readers.call(move |connection| reads::outbox(connection, after, limit)).await
        })
    }
}

impl Journal for Ledger {
    fn history(&self, event: EventId, from: Seq, limit: usize) -> Answer<'_, Vec<OutboxEntry>> {
        Box::pin(
            self.readers.call(move |connection| reads::history(connection, event, from, limit)),
        )
    }

    fn follow(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> Answer<'_, Vec<OutboxEntry>> {
        self.read(partition, after, limit)
    }
}

#[cfg(test)]
mod tests;
