//! All ports in one data folder of SQLite files, without a server.
//!
//! ```text
//! ledger.db   commit · outbox · journal      the truth; synced at each commit
//! views.db    booking views                  can be made anew from the ledger; not synced
//! app.db      accounts · catalog · notices · bus   synced at each commit
//! lock        held while a process has the folder
//! ```
//!
//! Three files, because SQLite has one writer a file: a registration never delays a sale,
//! and neither do lists. Each file has one [writer] thread that takes all that is
//! queued into one transaction, one thread that copies its log beside it, and a few
//! [reader](readers) threads.
//!
//! Deliberately not here: what a batch must satisfy (that is `storage::commit`), how
//! booking events become rows (`storage::project`), and any retry: on SQLite an outcome
//! is known, or the process ends.

use std::fs::{self, File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use storage::Stores;

mod accounts;
pub mod admin;
mod bus;
mod catalog;
mod error;
mod file;
mod ledger;
mod meters;
mod notices;
mod readers;
mod sessions;
mod value;
mod views;
mod writer;

pub use error::OpenError;
pub use meters::Gauges;
pub use writer::OnFatal;

use bus::Bus;
use file::{APP, Kind, LEDGER, VIEWS};
use ledger::{Known, Ledger};
use readers::Readers;
use writer::{Ended, Memory, Writer};

/// Bytes written to the ledger between two checkpoints. Larger lets the log grow and
/// saves copying; smaller keeps the start after a crash short.
const LEDGER_CHECKPOINT: usize = 32 * 1024 * 1024;

/// The same for the other files.
const CHECKPOINT: usize = 16 * 1024 * 1024;

/// What an open folder is given.
#[derive(Clone)]
pub struct Options {
    /// The data folder; made if it is not there.
    pub dir: PathBuf,
    /// Threads, each with a connection, that read one file; at least 1. There are three
    /// files.
    pub readers: usize,
    /// Told once a file failed in a way after which nothing is known of it. The process
    /// is to end: from then on every answer of that file is *unknown*.
    pub on_fatal: OnFatal,
}

impl Options {
    /// Options with defaults for a folder.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, on_fatal: OnFatal) -> Self {
        Self { dir: dir.into(), readers: 2, on_fatal }
    }
}

/// An open data folder. Its ports may be cloned freely; [`Sqlite::close`] ends them all.
pub struct Sqlite {
    stores: Stores,
    ledger: Arc<Ledger>,
    views: Arc<views::Views>,
    app_writer: Writer<()>,
    app_readers: Readers,
    ended: Vec<Ended>,
    lock: File,
}

impl Sqlite {
    /// Take the folder's lock, look at all files before touching any, bring their schemas
    /// up to date, and start their threads. Blocks while it works.
    ///
    /// # Errors
    /// [`OpenError`]: sentences for people. Files that are damaged, foreign or of a newer
    /// version are left as they are.
    pub fn open(options: &Options) -> Result<Self, OpenError> {
        let dir = &options.dir;
        let lock = lock(dir)?;
        for kind in [&LEDGER, &VIEWS, &APP] {
            kind.inspect(dir)?;
        }
        let ledger_file = LEDGER.open_writer(dir)?;
        let views_file = VIEWS.open_writer(dir)?;
        let app_file = APP.open_writer(dir)?;
        sync(dir)?;

        let known = Known::read(&ledger_file)
            .map_err(|error| file::unusable(&dir.join(LEDGER.name), &error))?;
        let last = known.last().0;
        behind(dir, &VIEWS, views::CURSOR, &views_file, last, REBUILD_VIEWS)?;
        behind(dir, &APP, bus::CURSOR, &app_file, last, RECOVER)?;

        let mut ended = Vec::new();
        let (ledger_writer, ledger_readers) =
            start(options, &LEDGER, ledger_file, known, LEDGER_CHECKPOINT, &mut ended)?;
        let (views_writer, views_readers) =
            start(options, &VIEWS, views_file, (), CHECKPOINT, &mut ended)?;
        let (app_writer, app_readers) = start(options, &APP, app_file, (), CHECKPOINT, &mut ended)?;

        let ledger = Arc::new(Ledger { writer: ledger_writer, readers: ledger_readers });
        let views = Arc::new(views::Views { writer: views_writer, readers: views_readers });
        let (writer, readers) = (app_writer.clone(), app_readers.clone());
        let accounts = Arc::new(accounts::Accounts { writer, readers });
        let (writer, readers) = (app_writer.clone(), app_readers.clone());
        let sessions = Arc::new(sessions::Sessions { writer, readers });
        let (writer, readers) = (app_writer.clone(), app_readers.clone());
        let catalog = Arc::new(catalog::Catalog { writer, readers });
        let (writer, readers) = (app_writer.clone(), app_readers.clone());
        let notices = Arc::new(notices::Notices { writer, readers });
        let bus = Arc::new(Bus::new(app_writer.clone(), app_readers.clone()));
        let stores = Stores {
            commit: ledger.clone(),
            outbox: ledger.clone(),
            journal: ledger.clone(),
            journal_writer: None,
            views: views.clone(),
            accounts,
            sessions,
            catalog,
            notices,
            bus,
        };
        Ok(Self { stores, ledger, views, app_writer, app_readers, ended, lock })
    }

    /// The ports.
    #[must_use]
    pub fn stores(&self) -> Stores {
        self.stores.clone()
    }

    /// What is looked up when somebody asks for the figures of the folder `dir`, which is
    /// the one that was opened.
    #[must_use]
    pub fn gauges(&self, dir: &Path) -> Gauges {
        Gauges::of(self, dir)
    }

    /// Finish what is queued, copy the logs into their files, close them, and give the
    /// folder back. Whoever calls a port afterwards is told that the store is closed.
    pub async fn close(self) {
        self.ledger.readers.close().await;
        self.views.readers.close().await;
        self.app_readers.close().await;
        self.ledger.writer.close().await;
        self.views.writer.close().await;
        self.app_writer.close().await;
        for ended in self.ended {
            // An error means that the thread is gone, which is what is waited for.
            let _gone = ended.await;
        }
        // Dropping the file would do it too, but not where a child process inherited it.
        let _unlocked = self.lock.unlock();
    }
}

const REBUILD_VIEWS: &str = "`eventflow rebuild-views` makes it anew from the ledger";
const RECOVER: &str = "`eventflow restore` brings both files back from one backup";

/// Make the folder and take its lock.
fn lock(dir: &Path) -> Result<File, OpenError> {
    let not_writable = |error: std::io::Error| OpenError::NotWritable {
        folder: dir.to_owned(),
        reason: error.to_string(),
    };
    fs::create_dir_all(dir).map_err(not_writable)?;
    let mut lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join("lock"))
        .map_err(not_writable)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { folder: dir.to_owned() }),
        Err(TryLockError::Error(error)) => return Err(not_writable(error)),
    }
    // For whoever looks for the process; the lock itself is the system's.
    let written = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
    written.map_err(not_writable)?;
    Ok(lock)
}

/// New files are in the folder for good only once the folder itself is on disk.
fn sync(dir: &Path) -> Result<(), OpenError> {
    File::open(dir).and_then(|folder| folder.sync_all()).map_err(|error| OpenError::NotWritable {
        folder: dir.to_owned(),
        reason: error.to_string(),
    })
}

/// A file that has followed the ledger further than the ledger goes has followed another
/// one: an older copy was restored. Going on would skip what comes now.
fn behind(
    dir: &Path,
    kind: &Kind,
    sql: &str,
    connection: &Connection,
    last: u64,
    repair: &'static str,
) -> Result<(), OpenError> {
    let file = dir.join(kind.name);
    let cursor: i64 = connection
        .query_row(sql, [], |row| row.get(0))
        .map_err(|error| file::unusable(&file, &error))?;
    let cursor = u64::try_from(cursor).unwrap_or(0);
    if cursor > last {
        return Err(OpenError::Ahead { file, cursor, last, repair });
    }
    Ok(())
}

fn start<M: Memory>(
    options: &Options,
    kind: &Kind,
    connection: Connection,
    memory: M,
    checkpoint_bytes: usize,
    ended: &mut Vec<Ended>,
) -> Result<(Writer<M>, Readers), OpenError> {
    let (dir, path) = (&options.dir, options.dir.join(kind.name));
    let beside = kind.open_beside(dir)?;
    let readers = (0..options.readers.max(1))
        .map(|_| kind.open_reader(dir))
        .collect::<Result<Vec<_>, _>>()?;
    let on_fatal = options.on_fatal.clone();
    let (writer, has_ended) =
        Writer::start(connection, beside, memory, &path, checkpoint_bytes, on_fatal)?;
    ended.push(has_ended);
    let (readers, have_ended) = Readers::start(readers, &path)?;
    ended.extend(have_ended);
    Ok((writer, readers))
}
