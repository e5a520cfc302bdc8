//! The lists anew from the ledger, compared with those that are there.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use storage::{BookingViews, PartitionId, Position, StorageError, project, record};

use super::{io, ledger_length, look, parts, remove};
use crate::error::OpenError;
use crate::file::{self, LEDGER, VIEWS};
use crate::{CHECKPOINT, Options, ledger, lock, start, views};

/// Where the new lists are made.
const WORKSHOP: &str = "rebuilding";

/// Batches projected at a time.
const BATCHES: usize = 2_048;

/// A table of the lists, as it was and as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableCompared {
    /// Its name.
    pub table: String,
    /// Rows that must be there.
    pub rows: u64,
    /// Rows that were missing or different.
    pub missing: u64,
    /// Rows that were there and must not be, or not so.
    pub extra: u64,
}

/// What a rebuild found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewsRebuilt {
    /// Batches of the ledger that were read.
    pub batches: u64,
    /// The tables; none if there were no lists to compare with.
    pub tables: Vec<TableCompared>,
    /// Whether the new lists are in place.
    pub replaced: bool,
}

/// Make the lists anew beside the old ones, compare, and put them in their place unless
/// `only_check`. May be ended at any point and be run again. (Rows of holds that are over
/// for long are forgotten by a running server, and come back here: they count as missing.)
///
/// # Errors
/// [`OpenError`], among them that a server has the folder; a batch that cannot be read.
pub async fn views(
    options: &Options,
    only_check: bool,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<ViewsRebuilt, OpenError> {
    let dir = &options.dir;
    let lock = lock(dir)?;
    let ledger = look(&LEDGER, dir)?;
    let workshop = dir.join(WORKSHOP);
    if workshop.exists() {
        fs::remove_dir_all(&workshop).map_err(io(&workshop))?;
    }
    fs::create_dir(&workshop).map_err(io(&workshop))?;
    let batches = project_all(options, &ledger, &workshop, progress).await?;
    let (new, old) = (workshop.join(VIEWS.name), dir.join(VIEWS.name));
    let tables = if old.exists() { compare(&new, &old)? } else { Vec::new() };
    if !only_check {
        // First the old log: it must never meet the new file. Killed in between, the old
        // file has followed the ledger less far, which the next start makes good.
        for part in parts(&old).into_iter().skip(1) {
            remove(&part)?;
        }
        fs::rename(&new, &old).map_err(io(&new))?;
        crate::sync(dir)?;
    }
    fs::remove_dir_all(&workshop).map_err(io(&workshop))?;
    let _unlocked = lock.unlock();
    Ok(ViewsRebuilt { batches, tables, replaced: !only_check })
}

async fn project_all(
    options: &Options,
    ledger: &Connection,
    workshop: &Path,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<u64, OpenError> {
    let in_ledger = options.dir.join(LEDGER.name);
    let unusable = |error| file::unusable(&in_ledger, &error);
    let apart = Options { dir: workshop.to_owned(), ..options.clone() };
    let connection = VIEWS.open_writer(workshop)?;
    let mut ended = Vec::new();
    let (writer, readers) = start(&apart, &VIEWS, connection, (), CHECKPOINT, &mut ended)?;
    let new = Arc::new(views::Views { writer, readers });
    let era = ledger::reads::ownership(ledger).map_err(unusable)?.1;
    let all = ledger_length(ledger).map_err(unusable)?;
    let (mut at, mut done) = (Position(0), 0);
    loop {
        let batches = ledger::reads::outbox(ledger, at, BATCHES).map_err(unusable)?;
        let Some(last) = batches.last() else { break };
        at = last.position;
        let mut changes = Vec::new();
        for batch in &batches {
            let entries = record::decode(&batch.blob).map_err(|e| damaged(&in_ledger, &e))?;
            changes.extend(project::view_changes(batch.event, &entries, batch.first_seq));
        }
        let applied = new.apply(PartitionId(0), era, changes, at).await;
        applied.map_err(|error| damaged(&workshop.join(VIEWS.name), &error))?;
        done += batches.len() as u64;
        progress(done, all);
    }
    new.readers.close().await;
    new.writer.close().await;
    for ended in ended {
        // An error means that the thread is gone, which is what is waited for.
        let _gone = ended.await;
    }
    Ok(done)
}

fn damaged(file: &Path, error: &StorageError) -> OpenError {
    OpenError::Damaged { file: file.to_owned(), reason: error.to_string() }
}

/// Every table but the cursor, whatever tables there are.
fn compare(new: &Path, old: &Path) -> Result<Vec<TableCompared>, OpenError> {
    let comparing = || -> rusqlite::Result<Vec<TableCompared>> {
        let connection = Connection::open(new)?;
        connection.execute("ATTACH ?1 AS old", [old.to_string_lossy()])?;
        let names = connection
            .prepare(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'cursor' \
                 AND name NOT LIKE 'sqlite%' ORDER BY name",
            )?
            .query_map([], |row| row.get(0))?
            .collect::<Result<Vec<String>, _>>()?;
        let counted =
            |sql: String| connection.query_row(&sql, [], |row| crate::value::count(row, 0));
        names
            .into_iter()
            .map(|table| {
                let without = |one: &str, other: &str| {
                    format!(
                        "SELECT count(*) FROM (SELECT * FROM {one}.{table} \
                         EXCEPT SELECT * FROM {other}.{table})"
                    )
                };
                Ok(TableCompared {
                    rows: counted(format!("SELECT count(*) FROM main.{table}"))?,
                    missing: counted(without("main", "old"))?,
                    extra: counted(without("old", "main"))?,
                    table,
                })
            })
            .collect()
    };
    comparing().map_err(|error| file::unusable(old, &error))
}
