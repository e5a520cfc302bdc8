//! A journal apart from the outbox, and cursors beside it: what Redis and Cassandra have.

use std::sync::Arc;

use actors::{Options, SubmitError};
use engine::{BookingStatus, EventId};
use storage::conformance::sample::Owner;
use storage::memory::{MemoryBus, MemoryStore};
use storage::{Epoch, Era, JournalWriter, OutboxEntry, PartitionId, Position, Stores, Target};
use tokio::time::{Duration, Instant};

use crate::projection::page;
use crate::support::{EVENT, START, Stage, eventually, quick};

const HERE: PartitionId = PartitionId(0);

async fn stage(options: Options) -> Stage {
    Stage::on(MemoryStore::apart(1), START, options).await
}

async fn cursor(stores: &Stores, target: Target) -> u64 {
    stores.outbox.cursors().unwrap().cursor(HERE, target).await.unwrap().0
}

async fn last(stores: &Stores) -> u64 {
    stores.outbox.last(HERE).await.unwrap().0
}

async fn caught_up(stage: &Stage) {
    eventually("journal and views have everything", async || {
        let last = last(&stage.stores).await;
        cursor(&stage.stores, Target::Journal).await == last
            && cursor(&stage.stores, Target::Views).await == last
    })
    .await;
}

async fn in_outbox(stores: &Stores) -> usize {
    stores.outbox.read(HERE, Position(0), 1_000).await.unwrap().len()
}

async fn confirmed(stage: &Stage) -> usize {
    let rows = stage.system.fresh_views().of_event(EVENT, page()).await.unwrap();
    rows.iter().filter(|row| row.status == BookingStatus::Confirmed).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_journal_has_leaves_the_outbox_and_nothing_is_missed() {
    let mut stage = stage(quick()).await;
    stage.open(50).await;
    for round in 0..3 {
        for who in 1..=10 {
            stage.book(10 * round + who).await.unwrap();
        }
        caught_up(&stage).await;
        assert_eq!(in_outbox(&stage.stores).await, 0);
        let journal = stage.stores.journal.follow(HERE, Position(0), 1_000).await.unwrap();
        assert_eq!(journal.len() as u64, last(&stage.stores).await, "every batch, once");
        assert_eq!(confirmed(&stage).await, 10 * (round as usize + 1));
        stage = stage.restart(quick()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_journal_is_down_bookings_go_on_and_lists_are_right() {
    let stage = stage(quick()).await;
    stage.open(50).await;
    let journal = stage.store.journal().unwrap();
    caught_up(&stage).await;
    journal.set_down(true);
    for who in 1..=20 {
        stage.book(who).await.unwrap();
        assert_eq!(confirmed(&stage).await, who as usize);
    }
    assert!(in_outbox(&stage.stores).await > 0, "the outbox keeps what the journal lacks");
    let restarted = stage.restart(quick()).await;
    assert_eq!(confirmed(&restarted).await, 20, "another life finds it all the same");
    journal.set_down(false);
    caught_up(&restarted).await;
    assert_eq!(in_outbox(&restarted.stores).await, 0);
    assert_eq!(journal.len() as u64, last(&restarted.stores).await);
}

/// A bus that was away for so long that the outbox has gone on without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_that_is_far_behind_is_fed_from_the_journal() {
    let stage = stage(quick()).await;
    stage.open(5).await;
    stage.book(1).await.unwrap();
    caught_up(&stage).await;
    stage.system.stop(Instant::now() + Duration::from_secs(5)).await;
    assert_eq!(in_outbox(&stage.stores).await, 0);
    let empty = Arc::new(MemoryBus::default());
    let stores = Stores { bus: empty, ..stage.stores.clone() };
    let again = Stage::on_stores(stage.store, stores.clone(), START, quick()).await;
    again.book(2).await.unwrap();
    eventually("the bus has caught up", async || stores.bus.cursor(HERE).await.unwrap().0 >= 1)
        .await;
    assert_eq!(confirmed(&again).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_batch_in_the_journal_closes_the_partition() {
    let stage = stage(quick()).await;
    stage.open(50).await;
    caught_up(&stage).await;
    // Somebody else's batch stands where the next one belongs.
    let mut owner = Owner::new(1);
    let batch = owner.batch(Epoch(1), 1);
    let other = OutboxEntry {
        position: Position(last(&stage.stores).await + 1),
        event: EventId([9; 16]),
        first_seq: engine::Seq(1),
        last_seq: batch.next.seq,
        epoch: batch.epoch,
        chain: batch.next.chain,
        at: batch.at,
        blob: batch.blob,
    };
    let journal = stage.store.journal().unwrap();
    assert_eq!(journal.append(HERE, Era(1), vec![Arc::new(other)]).await.unwrap(), None);
    stage.book(1).await.unwrap();
    let before = cursor(&stage.stores, Target::Journal).await;
    eventually("the partition is closed", async || {
        matches!(stage.book(1).await, Err(SubmitError::Unavailable(_)))
    })
    .await;
    assert_eq!(cursor(&stage.stores, Target::Journal).await, before, "nothing was skipped");
    let rows = stage.stores.views.of_event(EVENT, page()).await.unwrap();
    assert!(rows.is_empty(), "and nothing is shown that the journal does not have");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_projector_whose_ownership_is_over_moves_nothing() {
    let stage = stage(quick()).await;
    stage.open(50).await;
    caught_up(&stage).await;
    let journal = stage.store.journal().unwrap();
    journal.set_down(true);
    stage.book(1).await.unwrap();
    let before = cursor(&stage.stores, Target::Views).await;
    let epoch = stage.stores.commit.epoch(HERE).await.unwrap();
    stage.stores.commit.claim(HERE, "another", epoch, true).await.unwrap();
    journal.set_down(false);
    eventually("the partition is closed", async || {
        matches!(stage.book(2).await, Err(SubmitError::Unavailable(_)))
    })
    .await;
    assert_eq!(cursor(&stage.stores, Target::Views).await, before);
    assert_eq!(cursor(&stage.stores, Target::Journal).await, before);
}
