//! Booking lists: the same row by id, by person and by event.

use std::collections::HashSet;

use engine::{BookingId, BookingStatus, EventId, HoldId, Seats, Seq, Timestamp, UserId};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use parking_lot::Mutex;
use scylla::client::session::Session;
use scylla::statement::prepared::PreparedStatement;
use storage::{
    BookingRow, BookingViews, Era, HoldRow, PageRequest, PartitionId, Position, StorageError,
    ViewChange,
};

use crate::error::{damaged, unknown};
use crate::rows::{count, int, sixteen, stamp};
use crate::{AT_ONCE, Store, prepare};

mod holds;

/// Seqs of one bucket of an event.
const SEQS: u64 = 5_000;

/// Seqs that fit into a booking's id; above, an id does not tell its bucket.
const SEQS_OF_ID: u64 = 1 << 22;

/// Buckets remembered as written down; then all are forgotten, and written once more.
const KNOWN: usize = 100_000;

/// Rows read at a time when only those of one status are wanted.
const PAGE: i32 = 500;

type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

/// id, event, user, quantity, status, seq, made at, changed at, stamp, era.
pub(crate) type Row = (Vec<u8>, Vec<u8>, Vec<u8>, i32, i8, i64, i64, i64, i64, i32);

const COLUMNS: &str = "id, event, user, quantity, status, seq, made_at, changed_at, stamp, era";

pub(crate) struct Statements {
    put: PreparedStatement,
    put_by_user: PreparedStatement,
    put_by_event: PreparedStatement,
    put_bucket: PreparedStatement,
    one: PreparedStatement,
    of_user: PreparedStatement,
    of_user_after: PreparedStatement,
    buckets: PreparedStatement,
    of_event: PreparedStatement,
    of_event_after: PreparedStatement,
    holds: holds::Statements,
}

impl Statements {
    pub(crate) async fn prepare(session: &Session) -> Result<Self, StorageError> {
        let put = |table: &str| {
            format!(
                "INSERT INTO {table} ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
            )
        };
        let put_by_event = "INSERT INTO booking_by_event (id, event, user, quantity, status, seq, \
             made_at, changed_at, stamp, era, bucket) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             USING TIMESTAMP ?";
        let list = |rest: &str| format!("SELECT {COLUMNS} FROM {rest} LIMIT ?");
        let after = "AND (made_at, id) < (?, ?)";
        let of_event = "booking_by_event WHERE event = ? AND bucket = ?";
        Ok(Self {
            put: prepare(session, &put("booking")).await?,
            put_by_user: prepare(session, &put("booking_by_user")).await?,
            put_by_event: prepare(session, put_by_event).await?,
            put_bucket: prepare(
                session,
                "INSERT INTO event_bucket (event, bucket) VALUES (?, ?) USING TIMESTAMP 1",
            )
            .await?,
            one: prepare(session, &format!("SELECT {COLUMNS} FROM booking WHERE id = ?")).await?,
            of_user: prepare(session, &list("booking_by_user WHERE user = ?")).await?,
            of_user_after: prepare(
                session,
                &list(&format!("booking_by_user WHERE user = ? {after}")),
            )
            .await?,
            buckets: prepare(session, "SELECT bucket FROM event_bucket WHERE event = ?").await?,
            of_event: prepare(session, &list(of_event)).await?,
            of_event_after: prepare(session, &list(&format!("{of_event} {after}"))).await?,
            holds: holds::Statements::prepare(session).await?,
        })
    }
}

/// Every table of the lists.
const TABLES: [&str; 6] =
    ["booking", "booking_by_user", "booking_by_event", "event_bucket", "hold", "hold_by_event"];

/// Buckets of events that are known to be written down.
#[derive(Default)]
pub(crate) struct KnownBuckets(Mutex<HashSet<(EventId, i32)>>);

pub(crate) fn bucket_of(seq: u64) -> Result<i32, StorageError> {
    i32::try_from(seq / SEQS).map_err(|_| damaged("a bucket"))
}

/// Where the next page of a list begins.
type After = Option<(i64, [u8; 16])>;

impl Store {
    async fn put_row(&self, era: Era, row: &BookingRow) -> Result<(), StorageError> {
        let bucket = bucket_of(row.seq.0)?;
        self.know_bucket(row.event, bucket).await?;
        let (id, event, user) = (&row.id.0[..], &row.event.0[..], &row.user.0[..]);
        let quantity = i32::try_from(row.quantity.get()).map_err(|_| damaged("a quantity"))?;
        let (status, seq) = (number(row.status), int(row.seq.0));
        let (made_at, changed_at) = (row.made_at.millis(), row.changed_at.millis());
        let era_number = i32::try_from(era.0).map_err(|_| damaged("an era"))?;
        let (mark, at) = (int(row.stamp.0), stamp(era, row.stamp.0));
        let values =
            (id, event, user, quantity, status, seq, made_at, changed_at, mark, era_number, at);
        let by_event = (
            id, event, user, quantity, status, seq, made_at, changed_at, mark, era_number, bucket,
            at,
        );
        let session = &self.session;
        let (one, two, three) = futures_util::join!(
            session.execute_unpaged(&self.views.put, values),
            session.execute_unpaged(&self.views.put_by_user, values),
            session.execute_unpaged(&self.views.put_by_event, by_event),
        );
        for answer in [one, two, three] {
            answer.map_err(unknown)?;
        }
        Ok(())
    }

    /// A bucket is written down before the first row in it.
    async fn know_bucket(&self, event: EventId, bucket: i32) -> Result<(), StorageError> {
        if self.buckets.0.lock().contains(&(event, bucket)) {
            return Ok(());
        }
        let wanted = (&event.0[..], bucket);
        self.session.execute_unpaged(&self.views.put_bucket, wanted).await.map_err(unknown)?;
        let mut known = self.buckets.0.lock();
        if known.len() >= KNOWN {
            known.clear();
        }
        known.insert((event, bucket));
        Ok(())
    }

    /// The buckets of an event, the newest first.
    async fn buckets_of_event(&self, event: EventId) -> Result<Vec<i32>, StorageError> {
        let wanted = (&event.0[..],);
        let answer = self.session.execute_unpaged(&self.views.buckets, wanted).await;
        let rows = answer.map_err(unknown)?.into_rows_result().map_err(unknown)?;
        let mut buckets = Vec::new();
        for row in rows.rows::<(i32,)>().map_err(unknown)? {
            buckets.push(row.map_err(unknown)?.0);
        }
        Ok(buckets)
    }

    /// Every live row of an event becomes cancelled, and every open hold released. Repeated
    /// after a crash it finds what is left.
    async fn cancel_all(
        &self,
        era: Era,
        event: EventId,
        mark: Seq,
        at: Timestamp,
    ) -> Result<(), StorageError> {
        for bucket in self.buckets_of_event(event).await? {
            let mut after: After = None;
            loop {
                let rows = self.bucket_page(event, bucket, after, PAGE).await?;
                let full = rows.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
                after = rows.last().map(|(_, row)| (row.made_at.millis(), row.id.0));
                let live = rows.into_iter().filter(|(old, row)| {
                    row.status != BookingStatus::Cancelled && (*old, row.stamp) < (era, mark)
                });
                let cancelled = live.map(|(_, row)| BookingRow {
                    status: BookingStatus::Cancelled,
                    changed_at: at,
                    stamp: mark,
                    ..row
                });
                let cancelled: Vec<BookingRow> = cancelled.collect();
                self.put_rows(era, &cancelled).await?;
                if !full {
                    break;
                }
            }
            self.release_all(era, event, bucket, mark, at).await?;
        }
        Ok(())
    }

    async fn bucket_page(
        &self,
        event: EventId,
        bucket: i32,
        after: After,
        limit: i32,
    ) -> Result<Vec<(Era, BookingRow)>, StorageError> {
        let (session, views, event) = (&self.session, &self.views, &event.0[..]);
        let answer = match after {
            None => session.execute_unpaged(&views.of_event, (event, bucket, limit)).await,
            Some((made_at, id)) => {
                let wanted = (event, bucket, made_at, &id[..], limit);
                session.execute_unpaged(&views.of_event_after, wanted).await
            }
        };
        rows_of(&answer.map_err(unknown)?.into_rows_result().map_err(unknown)?)
    }

    async fn user_page(
        &self,
        user: UserId,
        after: After,
        limit: i32,
    ) -> Result<Vec<(Era, BookingRow)>, StorageError> {
        let (session, views, user) = (&self.session, &self.views, &user.0[..]);
        let answer = match after {
            None => session.execute_unpaged(&views.of_user, (user, limit)).await,
            Some((made_at, id)) => {
                let wanted = (user, made_at, &id[..], limit);
                session.execute_unpaged(&views.of_user_after, wanted).await
            }
        };
        rows_of(&answer.map_err(unknown)?.into_rows_result().map_err(unknown)?)
    }

    /// Read pages until as many wanted rows are there, or the list ends.
    async fn fill<F>(
        page: PageRequest,
        rows: &mut Vec<BookingRow>,
        read: impl Fn(After, i32) -> F,
    ) -> Result<(), StorageError>
    where
        F: Future<Output = Result<Vec<(Era, BookingRow)>, StorageError>>,
    {
        let mut after = page.after.map(|after| (after.made_at.millis(), after.id.0));
        while rows.len() < page.limit {
            let left = i32::try_from(page.limit - rows.len()).unwrap_or(PAGE);
            // With a status most rows may be others: larger pages are fewer questions.
            let wanted = if page.status.is_some() { PAGE } else { left.min(PAGE) };
            let read = read(after, wanted).await?;
            let full = read.len() == usize::try_from(wanted).unwrap_or(usize::MAX);
            after = read.last().map(|(_, row)| (row.made_at.millis(), row.id.0)).or(after);
            let fitting = read.into_iter().map(|(_, row)| row);
            rows.extend(fitting.filter(|row| page.status.is_none_or(|s| row.status == s)));
            rows.truncate(page.limit);
            if !full {
                break;
            }
        }
        Ok(())
    }

    async fn apply_one(&self, era: Era, change: ViewChange) -> Result<(), StorageError> {
        match change {
            ViewChange::Put(row) => self.put_row(era, &row).await,
            ViewChange::Hold(change) => self.put_hold(era, &change).await,
            ViewChange::CancelAll { event, stamp, at } => {
                self.cancel_all(era, event, stamp, at).await
            }
        }
    }
}

impl BookingViews for Store {
    /// Kept beside the outbox: here there is no transaction to keep it in.
    fn cursor(&self, _: PartitionId) -> Answer<'_, Position> {
        Box::pin(std::future::ready(Ok(Position(0))))
    }

    /// Rows may be written at the same time, as their stamps decide. What reads before it
    /// writes comes after everything before it.
    fn apply(
        &self,
        _: PartitionId,
        era: Era,
        changes: Vec<ViewChange>,
        _: Position,
    ) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut rows: Vec<BookingRow> = Vec::new();
            for change in changes {
                match change {
                    ViewChange::Put(row) => rows.push(row),
                    other => {
                        self.put_rows(era, &rows).await?;
                        rows.clear();
                        self.apply_one(era, other).await?;
                    }
                }
            }
            self.put_rows(era, &rows).await
        })
    }

    fn booking(&self, id: BookingId) -> Answer<'_, Option<BookingRow>> {
        Box::pin(async move {
            let answer = self.session.execute_unpaged(&self.views.one, (&id.0[..],)).await;
            let rows = answer.map_err(unknown)?.into_rows_result().map_err(unknown)?;
            Ok(rows_of(&rows)?.pop().map(|(_, row)| row))
        })
    }

    fn hold(&self, id: HoldId) -> Answer<'_, Option<HoldRow>> {
        Box::pin(async move { Ok(self.stored_hold(id).await?.map(|(_, row)| row)) })
    }

    /// Holds that are over expire by themselves.
    fn forget_holds(&self, _: Timestamp, _: usize) -> Answer<'_, usize> {
        Box::pin(std::future::ready(Ok(0)))
    }

    fn of_user(&self, user: UserId, page: PageRequest) -> Answer<'_, Vec<BookingRow>> {
        Box::pin(async move {
            let mut rows = Vec::new();
            Self::fill(page, &mut rows, |after, limit| self.user_page(user, after, limit)).await?;
            Ok(rows)
        })
    }

    fn of_event(&self, event: EventId, page: PageRequest) -> Answer<'_, Vec<BookingRow>> {
        Box::pin(async move {
            let mut rows = Vec::new();
            let buckets = self.buckets_of_event(event).await?;
            let newest = buckets.first().copied().unwrap_or_default();
            // An id tells its seq, and so its bucket, as long as seqs fit into ids.
            let told = u64::try_from(newest).is_ok_and(|newest| (newest + 1) * SEQS < SEQS_OF_ID);
            let first = match page.after {
                Some(after) if told => bucket_of(u64::from(after.id.seq_low()))?,
                _ => i32::MAX,
            };
            for bucket in buckets.into_iter().filter(|bucket| *bucket <= first) {
                let read = |after, limit| self.bucket_page(event, bucket, after, limit);
                Self::fill(page, &mut rows, read).await?;
                if rows.len() >= page.limit {
                    break;
                }
            }
            Ok(rows)
        })
    }
}

impl Store {
    pub(crate) async fn clear_views(&self) -> Result<(), StorageError> {
        for table in TABLES {
            let truncate = format!("TRUNCATE {table}");
            self.session.query_unpaged(truncate, ()).await.map_err(unknown)?;
        }
        self.buckets.0.lock().clear();
        Ok(())
    }

    async fn put_rows(&self, era: Era, rows: &[BookingRow]) -> Result<(), StorageError> {
        let writes = (0..rows.len()).map(|n| self.put_row(era, &rows[n]));
        stream::iter(writes).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        Ok(())
    }
}

fn rows_of(
    rows: &scylla::response::query_result::QueryRowsResult,
) -> Result<Vec<(Era, BookingRow)>, StorageError> {
    let mut read = Vec::new();
    for row in rows.rows::<Row>().map_err(unknown)? {
        let (id, event, user, quantity, status, seq, made_at, changed_at, mark, era) =
            row.map_err(unknown)?;
        let row = BookingRow {
            id: BookingId(sixteen(&id)?),
            event: EventId(sixteen(&event)?),
            user: UserId(sixteen(&user)?),
            quantity: seats(quantity)?,
            status: status_of(status)?,
            seq: Seq(count(seq)?),
            made_at: Timestamp::from_millis(made_at),
            changed_at: Timestamp::from_millis(changed_at),
            stamp: Seq(count(mark)?),
        };
        read.push((Era(u32::try_from(era).map_err(|_| damaged("an era"))?), row));
    }
    Ok(read)
}

pub(crate) fn seats(quantity: i32) -> Result<Seats, StorageError> {
    u32::try_from(quantity).ok().and_then(Seats::new).ok_or_else(|| damaged("a quantity"))
}

const fn number(status: BookingStatus) -> i8 {
    match status {
        BookingStatus::Confirmed => 0,
        BookingStatus::Waitlisted => 1,
        BookingStatus::Cancelled => 2,
    }
}

fn status_of(number: i8) -> Result<BookingStatus, StorageError> {
    match number {
        0 => Ok(BookingStatus::Confirmed),
        1 => Ok(BookingStatus::Waitlisted),
        2 => Ok(BookingStatus::Cancelled),
        _ => Err(damaged("a status")),
    }
}
