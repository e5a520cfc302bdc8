//! `views.db`: booking lists, and holds with their details.

use engine::{BookingId, BookingStatus, EventId, HoldId, Timestamp, UserId};
use futures_util::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension, Row, params};
use storage::{
    BookingRow, BookingViews, Era, HoldRow, HoldStep, PageRequest, PartitionId, Position,
    StorageError, ViewChange,
};

use crate::readers::{Readers, consistently};
use crate::value::{count, int, seats, seq, status, status_number, time};
use crate::writer::Writer;

mod holds;

/// How far the file has followed the ledger's one partition.
pub(crate) const CURSOR: &str =
    "SELECT coalesce((SELECT position FROM cursor WHERE partition = 0), 0)";

/// What a row writes with its indexes, roughly.
const ROW_BYTES: usize = 512;

/// Write a row unless the stored one has a higher stamp.
const PUT: &str = "INSERT INTO booking \
     (id, event, user, quantity, status, seq, made_at, changed_at, era, stamp) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
     ON CONFLICT (id) DO UPDATE SET quantity = excluded.quantity, status = excluded.status, \
     changed_at = excluded.changed_at, era = excluded.era, stamp = excluded.stamp \
     WHERE (era, stamp) <= (excluded.era, excluded.stamp)";

const CANCEL_ALL: &str = "UPDATE booking SET status = 2, changed_at = ?3, era = ?4, stamp = ?2 \
     WHERE event = ?1 AND status IN (0, 1) AND (era, stamp) < (?4, ?2)";

const MOVE: &str = "INSERT INTO cursor (partition, position) VALUES (?1, ?2) \
     ON CONFLICT (partition) DO UPDATE SET position = max(position, excluded.position)";

const COLUMNS: &str =
    "id, event, user, quantity, status, seq, made_at, changed_at, stamp FROM booking";

/// All statuses, for lists that want every one.
const EVERY: [BookingStatus; 3] =
    [BookingStatus::Confirmed, BookingStatus::Waitlisted, BookingStatus::Cancelled];

/// Booking lists in `views.db`.
pub(crate) struct Views {
    pub(crate) writer: Writer<()>,
    pub(crate) readers: Readers,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

impl BookingViews for Views {
    fn cursor(&self, partition: PartitionId) -> Answer<'_, Position> {
        Box::pin(self.readers.call(move |connection| {
            connection
                .prepare_cached("SELECT position FROM cursor WHERE partition = ?1")?
                .query_row([partition.0], |row| count(row, 0))
                .optional()
                .map(|position| Position(position.unwrap_or(0)))
        }))
    }

    fn apply(
        &self,
        partition: PartitionId,
        era: Era,
        changes: Vec<ViewChange>,
        upto: Position,
    ) -> Answer<'_, ()> {
        Box::pin(async move {
            let bytes = changes.iter().map(weight).sum();
            self.writer
                .call(bytes, move |connection, ()| {
                    apply(connection, era, &changes)?;
                    connection
                        .prepare_cached(MOVE)?
                        .execute(params![partition.0, int(upto.0)])
                        .map(drop)
                })
                .await
        })
    }

    fn booking(&self, id: BookingId) -> Answer<'_, Option<BookingRow>> {
        Box::pin(self.readers.call(move |connection| {
            connection
                .prepare_cached(&format!("SELECT {COLUMNS} WHERE id = ?1"))?
                .query_row([id.0], row_of)
                .optional()
        }))
    }

    fn hold(&self, id: HoldId) -> Answer<'_, Option<HoldRow>> {
        Box::pin(self.readers.call(move |connection| {
            consistently(connection, |connection| holds::read(connection, id))
        }))
    }

    fn forget_holds(&self, before: Timestamp, limit: usize) -> Answer<'_, usize> {
        Box::pin(async move {
            let forget = move |connection: &Connection, (): &mut ()| {
                holds::forget(connection, before, limit)
            };
            self.writer.call(limit * ROW_BYTES, forget).await
        })
    }

    fn of_user(&self, user: UserId, page: PageRequest) -> Answer<'_, Vec<BookingRow>> {
        Box::pin(self.readers.call(move |connection| list(connection, "user", user.0, page)))
    }

    fn of_event(&self, event: EventId, page: PageRequest) -> Answer<'_, Vec<BookingRow>> {
        Box::pin(self.readers.call(move |connection| list(connection, "event", event.0, page)))
    }
}

/// What a change writes, roughly.
fn weight(change: &ViewChange) -> usize {
    let details = match change {
        ViewChange::Hold(change) => match &change.step {
            HoldStep::Placed { details, .. } | HoldStep::Changed { details: Some(details), .. } => {
                details.0.len()
            }
            HoldStep::Changed { details: None, .. } | HoldStep::Ended(_) => 0,
        },
        ViewChange::Put(_) | ViewChange::CancelAll { .. } => 0,
    };
    ROW_BYTES + details
}

/// Changes in order. Rows between two cancellations of events are sorted by key and just
/// the newest version of each is written, because neighbours in the file are cheap.
fn apply(connection: &Connection, era: Era, changes: &[ViewChange]) -> rusqlite::Result<()> {
    let mut rows = Vec::with_capacity(changes.len());
    for change in changes {
        match change {
            ViewChange::Put(row) => rows.push(row),
            ViewChange::Hold(change) => holds::apply(connection, era, change)?,
            ViewChange::CancelAll { event, stamp, at } => {
                put(connection, era, &mut rows)?;
                connection.prepare_cached(CANCEL_ALL)?.execute(params![
                    event.0,
                    int(stamp.0),
                    at.millis(),
                    era.0
                ])?;
                holds::release_all(connection, era, *event, *stamp, *at)?;
            }
        }
    }
    put(connection, era, &mut rows)
}

fn put(connection: &Connection, era: Era, rows: &mut Vec<&BookingRow>) -> rusqlite::Result<()> {
    // Stable, so that of two versions with one stamp the later one stays the later one.
    rows.sort_by_key(|row| (row.id, row.stamp));
    let mut statement = connection.prepare_cached(PUT)?;
    for (n, row) in rows.iter().enumerate() {
        if rows.get(n + 1).is_some_and(|next| next.id == row.id) {
            continue;
        }
        statement.execute(params![
            row.id.0,
            row.event.0,
            row.user.0,
            row.quantity.get(),
            status_number(row.status),
            int(row.seq.0),
            row.made_at.millis(),
            row.changed_at.millis(),
            era.0,
            int(row.stamp.0),
        ])?;
    }
    rows.clear();
    Ok(())
}

/// A page of a list, newest first. The index has the status before the id, so each status
/// is a list of its own in the order wanted, and they are merged.
fn list(
    connection: &Connection,
    owner: &'static str,
    key: [u8; 16],
    page: PageRequest,
) -> rusqlite::Result<Vec<BookingRow>> {
    // A booking id begins with the time the booking was made at: before the last row seen
    // is below its id. Ids are never all ones.
    let below = page.after.map_or([0xff; 16], |after| after.id.0);
    let sql = format!(
        "SELECT {COLUMNS} WHERE {owner} = ?1 AND status = ?2 AND id < ?3 \
         ORDER BY id DESC LIMIT ?4"
    );
    let statuses = match &page.status {
        Some(status) => std::slice::from_ref(status),
        None => &EVERY,
    };
    let mut rows = Vec::new();
    consistently(connection, |connection| {
        let mut statement = connection.prepare_cached(&sql)?;
        for status in statuses {
            let limit = int(page.limit as u64);
            let found =
                statement.query_map(params![key, status_number(*status), below, limit], row_of)?;
            for row in found {
                rows.push(row?);
            }
        }
        Ok(())
    })?;
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
    rows.truncate(page.limit);
    Ok(rows)
}

fn row_of(row: &Row<'_>) -> rusqlite::Result<BookingRow> {
    Ok(BookingRow {
        id: BookingId(row.get(0)?),
        event: EventId(row.get(1)?),
        user: UserId(row.get(2)?),
        quantity: seats(row, 3)?,
        status: status(row, 4)?,
        seq: seq(row, 5)?,
        made_at: time(row, 6)?,
        changed_at: time(row, 7)?,
        stamp: seq(row, 8)?,
    })
}
