//! Opening a file: judged from its first bytes before SQLite may touch it, then brought to
//! today's schema.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{Meaning, OpenError, meaning};

/// One of the files of a data folder, and how its schema came to be.
pub(crate) struct Kind {
    /// Its name in the folder.
    pub(crate) name: &'static str,
    /// What SQLite keeps in its head so that nobody takes it for something else.
    application_id: i32,
    /// Its migrations; the schema's number is how many have run.
    migrations: &'static [&'static str],
    /// `FULL` waits for the disk at each commit, `NORMAL` just at checkpoints.
    synchronous: &'static str,
}

/// The truth: who owns, what was committed.
pub(crate) const LEDGER: Kind = Kind {
    name: "ledger.db",
    application_id: i32::from_be_bytes(*b"EvFL"),
    migrations: &[include_str!("../schema/ledger/0001_ledger.sql")],
    synchronous: "FULL",
};

/// Booking lists, which can be made anew from the ledger; so they need not wait for the
/// disk.
pub(crate) const VIEWS: Kind = Kind {
    name: "views.db",
    application_id: i32::from_be_bytes(*b"EvFV"),
    migrations: &[
        include_str!("../schema/views/0001_bookings.sql"),
        include_str!("../schema/views/0002_holds.sql"),
    ],
    synchronous: "NORMAL",
};

/// Accounts, catalog, notices and bus, apart from the ledger so that a registration never delays a
/// sale.
pub(crate) const APP: Kind = Kind {
    name: "app.db",
    application_id: i32::from_be_bytes(*b"EvFA"),
    migrations: &[
        include_str!("../schema/app/0001_app.sql"),
        include_str!("../schema/app/0002_sessions.sql"),
        include_str!("../schema/app/0003_catalog_search.sql"),
        include_str!("../schema/app/0004_notices.sql"),
    ],
    synchronous: "FULL",
};

/// How long a statement waits for a lock of SQLite's own, for example while a log is
/// recovered.
const BUSY: Duration = Duration::from_secs(5);

/// Bytes of a file that are read through a memory map instead of copied.
const MMAP_BYTES: i64 = 256 * 1024 * 1024;

/// Pages that a connection keeps, as SQLite wants it: negative, in KiB.
const CACHE_KIB: i64 = -16 * 1024;

/// Most statements that a connection keeps compiled.
const STATEMENTS: usize = 64;

const HEAD: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";

impl Kind {
    /// The number of today's schema.
    pub(crate) fn newest(&self) -> i64 {
        self.migrations.len() as i64
    }

    /// The number of the file's schema; 0 if there is no file.
    pub(crate) fn version(&self, folder: &Path) -> Result<i64, OpenError> {
        let path = folder.join(self.name);
        if !path.exists() {
            return Ok(0);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let version = Connection::open_with_flags(&path, flags).and_then(|connection| {
            connection.busy_timeout(BUSY)?;
            pragma(&connection, "user_version")
        });
        version.map_err(|error| unusable(&path, &error))
    }

    /// Judge the file by its first bytes, without SQLite, which would touch it.
    pub(crate) fn inspect(&self, folder: &Path) -> Result<(), OpenError> {
        let path = folder.join(self.name);
        let mut head = Vec::with_capacity(HEAD);
        match fs::File::open(&path) {
            Ok(file) => {
                file.take(HEAD as u64).read_to_end(&mut head).map_err(|e| failed(&path, &e))?
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(&path, &error)),
        };
        // SQLite makes an empty file first; a crash can leave it so.
        if head.is_empty() {
            return Ok(());
        }
        let damaged =
            |reason: &str| OpenError::Damaged { file: path.clone(), reason: reason.into() };
        if !head.starts_with(MAGIC) {
            return Err(damaged("it is not an SQLite file"));
        }
        let (Some(version), Some(application)) = (number(&head, 60), number(&head, 68)) else {
            return Err(damaged("it ends within its first hundred bytes"));
        };
        self.judge(&path, i64::from(version), application)
    }

    fn judge(&self, path: &Path, version: i64, application: i32) -> Result<(), OpenError> {
        let file = path.to_owned();
        if application == self.application_id && version > self.newest() {
            return Err(OpenError::Newer { file, found: version, known: self.newest() });
        }
        // Both are zero in a file whose making was interrupted.
        if application != self.application_id && (application, version) != (0, 0) {
            return Err(OpenError::Foreign { file });
        }
        Ok(())
    }

    /// Open for writing, and bring the schema up to date.
    pub(crate) fn open_writer(&self, folder: &Path) -> Result<Connection, OpenError> {
        let path = folder.join(self.name);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection =
            Connection::open_with_flags(&path, flags).map_err(|e| unusable(&path, &e))?;
        self.settle(&mut connection, &path).map_err(|error| error.or(&path))?;
        Ok(connection)
    }

    fn settle(&self, connection: &mut Connection, path: &Path) -> Result<(), Trouble> {
        connection.busy_timeout(BUSY)?;
        let version = pragma(connection, "user_version")?;
        let application = pragma(connection, "application_id")?;
        self.judge(path, version, i32::try_from(application).unwrap_or(-1))?;
        if application == 0 {
            let tables: i64 =
                connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            if tables != 0 {
                return Err(OpenError::Foreign { file: path.to_owned() }.into());
            }
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        common(connection, self)?;
        let mut migrated = false;
        for (migration, number) in self.migrations.iter().zip(1i64..) {
            if number <= version {
                continue;
            }
            let transaction = connection.transaction()?;
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "application_id", self.application_id)?;
            transaction.pragma_update(None, "user_version", number)?;
            transaction.commit()?;
            tracing::info!(file = %path.display(), schema = number, "schema brought up to date");
            migrated = true;
        }
        if migrated {
            // Into the file itself: its first bytes are what an older version judges by.
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        }
        Ok(())
    }

    /// Open once more beside the writer.
    pub(crate) fn open_beside(&self, folder: &Path) -> Result<Connection, OpenError> {
        let path = folder.join(self.name);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = || {
            let connection = Connection::open_with_flags(&path, flags)?;
            connection.busy_timeout(BUSY)?;
            common(&connection, self)?;
            Ok(connection)
        };
        open().map_err(|error| unusable(&path, &error))
    }

    /// Open once more, for reads alone.
    pub(crate) fn open_reader(&self, folder: &Path) -> Result<Connection, OpenError> {
        let path = folder.join(self.name);
        let connection = self.open_beside(folder)?;
        connection
            .pragma_update(None, "query_only", true)
            .map_err(|error| unusable(&path, &error))?;
        Ok(connection)
    }
}

fn common(connection: &Connection, kind: &Kind) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "synchronous", kind.synchronous)?;
    // Checkpoints are run beside the writer; see `writer`.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    connection.pragma_update(None, "mmap_size", MMAP_BYTES)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // Where fsync alone does not reach the disk.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

fn number(head: &[u8], at: usize) -> Option<i32> {
    let bytes = head.get(at..at + 4)?.try_into().ok()?;
    Some(i32::from_be_bytes(bytes))
}

fn failed(path: &Path, error: &std::io::Error) -> OpenError {
    OpenError::Failed { file: path.to_owned(), reason: error.to_string() }
}

/// The sentence for a file that SQLite cannot use.
pub(crate) fn unusable(path: &Path, error: &rusqlite::Error) -> OpenError {
    let (file, reason): (PathBuf, _) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
            OpenError::Damaged { file, reason }
        }
        // A table or a value that should be there is not.
        _ if meaning(error) == Meaning::Refused => OpenError::Damaged { file, reason },
        _ => OpenError::Failed { file, reason },
    }
}

/// Either kind of trouble while a file is settled.
enum Trouble {
    Sqlite(rusqlite::Error),
    Told(OpenError),
}

impl Trouble {
    fn or(self, path: &Path) -> OpenError {
        match self {
            Self::Sqlite(error) => unusable(path, &error),
            Self::Told(error) => error,
        }
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<OpenError> for Trouble {
    fn from(error: OpenError) -> Self {
        Self::Told(error)
    }
}
