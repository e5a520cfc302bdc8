//! Whoever watches an event is told of committed states, the latest at last.

use std::time::Duration;

use actors::Options;
use engine::{Command, EventId, Phase, Seq};
use tokio::time::timeout;

use crate::support::{EVENT, Stage, eventually, quick};

async fn next_seq(watch: &mut actors::Watch) -> Option<Seq> {
    let next = timeout(Duration::from_secs(10), watch.next()).await.expect("in time");
    next.map(|state| state.seq)
}

#[tokio::test]
async fn a_watch_begins_with_what_is_stored_and_follows_every_commit() {
    let stage = Stage::new().await;
    stage.open(2).await;
    let office = stage.office();
    assert!(office.watch(EventId([9; 16])).await.unwrap().is_none(), "never opened");
    let mut watch = office.watch(EVENT).await.unwrap().unwrap();
    assert_eq!(watch.state().unwrap().seq, Seq(1));
    stage.book(1).await.unwrap();
    // Whoever has the answer finds it in the watch: no waiting.
    assert_eq!(next_seq(&mut watch).await, Some(Seq(2)));
    assert_eq!(watch.state().unwrap().summary.counts.booked, 1);
    for who in 2..=9 {
        stage.book(who).await.unwrap();
    }
    assert_eq!(next_seq(&mut watch).await, Some(Seq(10)), "those in between are left out");
    assert_eq!(watch.state().unwrap().summary.counts.waitlist_entries, 7);
    let cancel = Command::CancelEvent { if_version: None };
    stage.submit(crate::support::user(0), cancel).await.unwrap();
    assert_eq!(next_seq(&mut watch).await, Some(Seq(11)));
    assert_eq!(watch.state().unwrap().summary.phase, Phase::Cancelled);
    drop(watch);
    assert_eq!(stage.system.watched(), 0);
}

#[tokio::test]
async fn only_what_is_committed_is_told() {
    let stage = Stage::new().await;
    stage.open(2).await;
    let mut watch = stage.office().watch(EVENT).await.unwrap().unwrap();
    let faults = stage.store.faults();
    faults.hold_commits();
    let booking = async { stage.book(1).await.unwrap() };
    let looking = async {
        faults.held(1).await;
        let early = timeout(Duration::from_millis(20), watch.next()).await;
        faults.release_commits();
        assert!(early.is_err(), "it was told before it was durable");
        next_seq(&mut watch).await
    };
    let (_, seen) = tokio::join!(booking, looking);
    assert_eq!(seen, Some(Seq(2)));
}

#[tokio::test]
async fn a_watch_outlives_the_actor_and_keeps_nobody_awake() {
    let stage = Stage::with(Options { idle_after: Duration::from_millis(20), ..quick() }).await;
    stage.open(2).await;
    let mut watch = stage.office().watch(EVENT).await.unwrap().unwrap();
    eventually("it sleeps", async || stage.system.awake() == 0).await;
    stage.book(1).await.unwrap();
    assert_eq!(next_seq(&mut watch).await, Some(Seq(2)));
}

#[tokio::test]
async fn watches_end_with_the_system() {
    let stage = Stage::new().await;
    stage.open(2).await;
    let mut watch = stage.office().watch(EVENT).await.unwrap().unwrap();
    stage.system.end_watches();
    assert_eq!(next_seq(&mut watch).await, None);
    assert!(stage.office().watch(EVENT).await.unwrap().unwrap().is_ended());
}
