//! What is written to `ledger.db`: the checks of a commit, and a batch as one blob.

use std::collections::HashMap;

use engine::{EventId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use storage::{
    Batch, BatchId, Chain, Claim, CommitOutcome, Epoch, Head, Position, SnapshotToKeep,
    commit::{self, judge},
};

use super::reads;
use crate::value::{count, int, phase_number, seq};
use crate::writer::Memory;

/// Most heads the writer remembers; then it forgets them all and reads again.
const HEADS: usize = 65_536;

/// What the writer knows of its file without reading. It is the only writer, so this is
/// what the file says; after a rollback all of it is read again.
pub(crate) struct Known {
    epoch: Epoch,
    last: Position,
    newest_at: Option<Timestamp>,
    heads: HashMap<EventId, Stored>,
}

/// What a commit is checked against.
#[derive(Clone, Copy)]
struct Stored {
    head: Head,
    batch: BatchId,
    position: Position,
    next_deadline: Option<Timestamp>,
}

impl Memory for Known {
    fn forget(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        *self = Self::read(connection)?;
        Ok(())
    }
}

const INSERT_BATCH: &str = "INSERT INTO ledger \
     (position, event, first_seq, last_seq, epoch, chain, batch, at, newest_at, blob) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

const INSERT_HEADER: &str = "INSERT INTO header \
     (event, seq, chain, batch, position, at, booked, held, waitlisted, waitlist_entries, \
     capacity, phase, version, next_deadline, tag, snapshot_seq) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 0)";

const UPDATE_HEADER: &str = "UPDATE header SET seq = ?2, chain = ?3, batch = ?4, position = ?5, \
     at = ?6, booked = ?7, held = ?8, waitlisted = ?9, waitlist_entries = ?10, capacity = ?11, \
     phase = ?12, version = ?13 WHERE event = ?1";

/// Apart from the rest: naming an indexed column rewrites its index, changed or not.
const UPDATE_DEADLINE: &str = "UPDATE header SET next_deadline = ?2 WHERE event = ?1";

impl Known {
    pub(crate) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            epoch: reads::ownership(connection)?.0,
            last: reads::last(connection)?,
            newest_at: reads::newest_time(connection)?,
            heads: HashMap::new(),
        })
    }

    /// The place of the last batch.
    pub(crate) const fn last(&self) -> Position {
        self.last
    }

    pub(super) fn claim(
        &mut self,
        connection: &Connection,
        owner: &str,
        expected: Epoch,
    ) -> rusqlite::Result<Claim> {
        if self.epoch != expected {
            return Ok(Claim::Lost(self.epoch));
        }
        let epoch = Epoch(expected.0 + 1);
        connection.execute(
            "UPDATE ownership SET epoch = ?1, owner = ?2 WHERE id = 0",
            params![int(epoch.0), owner],
        )?;
        self.epoch = epoch;
        Ok(Claim::Won(epoch))
    }

    pub(super) fn release(
        &mut self,
        connection: &Connection,
        epoch: Epoch,
    ) -> rusqlite::Result<bool> {
        let next = Epoch(epoch.0 + 1);
        let released = self.epoch == epoch
            && connection.execute(
                "UPDATE ownership SET epoch = ?1, owner = '' WHERE id = 0 AND owner <> ''",
                params![int(next.0)],
            )? == 1;
        if released {
            self.epoch = next;
        }
        Ok(released)
    }

    pub(super) fn commit(
        &mut self,
        connection: &Connection,
        batch: &Batch,
        lawful: bool,
    ) -> rusqlite::Result<CommitOutcome> {
        let stored = self.stored(connection, batch.event)?;
        let known = commit::Known {
            epoch: self.epoch,
            head: stored.map(|stored| stored.head).unwrap_or_default(),
            last: stored.map(|stored| (stored.batch, stored.position)),
        };
        if let Some(outcome) = judge(batch, lawful, &known) {
            return Ok(outcome);
        }
        let position = Position(self.last.0 + 1);
        let newest_at = self.newest_at.map_or(batch.at, |newest| newest.max(batch.at));
        connection.prepare_cached(INSERT_BATCH)?.execute(params![
            int(position.0),
            batch.event.0,
            int(batch.base.seq.0 + 1),
            int(batch.next.seq.0),
            int(batch.epoch.0),
            batch.next.chain.0,
            batch.id.0,
            batch.at.millis(),
            newest_at.millis(),
            &*batch.blob,
        ])?;
        write_header(connection, batch, position, stored.as_ref())?;
        self.last = position;
        self.newest_at = Some(newest_at);
        self.remember(
            batch.event,
            Stored {
                head: batch.next,
                batch: batch.id,
                position,
                next_deadline: batch.summary.next_deadline,
            },
        );
        Ok(CommitOutcome::Applied(position))
    }

    pub(super) fn keep_snapshot(
        &mut self,
        connection: &Connection,
        snapshot: &SnapshotToKeep,
    ) -> rusqlite::Result<bool> {
        let SnapshotToKeep { epoch, event, head, blob } = snapshot;
        if *epoch != self.epoch || self.epoch == Epoch(0) {
            return Ok(false);
        }
        let Some(header) = reads::header(connection, *event)? else { return Ok(false) };
        if head.seq <= header.snapshot_seq {
            return Ok(false);
        }
        let Some(position) = place_of(connection, *event, *head)? else { return Ok(false) };
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO snapshot (event, seq, position, blob) \
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![event.0, int(head.seq.0), int(position), &**blob])?;
        connection
            .prepare_cached("UPDATE header SET snapshot_seq = ?2 WHERE event = ?1")?
            .execute(params![event.0, int(head.seq.0)])?;
        Ok(true)
    }

    fn stored(
        &mut self,
        connection: &Connection,
        event: EventId,
    ) -> rusqlite::Result<Option<Stored>> {
        if let Some(stored) = self.heads.get(&event) {
            return Ok(Some(*stored));
        }
        let stored = connection
            .prepare_cached(
                "SELECT seq, chain, batch, position, next_deadline FROM header WHERE event = ?1",
            )?
            .query_row([event.0], |row| {
                Ok(Stored {
                    head: Head { seq: seq(row, 0)?, chain: Chain(row.get(1)?) },
                    batch: BatchId(row.get(2)?),
                    position: Position(count(row, 3)?),
                    next_deadline: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_millis),
                })
            })
            .optional()?;
        if let Some(stored) = stored {
            self.remember(event, stored);
        }
        Ok(stored)
    }

    fn remember(&mut self, event: EventId, stored: Stored) {
        if self.heads.len() >= HEADS && !self.heads.contains_key(&event) {
            self.heads.clear();
        }
        self.heads.insert(event, stored);
    }
}

fn write_header(
    connection: &Connection,
    batch: &Batch,
    position: Position,
    stored: Option<&Stored>,
) -> rusqlite::Result<()> {
    let summary = &batch.summary;
    let deadline = summary.next_deadline.map(Timestamp::millis);
    let sql = if stored.is_some() { UPDATE_HEADER } else { INSERT_HEADER };
    let mut statement = connection.prepare_cached(sql)?;
    let event = batch.event.0;
    let seq = int(batch.next.seq.0);
    let (chain, id, place) = (batch.next.chain.0, batch.id.0, int(position.0));
    let (at, counts) = (batch.at.millis(), summary.counts);
    let (booked, held, entries) = (counts.booked, counts.held, counts.waitlist_entries);
    let (waitlisted, phase) = (int(counts.waitlisted), phase_number(summary.phase));
    let (capacity, version) = (summary.capacity, summary.version);
    let Some(stored) = stored else {
        let tag = int(batch.event.tag().0);
        statement.execute(params![
            event, seq, chain, id, place, at, booked, held, waitlisted, entries, capacity, phase,
            version, deadline, tag
        ])?;
        return Ok(());
    };
    statement.execute(params![
        event, seq, chain, id, place, at, booked, held, waitlisted, entries, capacity, phase,
        version
    ])?;
    if stored.next_deadline != summary.next_deadline {
        connection.prepare_cached(UPDATE_DEADLINE)?.execute(params![event, deadline])?;
    }
    Ok(())
}

/// The position of the batch whose head is `head`, if the history has it.
fn place_of(connection: &Connection, event: EventId, head: Head) -> rusqlite::Result<Option<u64>> {
    // It is the batch that begins at or before the seq, or one without booking events
    // that begins just after it.
    let mut statement = connection.prepare_cached(
        "SELECT position, last_seq, chain FROM ledger \
         WHERE event = ?1 AND first_seq <= ?2 ORDER BY first_seq DESC, position DESC",
    )?;
    let mut rows = statement.query(params![event.0, int(head.seq.0 + 1)])?;
    while let Some(row) = rows.next()? {
        let last = seq(row, 1)?;
        if last == head.seq && Chain(row.get(2)?) == head.chain {
            return count(row, 0).map(Some);
        }
        if last < head.seq {
            break;
        }
    }
    Ok(None)
}
