//! Headers, and an event's snapshot with its log.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use engine::EventId;
use redis::Value;
use redis::streams::StreamRangeReply;
use storage::{CommitStore, Header, Loaded, PartitionId, StorageError};

use crate::Store;
use crate::error::damaged;
use crate::header::{self, Stored};

/// How often a load begins anew because a snapshot was flipped to meanwhile.
const ATTEMPTS: usize = 8;

/// Batches read at a time, so that a long log does not keep Redis from everything else.
const LOG_PAGE: usize = 256;

impl Store {
    pub(crate) async fn headers_of(
        &self,
        events: Vec<EventId>,
    ) -> Result<Vec<Option<Header>>, StorageError> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let mut ask = redis::pipe();
        for event in &events {
            ask.cmd("HGETALL").arg(self.keys.header(self.partition_of(*event), *event));
        }
        let all: Vec<HashMap<Vec<u8>, Vec<u8>>> = self.reads.ask_all(&ask).await?;
        let read = |(event, fields): (&EventId, &HashMap<_, _>)| {
            Ok(header::read(*event, fields)?.map(|stored| stored.header))
        };
        let headers: Vec<Option<Header>> =
            events.iter().zip(&all).map(read).collect::<Result<_, StorageError>>()?;
        let absent = events.iter().zip(&headers).filter(|(_, header)| header.is_none());
        self.must_be_there(absent.map(|(event, _)| self.partition_of(*event))).await?;
        Ok(headers)
    }

    /// That something is not there is believed of partitions only that are there: one that is
    /// missing, or closed for repair, may have had it.
    pub(crate) async fn must_be_there(
        &self,
        partitions: impl Iterator<Item = PartitionId>,
    ) -> Result<(), StorageError> {
        let partitions: BTreeSet<PartitionId> = partitions.collect();
        if partitions.is_empty() {
            return Ok(());
        }
        let mut ask = redis::pipe();
        for partition in &partitions {
            ask.cmd("HEXISTS").arg(self.keys.own(*partition)).arg("era");
        }
        let there: Vec<bool> = self.reads.ask_all(&ask).await?;
        match partitions.iter().zip(there).find(|(_, there)| !there) {
            None => Ok(()),
            Some((partition, _)) => Err(StorageError::NotDone(format!(
                "partition {} is missing or closed: `eventflow recover` brings it back",
                partition.0
            ))),
        }
    }

    /// Snapshot and log of one state. A commit or a flip between two reads is seen by the
    /// log not ending, or not beginning, where the header says; then all is read again.
    pub(crate) async fn load_event(&self, event: EventId) -> Result<Option<Loaded>, StorageError> {
        let partition = self.partition_of(event);
        for _ in 0..ATTEMPTS {
            let Some(stored) = self.stored(partition, event).await? else {
                self.must_be_there(std::iter::once(partition)).await?;
                return Ok(None);
            };
            if let Some(loaded) = self.load_once(partition, event, stored).await? {
                return Ok(Some(loaded));
            }
        }
        Err(StorageError::NotDone("the event changes faster than it can be loaded".into()))
    }

    async fn stored(
        &self,
        partition: PartitionId,
        event: EventId,
    ) -> Result<Option<Stored>, StorageError> {
        let mut ask = redis::cmd("HGETALL");
        ask.arg(self.keys.header(partition, event));
        header::read(event, &self.reads.ask(&ask).await?)
    }

    async fn load_once(
        &self,
        partition: PartitionId,
        event: EventId,
        stored: Stored,
    ) -> Result<Option<Loaded>, StorageError> {
        let Stored { header, snapshot } = stored;
        let mut tail = Vec::new();
        let from = snapshot.as_ref().map(|(head, _, _)| *head).unwrap_or_default();
        let mut end = from.chain;
        let mut start = "-".to_owned();
        while end != header.head.chain {
            let mut ask = redis::cmd("XRANGE");
            ask.arg(self.keys.log(partition, event)).arg(&start).arg("+");
            ask.arg("COUNT").arg(LOG_PAGE);
            let page: StreamRangeReply = self.reads.ask(&ask).await?;
            let Some(last) = page.ids.last() else { return Ok(None) };
            start = format!("({}", last.id);
            for entry in &page.ids {
                let blob = bytes(&entry.map, "b")?;
                let road = storage::chain::next(end, &blob);
                if header::chain(&bytes(&entry.map, "c")?) != Some(road) {
                    // It begins elsewhere than the header said.
                    return Ok(None);
                }
                end = road;
                tail.push(Arc::from(blob));
                if end == header.head.chain {
                    break;
                }
            }
        }
        let blob = match &snapshot {
            None => None,
            Some((_, name, chunks)) => {
                match self.snapshot(partition, event, name, *chunks).await? {
                    Some(blob) => Some(blob),
                    None => return Ok(None),
                }
            }
        };
        Ok(Some(Loaded { header, snapshot: blob, from, tail }))
    }
}

/// A field of a stream's entry.
pub(crate) fn bytes(map: &HashMap<String, Value>, name: &str) -> Result<Vec<u8>, StorageError> {
    match map.get(name) {
        Some(Value::BulkString(bytes)) => Ok(bytes.clone()),
        _ => Err(damaged(&format!("an entry without {name}"))),
    }
}
