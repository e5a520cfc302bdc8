//! [`crate::Cursors`] and [`crate::JournalWriter`]: what stores need whose journal is apart
//! from their outbox.

use std::sync::Arc;

use engine::Seq;

use super::Fresh;
use super::commit::{apply, claim};
use super::sample::Owner;
use crate::commit::{Epoch, Era, PartitionId, Position};
use crate::outbox::{Conflict, JournalWriter, OutboxEntry, Target, WholeJournal};
use crate::{Stores, chain, record};

/// Everything that [`crate::Cursors`] asks of an outbox.
pub async fn cursors(fresh: Fresh<'_>) {
    cursors_are_fenced_and_never_go_back(&fresh()).await;
    the_outbox_goes_as_far_as_the_journal_has_it(&fresh()).await;
}

/// Everything that [`JournalWriter`] asks of an adapter; each part gets an empty one.
pub async fn journal_writer(fresh: &(dyn Fn() -> Arc<dyn JournalWriter> + Sync)) {
    what_is_there_already_stays_as_it_is(&*fresh()).await;
    another_batch_in_a_place_is_a_conflict(&*fresh()).await;
    a_long_history_is_read_from_anywhere(&*fresh()).await;
    an_earlier_era_is_in_nobodys_way(&*fresh()).await;
}

/// Everything that [`WholeJournal`] asks of an adapter; `look` is one that reads what has
/// been written so far.
pub async fn whole_journal<Looking>(journal: Arc<dyn WholeJournal>, look: impl Fn() -> Looking)
where
    Looking: Future<Output = Arc<dyn WholeJournal>>,
{
    assert_eq!(journal.newest_era().await.expect("an era"), Era(1), "before any recovery");
    journal.begin_era(Era(4)).await.expect("begun");
    journal.begin_era(Era(4)).await.expect("which may be repeated");
    assert_eq!(look().await.newest_era().await.expect("an era"), Era(4));
    let mut owner = Owner::new(1);
    let mut entries = batches(&mut owner, &[2, 1, 0, 3, 1, 1]);
    // Far apart, as a recovery leaves them.
    let places = [1, 2, 40_000, 40_001, 950_000, 950_007];
    for (entry, place) in entries.iter_mut().zip(places) {
        let moved = OutboxEntry { position: Position(place), ..(**entry).clone() };
        *entry = Arc::new(moved);
        assert_eq!(append(&*journal, std::slice::from_ref(entry)).await, None);
    }
    let journal = look().await;
    for (after, limit) in [(0, 1), (0, 2), (0, 100), (2, 3), (40_000, 1), (949_999, 9)] {
        let expected: Vec<u64> = places.iter().copied().filter(|place| *place > after).collect();
        let mut found = Vec::new();
        let mut at = Position(after);
        loop {
            let page = journal.scan(HERE, at, limit).await.expect("a page");
            let Some(last) = page.last() else { break };
            at = last.position;
            found.extend(page.iter().map(|entry| entry.position.0));
        }
        assert_eq!(found, expected, "after {after}, {limit} at a time");
    }
    assert_eq!(journal.scan(PartitionId(1), Position(0), 9).await.expect("a page"), []);
}

const HERE: PartitionId = PartitionId(0);

async fn cursors_are_fenced_and_never_go_back(stores: &Stores) {
    let owner = Owner::new(1);
    let partition = stores.commit.partition_of(owner.event);
    let epoch = claim(stores, owner.event).await;
    let cursors = stores.outbox.cursors().expect("cursors beside the outbox");
    let at = async |target| cursors.cursor(partition, target).await.expect("a cursor").0;
    let advance = async |epoch, target, upto| {
        cursors.advance(partition, epoch, target, Position(upto)).await.expect("an answer")
    };
    for target in [Target::Journal, Target::Views, Target::Bus] {
        assert_eq!(at(target).await, 0, "at first");
    }
    assert!(advance(epoch, Target::Views, 4).await);
    assert!(advance(epoch, Target::Views, 2).await, "no failure");
    assert_eq!(at(Target::Views).await, 4, "but not backwards");
    assert_eq!(at(Target::Bus).await, 0, "each target has its own");
    for other in [Epoch(0), Epoch(epoch.0 + 1)] {
        assert!(!advance(other, Target::Views, 9).await, "{other:?} is not current");
    }
    claim(stores, owner.event).await;
    assert!(!advance(epoch, Target::Views, 9).await, "the ownership is over");
    assert_eq!(at(Target::Views).await, 4);
}

async fn the_outbox_goes_as_far_as_the_journal_has_it(stores: &Stores) {
    let mut owner = Owner::new(1);
    let partition = stores.commit.partition_of(owner.event);
    let epoch = claim(stores, owner.event).await;
    for _ in 0..5 {
        let batch = owner.batch(epoch, 2);
        apply(stores, &mut owner, batch).await;
    }
    let cursors = stores.outbox.cursors().expect("cursors beside the outbox");
    let places = async || {
        let entries = stores.outbox.read(partition, Position(0), 100).await.expect("a page");
        entries.iter().map(|entry| entry.position.0).collect::<Vec<_>>()
    };
    for (target, upto, left) in [
        (Target::Views, 4, &[1, 2, 3, 4, 5][..]),
        (Target::Bus, 5, &[1, 2, 3, 4, 5]),
        (Target::Journal, 3, &[4, 5]),
        (Target::Journal, 5, &[]),
    ] {
        let moved = cursors.advance(partition, epoch, target, Position(upto)).await;
        assert!(moved.expect("an answer"));
        assert_eq!(places().await, left, "{target:?} has {upto}");
    }
    assert_eq!(stores.outbox.last(partition).await.expect("the last"), Position(5));
    let batch = owner.batch(epoch, 1);
    assert_eq!(apply(stores, &mut owner, batch).await, Position(6), "the count goes on");
    assert_eq!(places().await, [6]);
    let loaded = stores.commit.load(owner.event).await.expect("a load").expect("a history");
    assert_eq!(loaded.tail.len(), 6, "an event's log does not depend on the outbox");
}

/// Batches of one event with so many booking events each, from position 1.
fn batches(owner: &mut Owner, sizes: &[u64]) -> Vec<Arc<OutboxEntry>> {
    let mut entries = Vec::new();
    for (size, position) in sizes.iter().zip(1..) {
        let batch = owner.batch(Epoch(3), *size);
        owner.follow(&batch);
        entries.push(Arc::new(Owner::placed(&batch, position)));
    }
    entries
}

async fn append(journal: &dyn JournalWriter, entries: &[Arc<OutboxEntry>]) -> Option<Conflict> {
    journal.append(HERE, Era(1), entries.to_vec()).await.expect("an answer")
}

async fn what_is_there_already_stays_as_it_is(journal: &dyn JournalWriter) {
    let mut owner = Owner::new(1);
    let entries = batches(&mut owner, &[2, 0, 3, 1]);
    for upto in [2, 4, 4] {
        assert_eq!(append(journal, &entries[..upto]).await, None, "repeated, and gone on with");
    }
    let plain: Vec<OutboxEntry> = entries.iter().map(|entry| (**entry).clone()).collect();
    assert_eq!(journal.history(owner.event, Seq(1), 100).await.expect("a history"), plain);
    assert_eq!(journal.follow(HERE, Position(0), 100).await.expect("a page"), plain);
    assert_eq!(journal.follow(HERE, Position(1), 2).await.expect("a page"), plain[1..3]);
    assert_eq!(journal.follow(PartitionId(1), Position(0), 9).await.expect("a page"), []);
}

async fn another_batch_in_a_place_is_a_conflict(journal: &dyn JournalWriter) {
    let mut owner = Owner::new(1);
    let entries = batches(&mut owner, &[2, 1]);
    assert_eq!(append(journal, &entries).await, None);
    // The same place of the outbox with another batch; then another batch with booking
    // events of the same seq, elsewhere.
    let other_blob: Arc<[u8]> = record::encode(Seq(3), &[]);
    let other = OutboxEntry {
        chain: chain::next(entries[0].chain, &other_blob),
        blob: other_blob,
        ..(*entries[1]).clone()
    };
    let elsewhere = OutboxEntry { position: Position(9), ..other.clone() };
    let next = OutboxEntry { position: Position(3), first_seq: Seq(4), ..(*entries[1]).clone() };
    for different in [other, elsewhere] {
        let found = append(journal, &[Arc::new(different), Arc::new(next.clone())]).await;
        assert_eq!(found, Some(Conflict { event: owner.event, first_seq: Seq(3) }));
        let kept = journal.history(owner.event, Seq(1), 100).await.expect("a history");
        assert_eq!(kept.len(), 2, "nothing was written, nor what came behind it");
        assert_eq!(kept[1].chain, entries[1].chain);
    }
}

async fn an_earlier_era_is_in_nobodys_way(journal: &dyn JournalWriter) {
    let mut owner = Owner::new(1);
    let entries = batches(&mut owner, &[2, 1, 1]);
    assert_eq!(append(journal, &entries).await, None);
    // A recovery has found that only the first is ours, and the history goes on from there.
    let mut other = Owner::new(1);
    let first = other.batch(Epoch(3), 2);
    other.follow(&first);
    let next = Arc::new(Owner::placed(&other.batch(Epoch(9), 3), 4));
    assert!(append(journal, std::slice::from_ref(&next)).await.is_some(), "of the same era");
    let answer = journal.append(HERE, Era(2), vec![next.clone()]).await.expect("an answer");
    assert_eq!(answer, None, "of a later one");
    let all = journal.follow(HERE, Position(0), 9).await.expect("a page");
    assert_eq!(all.len(), 4, "both are there");
    let late = OutboxEntry { position: Position(5), ..(*entries[1]).clone() };
    let answer = journal.append(HERE, Era(1), vec![Arc::new(late)]).await.expect("an answer");
    assert!(answer.is_some(), "an era that is over writes nothing more in its place");
}

async fn a_long_history_is_read_from_anywhere(journal: &dyn JournalWriter) {
    let mut owner = Owner::new(1);
    let entries = batches(&mut owner, &[400; 60]);
    for part in entries.chunks(16) {
        assert_eq!(append(journal, part).await, None);
    }
    for from in [1, 9_999, 10_001, 12_345, 23_999] {
        let read = journal.history(owner.event, Seq(from), 1_000).await.expect("a history");
        let expected = entries.iter().filter(|entry| entry.last_seq.0 >= from);
        assert_eq!(read, expected.map(|entry| (**entry).clone()).collect::<Vec<_>>(), "{from}");
    }
}
