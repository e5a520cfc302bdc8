//! The journal: batches verbatim, by event and by their place in the outbox.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{EventId, Seq, Timestamp};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use scylla::client::session::Session;
use scylla::statement::prepared::PreparedStatement;
use storage::{
    Conflict, Epoch, Era, Journal, JournalWriter, OutboxEntry, PartitionId, Position, StorageError,
};

use crate::error::{damaged, unknown};
use crate::rows::{chain, count, int, sixteen};
use crate::{AT_ONCE, Store, prepare};

/// Seqs of one bucket of an event.
const SEQS: u64 = 10_000;

/// Positions of one bucket of a partition.
const POSITIONS: u64 = 10_000;

/// Every row is written once: all carry the same timestamp, so that a repeat changes
/// nothing.
const WRITTEN: i64 = 1;

type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

/// A row of the journal.
type Row = (i64, i64, Vec<u8>, i64, i64, i64, Vec<u8>);

/// A place: position, chain, event, first seq.
pub(crate) type Place = (i64, Vec<u8>, Vec<u8>, i64);

pub(crate) struct Statements {
    put: PreparedStatement,
    put_bucket: PreparedStatement,
    put_place: PreparedStatement,
    buckets: PreparedStatement,
    of_event: PreparedStatement,
    one: PreparedStatement,
    places: PreparedStatement,
    before: PreparedStatement,
    at_seq: PreparedStatement,
}

const COLUMNS: &str = "first_seq, position, chain, last_seq, epoch, at, blob";

impl Statements {
    pub(crate) async fn prepare(session: &Session) -> Result<Self, StorageError> {
        let of_event = format!(
            "SELECT {COLUMNS} FROM journal WHERE event = ? AND bucket = ? AND first_seq >= ? LIMIT ?"
        );
        let one = format!(
            "SELECT {COLUMNS} FROM journal WHERE event = ? AND bucket = ? AND first_seq = ? \
             AND position = ? AND chain = ?"
        );
        let before = format!(
            "SELECT {COLUMNS} FROM journal WHERE event = ? AND bucket = ? AND first_seq < ? \
             ORDER BY first_seq DESC, position DESC, chain DESC LIMIT ?"
        );
        Ok(Self {
            put: prepare(
                session,
                "INSERT INTO journal (event, bucket, first_seq, position, chain, last_seq, epoch, \
                 era, at, partition_id, blob) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
                 USING TIMESTAMP ?",
            )
            .await?,
            put_bucket: prepare(
                session,
                "INSERT INTO journal_bucket (event, bucket) VALUES (?, ?) USING TIMESTAMP ?",
            )
            .await?,
            put_place: prepare(
                session,
                "INSERT INTO journal_place (partition_id, bucket, position, chain, event, \
                 first_seq) VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
            )
            .await?,
            buckets: prepare(session, "SELECT bucket FROM journal_bucket WHERE event = ?").await?,
            of_event: prepare(session, &of_event).await?,
            one: prepare(session, &one).await?,
            places: prepare(
                session,
                "SELECT position, chain, event, first_seq FROM journal_place \
                 WHERE partition_id = ? AND bucket = ? AND position > ? AND position <= ? LIMIT ?",
            )
            .await?,
            before: prepare(session, &before).await?,
            at_seq: prepare(
                session,
                "SELECT last_seq, chain, era FROM journal \
                 WHERE event = ? AND bucket = ? AND first_seq = ?",
            )
            .await?,
        })
    }
}

const fn bucket_of_seq(seq: u64) -> u64 {
    seq / SEQS
}

pub(crate) const fn bucket_of_position(position: u64) -> u64 {
    position / POSITIONS
}

fn small(n: u64) -> Result<i32, StorageError> {
    i32::try_from(n).map_err(|_| damaged("a bucket"))
}

impl Store {
    async fn put(
        &self,
        partition: PartitionId,
        era: Era,
        entry: &OutboxEntry,
    ) -> Result<(), StorageError> {
        let bucket = small(bucket_of_seq(entry.first_seq.0))?;
        let (event, chain) = (&entry.event.0[..], &entry.chain.0[..]);
        let put = (
            event,
            bucket,
            int(entry.first_seq.0),
            int(entry.position.0),
            chain,
            int(entry.last_seq.0),
            int(entry.epoch.0),
            i32::try_from(era.0).map_err(|_| damaged("an era"))?,
            entry.at.millis(),
            i32::from(partition.0),
            &*entry.blob,
            WRITTEN,
        );
        self.session.execute_unpaged(&self.journal.put, put).await.map_err(unknown)?;
        let bucket = (event, bucket, WRITTEN);
        self.session.execute_unpaged(&self.journal.put_bucket, bucket).await.map_err(unknown)?;
        // Last: whoever follows finds the batch behind its place.
        let place = (
            i32::from(partition.0),
            int(bucket_of_position(entry.position.0)),
            int(entry.position.0),
            chain,
            event,
            int(entry.first_seq.0),
            WRITTEN,
        );
        self.session.execute_unpaged(&self.journal.put_place, place).await.map_err(unknown)?;
        Ok(())
    }

    /// A batch that is in the place of one of these: in the same place of the outbox, or
    /// with the same first booking event.
    async fn conflict(
        &self,
        partition: PartitionId,
        era: Era,
        entries: &[Arc<OutboxEntry>],
    ) -> Result<Option<Conflict>, StorageError> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(None) };
        let after = first.position.0.saturating_sub(1);
        let places = self.places(partition, Position(after), last.position, usize::MAX).await?;
        let chains: BTreeMap<i64, &[u8]> =
            entries.iter().map(|entry| (int(entry.position.0), &entry.chain.0[..])).collect();
        for (position, chain, event, first_seq) in &places {
            if chains.get(position).is_some_and(|mine| *mine != &chain[..]) {
                let event = EventId(sixteen(event)?);
                return Ok(Some(Conflict { event, first_seq: Seq(count(*first_seq)?) }));
            }
        }
        let looks = (0..entries.len()).map(|n| self.conflict_at(era, &entries[n]));
        let found: Vec<Option<Conflict>> =
            stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().next())
    }

    async fn conflict_at(
        &self,
        era: Era,
        entry: &OutboxEntry,
    ) -> Result<Option<Conflict>, StorageError> {
        if entry.last_seq < entry.first_seq {
            // Without booking events it may stand beside others.
            return Ok(None);
        }
        let bucket = small(bucket_of_seq(entry.first_seq.0))?;
        let wanted = (&entry.event.0[..], bucket, int(entry.first_seq.0));
        let answer = self.session.execute_unpaged(&self.journal.at_seq, wanted).await;
        let rows = answer.map_err(unknown)?.into_rows_result().map_err(unknown)?;
        for row in rows.rows::<(i64, Vec<u8>, i32)>().map_err(unknown)? {
            let (last_seq, chain, of) = row.map_err(unknown)?;
            // One of an earlier era has been judged by a recovery, which went on beside it.
            let counts = u32::try_from(of).map_err(|_| damaged("an era"))? >= era.0;
            if counts && last_seq >= int(entry.first_seq.0) && chain != entry.chain.0 {
                return Ok(Some(Conflict { event: entry.event, first_seq: entry.first_seq }));
            }
        }
        Ok(None)
    }

    /// Places after one and up to another, in order.
    async fn places(
        &self,
        partition: PartitionId,
        after: Position,
        upto: Position,
        limit: usize,
    ) -> Result<Vec<Place>, StorageError> {
        let mut places = Vec::new();
        let mut bucket = bucket_of_position(after.0 + 1);
        while places.len() < limit && bucket <= bucket_of_position(upto.0) {
            let most = i32::try_from(limit - places.len()).unwrap_or(i32::MAX);
            let wanted = (i32::from(partition.0), int(bucket), int(after.0), int(upto.0), most);
            let answer = self.session.execute_unpaged(&self.journal.places, wanted).await;
            let rows = answer.map_err(unknown)?.into_rows_result().map_err(unknown)?;
            let before = places.len();
            for row in rows.rows::<Place>().map_err(unknown)? {
                places.push(row.map_err(unknown)?);
            }
            // Positions have no gaps: an empty bucket is behind the last.
            if places.len() == before {
                break;
            }
            bucket += 1;
        }
        Ok(places)
    }

    async fn buckets_of(&self, event: EventId) -> Result<Vec<i32>, StorageError> {
        let wanted = (&event.0[..],);
        let answer = self.session.execute_unpaged(&self.journal.buckets, wanted).await;
        let rows = answer.map_err(unknown)?.into_rows_result().map_err(unknown)?;
        let mut buckets = Vec::new();
        for row in rows.rows::<(i32,)>().map_err(unknown)? {
            buckets.push(row.map_err(unknown)?.0);
        }
        Ok(buckets)
    }

    /// The first seq of the batch with booking events that contains `from`; `from` itself
    /// if none begins before it.
    async fn beginning(
        &self,
        event: EventId,
        from: Seq,
        buckets: &[i32],
    ) -> Result<Seq, StorageError> {
        let here = small(bucket_of_seq(from.0))?;
        for bucket in buckets.iter().rev().filter(|bucket| **bucket <= here) {
            // A batch without booking events may stand in between; there are few in a row.
            let wanted = (&event.0[..], *bucket, int(from.0), BEFORE);
            let answer = self.session.execute_unpaged(&self.journal.before, wanted).await;
            let rows = answer.map_err(unknown)?.into_rows_result().map_err(unknown)?;
            for row in rows.rows::<Row>().map_err(unknown)? {
                let (first_seq, _, _, last_seq, ..) = row.map_err(unknown)?;
                if last_seq >= first_seq {
                    let contains = last_seq >= int(from.0);
                    return Ok(if contains { Seq(count(first_seq)?) } else { from });
                }
            }
        }
        Ok(from)
    }
}

/// Most batches without booking events in a row before one that has some.
const BEFORE: i32 = 512;

impl Journal for Store {
    fn history(&self, event: EventId, from: Seq, limit: usize) -> Answer<'_, Vec<OutboxEntry>> {
        Box::pin(async move {
            let buckets = self.buckets_of(event).await?;
            let begin = self.beginning(event, from, &buckets).await?;
            let first = small(bucket_of_seq(begin.0))?;
            let mut entries = Vec::new();
            for bucket in buckets.into_iter().filter(|bucket| *bucket >= first) {
                let left = limit - entries.len();
                if left == 0 {
                    break;
                }
                let most = i32::try_from(left).unwrap_or(i32::MAX);
                let wanted = (&event.0[..], bucket, int(begin.0), most);
                let answer = self.session.execute_unpaged(&self.journal.of_event, wanted).await;
                let rows = answer.map_err(unknown)?.into_rows_result().map_err(unknown)?;
                for row in rows.rows::<Row>().map_err(unknown)? {
                    let entry = entry(event, row.map_err(unknown)?)?;
                    if entry.first_seq >= from || entry.last_seq >= from {
                        entries.push(entry);
                    }
                }
            }
            Ok(entries)
        })
    }

    fn follow(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> Answer<'_, Vec<OutboxEntry>> {
        Box::pin(async move {
            let end = Position(after.0.saturating_add(limit as u64).min(i64::MAX as u64));
            let places = self.places(partition, after, end, limit).await?;
            let reads = places.into_iter().map(|place| self.at_place(place));
            stream::iter(reads).buffered(AT_ONCE).try_collect().await
        })
    }
}

impl Store {
    pub(crate) async fn at_place(&self, place: Place) -> Result<OutboxEntry, StorageError> {
        let (position, chain, event, first_seq) = place;
        let bucket = small(bucket_of_seq(count(first_seq)?))?;
        let wanted = (&event, bucket, first_seq, position, &chain);
        let answer = self.session.execute_unpaged(&self.journal.one, wanted).await;
        let rows = answer.map_err(unknown)?.into_rows_result().map_err(unknown)?;
        let row: Option<Row> = rows.maybe_first_row().map_err(unknown)?;
        entry(EventId(sixteen(&event)?), row.ok_or_else(|| damaged("a place without its batch"))?)
    }
}

impl JournalWriter for Store {
    fn append(
        &self,
        partition: PartitionId,
        era: Era,
        entries: Vec<Arc<OutboxEntry>>,
    ) -> Answer<'_, Option<Conflict>> {
        Box::pin(async move {
            // Looked for before, so that nothing is written behind a conflict; and after,
            // because another writer may have come in between: then both are there.
            if let Some(conflict) = self.conflict(partition, era, &entries).await? {
                return Ok(Some(conflict));
            }
            let writes = (0..entries.len()).map(|n| self.put(partition, era, &entries[n]));
            let written = stream::iter(writes).buffer_unordered(AT_ONCE);
            written.try_collect::<Vec<()>>().await?;
            self.conflict(partition, era, &entries).await
        })
    }
}

fn entry(event: EventId, row: Row) -> Result<OutboxEntry, StorageError> {
    let (first_seq, position, road, last_seq, epoch, at, blob) = row;
    Ok(OutboxEntry {
        position: Position(count(position)?),
        event,
        first_seq: Seq(count(first_seq)?),
        last_seq: Seq(count(last_seq)?),
        epoch: Epoch(count(epoch)?),
        chain: chain(&road)?,
        at: Timestamp::from_millis(at),
        blob: Arc::from(blob),
    })
}
