//! Holds in `views.db`: read, brought on by one change, written back. Seldom enough that
//! the rules need not be said a second time in SQL.

use engine::{EventId, HoldId, Seq, Timestamp, UserId, Words};
use rusqlite::{Connection, OptionalExtension, Row, params};
use storage::{Era, HoldChange, HoldRow, HoldStatus};

use crate::value::{blob, int, seats, seq, time};

const READ: &str = "SELECT id, event, user, quantity, status, seq, made_at, changed_at, \
     expires_at, details, stamp, era FROM hold WHERE id = ?1";

const EXTENDED: &str =
    "SELECT extension, details FROM hold_extension WHERE hold = ?1 ORDER BY extension";

const WRITE: &str = "INSERT INTO hold \
     (id, event, user, quantity, status, seq, made_at, changed_at, expires_at, details, era, stamp) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
     ON CONFLICT (id) DO UPDATE SET quantity = excluded.quantity, status = excluded.status, \
     changed_at = excluded.changed_at, expires_at = excluded.expires_at, \
     details = excluded.details, era = excluded.era, stamp = excluded.stamp";

const RELEASE_ALL: &str = "UPDATE hold SET status = 2, changed_at = ?3, era = ?4, stamp = ?2 \
     WHERE event = ?1 AND status = 0 AND (era, stamp) < (?4, ?2)";

const OVER: &str = "SELECT id FROM hold WHERE status <> 0 AND changed_at < ?1 \
     ORDER BY changed_at LIMIT ?2";

/// One hold with its details.
pub(super) fn read(connection: &Connection, id: HoldId) -> rusqlite::Result<Option<HoldRow>> {
    Ok(stored(connection, id)?.map(|(_, row)| row))
}

fn stored(connection: &Connection, id: HoldId) -> rusqlite::Result<Option<(Era, HoldRow)>> {
    let found = connection.prepare_cached(READ)?.query_row([id.0], row_of).optional()?;
    let Some((era, mut row)) = found else { return Ok(None) };
    let mut statement = connection.prepare_cached(EXTENDED)?;
    let extended = statement.query_map([id.0], |row| Ok((row.get(0)?, Words(blob(row, 1)?))))?;
    row.extended = extended.collect::<rusqlite::Result<_>>()?;
    Ok(Some((era, row)))
}

/// Bring a hold on by a change, unless its stamp is as high already.
pub(super) fn apply(
    connection: &Connection,
    era: Era,
    change: &HoldChange,
) -> rusqlite::Result<()> {
    let before = stored(connection, change.id)?;
    if before.as_ref().is_some_and(|(old, row)| (*old, row.stamp) >= (era, change.stamp)) {
        return Ok(());
    }
    let known = before.as_ref().map_or(0, |(_, row)| row.extended.len());
    let Some(row) = change.after(before.map(|(_, row)| row)) else { return Ok(()) };
    connection.prepare_cached(WRITE)?.execute(params![
        row.id.0,
        row.event.0,
        row.user.0,
        row.quantity.get(),
        number(row.status),
        int(row.seq.0),
        row.made_at.millis(),
        row.changed_at.millis(),
        row.expires_at.millis(),
        &*row.details.0,
        era.0,
        int(row.stamp.0),
    ])?;
    if row.extended.len() < known {
        // Another history of the same hold begins, in a new era.
        forget_extensions(connection, row.id.0)?;
    }
    for (extension, details) in row.extended.iter().skip(known) {
        connection
            .prepare_cached("INSERT OR REPLACE INTO hold_extension VALUES (?1, ?2, ?3)")?
            .execute(params![row.id.0, extension, &*details.0])?;
    }
    Ok(())
}

/// An event was cancelled, and with it its open holds.
pub(super) fn release_all(
    connection: &Connection,
    era: Era,
    event: EventId,
    stamp: Seq,
    at: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(RELEASE_ALL)?
        .execute(params![event.0, int(stamp.0), at.millis(), era.0])
        .map(drop)
}

/// Forget holds that ended before this moment, at most `limit`.
pub(super) fn forget(
    connection: &Connection,
    before: Timestamp,
    limit: usize,
) -> rusqlite::Result<usize> {
    let mut statement = connection.prepare_cached(OVER)?;
    let over =
        statement.query_map(params![before.millis(), int(limit as u64)], |row| row.get(0))?;
    let over: Vec<[u8; 16]> = over.collect::<rusqlite::Result<_>>()?;
    for id in &over {
        forget_extensions(connection, *id)?;
        connection.prepare_cached("DELETE FROM hold WHERE id = ?1")?.execute([id])?;
    }
    Ok(over.len())
}

fn forget_extensions(connection: &Connection, id: [u8; 16]) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM hold_extension WHERE hold = ?1")?.execute([id]).map(drop)
}

fn row_of(row: &Row<'_>) -> rusqlite::Result<(Era, HoldRow)> {
    let hold = HoldRow {
        id: HoldId(row.get(0)?),
        event: EventId(row.get(1)?),
        user: UserId(row.get(2)?),
        quantity: seats(row, 3)?,
        status: status(row, 4)?,
        seq: seq(row, 5)?,
        made_at: time(row, 6)?,
        changed_at: time(row, 7)?,
        expires_at: time(row, 8)?,
        details: Words(blob(row, 9)?),
        extended: Vec::new(),
        stamp: seq(row, 10)?,
    };
    Ok((Era(row.get(11)?), hold))
}

/// As the column has it; the statements above know 0 and 2 by heart.
const fn number(status: HoldStatus) -> i64 {
    match status {
        HoldStatus::Held => 0,
        HoldStatus::Expired => 1,
        HoldStatus::Released => 2,
        HoldStatus::Confirmed => 3,
    }
}

fn status(row: &Row<'_>, column: usize) -> rusqlite::Result<HoldStatus> {
    match row.get(column)? {
        0 => Ok(HoldStatus::Held),
        1 => Ok(HoldStatus::Expired),
        2 => Ok(HoldStatus::Released),
        3 => Ok(HoldStatus::Confirmed),
        other => Err(rusqlite::Error::IntegralValueOutOfRange(column, other)),
    }
}
