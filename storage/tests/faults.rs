//! The memory adapter fails as it is told to.

use futures_util::future::{Either, select};
use futures_util::pin_mut;
use storage::conformance::commit::claim;
use storage::conformance::sample::Owner;
use storage::memory::MemoryStore;
use storage::{CommitOutcome, Position, StorageError};

#[tokio::test]
async fn commits_fail_before_and_after_the_write() {
    let memory = MemoryStore::new(1);
    let (stores, faults) = (memory.stores(), memory.faults());
    let mut owner = Owner::new(1);
    let epoch = claim(&stores, owner.event).await;
    let batch = owner.batch(epoch, 2);
    faults.refuse_commits(1);
    faults.fill_up(1);
    faults.lose_commits(1);
    faults.lose_answers(1);
    let commit = async || stores.commit.commit(batch.clone()).await;
    let load = async || stores.commit.load(owner.event).await.expect("a load");
    assert!(matches!(commit().await, Err(StorageError::NotDone(_))));
    assert!(matches!(commit().await, Err(StorageError::Full(_))));
    assert!(matches!(commit().await, Err(StorageError::Unknown(_))));
    assert_eq!(load().await, None, "none of them was written");
    assert!(matches!(commit().await, Err(StorageError::Unknown(_))));
    assert!(load().await.is_some(), "this one was");
    let outcome = commit().await.expect("an outcome");
    assert_eq!(outcome, CommitOutcome::AlreadyApplied(Position(1)));
    assert_eq!(faults.commits(), 5);
    faults.refuse_loads(1);
    assert!(stores.commit.load(owner.event).await.is_err());
    assert!(load().await.is_some());
}

#[tokio::test]
async fn commits_wait_until_they_are_released() {
    let memory = MemoryStore::new(1);
    let (stores, faults) = (memory.stores(), memory.faults());
    let mut owner = Owner::new(1);
    let epoch = claim(&stores, owner.event).await;
    let batch = owner.batch(epoch, 1);
    faults.hold_commits();
    let commit = tokio::spawn({
        let stores = stores.clone();
        let batch = batch.clone();
        async move { stores.commit.commit(batch).await }
    });
    faults.held(1).await;
    assert_eq!(stores.commit.load(owner.event).await.expect("a load"), None);
    let dropped = stores.commit.commit(batch);
    pin_mut!(dropped);
    let two = faults.held(2);
    pin_mut!(two);
    // It waits as well, and is dropped when both do.
    assert!(matches!(select(dropped, two).await, Either::Right(_)));
    faults.release_commits();
    let outcome = commit.await.expect("no panic").expect("an outcome");
    assert_eq!(outcome, CommitOutcome::Applied(Position(1)));
}
