//! A stop and a start change nothing that was answered.

use std::sync::Arc;

use actors::{Options, StartError};
use engine::{BookingStatus, Command};
use storage::memory::MemoryStore;
use storage::{PartitionId, SnapshotToKeep};

use crate::support::{EVENT, START, Stage, book, booking, quick, user};

#[tokio::test]
async fn state_keys_and_order_survive() {
    let stage = Stage::with(Options { snapshot_every: 20, ..quick() }).await;
    stage.open(50).await;
    let mut replies = Vec::new();
    for who in 1..=120 {
        let request = stage.request(user(who), book());
        let receipt = stage.office().submit(EVENT, request.clone()).await.unwrap();
        replies.push((request, receipt));
    }
    let first = booking(&replies[0].1).booking.id(EVENT);
    stage.submit(user(1), Command::Cancel { booking: first }).await.unwrap();
    let stage = stage.restart(quick()).await;
    assert_eq!(stage.status(51).await, Some(BookingStatus::Confirmed), "promoted before");
    assert_eq!(stage.status(52).await, Some(BookingStatus::Waitlisted));
    for (mut request, receipt) in replies {
        request.deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(5);
        let again = stage.office().submit(EVENT, request).await.unwrap();
        assert_eq!(again.reply, receipt.reply, "the same key is told the same");
        assert!(again.replayed);
    }
    assert_eq!(stage.book(500).await.unwrap().waitlist_position, Some(70));
}

#[tokio::test]
async fn snapshots_are_taken_and_used() {
    let stage = Stage::with(Options { snapshot_every: 20, ..quick() }).await;
    stage.open(500).await;
    for who in 1..=200 {
        stage.book(who).await.unwrap();
    }
    let commit = stage.store.stores().commit;
    crate::support::eventually("a snapshot is kept", async || {
        let loaded = commit.load(EVENT).await.unwrap().unwrap();
        loaded.header.snapshot_seq.0 > 100 && loaded.snapshot.is_some()
    })
    .await;
    let stage = stage.restart(quick()).await;
    for who in 1..=200 {
        assert_eq!(stage.status(who).await, Some(BookingStatus::Confirmed));
    }
}

#[tokio::test]
async fn a_snapshot_that_is_of_no_use_costs_time_and_nothing_else() {
    let stage = Stage::new().await;
    stage.open(500).await;
    for who in 1..=50 {
        stage.book(who).await.unwrap();
    }
    let commit = stage.store.stores().commit;
    let epoch = commit.epoch(PartitionId(0)).await.unwrap();
    let head = commit.headers(vec![EVENT]).await.unwrap()[0].unwrap().head;
    let garbage = SnapshotToKeep { epoch, event: EVENT, head, blob: Arc::from(&b"\x01xyz"[..]) };
    assert!(commit.keep_snapshot(garbage).await.unwrap());
    stage.book(51).await.unwrap();
    let stage = stage.restart(quick()).await;
    for who in 1..=51 {
        assert_eq!(stage.status(who).await, Some(BookingStatus::Confirmed));
    }
    assert_eq!(stage.book(52).await.unwrap().booking.seq.0, 53);
}

#[tokio::test]
async fn a_clock_far_behind_the_newest_stored_time_stops_the_start() {
    let stage = Stage::new().await;
    stage.open(5).await;
    let store: MemoryStore = stage.store.clone();
    stage.system.stop(tokio::time::Instant::now() + std::time::Duration::from_secs(5)).await;
    let clock = Stage::on(MemoryStore::new(1), START - 61_000, quick()).await.clock;
    let started = actors::start(quick(), store.stores().booking(), clock, "late", [2; 8]).await;
    assert!(matches!(started, Err(StartError::ClockBehind { ahead_seconds: 61 })));
}
