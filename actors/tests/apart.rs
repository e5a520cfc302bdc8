//! A journal apart from the outbox, and cursors beside it: what Redis and Cassandra have.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actors::{Options, SubmitError};
use engine::{BookingStatus, Command, EventId};
use futures_util::future::BoxFuture;
use storage::conformance::sample::Owner;
use storage::memory::{MemoryBus, MemoryStore};
use storage::{
    Delivery, Epoch, Era, JournalWriter, Message, MessageBus, OutboxEntry, PartitionId, Position,
    StorageError, Stores, Target,
};

use crate::projection::page;
use crate::support::{EVENT, START, Stage, eventually, quick, user};

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

/// A bus that can be taken away.
#[derive(Default)]
struct FarBus {
    bus: MemoryBus,
    down: AtomicBool,
}

impl FarBus {
    fn answer<'a, T>(&'a self, answer: Answer<'a, T>) -> Answer<'a, T> {
        if self.down.load(Ordering::SeqCst) {
            let away = StorageError::Unknown("the bus is away".into());
            return Box::pin(async move { Err(away) });
        }
        answer
    }

    async fn kinds(&self) -> Vec<String> {
        let messages = self.bus.next("test", 100).await.unwrap();
        messages.into_iter().map(|message| message.kind).collect()
    }
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

impl MessageBus for FarBus {
    fn cursor(&self, partition: PartitionId) -> Answer<'_, Position> {
        self.answer(self.bus.cursor(partition))
    }

    fn publish(
        &self,
        partition: PartitionId,
        messages: Vec<Message>,
        upto: Position,
    ) -> Answer<'_, ()> {
        self.answer(self.bus.publish(partition, messages, upto))
    }

    fn next<'a>(&'a self, subscriber: &'a str, limit: usize) -> Answer<'a, Vec<Delivery>> {
        self.answer(self.bus.next(subscriber, limit))
    }

    fn has_next<'a>(&'a self, subscriber: &'a str) -> Answer<'a, bool> {
        self.answer(self.bus.has_next(subscriber))
    }

    fn acknowledge<'a>(&'a self, subscriber: &'a str, number: u64) -> Answer<'a, ()> {
        self.answer(self.bus.acknowledge(subscriber, number))
    }
}

/// A bus that is away for so long that the outbox has gone on without it, and over a restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bus_that_was_away_is_fed_from_the_journal_and_holds_up_nobody() {
    let store = MemoryStore::apart(1);
    let bus = Arc::new(FarBus::default());
    let stores = Stores { bus: bus.clone(), ..store.stores() };
    let stage = Stage::on_stores(store, stores, START, quick()).await;
    bus.down.store(true, Ordering::SeqCst);
    stage.open(5).await;
    stage.book(1).await.unwrap();
    caught_up(&stage).await;
    assert_eq!(in_outbox(&stage.stores).await, 0, "the outbox waits for the journal only");
    assert_eq!(cursor(&stage.stores, Target::Bus).await, 0);
    let stage = stage.restart(quick()).await;
    stage.book(2).await.unwrap();
    caught_up(&stage).await;
    bus.down.store(false, Ordering::SeqCst);
    eventually("the bus has caught up", async || {
        cursor(&stage.stores, Target::Bus).await == last(&stage.stores).await
    })
    .await;
    assert_eq!(bus.kinds().await, ["EventOpened", "PlacesChanged", "PlacesChanged"]);
    // And from then on it is told at once.
    let gone = Command::CancelEvent { if_version: None };
    stage.submit(user(0), gone).await.unwrap();
    eventually("the bus is told", async || bus.kinds().await.len() == 4).await;
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
