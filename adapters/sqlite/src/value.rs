//! Between columns and our types.

use std::sync::Arc;

use engine::{BookingStatus, Phase, Seats, Seq, Timestamp};
use rusqlite::Row;

/// A number as SQLite has them: signed. Ours are counts that never come near the sign.
pub(crate) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count read back; a negative one is damage.
pub(crate) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

pub(crate) fn seq(row: &Row<'_>, column: usize) -> rusqlite::Result<Seq> {
    count(row, column).map(Seq)
}

pub(crate) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_millis)
}

pub(crate) fn blob(row: &Row<'_>, column: usize) -> rusqlite::Result<Arc<[u8]>> {
    Ok(Arc::from(row.get_ref(column)?.as_blob()?))
}

pub(crate) fn seats(row: &Row<'_>, column: usize) -> rusqlite::Result<Seats> {
    Seats::new(row.get(column)?).ok_or(rusqlite::Error::IntegralValueOutOfRange(column, 0))
}

pub(crate) const fn status_number(status: BookingStatus) -> i64 {
    match status {
        BookingStatus::Confirmed => 0,
        BookingStatus::Waitlisted => 1,
        BookingStatus::Cancelled => 2,
    }
}

pub(crate) fn status(row: &Row<'_>, column: usize) -> rusqlite::Result<BookingStatus> {
    match row.get(column)? {
        0 => Ok(BookingStatus::Confirmed),
        1 => Ok(BookingStatus::Waitlisted),
        2 => Ok(BookingStatus::Cancelled),
        other => Err(rusqlite::Error::IntegralValueOutOfRange(column, other)),
    }
}

pub(crate) const fn phase_number(phase: Phase) -> i64 {
    match phase {
        Phase::Unopened => 0,
        Phase::Open => 1,
        Phase::Cancelled => 2,
    }
}

pub(crate) fn phase(row: &Row<'_>, column: usize) -> rusqlite::Result<Phase> {
    match row.get(column)? {
        0 => Ok(Phase::Unopened),
        1 => Ok(Phase::Open),
        2 => Ok(Phase::Cancelled),
        other => Err(rusqlite::Error::IntegralValueOutOfRange(column, other)),
    }
}
