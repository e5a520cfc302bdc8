//! The adapter in memory does what every adapter must do, however many partitions.

use storage::conformance;
use storage::memory::MemoryStore;

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
async fn catalog() {
    conformance::catalog::suite(&|| MemoryStore::new(4).stores()).await;
}

#[tokio::test]
async fn bus() {
    conformance::bus::suite(&|| MemoryStore::new(4).stores()).await;
}
