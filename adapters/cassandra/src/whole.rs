//! The journal read whole, for a recovery: gaps and both batches of a conflict included.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::{EventId, Seq};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use scylla::statement::prepared::PreparedStatement;
use storage::{
    Conflict, Era, Journal, JournalWriter, OutboxEntry, PartitionId, Position, StorageError,
    WholeJournal,
};

use crate::error::{damaged, unknown};
use crate::journal::{Place, bucket_of_position};
use crate::rows::{count, int};
use crate::{AT_ONCE, Store, prepare};

type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

/// All eras are in one row.
const ERAS: i32 = 0;

/// The journal, and where in it something is.
pub(crate) struct Whole {
    store: Arc<Store>,
    /// The buckets of places that are not empty. Only these are asked for: between them may
    /// be any number of empty ones.
    buckets: BTreeMap<PartitionId, BTreeSet<u64>>,
    places: PreparedStatement,
    rest: PreparedStatement,
    newest: PreparedStatement,
    begin: PreparedStatement,
}

impl Whole {
    pub(crate) async fn look(store: Arc<Store>) -> Result<Self, StorageError> {
        let session = &store.session;
        let columns = "SELECT position, chain, event, first_seq FROM journal_place";
        let places =
            format!("{columns} WHERE partition_id = ? AND bucket = ? AND position > ? LIMIT ?");
        let rest = format!("{columns} WHERE partition_id = ? AND bucket = ? AND position = ?");
        let newest = "SELECT era FROM journal_era WHERE id = ? LIMIT 1";
        let begin = "INSERT INTO journal_era (id, era) VALUES (?, ?) USING TIMESTAMP 1";
        let (places, rest) = (prepare(session, &places).await?, prepare(session, &rest).await?);
        let (newest, begin) = (prepare(session, newest).await?, prepare(session, begin).await?);
        let buckets = buckets(&store).await?;
        Ok(Self { store, buckets, places, rest, newest, begin })
    }

    /// Places behind one, in one bucket, in order.
    async fn in_bucket(
        &self,
        partition: PartitionId,
        bucket: u64,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Place>, StorageError> {
        let most = i32::try_from(limit).unwrap_or(i32::MAX);
        let wanted = (i32::from(partition.0), int(bucket), int(after.0), most);
        let mut found = self.ask(&self.places, wanted).await?;
        // The last place may have been cut in two: all of it, then.
        if let Some(last) = found.last().map(|place| place.0).filter(|_| found.len() >= limit) {
            found.retain(|place| place.0 != last);
            let wanted = (i32::from(partition.0), int(bucket), last);
            found.extend(self.ask(&self.rest, wanted).await?);
        }
        Ok(found)
    }

    async fn ask(
        &self,
        statement: &PreparedStatement,
        wanted: impl scylla::serialize::row::SerializeRow,
    ) -> Result<Vec<Place>, StorageError> {
        let answer = self.store.session.execute_unpaged(statement, wanted).await;
        let rows = answer.map_err(unknown)?.into_rows_result().map_err(unknown)?;
        rows.rows::<Place>().map_err(unknown)?.map(|row| row.map_err(unknown)).collect()
    }
}

/// Which buckets there are: one walk over the keys of the table.
async fn buckets(store: &Store) -> Result<BTreeMap<PartitionId, BTreeSet<u64>>, StorageError> {
    let ask = "SELECT DISTINCT partition_id, bucket FROM journal_place";
    let pages = store.session.query_iter(ask, ()).await.map_err(unknown)?;
    let mut rows = pages.rows_stream::<(i32, i64)>().map_err(unknown)?;
    let mut buckets: BTreeMap<PartitionId, BTreeSet<u64>> = BTreeMap::new();
    while let Some(row) = rows.try_next().await.map_err(unknown)? {
        let partition = u16::try_from(row.0).map_err(|_| damaged("a partition"))?;
        buckets.entry(PartitionId(partition)).or_default().insert(count(row.1)?);
    }
    Ok(buckets)
}

impl WholeJournal for Whole {
    fn scan(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> Answer<'_, Vec<OutboxEntry>> {
        Box::pin(async move {
            let first = bucket_of_position(after.0.saturating_add(1));
            let buckets = self.buckets.get(&partition);
            let mut places = Vec::new();
            for bucket in buckets.into_iter().flat_map(|buckets| buckets.range(first..)) {
                let left = limit.saturating_sub(places.len());
                if left == 0 {
                    break;
                }
                places.extend(self.in_bucket(partition, *bucket, after, left).await?);
            }
            let reads = places.into_iter().map(|place| self.store.at_place(place));
            stream::iter(reads).buffered(AT_ONCE).try_collect().await
        })
    }

    fn newest_era(&self) -> Answer<'_, Era> {
        Box::pin(async move {
            let answer = self.store.session.execute_unpaged(&self.newest, (ERAS,)).await;
            let rows = answer.map_err(unknown)?.into_rows_result().map_err(unknown)?;
            let row: Option<(i32,)> = rows.maybe_first_row().map_err(unknown)?;
            let newest = row.map_or(Ok(1), |(era,)| u32::try_from(era));
            newest.map(Era).map_err(|_| damaged("an era"))
        })
    }

    fn begin_era(&self, era: Era) -> Answer<'_, ()> {
        Box::pin(async move {
            let number = i32::try_from(era.0).map_err(|_| damaged("an era"))?;
            let begin = self.store.session.execute_unpaged(&self.begin, (ERAS, number)).await;
            begin.map(|_| ()).map_err(unknown)
        })
    }
}

impl JournalWriter for Whole {
    fn append(
        &self,
        partition: PartitionId,
        era: Era,
        entries: Vec<Arc<OutboxEntry>>,
    ) -> Answer<'_, Option<Conflict>> {
        self.store.append(partition, era, entries)
    }
}

impl Journal for Whole {
    fn history(&self, event: EventId, from: Seq, limit: usize) -> Answer<'_, Vec<OutboxEntry>> {
        self.store.history(event, from, limit)
    }

    fn follow(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> Answer<'_, Vec<OutboxEntry>> {
        self.store.follow(partition, after, limit)
    }
}
