//! What is done to a folder from outside: looked at, copied, brought up to date, made anew.
//!
//! Looking and copying need no lock and disturb nobody: connections of their own that only
//! read, each look one short transaction. The rest takes the folder's lock, so it is
//! refused while a server has it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::EventId;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use storage::{AccountStore, Epoch, Era, Header, Loaded, OutboxEntry, Position};

use crate::accounts::Accounts;
use crate::error::OpenError;
use crate::file::{self, APP, Kind, LEDGER, VIEWS};
use crate::value::{count, int};
use crate::writer::Ended;
use crate::{Options, bus, ledger, lock, start, views};

pub mod copies;
pub mod rebuild;

/// A schema that was brought up to date, or was so before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The file's name.
    pub file: &'static str,
    /// The number of its schema before; 0 if it was not there.
    pub from: i64,
    /// The number now.
    pub to: i64,
}

/// Bring all files of a folder up to date, without starting anything.
///
/// # Errors
/// [`OpenError`], among them that a server has the folder.
pub fn migrate(dir: &Path) -> Result<Vec<Migrated>, OpenError> {
    let lock = lock(dir)?;
    for kind in [&LEDGER, &VIEWS, &APP] {
        kind.inspect(dir)?;
    }
    let mut migrated = Vec::new();
    for kind in [&LEDGER, &VIEWS, &APP] {
        let from = kind.version(dir)?;
        let connection = kind.open_writer(dir)?;
        drop(connection);
        migrated.push(Migrated { file: kind.name, from, to: kind.version(dir)? });
    }
    let _unlocked = lock.unlock();
    Ok(migrated)
}

/// A look at one event, as the files have it.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Its header.
    pub header: Header,
    /// Everything to bring its inventory back.
    pub loaded: Loaded,
    /// Its last batches, the newest last.
    pub batches: Vec<OutboxEntry>,
    /// Who owns the folder's events.
    pub owner: String,
    /// The number of that ownership.
    pub epoch: Epoch,
    /// The number of the history of epochs.
    pub era: Era,
    /// Where the ledger ends.
    pub last: Position,
    /// How far the lists have followed it; `None` if there are none.
    pub views: Option<Position>,
    /// How far the bus has followed it; `None` if there is none.
    pub bus: Option<Position>,
}

/// Look at an event, also while a server runs; `None` if nothing was ever committed for it.
///
/// # Errors
/// [`OpenError`].
pub fn inspect(
    dir: &Path,
    event: EventId,
    batches: usize,
) -> Result<Option<Inspection>, OpenError> {
    let connection = look(&LEDGER, dir)?;
    let unusable = |error| file::unusable(&dir.join(LEDGER.name), &error);
    // Header, snapshot and tail are of one moment; the rest may be a moment younger.
    let loaded = ledger::reads::load(&connection, event).map_err(unusable)?;
    let Some(loaded) = loaded else { return Ok(None) };
    let upto = loaded.header.head.seq;
    let batches = ledger::reads::newest_of(&connection, event, upto, batches).map_err(unusable)?;
    let last = ledger::reads::last(&connection).map_err(unusable)?;
    let (owner, epoch, era) = connection
        .query_row("SELECT owner, epoch, era FROM ownership", [], |row| {
            Ok((row.get(0)?, Epoch(count(row, 1)?), Era(row.get(2)?)))
        })
        .map_err(unusable)?;
    Ok(Some(Inspection {
        header: loaded.header,
        loaded,
        batches,
        owner,
        epoch,
        era,
        last,
        views: cursor(&VIEWS, dir, views::CURSOR)?,
        bus: cursor(&APP, dir, bus::CURSOR)?,
    }))
}

/// The events whose ids carry the tag of a booking's or a hold's id.
///
/// # Errors
/// [`OpenError`].
pub fn events_by_tag(dir: &Path, tag: engine::EventTag) -> Result<Vec<EventId>, OpenError> {
    let connection = look(&LEDGER, dir)?;
    let found = ledger::reads::events_by_tag(&connection, tag);
    found.map_err(|error| file::unusable(&dir.join(LEDGER.name), &error))
}

fn cursor(kind: &Kind, dir: &Path, sql: &str) -> Result<Option<Position>, OpenError> {
    if !dir.join(kind.name).exists() {
        return Ok(None);
    }
    let connection = look(kind, dir)?;
    let cursor = connection.query_row(sql, [], |row| count(row, 0)).optional();
    let cursor = cursor.map_err(|error| file::unusable(&dir.join(kind.name), &error))?;
    Ok(cursor.map(Position))
}

/// Open a file to look at it: it must be there and of our schema.
fn look(kind: &Kind, dir: &Path) -> Result<Connection, OpenError> {
    let path = dir.join(kind.name);
    if !path.exists() {
        let reason = "it is not there; is this the data folder?".to_owned();
        return Err(OpenError::Failed { file: path, reason });
    }
    kind.inspect(dir)?;
    // Not read-only to the letter: the log's index beside the file has to be made if
    // nobody has it open.
    let connection = kind.open_reader(dir)?;
    let version = kind.version(dir)?;
    if version < kind.newest() {
        let reason = "its schema is older; `eventflow migrate` brings it up to date".to_owned();
        return Err(OpenError::Failed { file: path, reason });
    }
    Ok(connection)
}

/// The accounts of a folder, also while a server runs: each write waits for its turn.
pub struct OpenAccounts {
    /// The port.
    pub accounts: Arc<dyn AccountStore>,
    port: Arc<Accounts>,
    ended: Vec<Ended>,
}

impl OpenAccounts {
    /// Open them.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        let path = options.dir.join(APP.name);
        if !path.exists() {
            let reason = "it is not there; is this the data folder?".to_owned();
            return Err(OpenError::Failed { file: path, reason });
        }
        APP.inspect(&options.dir)?;
        let connection = APP.open_writer(&options.dir)?;
        let mut ended = Vec::new();
        let (writer, readers) =
            start(options, &APP, connection, (), crate::CHECKPOINT, &mut ended)?;
        let port = Arc::new(Accounts { writer, readers });
        Ok(Self { accounts: port.clone(), port, ended })
    }

    /// Finish what is queued and close the file.
    pub async fn close(self) {
        self.port.readers.close().await;
        self.port.writer.close().await;
        for ended in self.ended {
            // An error means that the thread is gone, which is what is waited for.
            let _gone = ended.await;
        }
    }
}

/// Open a file that nobody else has, as it lies there.
fn open_alone(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).map_err(|error| file::unusable(path, &error))
}

/// Everything that belongs to a file: itself, its log, the log's index.
fn parts(path: &Path) -> [PathBuf; 3] {
    let with = |end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    [with(""), with("-wal"), with("-shm")]
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> OpenError {
    let file = path.to_owned();
    move |error| OpenError::Failed { file: file.clone(), reason: error.to_string() }
}

fn remove(path: &Path) -> Result<(), OpenError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(path)(error)),
        _ => Ok(()),
    }
}

/// Raise the era, so that stamps of a lost history never win.
fn raise_era(connection: &Connection) -> rusqlite::Result<Era> {
    connection.query_row("UPDATE ownership SET era = era + 1 RETURNING era", [], |row| {
        row.get(0).map(Era)
    })
}

/// How much of the ledger is there, for a progress bar.
fn ledger_length(connection: &Connection) -> rusqlite::Result<u64> {
    let last = ledger::reads::last(connection)?;
    connection.query_row(
        "SELECT count(*) FROM ledger WHERE position <= ?1",
        params![int(last.0)],
        |row| count(row, 0),
    )
}
