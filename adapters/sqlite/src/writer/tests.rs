//! A writer alone with a file, and with work that fails.

use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use rusqlite::{Connection, ffi};
use storage::StorageError;
use tempfile::TempDir;

use super::{Ended, Memory, OnFatal, Writer};

/// Counts how often it had to learn anew.
#[derive(Default)]
struct Forgets(usize);

impl Memory for Forgets {
    fn forget(&mut self, _: &Connection) -> rusqlite::Result<()> {
        self.0 += 1;
        Ok(())
    }
}

struct Fixture {
    writer: Writer<Forgets>,
    ended: Ended,
    fatal: Arc<Mutex<Vec<String>>>,
    dir: TempDir,
}

fn start() -> Fixture {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("file.db");
    let open = || {
        let connection = Connection::open(&path).expect("a file");
        connection.pragma_update(None, "journal_mode", "WAL").expect("a mode");
        connection
    };
    let connection = open();
    connection.execute_batch("CREATE TABLE note (n INTEGER, text TEXT) STRICT").expect("a table");
    let fatal = Arc::new(Mutex::new(Vec::new()));
    let told = fatal.clone();
    let on_fatal: OnFatal = Arc::new(move |sentence| told.lock().expect("lock").push(sentence));
    let (writer, ended) =
        Writer::start(connection, open(), Forgets::default(), &path, 1 << 20, on_fatal)
            .expect("threads");
    Fixture { writer, ended, fatal, dir }
}

fn note(connection: &Connection, n: i64, text: &str) -> rusqlite::Result<()> {
    connection.execute("INSERT INTO note VALUES (?1, ?2)", (n, text)).map(drop)
}

fn stored(dir: &TempDir) -> Vec<i64> {
    let connection = Connection::open(dir.path().join("file.db")).expect("the file");
    let mut statement = connection.prepare("SELECT n FROM note ORDER BY n").expect("a query");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("numbers")
}

/// Keeps the writer busy until the sender is dropped, so that what is queued meanwhile
/// becomes one group.
async fn hold(writer: &Writer<Forgets>) -> (std_mpsc::Sender<()>, tokio::task::JoinHandle<()>) {
    let (release, held) = std_mpsc::channel::<()>();
    let (begin, begun) = tokio::sync::oneshot::channel();
    let writer = writer.clone();
    let holding = tokio::spawn(async move {
        let held = writer.call(0, move |_, _| {
            begin.send(()).expect("the test waits");
            let _released = held.recv();
            Ok(())
        });
        held.await.expect("nothing was written");
    });
    begun.await.expect("the writer is busy");
    (release, holding)
}

#[tokio::test]
async fn a_full_disk_is_told_and_survived() {
    let Fixture { writer, ended, fatal, dir } = start();
    let limit = |pages: i64| {
        writer.call(0, move |connection, _| {
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
        })
    };
    limit(8).await.expect("a limit");
    let large = "x".repeat(100_000);
    let (release, holding) = hold(&writer).await;
    let group: Vec<_> = (0..3)
        .map(|n| {
            let (writer, large) = (writer.clone(), if n == 1 { large.clone() } else { "s".into() });
            tokio::spawn(async move { writer.call(9, move |c, _| note(c, n, &large)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    drop(release);
    holding.await.expect("released");
    let answers: Vec<_> = join_all(group).await.into_iter().map(|a| a.expect("no panic")).collect();
    let full = |answer: &Result<(), StorageError>| matches!(answer, Err(StorageError::Full(_)));
    assert!(answers.iter().all(full), "they were one transaction: {answers:?}");
    assert!(stored(&dir).is_empty(), "nothing is written");
    limit(1_000).await.expect("a limit");
    writer.call(9, move |c, _| note(c, 7, &large)).await.expect("there is room again");
    assert!(stored(&dir).contains(&7));
    let forgets = writer.call(0, |_, memory| Ok(memory.0)).await.expect("a count");
    assert_eq!(forgets, 1, "what was remembered is learnt anew");
    assert!(fatal.lock().expect("lock").is_empty(), "a full disk is no reason to end");
    writer.close().await;
    ended.await.expect("it ends");
}

#[tokio::test]
async fn a_failing_disk_ends_everything() {
    let Fixture { writer, ended, fatal, dir } = start();
    writer.call(9, |c, _| note(c, 1, "before")).await.expect("it is written");
    let failed = writer.call(9, |c, _| {
        note(c, 2, "lost")?;
        Err::<(), _>(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_IOERR_FSYNC), None))
    });
    assert!(matches!(failed.await, Err(StorageError::Unknown(_))));
    let after = writer.call(9, |c, _| note(c, 3, "after")).await;
    assert!(matches!(after, Err(StorageError::Unknown(_))), "nothing else is ever answered");
    let told = fatal.lock().expect("lock").clone();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("file.db failed"), "{told:?}");
    writer.close().await;
    ended.await.expect("it ends");
    assert_eq!(stored(&dir), [1], "and nothing else was written");
}

#[tokio::test]
async fn a_panic_ends_everything() {
    let Fixture { writer, ended: _, fatal, dir } = start();
    let failed = writer.call(9, |c, _| -> rusqlite::Result<()> {
        note(c, 1, "half")?;
        panic!("a bug, as it was to be");
    });
    assert!(matches!(failed.await, Err(StorageError::Unknown(_))));
    assert_eq!(fatal.lock().expect("lock").len(), 1);
    assert!(writer.call(9, |c, _| note(c, 2, "after")).await.is_err());
    assert!(stored(&dir).is_empty());
}

#[tokio::test]
async fn one_transaction_takes_all_that_waits() {
    let Fixture { writer, ended, fatal: _, dir } = start();
    let (release, holding) = hold(&writer).await;
    let mut group = Vec::new();
    for n in 0..20 {
        let writer = writer.clone();
        group.push(tokio::spawn(async move {
            // All see what those before them in the transaction wrote.
            let work = writer.call(9, move |c, _| {
                note(c, n, "grouped")?;
                c.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0))
            });
            work.await.expect("it is written")
        }));
        tokio::task::yield_now().await;
    }
    assert!(stored(&dir).is_empty());
    drop(release);
    holding.await.expect("released");
    let seen: Vec<i64> = join_all(group).await.into_iter().map(|n| n.expect("no panic")).collect();
    assert_eq!(seen, (1..=20).collect::<Vec<_>>(), "in the order in which they came");
    writer.close().await;
    ended.await.expect("it ends");
    let late = writer.call(9, |c, _| note(c, 99, "late")).await;
    assert!(matches!(late, Err(StorageError::NotDone(_))), "closed");
    assert_eq!(stored(&dir), (0..20).collect::<Vec<_>>());
    assert!(!dir.path().join("file.db-wal").exists(), "the log was copied and is gone");
}

#[tokio::test]
async fn logs_are_copied_while_writing_goes_on() {
    let Fixture { writer, ended, fatal, dir } = start();
    let text = "x".repeat(64 * 1024);
    for n in 0..400 {
        let text = text.clone();
        writer.call(text.len(), move |c, _| note(c, n, &text)).await.expect("it is written");
    }
    let log = std::fs::metadata(dir.path().join("file.db-wal")).expect("a log").len();
    let file = std::fs::metadata(dir.path().join("file.db")).expect("a file").len();
    assert!(file > 0 && log < 26 * 1024 * 1024, "25 MiB went through a log of {log} bytes");
    writer.close().await;
    ended.await.expect("it ends");
    assert_eq!(stored(&dir).len(), 400);
    assert!(fatal.lock().expect("lock").is_empty());
}
