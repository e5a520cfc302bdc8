//! Events fall asleep and wake up as they were.

use std::time::Duration;

use actors::Options;
use engine::{BookingStatus, EventId};
use tokio::time::Instant;

use crate::support::{Stage, eventually, quick};

#[tokio::test]
async fn an_idle_event_leaves_memory_and_comes_back_as_it_was() {
    let stage = Stage::with(Options { idle_after: Duration::from_millis(20), ..quick() }).await;
    stage.open(1).await;
    stage.book(1).await.unwrap();
    stage.book(2).await.unwrap();
    eventually("it sleeps", async || stage.system.awake() == 0).await;
    assert_eq!(stage.status(1).await, Some(BookingStatus::Confirmed));
    assert_eq!(stage.status(2).await, Some(BookingStatus::Waitlisted));
    assert_eq!(stage.book(3).await.unwrap().waitlist_position, Some(2));
}

#[tokio::test]
async fn falling_asleep_loses_nothing_under_traffic() {
    let stage = Stage::with(Options { idle_after: Duration::from_millis(2), ..quick() }).await;
    stage.open(1_000).await;
    for who in 1..=300 {
        // Now and then long enough for the actor to look whether it may sleep.
        if who % 10 == 0 {
            eventually("it sleeps", async || stage.system.awake() == 0).await;
        }
        assert_eq!(stage.book(who).await.unwrap().booking.seq.0, u64::from(who) + 1);
    }
}

#[tokio::test]
async fn a_question_about_nothing_leaves_nothing_behind() {
    let stage = Stage::new().await;
    let deadline = Instant::now() + Duration::from_secs(5);
    assert_eq!(stage.office().info(EventId([9; 16]), deadline).await.unwrap(), None);
    eventually("it sleeps", async || stage.system.awake() == 0).await;
    eventually("it is forgotten", async || stage.system.places() == 0).await;
}

#[tokio::test]
async fn a_snapshot_is_kept_before_a_long_history_sleeps() {
    let options =
        Options { idle_after: Duration::from_millis(20), snapshot_before_sleep: 5, ..quick() };
    let stage = Stage::with(options).await;
    stage.open(4).await;
    for who in 1..=6 {
        stage.book(who).await.unwrap();
    }
    eventually("it sleeps", async || stage.system.awake() == 0).await;
    let commit = stage.store.stores().commit;
    eventually("the snapshot is kept", async || {
        let loaded = commit.load(crate::support::EVENT).await.unwrap().unwrap();
        loaded.snapshot.is_some() && loaded.tail.is_empty()
    })
    .await;
    assert_eq!(stage.status(4).await, Some(BookingStatus::Confirmed));
    assert_eq!(stage.book(7).await.unwrap().waitlist_position, Some(3));
}
