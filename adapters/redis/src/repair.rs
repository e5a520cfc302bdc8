//! The store for a recovery: read as far as it goes, closed, written anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use engine::{EventId, Seq, Timestamp};
use futures_util::future::BoxFuture;
use redis::streams::StreamRangeReply;
use storage::recovery::{
    Followed, Marker, Repair, Restored, RestoredEvent, StoredEvent, StoredPartition,
};
use storage::{Epoch, Era, Outbox, OutboxEntry, PartitionId, Position, StorageError, record};

use crate::Store;
use crate::error::damaged;
use crate::header::{self, chain, decimal, pack};
use crate::load::bytes;
use crate::outbox::PAGE;
use crate::snapshots::{AT_ONCE, CHUNK, chunk_key};

type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

/// Keys looked at, or deleted, at a time.
const KEYS: usize = 512;

/// Events written at a time.
const EVENTS: usize = 32;

/// A store under repair, and the keys that were in it at the beginning.
pub(crate) struct Repairs {
    store: Store,
    keys: BTreeMap<PartitionId, Vec<Vec<u8>>>,
}

impl Repairs {
    pub(crate) async fn begin(store: Store) -> Result<Self, StorageError> {
        let keys = all_keys(&store).await?;
        Ok(Self { store, keys })
    }

    /// The keys of a partition, but for its marker.
    fn others(&self, partition: PartitionId) -> impl Iterator<Item = &Vec<u8>> {
        let own = self.store.keys.own(partition);
        self.keys.get(&partition).into_iter().flatten().filter(move |key| **key != own)
    }

    fn events(&self, partition: PartitionId) -> BTreeSet<EventId> {
        self.others(partition).filter_map(|key| self.store.keys.parse(key)?.1).collect()
    }
}

/// One walk over everything: a walk for each partition would take a thousand times as long.
async fn all_keys(store: &Store) -> Result<BTreeMap<PartitionId, Vec<Vec<u8>>>, StorageError> {
    let mut keys: BTreeMap<PartitionId, Vec<Vec<u8>>> = BTreeMap::new();
    let mut cursor = 0_u64;
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(store.keys.pattern()).arg("COUNT").arg(KEYS);
        let (next, found): (u64, Vec<Vec<u8>>) = store.reads.ask(&scan).await?;
        for key in found {
            if let Some((partition, _)) = store.keys.parse(&key) {
                keys.entry(partition).or_default().push(key);
            }
        }
        if next == 0 {
            return Ok(keys);
        }
        cursor = next;
    }
}

impl Repair for Repairs {
    fn partitions(&self) -> u16 {
        self.store.partitions
    }

    fn markers(&self) -> Answer<'_, Vec<Option<Marker>>> {
        Box::pin(async move {
            let mut ask = redis::pipe();
            for partition in self.store.all() {
                ask.cmd("HGETALL").arg(self.store.keys.own(partition));
            }
            let all: Vec<BTreeMap<String, Vec<u8>>> = self.store.reads.ask_all(&ask).await?;
            all.iter().map(marker).collect()
        })
    }

    fn close(&self, partition: PartitionId) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut call = redis::cmd("FCALL");
            call.arg("ef1_close").arg(1).arg(self.store.keys.own(partition)).arg("");
            let _: u8 = self.store.reads.send(&call).await?;
            Ok(())
        })
    }

    fn read(&self, partition: PartitionId) -> Answer<'_, StoredPartition> {
        Box::pin(async move {
            let mut stored = StoredPartition::default();
            let mut own = redis::cmd("HGETALL");
            own.arg(self.store.keys.own(partition));
            stored.marker = marker(&self.store.reads.ask(&own).await?)?;
            if stored.marker.is_some() {
                stored.followed = Some(self.store.followed(partition).await?);
            }
            let outbox = self.store.read(partition, Position(0), usize::MAX).await;
            if let Some(batches) = keep(outbox, "the outbox", &mut stored)? {
                stored.batches.extend(batches);
            }
            for event in self.events(partition) {
                let what = format!("the log of {event}");
                let log = self.store.log_of(partition, event).await;
                if let Some(batches) = keep(log, &what, &mut stored)? {
                    stored.batches.extend(batches);
                }
                let what = format!("the header of {event}");
                let header = self.store.stored_event(partition, event).await;
                if let Some(Some(header)) = keep(header, &what, &mut stored)? {
                    stored.events.push(header);
                }
            }
            Ok(stored)
        })
    }

    fn restore(&self, partition: PartitionId, restored: Restored) -> Answer<'_, ()> {
        Box::pin(async move {
            let Restored { marker, events } = restored;
            self.clear(partition, &events).await?;
            let store = &self.store;
            for group in events.chunks(EVENTS) {
                store.write_events(partition, group).await?;
            }
            let last = marker.last.0;
            let mut cursors = redis::cmd("HSET");
            cursors.arg(store.keys.cursors(partition)).arg("journal").arg(last);
            cursors.arg("views").arg(last).arg("bus").arg(last);
            let _: redis::Value = store.reads.send(&cursors).await?;
            Ok(())
        })
    }

    fn open(&self, partition: PartitionId, marker: Marker) -> Answer<'_, ()> {
        Box::pin(async move {
            let store = &self.store;
            let last = marker.last.0;
            let mut open = redis::cmd("FCALL");
            open.arg("ef1_open").arg(1).arg(store.keys.own(partition));
            open.arg(marker.era.0).arg(marker.epoch.0).arg(last);
            match marker.newest_at {
                Some(at) => open.arg(at.millis()),
                None => open.arg(""),
            };
            let opened: u8 = store.reads.send(&open).await?;
            if opened != 1 {
                let number = partition.0;
                return Err(StorageError::NotDone(format!("partition {number} is not closed")));
            }
            Ok(())
        })
    }
}

impl Repairs {
    /// Take away everything but the marker: what was there at the beginning, and what an
    /// attempt since then may have written.
    async fn clear(
        &self,
        partition: PartitionId,
        events: &[RestoredEvent],
    ) -> Result<(), StorageError> {
        let names = &self.store.keys;
        let fixed = [
            names.outbox(partition),
            names.cursors(partition),
            names.due(partition),
            names.events(partition),
        ];
        let of_events = events.iter().flat_map(|restored| {
            let event = restored.header.event;
            [names.header(partition, event), names.log(partition, event)]
        });
        let keys: BTreeSet<Vec<u8>> =
            self.others(partition).cloned().chain(fixed).chain(of_events).collect();
        let keys: Vec<Vec<u8>> = keys.into_iter().collect();
        for group in keys.chunks(KEYS) {
            let mut unlink = redis::cmd("UNLINK");
            unlink.arg(group);
            let _: redis::Value = self.store.reads.send(&unlink).await?;
        }
        Ok(())
    }
}

/// What was read, or a note of what could not be.
fn keep<T>(
    read: Result<T, StorageError>,
    what: &str,
    stored: &mut StoredPartition,
) -> Result<Option<T>, StorageError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(StorageError::Damaged(reason)) => {
            stored.damaged.push(format!("{what}: {reason}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn marker(own: &BTreeMap<String, Vec<u8>>) -> Result<Option<Marker>, StorageError> {
    if own.is_empty() {
        return Ok(None);
    }
    let number = |name: &str| own.get(name).map_or(Some(0), |text| decimal(text));
    let at = match own.get("at").map(|text| std::str::from_utf8(text).map(str::parse)) {
        None => None,
        Some(Ok(Ok(at))) => Some(Timestamp::from_millis(at)),
        Some(_) => return Err(damaged("a time")),
    };
    let era = number("era").and_then(|era| u32::try_from(era).ok());
    let marker = || {
        let (era, epoch, last) = (Era(era?), Epoch(number("epoch")?), Position(number("ob")?));
        Some(Marker { era, epoch, last, newest_at: at })
    };
    marker().map(Some).ok_or_else(|| damaged("a marker"))
}

impl Store {
    async fn followed(&self, partition: PartitionId) -> Result<Followed, StorageError> {
        let mut ask = redis::cmd("HMGET");
        ask.arg(self.keys.cursors(partition)).arg("journal").arg("views").arg("bus");
        let (journal, views, bus): (Option<u64>, Option<u64>, Option<u64>) =
            self.reads.ask(&ask).await?;
        let place = |place: Option<u64>| Position(place.unwrap_or_default());
        Ok(Followed { journal: place(journal), views: place(views), bus: place(bus) })
    }

    /// The batches of an event's log, whatever its header says. The last of an event may be
    /// of any ownership: its log does not know.
    async fn log_of(
        &self,
        partition: PartitionId,
        event: EventId,
    ) -> Result<Vec<OutboxEntry>, StorageError> {
        let (mut batches, mut start) = (Vec::new(), "-".to_owned());
        loop {
            let mut ask = redis::cmd("XRANGE");
            ask.arg(self.keys.log(partition, event)).arg(&start).arg("+");
            ask.arg("COUNT").arg(PAGE);
            let page: StreamRangeReply = self.reads.ask(&ask).await?;
            let Some(last) = page.ids.last() else { return Ok(batches) };
            start = format!("({}", last.id);
            for one in &page.ids {
                let blob = bytes(&one.map, "b")?;
                let last_seq = one.id.split('-').next().and_then(|seq| seq.parse().ok());
                // Of one that nobody can read neither is known; it is told by its place.
                let first_seq = record::first_seq(&blob).unwrap_or_default();
                let newest = |entries: Vec<engine::Entry>| entries.iter().map(|e| e.at).max();
                let at = record::decode(&blob).ok().and_then(newest);
                batches.push(OutboxEntry {
                    position: decimal(&bytes(&one.map, "p")?)
                        .map(Position)
                        .ok_or_else(|| damaged("a position"))?,
                    event,
                    first_seq,
                    last_seq: Seq(last_seq.ok_or_else(|| damaged("a seq"))?),
                    epoch: Epoch(0),
                    chain: chain(&bytes(&one.map, "c")?).ok_or_else(|| damaged("a chain"))?,
                    at: at.unwrap_or(Timestamp::EPOCH),
                    blob: Arc::from(blob),
                });
            }
        }
    }

    async fn stored_event(
        &self,
        partition: PartitionId,
        event: EventId,
    ) -> Result<Option<StoredEvent>, StorageError> {
        let mut ask = redis::cmd("HGETALL");
        ask.arg(self.keys.header(partition, event));
        let Some(stored) = header::read(event, &self.reads.ask(&ask).await?)? else {
            return Ok(None);
        };
        let snapshot = match &stored.snapshot {
            None => None,
            Some((head, name, chunks)) => {
                let blob = self.snapshot(partition, event, name, *chunks).await?;
                blob.map(|blob| (*head, blob))
            }
        };
        Ok(Some(StoredEvent { header: stored.header, snapshot }))
    }

    async fn write_events(
        &self,
        partition: PartitionId,
        events: &[RestoredEvent],
    ) -> Result<(), StorageError> {
        let mut rest = redis::pipe();
        let mut tags: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        for event in events {
            self.write_event(partition, event, &mut rest).await?;
            let id = event.header.event;
            tags.entry(id.tag().0).or_default().extend(id.0);
        }
        // Events of one tag may lie in different groups.
        for (tag, ids) in tags {
            let mut ask = redis::cmd("HGET");
            ask.arg(self.keys.events(partition)).arg(tag);
            let before: Option<Vec<u8>> = self.reads.ask(&ask).await?;
            let ids = [before.unwrap_or_default(), ids].concat();
            rest.cmd("HSET").arg(self.keys.events(partition)).arg(tag).arg(ids).ignore();
        }
        self.reads.send_all(&rest).await
    }

    /// Chunks and log of an event at once, as they may be large; the rest into `rest`.
    async fn write_event(
        &self,
        partition: PartitionId,
        restored: &RestoredEvent,
        rest: &mut redis::Pipeline,
    ) -> Result<(), StorageError> {
        let RestoredEvent { header, position, snapshot, log } = restored;
        let (event, key) = (header.event, self.keys.header(partition, header.event));
        let mut set = redis::cmd("HSET");
        set.arg(&key).arg("q").arg(header.head.seq.0).arg("c").arg(&header.head.chain.0[..]);
        set.arg("b").arg(&header.batch.0[..]).arg("p").arg(position.0);
        set.arg("t").arg(header.at.millis()).arg("s").arg(pack(&header.summary));
        if let Some((head, blob)) = snapshot {
            let (name, chunks) = self.write_chunks(partition, event, head.seq, blob).await?;
            set.arg("z").arg(head.seq.0).arg("x").arg(&head.chain.0[..]);
            set.arg("n").arg(chunks).arg("y").arg(name);
        }
        for group in log.chunks(AT_ONCE) {
            let mut write = redis::pipe();
            for batch in group {
                let id = format!("{}-*", batch.last_seq.0);
                write.cmd("XADD").arg(self.keys.log(partition, event)).arg(id);
                write.arg("c").arg(&batch.chain.0[..]).arg("p").arg(batch.position.0);
                write.arg("b").arg(&*batch.blob).ignore();
            }
            let () = self.reads.send_all(&write).await?;
        }
        rest.add_command(set).ignore();
        if let Some(deadline) = header.summary.next_deadline {
            let due = self.keys.due(partition);
            rest.cmd("ZADD").arg(due).arg(deadline.millis()).arg(&event.0[..]).ignore();
        }
        Ok(())
    }

    async fn write_chunks(
        &self,
        partition: PartitionId,
        event: EventId,
        seq: Seq,
        blob: &[u8],
    ) -> Result<(String, usize), StorageError> {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}:{:016x}-{number}", seq.0, self.incarnation);
        let prefix = self.keys.snapshots(partition, event);
        let chunks: Vec<&[u8]> = blob.chunks(CHUNK).collect();
        for (group, first) in chunks.chunks(AT_ONCE).zip((0..).step_by(AT_ONCE)) {
            let mut write = redis::pipe();
            for (chunk, i) in group.iter().zip(first..) {
                write.cmd("SET").arg(chunk_key(&prefix, name.as_bytes(), i)).arg(*chunk).ignore();
            }
            let () = self.reads.send_all(&write).await?;
        }
        Ok((name, chunks.len()))
    }
}
