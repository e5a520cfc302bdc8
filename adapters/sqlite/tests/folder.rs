//! Opening, closing and refusing data folders.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use adapter_sqlite::{OpenError, Options, Sqlite};
use engine::{BookingId, BookingStatus, HoldId, Seats, Seq, Words};
use storage::conformance::commit::{Books, apply, books, claim};
use storage::conformance::sample::{Owner, START, event, user};
use storage::{
    Account, BookingRow, Claim, Epoch, Era, HoldChange, HoldStep, Message, PageRequest,
    PartitionId, Position, Role, StorageError, Stores, ViewChange,
};

const FILES: [&str; 3] = ["ledger.db", "views.db", "app.db"];
const HERE: PartitionId = PartitionId(0);

fn open(dir: &Path) -> Result<Sqlite, OpenError> {
    Sqlite::open(&Options::new(dir, Arc::new(|sentence| panic!("fatal: {sentence}"))))
}

/// The sentence with which a folder is refused.
fn refused(dir: &Path) -> String {
    match open(dir) {
        Ok(_) => panic!("the folder was opened"),
        Err(error) => error.to_string(),
    }
}

/// All files of a folder but the lock, with their bytes.
fn bytes(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .expect("a folder")
        .map(|entry| entry.expect("an entry"))
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .filter(|(name, _)| name != "lock")
        .map(|(name, path)| (name, fs::read(path).expect("a file")))
        .collect();
    files.sort();
    files
}

fn row() -> BookingRow {
    BookingRow {
        id: BookingId::compose(START, event(1), Seq(1)),
        event: event(1),
        user: user(1),
        quantity: Seats::ONE,
        status: BookingStatus::Confirmed,
        seq: Seq(1),
        made_at: START,
        changed_at: START,
        stamp: Seq(1),
    }
}

fn account() -> Account {
    Account {
        id: user(1),
        username: "ada".into(),
        email: "ada@example.org".into(),
        full_name: None,
        password_hash: "hash".into(),
        role: Role::Attendee,
        is_active: true,
        created_at: START,
    }
}

fn message() -> Message {
    Message {
        era: Era(1),
        epoch: Epoch(1),
        event: event(1),
        seq: Seq(1),
        kind: "EventOpened",
        body: Arc::from([1, 2].as_slice()),
    }
}

/// Something in each file, all of it following the ledger up to its second batch.
async fn fill(stores: &Stores) -> Books {
    let mut owner = Owner::new(1);
    let epoch = claim(stores, owner.event).await;
    for n in [2, 0] {
        let batch = owner.batch(epoch, n);
        apply(stores, &mut owner, batch).await;
    }
    let put = vec![ViewChange::Put(row())];
    stores.views.apply(HERE, Era(1), put, Position(2)).await.expect("a row");
    stores.accounts.add(account()).await.expect("an account");
    stores.bus.publish(HERE, vec![message()], Position(2)).await.expect("a message");
    books(stores, &[event(1)]).await
}

async fn check_filled(stores: &Stores, expected: &Books) {
    assert_eq!(books(stores, &[event(1)]).await, *expected);
    assert_eq!(stores.commit.epoch(HERE).await.expect("an epoch"), Epoch(1));
    assert_eq!(stores.views.booking(row().id).await.expect("a read"), Some(row()));
    assert_eq!(stores.views.cursor(HERE).await.expect("a cursor"), Position(2));
    assert_eq!(stores.accounts.by_id(user(1)).await.expect("a read"), Some(account()));
    assert_eq!(stores.bus.next("one", 9).await.expect("messages").len(), 1);
    assert_eq!(stores.bus.cursor(HERE).await.expect("a cursor"), Position(2));
}

#[tokio::test]
async fn a_folder_keeps_everything() {
    let dir = tempfile::tempdir().expect("a folder");
    let below = dir.path().join("made/when/missing");
    let sqlite = open(&below).expect("open");
    let expected = fill(&sqlite.stores()).await;
    sqlite.close().await;
    let names: Vec<_> = bytes(&below).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["app.db", "ledger.db", "views.db"], "no logs are left");
    let sqlite = open(&below).expect("open again");
    let stores = sqlite.stores();
    check_filled(&stores, &expected).await;
    let claimed = stores.commit.claim(HERE, "two", Epoch(1), true).await.expect("a claim");
    assert_eq!(claimed, Claim::Won(Epoch(2)));
    sqlite.close().await;
    let closed = stores.commit.load(event(1)).await;
    assert!(matches!(closed, Err(StorageError::NotDone(_))), "{closed:?}");
}

#[tokio::test]
async fn a_copy_taken_at_any_moment_has_all_that_was_answered() {
    let dir = tempfile::tempdir().expect("a folder");
    let copy = tempfile::tempdir().expect("a folder");
    let sqlite = open(dir.path()).expect("open");
    let expected = fill(&sqlite.stores()).await;
    // The files as a killed process leaves them: logs not copied, nothing closed.
    for (name, bytes) in bytes(dir.path()) {
        if !name.ends_with("-shm") {
            fs::write(copy.path().join(name), bytes).expect("a copy");
        }
    }
    let revived = open(copy.path()).expect("open the copy");
    check_filled(&revived.stores(), &expected).await;
    revived.close().await;
    sqlite.close().await;
}

#[tokio::test]
async fn one_process_has_a_folder_at_a_time() {
    let dir = tempfile::tempdir().expect("a folder");
    let sqlite = open(dir.path()).expect("open");
    let sentence = refused(dir.path());
    let expected = format!("the data folder {} is in use by another process", dir.path().display());
    assert_eq!(sentence, expected);
    sqlite.close().await;
    open(dir.path()).expect("open after it was closed").close().await;
}

/// The first schema of the views, as the first version made it.
const FIRST_VIEWS: &str = include_str!("../schema/views/0001_bookings.sql");

#[tokio::test]
async fn views_of_the_first_version_get_their_holds() {
    let dir = tempfile::tempdir().expect("a folder");
    let connection = rusqlite::Connection::open(dir.path().join("views.db")).expect("a file");
    connection.execute_batch(FIRST_VIEWS).expect("the first schema");
    connection
        .pragma_update(None, "application_id", i32::from_be_bytes(*b"EvFV"))
        .and_then(|()| connection.pragma_update(None, "user_version", 1))
        .expect("the first version");
    connection.close().expect("closed");
    let sqlite = open(dir.path()).expect("open");
    let views = sqlite.stores().views;
    let id = HoldId::compose(START, event(1), Seq(2));
    let step = HoldStep::Placed {
        user: user(1),
        quantity: Seats::ONE,
        expires_at: START,
        details: Words::new(b"{}"),
    };
    let change = HoldChange { id, event: event(1), stamp: Seq(2), at: START, step };
    let changes = vec![ViewChange::Put(row()), ViewChange::Hold(change)];
    views.apply(HERE, Era(1), changes, Position(0)).await.expect("changes");
    assert!(views.hold(id).await.expect("a read").is_some());
    drop(views);
    sqlite.close().await;
}

#[tokio::test]
async fn a_folder_without_notices_brings_its_ledger_to_the_bus_once_more() {
    let dir = tempfile::tempdir().expect("a folder");
    let sqlite = open(dir.path()).expect("open");
    fill(&sqlite.stores()).await;
    let cursor = sqlite.stores().bus.cursor(HERE).await.expect("a cursor");
    assert!(cursor > Position(0));
    sqlite.close().await;
    let tables = "SELECT group_concat('DROP TABLE ' || name || ';', '') FROM sqlite_schema \
         WHERE type = 'table' AND name LIKE 'notice%'";
    let connection = rusqlite::Connection::open(dir.path().join("app.db")).expect("a file");
    connection
        .query_row(tables, [], |row| row.get::<_, String>(0))
        .and_then(|drop| connection.execute_batch(&drop))
        .and_then(|()| connection.pragma_update(None, "user_version", 3))
        .expect("a file of before");
    drop(connection);

    let sqlite = open(dir.path()).expect("open");
    assert_eq!(sqlite.stores().bus.cursor(HERE).await.expect("a cursor"), Position(0));
    let deliveries = sqlite.stores().bus.next("anybody", 10).await.expect("deliveries");
    assert!(!deliveries.is_empty(), "what was there is there");
    sqlite.close().await;
}

#[tokio::test]
async fn files_of_a_newer_version_are_not_touched() {
    for file in FILES {
        let dir = tempfile::tempdir().expect("a folder");
        open(dir.path()).expect("open").close().await;
        let path = dir.path().join(file);
        let connection = rusqlite::Connection::open(&path).expect("the file");
        connection.pragma_update(None, "user_version", 99).expect("a version");
        connection.close().expect("closed");
        let before = bytes(dir.path());
        let sentence = refused(dir.path());
        assert!(sentence.contains(file) && sentence.contains("newer version"), "{sentence}");
        assert_eq!(bytes(dir.path()), before, "{file} or a neighbour was touched");
    }
}

#[tokio::test]
async fn damaged_files_are_told_and_not_touched() {
    let garbage: [(&[u8], &str); 2] = [
        (b"This was never a database, and is long enough to have a whole head of one, is it not? ...", "it is not an SQLite file"),
        (b"SQLite format 3\0short", "it ends within its first hundred bytes"),
    ];
    for file in FILES {
        for (content, reason) in garbage {
            let dir = tempfile::tempdir().expect("a folder");
            let path = dir.path().join(file);
            fs::write(&path, content).expect("garbage");
            let before = bytes(dir.path());
            assert_eq!(refused(dir.path()), format!("{} is damaged: {reason}", path.display()));
            assert_eq!(bytes(dir.path()), before, "nothing was touched or made");
        }
        let dir = tempfile::tempdir().expect("a folder");
        open(dir.path()).expect("open").close().await;
        let path = dir.path().join(file);
        let mut content = fs::read(&path).expect("the file");
        content[100..2_000].fill(0xa5);
        fs::write(&path, content).expect("damage");
        let sentence = refused(dir.path());
        assert!(sentence.contains(&format!("{} is damaged: ", path.display())), "{sentence}");
    }
}

#[tokio::test]
async fn files_of_others_are_not_touched() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("app.db");
    let connection = rusqlite::Connection::open(&path).expect("a file");
    connection.execute_batch("CREATE TABLE song (title TEXT)").expect("a table");
    connection.close().expect("closed");
    let before = fs::read(&path).expect("the file");
    let sentence = refused(dir.path());
    assert!(sentence.contains("belongs to another program"), "{sentence}");
    assert_eq!(fs::read(&path).expect("the file"), before);
    // Our own files, exchanged.
    let dir = tempfile::tempdir().expect("a folder");
    open(dir.path()).expect("open").close().await;
    fs::rename(dir.path().join("views.db"), dir.path().join("ledger.db")).expect("renamed");
    assert!(refused(dir.path()).contains("belongs to another program"));
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_told() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("file"), "in the way").expect("a file");
    let sentence = refused(&dir.path().join("file/below"));
    assert!(sentence.contains("is not writable"), "{sentence}");
}

#[tokio::test]
async fn a_file_ahead_of_the_ledger_is_told_with_its_repair() {
    let dir = tempfile::tempdir().expect("a folder");
    let sqlite = open(dir.path()).expect("open");
    fill(&sqlite.stores()).await;
    let nothing = sqlite.stores().views.apply(HERE, Era(1), vec![], Position(3)).await;
    nothing.expect("a cursor");
    sqlite.close().await;
    let sentence = refused(dir.path());
    for part in ["views.db is ahead of ledger.db", "`eventflow rebuild-views`", "to 3", "at 2"] {
        assert!(sentence.contains(part), "{sentence}");
    }
    // Without its views the folder opens, and they are made anew from the beginning.
    fs::remove_file(dir.path().join("views.db")).expect("removed");
    let sqlite = open(dir.path()).expect("open without views");
    let stores = sqlite.stores();
    assert_eq!(stores.views.cursor(HERE).await.expect("a cursor"), Position(0));
    let page = PageRequest { after: None, status: None, limit: 9 };
    assert!(stores.views.of_event(event(1), page).await.expect("a list").is_empty());
    stores.bus.publish(HERE, vec![], Position(9)).await.expect("a cursor");
    sqlite.close().await;
    let sentence = refused(dir.path());
    for part in ["app.db is ahead of ledger.db", "`eventflow restore`"] {
        assert!(sentence.contains(part), "{sentence}");
    }
}
