//! Commits, and the port as a whole.

use engine::{EventId, EventTag, Timestamp};
use futures_util::future::BoxFuture;
use storage::{
    Batch, Claim, CommitOutcome, CommitStore, Epoch, Era, Head, Header, Holder, Loaded,
    PartitionId, Position, SnapshotToKeep, StorageError, Validity, commit::compare,
};

use crate::Store;
use crate::error::damaged;
use crate::header::{chain, pack};
use crate::link::Link;

type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

impl Store {
    /// The connection of an event's commits: always the same, so that a batch and its
    /// repeat arrive in the order in which they were sent.
    pub(crate) fn commits_of(&self, event: EventId) -> &Link {
        let tag = usize::try_from(event.tag().0 % self.commits.len() as u64).unwrap_or_default();
        &self.commits[tag]
    }

    async fn write(&self, batch: Batch) -> Result<CommitOutcome, StorageError> {
        // Hashing the blob is work for the many callers, not for the one server.
        let broken = batch.broken_law();
        if let Some(law) = broken {
            tracing::error!(event = %batch.event, law, "a batch breaks a law");
        }
        let partition = self.partition_of(batch.event);
        let summary = &batch.summary;
        let mut call = redis::cmd("FCALL");
        call.arg("ef1_commit").arg(6);
        call.arg(self.keys.own(partition)).arg(self.keys.header(partition, batch.event));
        call.arg(self.keys.log(partition, batch.event)).arg(self.keys.outbox(partition));
        call.arg(self.keys.due(partition)).arg(self.keys.events(partition));
        call.arg(batch.epoch.0).arg(&batch.event.0[..]).arg(batch.event.tag().0);
        call.arg(&batch.id.0[..]).arg(batch.base.seq.0).arg(&batch.base.chain.0[..]);
        call.arg(batch.next.seq.0).arg(&batch.next.chain.0[..]);
        call.arg(summary.counts.booked).arg(summary.counts.held).arg(summary.capacity);
        call.arg(i32::from(broken.is_none()));
        match summary.next_deadline {
            Some(deadline) => call.arg(deadline.millis()),
            None => call.arg(""),
        };
        call.arg(batch.at.millis()).arg(pack(summary)).arg(&*batch.blob);
        let (outcome, position): (String, u64) = self.commits_of(batch.event).send(&call).await?;
        match outcome.as_str() {
            "O" => Ok(CommitOutcome::Applied(Position(position))),
            "A" => Ok(CommitOutcome::AlreadyApplied(Position(position))),
            "F" => Ok(CommitOutcome::Fenced),
            "D" => Ok(CommitOutcome::Diverged),
            "I" => Ok(CommitOutcome::Invalid),
            _ => Err(damaged("the outcome of a commit")),
        }
    }

    async fn stands(
        &self,
        event: EventId,
        epoch: Epoch,
        mine: Head,
    ) -> Result<Validity, StorageError> {
        let partition = self.partition_of(event);
        let mut ask = redis::cmd("FCALL_RO");
        ask.arg("ef1_head").arg(2);
        ask.arg(self.keys.own(partition)).arg(self.keys.header(partition, event));
        let (current, seq, road): (u64, u64, Vec<u8>) = self.reads.ask(&ask).await?;
        let chain = chain(&road).ok_or_else(|| damaged("a chain"))?;
        Ok(compare(Epoch(current), Head { seq: engine::Seq(seq), chain }, epoch, mine))
    }

    fn has(&self, partition: PartitionId) -> bool {
        partition.0 < self.partitions
    }
}

fn no_such(partition: PartitionId) -> StorageError {
    StorageError::NotDone(format!("there is no partition {}", partition.0))
}

impl CommitStore for Store {
    fn partitions(&self) -> u16 {
        self.partitions
    }

    fn era(&self) -> Answer<'_, Era> {
        Box::pin(std::future::ready(Ok(self.era)))
    }

    fn epoch(&self, partition: PartitionId) -> Answer<'_, Epoch> {
        Box::pin(async move {
            if !self.has(partition) {
                return Ok(Epoch(0));
            }
            self.epoch_of(partition).await
        })
    }

    fn holders(&self) -> Answer<'_, Vec<Holder>> {
        Box::pin(self.holders_of())
    }

    fn claim<'a>(
        &'a self,
        partition: PartitionId,
        owner: &'a str,
        expected: Epoch,
        owner_is_gone: bool,
    ) -> Answer<'a, Claim> {
        Box::pin(async move {
            if !self.has(partition) {
                return Err(no_such(partition));
            }
            self.claim_it(partition, owner, expected, owner_is_gone).await
        })
    }

    fn release(&self, partition: PartitionId, epoch: Epoch) -> Answer<'_, bool> {
        Box::pin(self.release_it(partition, epoch))
    }

    fn close(&self, partition: PartitionId, epoch: Epoch) -> Answer<'_, bool> {
        Box::pin(self.close_it(partition, epoch))
    }

    fn barrier(&self, partition: PartitionId) -> Answer<'_, ()> {
        Box::pin(self.wait_for_sync(partition))
    }

    fn newest_time(&self, partition: PartitionId) -> Answer<'_, Option<Timestamp>> {
        Box::pin(async move {
            let mut ask = redis::cmd("HGET");
            ask.arg(self.keys.own(partition)).arg("at");
            let at: Option<i64> = self.reads.ask(&ask).await?;
            Ok(at.map(Timestamp::from_millis))
        })
    }

    fn load(&self, event: EventId) -> Answer<'_, Option<Loaded>> {
        Box::pin(self.load_event(event))
    }

    fn commit(&self, batch: Batch) -> Answer<'_, CommitOutcome> {
        Box::pin(self.write(batch))
    }

    fn validate(&self, event: EventId, epoch: Epoch, head: Head) -> Answer<'_, Validity> {
        Box::pin(self.stands(event, epoch, head))
    }

    fn keep_snapshot(&self, snapshot: SnapshotToKeep) -> Answer<'_, bool> {
        Box::pin(self.keep(snapshot))
    }

    fn headers(&self, events: Vec<EventId>) -> Answer<'_, Vec<Option<Header>>> {
        Box::pin(self.headers_of(events))
    }

    fn due(
        &self,
        partition: PartitionId,
        now: Timestamp,
        limit: usize,
    ) -> Answer<'_, Vec<EventId>> {
        Box::pin(async move {
            let mut ask = redis::cmd("ZRANGEBYSCORE");
            ask.arg(self.keys.due(partition)).arg("-inf").arg(now.millis());
            ask.arg("LIMIT").arg(0).arg(limit);
            let events: Vec<Vec<u8>> = self.reads.ask(&ask).await?;
            events.iter().map(|bytes| event_of(bytes)).collect()
        })
    }

    fn events_by_tag(&self, tag: EventTag) -> Answer<'_, Vec<EventId>> {
        Box::pin(async move {
            let partition = PartitionId(tag.partition() % self.partitions);
            let mut ask = redis::cmd("HGET");
            ask.arg(self.keys.events(partition)).arg(tag.0);
            let ids: Option<Vec<u8>> = self.reads.ask(&ask).await?;
            let mut events: Vec<EventId> =
                ids.unwrap_or_default().chunks(16).map(event_of).collect::<Result<_, _>>()?;
            events.sort_unstable();
            if events.is_empty() {
                self.must_be_there(std::iter::once(partition)).await?;
            }
            Ok(events)
        })
    }
}

pub(crate) fn event_of(bytes: &[u8]) -> Result<EventId, StorageError> {
    bytes.try_into().map(EventId).map_err(|_| damaged("the id of an event"))
}
