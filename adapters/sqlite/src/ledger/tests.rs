//! The ledger when batches share a transaction, and when the disk is full.

use std::sync::{Arc, mpsc};

use futures_util::future::join_all;
use storage::conformance::commit::{apply, claim};
use storage::conformance::sample::Owner;
use storage::{CommitOutcome, Epoch, Position, StorageError};

use crate::{Options, Sqlite};

#[tokio::test]
async fn commits_go_on_where_they_were_when_the_disk_has_room_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let on_fatal = Arc::new(|sentence| panic!("fatal: {sentence}"));
    let sqlite = Sqlite::open(&Options::new(dir.path(), on_fatal)).expect("open");
    let stores = sqlite.stores();
    let limit = |pages: i64| {
        sqlite.ledger.writer.call(0, move |connection, _| {
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
        })
    };
    let mut owner = Owner::new(1);
    let epoch = claim(&stores, owner.event).await;
    let first = owner.batch(epoch, 1);
    apply(&stores, &mut owner, first).await;
    limit(20).await.expect("a limit");
    let large = owner.batch(epoch, 5_000);
    let full = stores.commit.commit(large.clone()).await;
    assert!(matches!(full, Err(StorageError::Full(_))), "{full:?}");
    let loaded = stores.commit.load(owner.event).await.expect("a load").expect("a history");
    assert_eq!((loaded.header.head, loaded.tail.len()), (owner.head, 1), "as it was");
    limit(10_000).await.expect("a limit");
    let outcome = stores.commit.commit(large).await.expect("an outcome");
    assert_eq!(outcome, CommitOutcome::Applied(Position(2)), "no place was used up");
    sqlite.close().await;
}

#[tokio::test]
async fn refused_batches_of_a_group_leave_no_gap() {
    let dir = tempfile::tempdir().expect("a folder");
    let on_fatal = Arc::new(|sentence| panic!("fatal: {sentence}"));
    let sqlite = Sqlite::open(&Options::new(dir.path(), on_fatal)).expect("open");
    let stores = sqlite.stores();
    let mut owners: Vec<Owner> = (0..4).map(Owner::new).collect();
    let epoch = claim(&stores, owners[0].event).await;
    let mut batches: Vec<_> = owners.iter_mut().map(|owner| owner.batch(epoch, 1)).collect();
    // The second one is refused, the last one is the first one resent.
    batches[1].epoch = Epoch(epoch.0 + 1);
    batches.push(batches[0].clone());

    // The writer is held until all are queued, so that they become one group.
    let (release, held) = mpsc::channel::<()>();
    let (begin, begun) = tokio::sync::oneshot::channel();
    let writer = sqlite.ledger.writer.clone();
    let holding = tokio::spawn(async move {
        let held = writer.call(0, move |_, _| {
            begin.send(()).expect("the test waits");
            let _released = held.recv();
            Ok(())
        });
        held.await.expect("nothing was written");
    });
    begun.await.expect("the writer is busy");
    let mut commits = Vec::new();
    for batch in batches {
        let stores = stores.clone();
        commits.push(tokio::spawn(async move { stores.commit.commit(batch).await }));
        tokio::task::yield_now().await;
    }
    drop(release);
    holding.await.expect("released");
    let outcomes: Vec<_> = join_all(commits)
        .await
        .into_iter()
        .map(|outcome| outcome.expect("no panic").expect("an outcome"))
        .collect();
    let expected = [
        CommitOutcome::Applied(Position(1)),
        CommitOutcome::Fenced,
        CommitOutcome::Applied(Position(2)),
        CommitOutcome::Applied(Position(3)),
        CommitOutcome::AlreadyApplied(Position(1)),
    ];
    assert_eq!(outcomes, expected);
    sqlite.close().await;
}
