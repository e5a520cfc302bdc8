//! What is read from `ledger.db`.

use engine::{Counts, EventId, EventTag, Seq, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use storage::{
    BatchId, Chain, Epoch, Era, Head, Header, Holder, Loaded, OutboxEntry, Position, Summary,
};

use crate::readers::consistently;
use crate::value::{blob, count, int, phase, seq, time};

const HEADER: &str = "SELECT seq, chain, batch, at, booked, held, waitlisted, waitlist_entries, \
     capacity, phase, version, next_deadline, snapshot_seq FROM header WHERE event = ?1";

const OUTBOX: &str = "SELECT position, event, first_seq, last_seq, epoch, chain, at, blob \
     FROM ledger WHERE position > ?1 ORDER BY position LIMIT ?2";

const HISTORY: &str = "SELECT position, event, first_seq, last_seq, epoch, chain, at, blob \
     FROM ledger WHERE event = ?1 AND first_seq >= ?2 AND (first_seq >= ?3 OR last_seq >= ?3) \
     ORDER BY first_seq, position LIMIT ?4";

/// The batch with booking events that begins next before ?2: if any contains it, this one.
const BEFORE: &str = "SELECT first_seq, last_seq FROM ledger \
     WHERE event = ?1 AND first_seq < ?2 AND last_seq >= first_seq \
     ORDER BY first_seq DESC LIMIT 1";

/// With the chain that the history had when it was taken.
const SNAPSHOT: &str = "SELECT snapshot.position, snapshot.blob, snapshot.seq, ledger.chain \
     FROM snapshot JOIN ledger ON ledger.position = snapshot.position WHERE snapshot.event = ?1";

/// A snapshot is only flipped to; batches before it stay. Those without booking events
/// share their seq with their predecessor, so position decides, and seq uses the index.
const TAIL: &str = "SELECT blob FROM ledger \
     WHERE event = ?1 AND first_seq > ?2 AND position > ?3 ORDER BY first_seq, position";

pub(crate) fn ownership(connection: &Connection) -> rusqlite::Result<(Epoch, Era)> {
    connection
        .prepare_cached("SELECT epoch, era FROM ownership WHERE id = 0")?
        .query_row([], |row| Ok((Epoch(count(row, 0)?), Era(row.get(1)?))))
}

const HOLDER: &str = "SELECT era, epoch, owner, (SELECT coalesce(max(position), 0) FROM ledger) \
     FROM ownership WHERE id = 0";

pub(super) fn holder(connection: &Connection) -> rusqlite::Result<Holder> {
    connection.prepare_cached(HOLDER)?.query_row([], |row| {
        let owner: String = row.get(2)?;
        Ok(Holder {
            partition: super::ONLY,
            era: Era(row.get(0)?),
            epoch: Epoch(count(row, 1)?),
            owner: Some(owner).filter(|owner| !owner.is_empty()),
            last: Position(count(row, 3)?),
        })
    })
}

pub(super) fn newest_time(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    connection
        .prepare_cached("SELECT newest_at FROM ledger ORDER BY position DESC LIMIT 1")?
        .query_row([], |row| time(row, 0))
        .optional()
}

pub(crate) fn last(connection: &Connection) -> rusqlite::Result<Position> {
    connection
        .prepare_cached("SELECT coalesce(max(position), 0) FROM ledger")?
        .query_row([], |row| count(row, 0))
        .map(Position)
}

pub(super) fn head(connection: &Connection, event: EventId) -> rusqlite::Result<(Epoch, Head)> {
    connection
        .prepare_cached(
            "SELECT ownership.epoch, header.seq, header.chain \
             FROM ownership LEFT JOIN header ON header.event = ?1 WHERE ownership.id = 0",
        )?
        .query_row([event.0], |row| {
            let epoch = Epoch(count(row, 0)?);
            let head = match row.get::<_, Option<[u8; 16]>>(2)? {
                Some(chain) => Head { seq: seq(row, 1)?, chain: Chain(chain) },
                None => Head::default(),
            };
            Ok((epoch, head))
        })
}

pub(crate) fn header(connection: &Connection, event: EventId) -> rusqlite::Result<Option<Header>> {
    connection.prepare_cached(HEADER)?.query_row([event.0], |row| header_of(row, event)).optional()
}

fn header_of(row: &Row<'_>, event: EventId) -> rusqlite::Result<Header> {
    Ok(Header {
        event,
        head: Head { seq: seq(row, 0)?, chain: Chain(row.get(1)?) },
        batch: BatchId(row.get(2)?),
        at: time(row, 3)?,
        summary: Summary {
            counts: Counts {
                booked: row.get(4)?,
                held: row.get(5)?,
                waitlisted: count(row, 6)?,
                waitlist_entries: row.get(7)?,
            },
            capacity: row.get(8)?,
            phase: phase(row, 9)?,
            version: row.get(10)?,
            next_deadline: row.get::<_, Option<i64>>(11)?.map(Timestamp::from_millis),
        },
        snapshot_seq: seq(row, 12)?,
    })
}

pub(super) fn headers(
    connection: &Connection,
    events: &[EventId],
) -> rusqlite::Result<Vec<Option<Header>>> {
    consistently(connection, |connection| {
        events.iter().map(|event| header(connection, *event)).collect()
    })
}

/// Header, snapshot and tail of one state: a snapshot kept between two statements would
/// otherwise leave a gap, or fill one twice.
pub(crate) fn load(connection: &Connection, event: EventId) -> rusqlite::Result<Option<Loaded>> {
    consistently(connection, |connection| {
        let Some(header) = header(connection, event)? else { return Ok(None) };
        let snapshot = connection
            .prepare_cached(SNAPSHOT)?
            .query_row([event.0], |row| {
                let from = Head { seq: seq(row, 2)?, chain: Chain(row.get(3)?) };
                Ok((count(row, 0)?, blob(row, 1)?, from))
            })
            .optional()?;
        let after = snapshot.as_ref().map_or(0, |(position, _, _)| *position);
        let from = snapshot.as_ref().map(|(_, _, from)| *from).unwrap_or_default();
        let tail = connection
            .prepare_cached(TAIL)?
            .query_map(params![event.0, int(header.snapshot_seq.0), int(after)], |row| {
                blob(row, 0)
            })?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(Some(Loaded { header, snapshot: snapshot.map(|(_, blob, _)| blob), from, tail }))
    })
}

pub(super) fn due(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<EventId>> {
    connection
        .prepare_cached(
            "SELECT event FROM header WHERE next_deadline IS NOT NULL AND next_deadline <= ?1 \
             ORDER BY next_deadline, event LIMIT ?2",
        )?
        .query_map(params![now.millis(), int(limit as u64)], |row| row.get(0).map(EventId))?
        .collect()
}

pub(crate) fn events_by_tag(
    connection: &Connection,
    tag: EventTag,
) -> rusqlite::Result<Vec<EventId>> {
    connection
        .prepare_cached("SELECT event FROM header WHERE tag = ?1 ORDER BY event")?
        .query_map([int(tag.0)], |row| row.get(0).map(EventId))?
        .collect()
}

pub(crate) fn outbox(
    connection: &Connection,
    after: Position,
    limit: usize,
) -> rusqlite::Result<Vec<OutboxEntry>> {
    connection
        .prepare_cached(OUTBOX)?
        .query_map(params![int(after.0), int(limit as u64)], entry)?
        .collect()
}

pub(super) fn history(
    connection: &Connection,
    event: EventId,
    from: Seq,
    limit: usize,
) -> rusqlite::Result<Vec<OutboxEntry>> {
    let containing = connection
        .prepare_cached(BEFORE)?
        .query_row(params![event.0, int(from.0)], |row| Ok((seq(row, 0)?, seq(row, 1)?)))
        .optional()?
        .filter(|(_, last)| *last >= from)
        .map(|(first, _)| first);
    let beginning = containing.unwrap_or(from);
    connection
        .prepare_cached(HISTORY)?
        .query_map(params![event.0, int(beginning.0), int(from.0), int(limit as u64)], entry)?
        .collect()
}

/// The last batches of an event up to a seq, the newest last.
pub(crate) fn newest_of(
    connection: &Connection,
    event: EventId,
    upto: Seq,
    limit: usize,
) -> rusqlite::Result<Vec<OutboxEntry>> {
    let mut newest = connection
        .prepare_cached(
            "SELECT position, event, first_seq, last_seq, epoch, chain, at, blob FROM ledger \
             WHERE event = ?1 AND first_seq <= ?2 + 1 AND last_seq <= ?2 \
             ORDER BY first_seq DESC, position DESC LIMIT ?3",
        )?
        .query_map(params![event.0, int(upto.0), int(limit as u64)], entry)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    newest.reverse();
    Ok(newest)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<OutboxEntry> {
    Ok(OutboxEntry {
        position: Position(count(row, 0)?),
        event: EventId(row.get(1)?),
        first_seq: seq(row, 2)?,
        last_seq: seq(row, 3)?,
        epoch: Epoch(count(row, 4)?),
        chain: Chain(row.get(5)?),
        at: time(row, 6)?,
        blob: blob(row, 7)?,
    })
}
