//! What was committed, in order, and how far those who follow have come.

use std::sync::Arc;

use engine::{Seq, Timestamp};
use futures_util::future::BoxFuture;
use redis::streams::{StreamId, StreamRangeReply};
use storage::{Cursors, Epoch, Outbox, OutboxEntry, PartitionId, Position, StorageError, Target};

use crate::Store;
use crate::commit::event_of;
use crate::error::damaged;
use crate::header::{chain, decimal};
use crate::load::bytes;

type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

/// Batches read at a time, whatever is asked for.
pub(crate) const PAGE: usize = 512;

impl Outbox for Store {
    fn last(&self, partition: PartitionId) -> Answer<'_, Position> {
        Box::pin(async move {
            let mut ask = redis::cmd("HGET");
            ask.arg(self.keys.own(partition)).arg("ob");
            let last: Option<u64> = self.reads.ask(&ask).await?;
            Ok(Position(last.unwrap_or_default()))
        })
    }

    fn read(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> Answer<'_, Vec<OutboxEntry>> {
        Box::pin(async move {
            let mut entries = Vec::new();
            let mut after = after;
            while entries.len() < limit {
                let page = PAGE.min(limit - entries.len());
                let mut ask = redis::cmd("XRANGE");
                ask.arg(self.keys.outbox(partition)).arg(format!("({}", after.0)).arg("+");
                ask.arg("COUNT").arg(page);
                let reply: StreamRangeReply = self.reads.ask(&ask).await?;
                for id in &reply.ids {
                    entries.push(entry(id)?);
                }
                match entries.last() {
                    Some(last) if reply.ids.len() == page => after = last.position,
                    _ => break,
                }
            }
            Ok(entries)
        })
    }

    fn cursors(&self) -> Option<&dyn Cursors> {
        Some(self)
    }
}

impl Cursors for Store {
    fn cursor(&self, partition: PartitionId, target: Target) -> Answer<'_, Position> {
        Box::pin(async move {
            let mut ask = redis::cmd("HGET");
            ask.arg(self.keys.cursors(partition)).arg(field(target));
            let cursor: Option<u64> = self.reads.ask(&ask).await?;
            Ok(Position(cursor.unwrap_or_default()))
        })
    }

    fn advance(
        &self,
        partition: PartitionId,
        epoch: Epoch,
        target: Target,
        upto: Position,
    ) -> Answer<'_, bool> {
        Box::pin(async move {
            let mut call = redis::cmd("FCALL");
            call.arg("ef1_advance").arg(3).arg(self.keys.own(partition));
            call.arg(self.keys.cursors(partition)).arg(self.keys.outbox(partition));
            call.arg(epoch.0).arg(field(target)).arg(upto.0);
            let moved: u8 = self.reads.send(&call).await?;
            Ok(moved == 1)
        })
    }
}

const fn field(target: Target) -> &'static str {
    match target {
        Target::Journal => "journal",
        Target::Views => "views",
        Target::Bus => "bus",
    }
}

fn entry(id: &StreamId) -> Result<OutboxEntry, StorageError> {
    let number = |name: &str| {
        decimal(&bytes(&id.map, name)?).ok_or_else(|| damaged("a number in the outbox"))
    };
    let position = id.id.split('-').next().and_then(|text| text.parse().ok());
    let at = std::str::from_utf8(&bytes(&id.map, "t")?).ok().and_then(|text| text.parse().ok());
    Ok(OutboxEntry {
        position: Position(position.ok_or_else(|| damaged("a position"))?),
        event: event_of(&bytes(&id.map, "e")?)?,
        first_seq: Seq(number("f")?),
        last_seq: Seq(number("l")?),
        epoch: Epoch(number("o")?),
        chain: chain(&bytes(&id.map, "c")?).ok_or_else(|| damaged("a chain"))?,
        at: Timestamp::from_millis(at.ok_or_else(|| damaged("a time"))?),
        blob: Arc::from(bytes(&id.map, "b")?),
    })
}
