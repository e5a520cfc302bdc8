//! Recoveries and rebuilds with the journal and the lists in Cassandra.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use adapter_cassandra::Cassandra;
use storage::conformance::recovery::{Past, between, listed};
use storage::memory::MemoryRepair;
use storage::recovery::{Options, Parts, Repair, Report, Tail, rebuild_views, recover};
use storage::{Epoch, Era, Head, PartitionId, Position};

use crate::support::Made;

const PARTITIONS: u16 = 2;

const EVENTS: u64 = 6;

/// Four rounds of batches in places that have gaps, as a recovery leaves them.
async fn past() -> Past {
    let places = [AtomicU64::new(9_990), AtomicU64::new(19_995)];
    let place = |batch: storage::Batch| {
        let partition = batch.event.partition() % PARTITIONS;
        let next = places[usize::from(partition)].fetch_add(5_003, Ordering::Relaxed);
        std::future::ready((PartitionId(partition), Position(next)))
    };
    let mut past = Past::begin(EVENTS, Epoch(1), place).await;
    for bookings in [2, 0, 3] {
        past.go_on(Epoch(1), bookings, place).await;
    }
    past
}

const fn after(rounds: usize) -> usize {
    EVENTS as usize * rounds
}

/// An emptied store, and what Cassandra has.
async fn run(cassandra: &Cassandra, tails: Vec<Tail>) -> (Report, Arc<MemoryRepair>) {
    let repair = Arc::new(MemoryRepair::new(PARTITIONS));
    let parts = Parts {
        repair: repair.clone(),
        journal: cassandra.whole_journal().await.expect("a look"),
        views: cassandra.views(),
        bus: None,
    };
    let report = recover(&parts, tails, &Options::default(), &mut |_, _| {}).await;
    (report.expect("a recovery"), repair)
}

fn heads(repair: &MemoryRepair, past: &Past) -> Vec<Head> {
    let stored: Vec<_> =
        (0..repair.partitions()).flat_map(|n| repair.get(PartitionId(n)).events).collect();
    let head = |event| stored.iter().find(|s| s.header.event == event).map(|s| s.header.head);
    past.owners.iter().map(|owner| head(owner.event).unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_with_gaps_in_its_places_gives_everything_back() {
    let made = Made::default();
    let cassandra = made.cassandra().await;
    let past = past().await;
    let all = past.batches.len();
    past.journal(&*cassandra.whole_journal().await.expect("a look"), after(3)).await;
    past.view(&*cassandra.views(), after(3)).await;
    let (report, repair) = run(&cassandra, past.tails(after(2))).await;
    assert_eq!((report.era, report.batches), (Era(2), all as u64));
    assert_eq!((report.gaps.len(), report.forks.len(), report.withdrawn.len()), (0, 0, 0));
    assert_eq!(report.journalled, EVENTS);
    assert_eq!(heads(&repair, &past), past.heads_after(all));
    listed(&*cassandra.views(), &past, &past.heads_after(all)).await;
    // The journal has it all now, so it does without the tails.
    let (report, repair) = run(&cassandra, Vec::new()).await;
    assert_eq!((report.era, report.journalled), (Era(3), 0));
    assert_eq!(heads(&repair, &past), past.heads_after(all));
    listed(&*cassandra.views(), &past, &past.heads_after(all)).await;
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_is_reported_and_taken_back() {
    let made = Made::default();
    let cassandra = made.cassandra().await;
    let past = past().await;
    past.journal(&*cassandra.whole_journal().await.expect("a look"), after(1)).await;
    past.view(&*cassandra.views(), past.batches.len()).await;
    let (report, repair) = run(&cassandra, past.tails(after(2))).await;
    let heads_now = past.heads_after(after(1));
    assert_eq!(heads(&repair, &past), heads_now);
    let mut lost = between(&past, &heads_now, &past.heads_after(after(2)));
    lost.sort();
    let mut gaps: Vec<_> = report.gaps.iter().map(|gap| (gap.event, gap.first, gap.last)).collect();
    gaps.sort();
    assert_eq!(gaps, lost);
    assert_eq!(report.withdrawn.len() as u64, EVENTS * 5);
    listed(&*cassandra.views(), &past, &heads_now).await;
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_histories_of_a_fork_are_in_the_journal_and_the_right_one_comes_back() {
    let made = Made::default();
    let cassandra = made.cassandra().await;
    let past = past().await;
    let all = past.batches.len();
    let journal = cassandra.whole_journal().await.expect("a look");
    past.journal(&*journal, after(3)).await;
    // Somebody went on from the third round in the places that the fourth has.
    let older = past.heads_after(after(3));
    let mut other = past.owners.clone();
    for (owner, head) in other.iter_mut().zip(&older) {
        owner.head = *head;
        let batch = owner.batch(Epoch(2), 1);
        let real = past.batches[after(3)..].iter().find(|(_, entry)| entry.event == owner.event);
        let (partition, entry) = real.expect("each has one");
        let wrong = storage::conformance::sample::Owner::placed(&batch, entry.position.0);
        let answer = journal.append(*partition, Era(1), vec![Arc::new(wrong)]).await;
        assert_eq!(answer.expect("an answer"), None);
    }
    let (report, repair) = run(&cassandra, past.tails(after(3))).await;
    assert_eq!((report.forks.len() as u64, report.journalled), (EVENTS, EVENTS));
    assert_eq!(heads(&repair, &past), past.heads_after(all));
    listed(&*cassandra.views(), &past, &past.heads_after(all)).await;
    let (report, repair) = run(&cassandra, Vec::new()).await;
    assert_eq!((report.forks.len() as u64, report.journalled), (EVENTS, 0));
    assert_eq!(heads(&repair, &past), past.heads_after(all), "the journal tells by itself");
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_emptied_and_made_anew() {
    let made = Made::default();
    let cassandra = made.cassandra().await;
    let past = past().await;
    let all = past.batches.len();
    let journal = cassandra.whole_journal().await.expect("a look");
    past.journal(&*journal, all).await;
    past.view(&*cassandra.views(), after(2)).await;
    let journal = cassandra.whole_journal().await.expect("a look");
    let views = cassandra.views();
    let rebuild = async |check| {
        let clear = || cassandra.clear_views();
        let era = Era(1);
        rebuild_views(&*journal, &*views, PARTITIONS, era, clear, check).await.expect("a rebuild")
    };
    let found = rebuild(true).await;
    assert_eq!((found.bookings, found.differences), (EVENTS * 5, EVENTS * 3));
    let done = rebuild(false).await;
    assert_eq!((done.bookings, done.incomplete), (EVENTS * 5, 0));
    assert_eq!(rebuild(true).await.differences, 0);
    listed(&*views, &past, &past.heads_after(all)).await;
    cassandra.clear_views().await.expect("emptied");
    assert_eq!(rebuild(true).await.differences, EVENTS * 5, "nothing is left");
    made.clear().await;
}
