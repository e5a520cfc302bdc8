//! Copies of a folder's files, taken while a server writes, and what makes a copy a folder.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use engine::{EventId, Seq};
use rusqlite::Connection;
use storage::{Chain, Era, Position, chain};

use super::{look, open_alone, raise_era};
use crate::error::OpenError;
use crate::file::{self, APP, LEDGER};
use crate::ledger;
use crate::value::{count, seq};

/// The files of a copy, in the order in which they are taken: the ledger last, so that
/// nothing is ahead of it. Lists are not copied, they are made anew from the ledger.
pub const FILES: [&str; 2] = [APP.name, LEDGER.name];

/// What a copy holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Where its ledger ends.
    pub last: Position,
    /// Its era.
    pub era: Era,
    /// How many events it has.
    pub events: u64,
}

/// Copy the files of `dir` into the empty folder `to`, each as of one moment, durably.
///
/// # Errors
/// [`OpenError`].
pub fn take(dir: &Path, to: &Path) -> Result<(), OpenError> {
    for kind in [&APP, &LEDGER] {
        let connection = look(kind, dir)?;
        // A query: writing into another file is all that it does.
        let target = to.join(kind.name);
        let copied = connection
            .pragma_update(None, "query_only", false)
            .and_then(|()| connection.execute("VACUUM INTO ?1", [target.to_string_lossy()]));
        copied.map_err(|error| file::unusable(&dir.join(kind.name), &error))?;
        File::open(&target).and_then(|file| file.sync_all()).map_err(super::io(&target))?;
    }
    crate::sync(to)
}

/// Whether a copy is whole: each file by itself, every event's history by its chain, and
/// nothing ahead of the ledger.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn verify(dir: &Path) -> Result<Copied, OpenError> {
    for kind in [&APP, &LEDGER] {
        kind.inspect(dir)?;
        let path = dir.join(kind.name);
        let connection = open_alone(&path)?;
        let verdict: String = connection
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
            .map_err(|error| file::unusable(&path, &error))?;
        if verdict != "ok" {
            return Err(OpenError::Damaged { file: path, reason: verdict });
        }
    }
    let path = dir.join(LEDGER.name);
    let connection = open_alone(&path)?;
    let copied = chains(&connection).map_err(|error| file::unusable(&path, &error))?;
    let copied = copied.map_err(|reason| OpenError::Damaged { file: path, reason })?;
    let app = open_alone(&dir.join(APP.name))?;
    let last = copied.last.0;
    crate::behind(dir, &APP, crate::bus::CURSOR, &app, last, crate::RECOVER)?;
    Ok(copied)
}

/// Compute every event's chain anew and compare it with what is stored. The inner error
/// says where a history is broken.
fn chains(connection: &Connection) -> rusqlite::Result<Result<Copied, String>> {
    let mut heads: HashMap<EventId, (Seq, Chain)> = HashMap::new();
    let mut last = Position(0);
    let mut batches = connection.prepare(
        "SELECT position, event, first_seq, last_seq, chain, blob FROM ledger ORDER BY position",
    )?;
    let mut rows = batches.query([])?;
    while let Some(row) = rows.next()? {
        let position = Position(count(row, 0)?);
        let event = EventId(row.get(1)?);
        let (first, end) = (seq(row, 2)?, seq(row, 3)?);
        let stored = Chain(row.get(4)?);
        let blob: Vec<u8> = row.get(5)?;
        let (at, before) = heads.get(&event).copied().unwrap_or_default();
        if position.0 != last.0 + 1 || first.0 != at.0 + 1 || end < at {
            return Ok(Err(format!("batch {} of event {event} is out of order", position.0)));
        }
        if chain::next(before, &blob) != stored {
            return Ok(Err(format!("batch {} of event {event} breaks its chain", position.0)));
        }
        heads.insert(event, (end, stored));
        last = position;
    }
    for (event, (seq, chain)) in &heads {
        let header = ledger::reads::header(connection, *event)?;
        if header.is_none_or(|header| (header.head.seq, header.head.chain) != (*seq, *chain)) {
            return Ok(Err(format!("the header of event {event} is not that of its history")));
        }
    }
    let era = ledger::reads::ownership(connection)?.1;
    Ok(Ok(Copied { last, era, events: heads.len() as u64 }))
}

/// Make a verified copy a folder of its own: its era is raised.
///
/// # Errors
/// [`OpenError`].
pub fn settle(dir: &Path) -> Result<Era, OpenError> {
    let path = dir.join(LEDGER.name);
    let connection = LEDGER.open_writer(dir)?;
    let era = raise_era(&connection).map_err(|error| file::unusable(&path, &error))?;
    drop(connection);
    crate::sync(dir)?;
    Ok(era)
}
