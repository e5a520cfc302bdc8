//! Whole recoveries, in memory: what a real store cannot be brought to easily.

use std::sync::Arc;

use engine::{BookingEvent, Entry, Seats, Seq};
use storage::conformance::recovery::Past;
use storage::conformance::sample::{Owner, at, user};
use storage::memory::{MemoryJournal, MemoryRepair, MemoryViews};
use storage::recovery::{Options, Parts, Repair, Report, Tail, rebuild_views, recover};
use storage::{
    BookingViews, Epoch, Era, Head, JournalWriter, OutboxEntry, PartitionId, Position,
    WholeJournal, chain, record,
};

use super::{more, opened};

const HERE: PartitionId = PartitionId(0);

struct World {
    repair: Arc<MemoryRepair>,
    journal: Arc<MemoryJournal>,
    views: Arc<MemoryViews>,
}

impl World {
    /// An emptied store, and a journal with these batches.
    async fn new(journalled: &[OutboxEntry]) -> Self {
        let repair = Arc::new(MemoryRepair::new(1));
        let world = Self { repair, journal: Arc::default(), views: Arc::default() };
        world.append(Era(1), journalled).await;
        world
    }

    async fn append(&self, era: Era, entries: &[OutboxEntry]) {
        let entries = entries.iter().cloned().map(Arc::new).collect();
        let answer = self.journal.append(HERE, era, entries).await;
        assert_eq!(answer.expect("an answer"), None);
    }

    async fn recover(&self, tail: &[OutboxEntry]) -> Report {
        let parts = Parts {
            repair: self.repair.clone(),
            journal: self.journal.clone(),
            views: self.views.clone(),
            bus: None,
        };
        let tail = Tail { partition: HERE, epoch: Epoch(9), entries: tail.to_vec() };
        let options = Options::default();
        recover(&parts, vec![tail], &options, &mut |_, _| {}).await.expect("a recovery")
    }
}

#[tokio::test]
async fn a_history_that_breaks_a_law_is_kept_and_told() {
    let (mut owner, mut all) = opened(1, &[2, 1]);
    // The same person once more: proven by the chain, refused by the engine.
    let twice = BookingEvent::BookingConfirmed { user: user(1), quantity: Seats::ONE, hold: None };
    let blob = record::encode(
        Seq(owner.head.seq.0 + 1),
        &[Entry { at: at(9), answered: None, events: vec![twice] }],
    );
    let chain = chain::next(owner.head.chain, &blob);
    let seq = Seq(owner.head.seq.0 + 1);
    let bad = OutboxEntry {
        position: Position(4),
        first_seq: seq,
        last_seq: seq,
        chain,
        blob,
        ..all[3 - 1].clone()
    };
    all.push(bad.clone());
    owner.head = Head { seq, chain };
    all.extend(more(&mut owner, 5, &[1]));
    let (other, of_other) = opened(2, &[]);
    all.push(OutboxEntry { position: Position(6), ..of_other[0].clone() });
    let world = World::new(&all).await;
    let report = world.recover(&[]).await;
    assert_eq!((report.events, report.sealed.len()), (2, 1));
    assert_eq!((report.sealed[0].event, report.sealed[0].from), (owner.event, seq));
    assert!(!report.is_whole());
    let stored = world.repair.get(HERE);
    let event = |id| stored.events.iter().find(|event| event.header.event == id).expect("there");
    let sealed = event(owner.event);
    assert_eq!(sealed.header.head, owner.head, "nothing of it is dropped");
    let (head, _) = sealed.snapshot.as_ref().expect("a snapshot");
    assert_eq!((head.seq, stored.batches.len()), (Seq(4), 2), "what can be, and the rest");
    assert_eq!(sealed.header.summary.counts.booked, 3);
    assert_eq!(event(other.event).header.head, other.head, "the others come back");
}

#[tokio::test]
async fn an_ownership_that_nobody_has_seen_is_below_the_new_one() {
    let (_, all) = opened(1, &[1]);
    let world = World::new(&all).await;
    let report = world.recover(&[]).await;
    let marker = world.repair.get(HERE).marker.expect("a marker");
    assert_eq!((report.era, marker.era), (Era(2), Era(2)));
    assert!(marker.epoch > Epoch(u64::from(u32::MAX)), "however often it was claimed");
    assert_eq!((marker.last, marker.newest_at), (Position(2), Some(all[1].at)));
}

#[tokio::test]
async fn a_place_with_another_batch_in_it_is_left_to_it() {
    let (mut one, all) = opened(1, &[1]);
    let (two, of_two) = opened(2, &[]);
    // The owner of event 1 had batches at 3 and 4; then the store lost them, and gave place 3
    // to event 2, which the journal has.
    let tail = more(&mut one, 3, &[1, 2]);
    let other = OutboxEntry { position: Position(3), ..of_two[0].clone() };
    let world = World::new(&[&all[..], &[other]].concat()).await;
    let report = world.recover(&tail).await;
    assert!(report.is_whole(), "{report:?}");
    assert_eq!(report.journalled, 2);
    let places = world.journal.scan(HERE, Position(0), 99).await.expect("a page");
    let places: Vec<_> = places.iter().map(|entry| (entry.position.0, entry.event)).collect();
    let (one, two) = (one.event, two.event);
    assert_eq!(places, [(1, one), (2, one), (3, two), (5, one), (6, one)]);
    assert_eq!(world.repair.get(HERE).marker.expect("a marker").last, Position(6));
}

#[tokio::test]
async fn the_journal_tells_later_which_history_was_taken() {
    let (mut owner, all) = opened(1, &[1]);
    let mut other = owner.clone();
    let journalled = more(&mut owner, 3, &[1, 1, 1]);
    let acknowledged = more(&mut other, 3, &[2]);
    let world = World::new(&[&all[..], &journalled].concat()).await;
    let report = world.recover(&acknowledged).await;
    assert_eq!((report.forks.len(), report.journalled), (1, 1));
    for era in [3, 4] {
        // The memory of owners is gone, and the store as well.
        world.repair.set(HERE, storage::recovery::StoredPartition::default());
        let report = world.recover(&[]).await;
        assert_eq!((report.era, report.journalled), (Era(era), 0), "it has nothing to learn");
        let header = world.repair.get(HERE).events[0].header;
        assert_eq!(header.head, other.head);
    }
    // And what comes next is in nobody's way.
    let next = more(&mut other, 7, &[1, 0, 1]);
    world.append(Era(4), &next).await;
    world.repair.set(HERE, storage::recovery::StoredPartition::default());
    world.recover(&[]).await;
    assert_eq!(world.repair.get(HERE).events[0].header.head, other.head);
}

#[tokio::test]
async fn twice_in_a_row_changes_nothing_but_the_era() {
    let (_, all) = opened(1, &[1, 0, 2]);
    let world = World::new(&all[..2]).await;
    let first = world.recover(&all[2..]).await;
    let stored = world.repair.get(HERE);
    let second = world.recover(&[]).await;
    assert_eq!((first.journalled, second.journalled), (2, 0));
    let again = world.repair.get(HERE);
    assert_eq!(again.events, stored.events);
    assert_eq!(again.marker.expect("one").last, stored.marker.expect("one").last);
    assert!(again.marker.expect("one").epoch > stored.marker.expect("one").epoch);
    assert!(
        world
            .repair
            .restore(
                HERE,
                storage::recovery::Restored {
                    marker: again.marker.expect("one"),
                    events: Vec::new(),
                }
            )
            .await
            .is_err(),
        "what is open is not written over"
    );
}

#[tokio::test]
async fn lists_are_made_anew_and_compared() {
    let journal = MemoryJournal::default();
    let place = std::sync::atomic::AtomicU64::new(0);
    let count = |_| {
        let next = place.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        std::future::ready((HERE, Position(next)))
    };
    let mut past = Past::begin(3, Epoch(1), count).await;
    past.go_on(Epoch(1), 4, count).await;
    past.journal(&journal, 6).await;
    let views = MemoryViews::default();
    let nothing = || std::future::ready(Ok(()));
    let rebuild = async |views: &MemoryViews, check| {
        rebuild_views(&journal, views, 1, Era(1), nothing, check).await.expect("a rebuild")
    };
    let found = rebuild(&views, true).await;
    assert_eq!((found.bookings, found.differences, found.incomplete), (12, 12, 0));
    assert_eq!(rebuild(&views, false).await.bookings, 12);
    assert_eq!(rebuild(&views, true).await.differences, 0);
    let fresh = MemoryViews::default();
    past.view(&fresh, 6).await;
    assert_eq!(rebuild(&fresh, true).await.differences, 0, "as a projector makes them");
    let mut stranger = Owner::new(0);
    stranger.head.seq = Seq(90);
    let batch = Owner::placed(&stranger.batch(Epoch(1), 1), 99);
    let entries = record::decode(&batch.blob).expect("it was encoded");
    let changes = storage::project::view_changes(batch.event, &entries, batch.first_seq);
    fresh.apply(HERE, Era(1), changes, Position(99)).await.expect("applied");
    assert_eq!(rebuild(&fresh, true).await.differences, 1, "one that no history has");
}
