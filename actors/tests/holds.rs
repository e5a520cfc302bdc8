//! Holds with their details are read at once, and forgotten when they have long been over.

use std::time::Duration;

use actors::Options;
use engine::{Command, Hold, HoldId, Reply, Seats, Words};
use storage::{HoldRow, HoldStatus};

use crate::support::{EVENT, Stage, eventually, quick, user};

async fn told(stage: &Stage, who: u32, command: Command) -> Hold {
    match stage.submit(user(who), command).await.unwrap().reply {
        Reply::Hold(reply) => reply.hold,
        other => panic!("{other:?}"),
    }
}

async fn place(stage: &Stage, who: u32, details: &str) -> HoldId {
    let details = Words::new(details.as_bytes());
    told(stage, who, Command::PlaceHold { quantity: Seats::ONE, details }).await.id(EVENT)
}

async fn row(stage: &Stage, hold: HoldId) -> Option<HoldRow> {
    stage.system.fresh_views().hold(hold).await.unwrap()
}

/// Every answer is followed at once by a read; the projector runs as it likes in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_an_answer_finds_its_details() {
    let stage = Stage::new().await;
    stage.open(3).await;
    // A person each time: one has only so many keys.
    for round in 1..=100 {
        let (first, second) = (format!("{round} first"), format!("{round} second"));
        let hold = place(&stage, round, &first).await;
        let found = row(&stage, hold).await.unwrap();
        assert_eq!((found.status, &*found.details.0), (HoldStatus::Held, first.as_bytes()));
        told(&stage, round, Command::ChangeHold { hold, details: None, extend: true }).await;
        let details = Some(Words::new(second.as_bytes()));
        let change = Command::ChangeHold { hold, details, extend: false };
        let end = told(&stage, round, change).await.expires_at;
        let found = row(&stage, hold).await.unwrap();
        assert_eq!((found.expires_at, &*found.details.0), (end, second.as_bytes()));
        assert_eq!(found.extended, [(1, Words::new(first.as_bytes()))]);
        told(&stage, round, Command::ReleaseHold { hold }).await;
        let found = row(&stage, hold).await.unwrap();
        assert_eq!((found.status, &*found.details.0), (HoldStatus::Released, second.as_bytes()));
    }
}

#[tokio::test]
async fn a_hold_that_is_over_is_forgotten_after_a_while() {
    let day = Duration::from_secs(86_400);
    // The keys' memory counts: a day, although this says less.
    let stage = Stage::with(Options { hold_memory: Duration::from_secs(1), ..quick() }).await;
    stage.open(3).await;
    let mut over = Vec::new();
    for who in 1..=2 {
        let hold = place(&stage, who, "{}").await;
        told(&stage, who, Command::ReleaseHold { hold }).await;
        over.push(hold);
        stage.clock.advance(Duration::from_secs(60));
    }
    eventually("the views have both", async || stage.system.projection_lag() == 0).await;
    stage.clock.advance(day - Duration::from_secs(150));
    let open = place(&stage, 3, "{}").await;
    assert!(row(&stage, over[0]).await.is_some(), "a repeat of its call may still need it");
    stage.clock.advance(Duration::from_secs(60));
    eventually("the first is forgotten", async || row(&stage, over[0]).await.is_none()).await;
    assert!(row(&stage, over[1]).await.is_some(), "its time comes later");
    assert!(row(&stage, open).await.is_some(), "an open one stays");
}
