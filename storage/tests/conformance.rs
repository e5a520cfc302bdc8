//! The adapter in memory does what every adapter must do, however many partitions.

use std::time::Duration;

use storage::conformance;
use storage::memory::MemoryStore;

/// Far more than the suite takes.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn commit() {
    conformance::commit::suite(&|| MemoryStore::new(1).stores()).await;
    conformance::commit::suite(&|| MemoryStore::new(16).stores()).await;
}

#[tokio::test]
async fn commit_differential() {
    conformance::differential::suite(&|| MemoryStore::new(1).stores()).await;
    conformance::differential::suite(&|| MemoryStore::new(3).stores()).await;
}

#[tokio::test]
async fn journal() {
    conformance::journal::suite(&|| MemoryStore::new(1).stores()).await;
    conformance::journal::suite(&|| MemoryStore::new(16).stores()).await;
}

#[tokio::test]
async fn views() {
    conformance::views::suite(&|| MemoryStore::new(4).stores()).await;
}

#[tokio::test]
async fn accounts() {
    conformance::accounts::suite(&|| MemoryStore::new(4).stores()).await;
}

#[tokio::test]
async fn notices() {
    conformance::notices::suite(&|| MemoryStore::new(4).stores()).await;
}

#[tokio::test]
async fn sessions() {
    conformance::sessions::suite(&|| MemoryStore::new(4).stores()).await;
}

#[tokio::test]
async fn catalog() {
    conformance::catalog::suite(&|| MemoryStore::new(4).stores()).await;
}

#[tokio::test]
async fn bus() {
    // Its failure may be that nobody is ever woken.
    let fresh = || MemoryStore::new(4).stores();
    let suite = conformance::bus::suite(&fresh);
    tokio::time::timeout(PATIENCE, suite).await.expect("somebody waits for ever");
}

#[tokio::test]
async fn cursors_beside_the_outbox() {
    conformance::apart::cursors(&|| MemoryStore::apart(3).stores()).await;
}

#[tokio::test]
async fn journal_apart() {
    let fresh = || MemoryStore::apart(3).stores().journal_writer.expect("a journal apart");
    conformance::apart::journal_writer(&fresh).await;
}
