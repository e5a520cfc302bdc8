//! A Redis that comes back empty, or as it was some time ago, and is brought back.

use std::sync::Arc;

use adapter_redis::{Options, Redis};
use storage::conformance::recovery::{Past, between, goes_on, listed, stands};
use storage::memory::{MemoryBus, MemoryJournal, MemoryViews};
use storage::recovery::{self, Gap, Parts, Report, Tail, recover};
use storage::{
    Batch, Claim, CommitOutcome, CommitStore, Epoch, Era, Head, MessageBus, PartitionId, Position,
    SnapshotToKeep, StorageError, Target, record,
};

use crate::support::{Made, PARTITIONS, raw};

/// Events of the past; several in each partition.
const EVENTS: u64 = 12;

/// Batches after each of its rounds: the opening, then `ROUNDS`.
const ROUNDS: [u64; 4] = [2, 0, 1, 3];

/// How many batches there are after so many rounds, with the opening.
const fn after(rounds: usize) -> usize {
    EVENTS as usize * rounds
}

const ALL: usize = after(5);

struct World {
    options: Options,
    journal: Arc<MemoryJournal>,
    views: Arc<MemoryViews>,
    bus: Arc<MemoryBus>,
    past: Past,
    /// Redis as it was after three rounds.
    older: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A past of five rounds. The journal and the lists have all but the last.
async fn world(made: &Made) -> World {
    let options = made.options();
    Redis::create(&options).await.expect("partitions");
    let redis = Redis::connect(&options).await.expect("a connection");
    let store = redis.commit();
    for partition in (0..PARTITIONS).map(PartitionId) {
        let won = store.claim(partition, "one", Epoch(0), true).await;
        assert_eq!(won.expect("a claim"), Claim::Won(Epoch(1)));
    }
    let place = |batch| commit(&*store, batch);
    let mut past = Past::begin(EVENTS, Epoch(1), place).await;
    let mut older = Vec::new();
    let (journal, views) = (Arc::new(MemoryJournal::default()), Arc::new(MemoryViews::default()));
    for (round, bookings) in (2..).zip(ROUNDS) {
        past.go_on(Epoch(1), bookings, place).await;
        if round == 2 {
            keep_snapshots(&*store, &past).await;
            past.journal(&*journal, after(2)).await;
            past.view(&*views, after(2)).await;
            advance(&redis, &past, after(2)).await;
        }
        if round == 3 {
            older = copy(&options.prefix).await;
        }
    }
    past.journal(&*journal, after(4)).await;
    past.view(&*views, after(4)).await;
    advance(&redis, &past, after(4)).await;
    World { options, journal, views, bus: Arc::default(), past, older }
}

async fn commit(store: &dyn CommitStore, batch: Batch) -> (PartitionId, Position) {
    let partition = store.partition_of(batch.event);
    match store.commit(batch).await.expect("an outcome") {
        CommitOutcome::Applied(place) => (partition, place),
        other => panic!("{other:?}"),
    }
}

/// Of every other event.
async fn keep_snapshots(store: &dyn CommitStore, past: &Past) {
    for owner in past.owners.iter().step_by(2) {
        let mut inventory = engine::Inventory::new(owner.event);
        let mine = past.batches.iter().filter(|(_, entry)| entry.event == owner.event);
        for (_, entry) in mine {
            let entries = record::decode(&entry.blob).expect("it was encoded");
            entries.iter().for_each(|entry| inventory.apply(entry));
        }
        let blob = record::encode_snapshot(&inventory.snapshot());
        let (event, head) = (owner.event, owner.head);
        let kept = SnapshotToKeep { epoch: Epoch(1), event, head, blob };
        assert!(store.keep_snapshot(kept).await.expect("an answer"));
    }
}

/// Cursors and trimming, as a projector that has come so far.
async fn advance(redis: &Redis, past: &Past, upto: usize) {
    let outbox = redis.outbox();
    let cursors = outbox.cursors().expect("cursors");
    for (partition, entry) in &past.batches[..upto] {
        for target in [Target::Views, Target::Journal, Target::Bus] {
            let moved = cursors.advance(*partition, Epoch(1), target, entry.position).await;
            assert!(moved.expect("an answer"));
        }
    }
}

async fn keys(prefix: &str) -> Vec<Vec<u8>> {
    let mut ask = redis::cmd("KEYS");
    ask.arg(format!("{prefix}*"));
    ask.query_async(&mut raw().await).await.expect("keys")
}

/// Everything under a prefix.
async fn copy(prefix: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    let mut connection = raw().await;
    for key in keys(prefix).await {
        let dump = redis::cmd("DUMP").arg(&key).query_async(&mut connection).await.expect("one");
        all.push((key, dump));
    }
    all.sort();
    all
}

async fn empty(prefix: &str) {
    for key in keys(prefix).await {
        let () = redis::cmd("DEL").arg(key).query_async(&mut raw().await).await.expect("gone");
    }
}

async fn put_back(prefix: &str, copy: &[(Vec<u8>, Vec<u8>)]) {
    empty(prefix).await;
    let mut connection = raw().await;
    for (key, dump) in copy {
        let mut restore = redis::cmd("RESTORE");
        restore.arg(key).arg(0).arg(dump);
        let () = restore.query_async(&mut connection).await.expect("restored");
    }
}

impl World {
    async fn parts(&self) -> Parts {
        Parts {
            repair: Redis::repair(&self.options).await.expect("a connection"),
            journal: self.journal.clone(),
            views: self.views.clone(),
            bus: Some(self.bus.clone()),
        }
    }

    async fn run(&self, tails: Vec<Tail>, check: bool) -> Result<Report, StorageError> {
        let options = recovery::Options { check, ..recovery::Options::default() };
        recover(&self.parts().await, tails, &options, &mut |_, _| {}).await
    }

    /// Looked at first, which changes nothing; then done, with the same findings.
    async fn recover(&self, tails: Vec<Tail>) -> Report {
        let before = (copy(&self.options.prefix).await, self.journal.len());
        let found = self.run(tails.clone(), true).await.expect("a look");
        let now = (copy(&self.options.prefix).await, self.journal.len());
        assert!(before == now, "a look changes nothing");
        let report = self.run(tails, false).await.expect("a recovery");
        assert_eq!(Report { written: false, ..report.clone() }, found);
        assert_eq!((report.written, report.era), (true, Era(2)));
        report
    }

    /// Everything is as these heads say, and goes on from there.
    async fn goes_on_from(&mut self, heads: &[Head], report: &Report) {
        let redis = Redis::connect(&self.options).await.expect("a connection");
        assert_eq!(redis.commit().era().await.expect("an era"), report.era);
        let store = redis.commit();
        stands(&*store, &self.past, heads).await;
        listed(&*self.views, &self.past, heads).await;
        let outbox = redis.outbox();
        for partition in (0..PARTITIONS).map(PartitionId) {
            let last = outbox.last(partition).await.expect("the last place");
            let read = outbox.read(partition, Position(0), 100).await.expect("a page");
            assert_eq!(read, [], "all is in the journal");
            let cursors = outbox.cursors().expect("cursors");
            for target in [Target::Journal, Target::Views, Target::Bus] {
                assert_eq!(cursors.cursor(partition, target).await.expect("a cursor"), last);
            }
            assert_eq!(self.bus.cursor(partition).await.expect("a cursor"), last);
        }
        goes_on(&*store, &mut self.past, heads, report).await;
        // What comes now is the journal's next, and nothing is in its way.
        for partition in (0..PARTITIONS).map(PartitionId) {
            let new = outbox.read(partition, Position(0), 100).await.expect("a page");
            let new = new.into_iter().map(Arc::new).collect();
            let answer = storage::JournalWriter::append(&*self.journal, partition, Era(2), new);
            assert_eq!(answer.await.expect("an answer"), None);
        }
        let again = self.run(Vec::new(), true).await.expect("a look");
        assert_eq!((again.era, again.missing), (Era(3), 0));
        assert_eq!(again.events, EVENTS);
        // From now on the journal alone tells which histories were taken.
        empty(&self.options.prefix).await;
        let report = self.run(Vec::new(), false).await.expect("a recovery");
        assert_eq!(report.era, Era(3));
        let store = Redis::connect(&self.options).await.expect("a connection").commit();
        let heads: Vec<Head> = self.past.owners.iter().map(|owner| owner.head).collect();
        stands(&*store, &self.past, &heads).await;
        listed(&*self.views, &self.past, &heads).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_store_comes_back_whole_with_the_tails() {
    let made = Made::default();
    let mut world = world(&made).await;
    let heads = world.past.heads_after(ALL);
    empty(&world.options.prefix).await;
    let report = world.recover(world.past.tails(after(3))).await;
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((report.missing, report.batches), (u64::from(PARTITIONS), ALL as u64));
    assert_eq!((report.journalled, report.from.tails_alone), (EVENTS, EVENTS));
    world.goes_on_from(&heads, &report).await;
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tails_it_comes_back_as_far_as_the_journal_has_it() {
    let made = Made::default();
    let mut world = world(&made).await;
    let heads = world.past.heads_after(after(4));
    empty(&world.options.prefix).await;
    let report = world.recover(Vec::new()).await;
    assert_eq!(report.batches, after(4) as u64);
    assert_eq!(report.missing, u64::from(PARTITIONS), "which is why nobody knows what is lost");
    world.goes_on_from(&heads, &report).await;
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_store_is_brought_on_with_the_tails() {
    let made = Made::default();
    let mut world = world(&made).await;
    let heads = world.past.heads_after(ALL);
    put_back(&world.options.prefix, &world.older).await;
    let report = world.recover(world.past.tails(after(4))).await;
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((report.missing, report.from.tails_alone), (0, EVENTS));
    world.goes_on_from(&heads, &report).await;
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_store_without_tails_is_where_the_journal_is() {
    let made = Made::default();
    let mut world = world(&made).await;
    put_back(&world.options.prefix, &world.older).await;
    let report = world.recover(Vec::new()).await;
    assert!(report.is_whole(), "nothing tells of the last round: {report:?}");
    let heads = world.past.heads_after(after(4));
    world.goes_on_from(&heads, &report).await;
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_gap_is_reported_and_no_other() {
    let made = Made::default();
    let mut world = world(&made).await;
    // The journal has lost what it had since round 2, and owners only know the last round.
    let journal = Arc::new(MemoryJournal::default());
    world.past.journal(&*journal, after(3)).await;
    world.journal = journal;
    empty(&world.options.prefix).await;
    let heads = world.past.heads_after(after(3));
    let report = world.recover(world.past.tails(after(4))).await;
    let lost = between(&world.past, &heads, &world.past.heads_after(after(4)));
    assert_eq!(lost.len() as u64, EVENTS);
    let gap = |(event, first, last)| Gap { event, first, last, unusable: 1, bridged: false };
    let mut expected: Vec<Gap> = lost.into_iter().map(gap).collect();
    expected.sort();
    let mut found = report.gaps.clone();
    found.sort();
    assert_eq!(found, expected);
    let holes: u64 = report.holes.iter().map(|hole| hole.last.0 - hole.first.0 + 1).sum();
    assert_eq!(holes, EVENTS, "their places are holes as well: {:?}", report.holes);
    // The lists had what is lost, and owners knew of more: all of it is taken back.
    assert_eq!(report.withdrawn.len() as u64, EVENTS * 4);
    world.goes_on_from(&heads, &report).await;
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_went_on_from_an_older_state_is_a_fork() {
    let made = Made::default();
    let mut world = world(&made).await;
    let tails = world.past.tails(after(3));
    let heads = world.past.heads_after(ALL);
    put_back(&world.options.prefix, &world.older).await;
    let store = Redis::connect(&world.options).await.expect("a connection").commit();
    for partition in (0..PARTITIONS).map(PartitionId) {
        store.claim(partition, "two", Epoch(1), true).await.expect("a claim");
    }
    let older = world.past.heads_after(after(3));
    for (owner, head) in world.past.owners.clone().iter_mut().zip(&older) {
        owner.head = *head;
        let batch = owner.batch(Epoch(2), 5);
        commit(&*store, batch).await;
    }
    let report = world.recover(tails).await;
    assert_eq!(report.forks.len() as u64, EVENTS);
    for fork in &report.forks {
        assert!(fork.proven);
        assert_eq!((fork.taken.batches, fork.left.batches), (2, 1));
        assert_eq!((fork.taken.tail, fork.left.tail), (2, 0), "what an owner had is taken");
    }
    assert_eq!((report.gaps.len(), report.holes.len()), (0, 0));
    world.goes_on_from(&heads, &report).await;
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_outlives_the_loss_of_the_journal() {
    let made = Made::default();
    let mut world = world(&made).await;
    world.journal = Arc::default();
    let with_snapshots = world.past.owners.iter().step_by(2);
    let with_snapshots: Vec<_> = with_snapshots.map(|owner| owner.event).collect();
    let report = world.recover(Vec::new()).await;
    assert!(report.gaps.iter().all(|gap| gap.bridged), "no booking is missing");
    let mut bridged: Vec<_> = report.gaps.iter().map(|gap| gap.event).collect();
    bridged.sort();
    let mut expected = with_snapshots;
    expected.sort();
    assert_eq!(bridged, expected, "before their snapshots there is no history left");
    let store = Redis::connect(&world.options).await.expect("a connection").commit();
    stands(&*store, &world.past, &world.past.heads_after(ALL)).await;
    listed(&*world.views, &world.past, &world.past.heads_after(ALL)).await;
    let heads = world.past.heads_after(ALL);
    goes_on(&*store, &mut world.past, &heads, &report).await;
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_that_is_broken_off_leaves_nothing_to_claim_and_is_repeated() {
    let made = Made::default();
    let mut world = world(&made).await;
    let heads = world.past.heads_after(ALL);
    let tails = world.past.tails(after(3));
    let parts = world.parts().await;
    let old = Redis::connect(&world.options).await.expect("a connection").commit();
    for partition in (0..PARTITIONS).map(PartitionId) {
        parts.repair.close(partition).await.expect("closed");
        let holder = &old.holders().await.expect("holders")[usize::from(partition.0)];
        assert_eq!((holder.era, holder.epoch), (Era(0), Epoch(0)));
        for epoch in 0..4 {
            let claim = old.claim(partition, "one", Epoch(epoch), true).await;
            assert!(matches!(claim, Err(StorageError::Damaged(_))), "{claim:?}");
        }
    }
    let batch = world.past.owners[0].clone().batch(Epoch(1), 1);
    assert_eq!(old.commit(batch).await.expect("an outcome"), CommitOutcome::Fenced);
    Redis::create(&world.options).await.expect("which opens nothing that is closed");
    assert!(Redis::connect(&world.options).await.is_err());
    // Down in the middle: the lists are written, the store is not.
    world.journal.set_down(true);
    assert!(world.run(tails.clone(), false).await.is_err());
    world.journal.set_down(false);
    assert!(Redis::connect(&world.options).await.is_err());
    let report = world.run(tails, false).await.expect("a recovery");
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.era, Era(3), "each attempt begins one of its own");
    let store = Redis::connect(&world.options).await.expect("a connection").commit();
    stands(&*store, &world.past, &heads).await;
    listed(&*world.views, &world.past, &heads).await;
    goes_on(&*store, &mut world.past, &heads, &report).await;
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_while_somebody_serves() {
    let made = Made::default();
    let world = world(&made).await;
    let before = copy(&world.options.prefix).await;
    let serving = recovery::Options { serving: Some("b1".into()), ..recovery::Options::default() };
    let refused = recover(&world.parts().await, Vec::new(), &serving, &mut |_, _| {}).await;
    assert!(refused.expect_err("b1 serves").to_string().contains("b1"));
    let not_new = recovery::Options { era: Some(Era(1)), ..recovery::Options::default() };
    let refused = recover(&world.parts().await, Vec::new(), &not_new, &mut |_, _| {}).await;
    assert!(refused.is_err(), "it is no new era");
    assert!(before == copy(&world.options.prefix).await);
    made.clear().await;
}
