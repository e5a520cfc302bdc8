//! [`crate::CommitStore`]: claims, commits, loads, validations, snapshots, look-ups.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{EventId, Seq};
use futures_util::future::join_all;

use super::Fresh;
use super::sample::{Owner, at, event};
use crate::commit::{
    Batch, Chain, Claim, CommitOutcome, Epoch, Head, Header, Loaded, PartitionId, Position,
    SnapshotToKeep, Validity,
};
use crate::outbox::OutboxEntry;
use crate::{BATCH_BYTES, Stores, record};

/// Everything that this port asks of an adapter.
pub async fn suite(fresh: Fresh<'_>) {
    claims_raise_the_epoch(&fresh()).await;
    a_release_fences_and_leaves_no_owner(&fresh()).await;
    nothing_is_written_without_a_claim(&fresh()).await;
    a_batch_is_applied_once(&fresh()).await;
    refusals_come_in_their_order(&fresh()).await;
    malformed_batches_are_invalid(&fresh()).await;
    a_refused_batch_leaves_its_neighbours_alone(&fresh()).await;
    histories_come_back_verbatim(&fresh()).await;
    snapshots_cut_the_tail(&fresh()).await;
    snapshots_need_epoch_progress_and_chain(&fresh()).await;
    validation_compares_heads(&fresh()).await;
    headers_tell_without_loading(&fresh()).await;
    deadlines_are_found(&fresh()).await;
}

/// Claim the partition that an event belongs to.
pub async fn claim(stores: &Stores, event: EventId) -> Epoch {
    let partition = stores.commit.partition_of(event);
    let expected = stores.commit.epoch(partition).await.expect("the epoch");
    match stores.commit.claim(partition, "suite", expected, true).await {
        Ok(Claim::Won(epoch)) => epoch,
        other => panic!("the claim was not won: {other:?}"),
    }
}

/// Claim the partitions that some owners' events belong to.
async fn claim_all(stores: &Stores, owners: &[Owner]) -> BTreeMap<PartitionId, Epoch> {
    let homes = owners.iter().map(|owner| (stores.commit.partition_of(owner.event), owner.event));
    let mut epochs = BTreeMap::new();
    for (partition, event) in homes.collect::<BTreeMap<_, _>>() {
        epochs.insert(partition, claim(stores, event).await);
    }
    epochs
}

/// Commit a batch that must be applied.
pub async fn apply(stores: &Stores, owner: &mut Owner, batch: Batch) -> Position {
    match stores.commit.commit(batch.clone()).await {
        Ok(CommitOutcome::Applied(position)) => {
            owner.follow(&batch);
            position
        }
        other => panic!("{batch:?} was not applied: {other:?}"),
    }
}

/// All that a store tells of some events and their partitions, to see that a refusal wrote
/// nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct Books {
    headers: Vec<Option<Header>>,
    loaded: Vec<Option<Loaded>>,
    outbox: Vec<Vec<OutboxEntry>>,
}

/// Read the books.
pub async fn books(stores: &Stores, events: &[EventId]) -> Books {
    let headers = stores.commit.headers(events.to_vec()).await.expect("headers");
    let mut loaded = Vec::new();
    for event in events {
        loaded.push(stores.commit.load(*event).await.expect("a load"));
    }
    let mut outbox = Vec::new();
    for partition in 0..stores.commit.partitions() {
        let partition = PartitionId(partition);
        let all = stores.outbox.read(partition, Position(0), usize::MAX >> 1).await;
        outbox.push(all.expect("the outbox"));
    }
    Books { headers, loaded, outbox }
}

async fn claims_raise_the_epoch(stores: &Stores) {
    assert!(stores.commit.partitions() > 0, "a store has partitions");
    let partition = PartitionId(0);
    let epoch = || stores.commit.epoch(partition);
    assert_eq!(epoch().await.expect("epoch"), Epoch(0), "before the first claim");
    let claim = |expected| stores.commit.claim(partition, "one", Epoch(expected), true);
    assert_eq!(claim(0).await.expect("claim"), Claim::Won(Epoch(1)));
    assert_eq!(claim(0).await.expect("claim"), Claim::Lost(Epoch(1)), "the epoch has moved on");
    assert_eq!(claim(7).await.expect("claim"), Claim::Lost(Epoch(1)), "an epoch never given");
    assert_eq!(claim(1).await.expect("claim"), Claim::Won(Epoch(2)));
    assert_eq!(epoch().await.expect("epoch"), Epoch(2));
    assert_eq!(
        stores.commit.era().await.expect("era"),
        stores.commit.era().await.expect("era"),
        "a claim is no new era"
    );
}

async fn a_release_fences_and_leaves_no_owner(stores: &Stores) {
    let mut owner = Owner::new(1);
    let partition = stores.commit.partition_of(owner.event);
    let holder = async || {
        let holders = stores.commit.holders().await.expect("holders");
        assert_eq!(holders.len(), usize::from(stores.commit.partitions()), "every partition");
        let holder = holders[usize::from(partition.0)].clone();
        assert_eq!(holder.partition, partition, "in order");
        let era = stores.commit.era().await.expect("era");
        assert_eq!(holder.era, era, "the store's own era");
        let last = stores.outbox.last(partition).await.expect("the last position");
        assert_eq!(holder.last, last, "with the place of the newest batch");
        (holder.epoch, holder.owner)
    };
    assert_eq!(holder().await, (Epoch(0), None), "never claimed");
    let release = async |epoch| stores.commit.release(partition, epoch).await.expect("an answer");
    assert!(!release(Epoch(0)).await, "nobody has it to give up");
    let epoch = claim(stores, owner.event).await;
    assert_eq!(holder().await, (epoch, Some("suite".into())));
    stores.commit.barrier(partition).await.expect("a barrier after a claim");
    let first = owner.batch(epoch, 1);
    apply(stores, &mut owner, first).await;
    assert!(!release(Epoch(epoch.0 + 1)).await, "an epoch that is not yet");
    assert_eq!(holder().await, (epoch, Some("suite".into())), "nothing was written");
    assert!(release(epoch).await);
    let given_up = Epoch(epoch.0 + 1);
    assert_eq!(holder().await, (given_up, None));
    assert!(!release(given_up).await, "it has no owner any more");
    let late = owner.batch(epoch, 1);
    let outcome = stores.commit.commit(late).await.expect("outcome");
    assert_eq!(outcome, CommitOutcome::Fenced, "the ownership is over");
    let lost = stores.commit.claim(partition, "late", epoch, true).await;
    assert_eq!(lost.expect("claim"), Claim::Lost(given_up));
    let next = stores.commit.claim(partition, "next", given_up, false).await;
    assert_eq!(next.expect("claim"), Claim::Won(Epoch(given_up.0 + 1)), "free: no tenure to wait");
}

async fn nothing_is_written_without_a_claim(stores: &Stores) {
    let mut owner = Owner::new(1);
    let batch = owner.batch(Epoch(0), 1);
    assert_eq!(stores.commit.commit(batch).await.expect("outcome"), CommitOutcome::Fenced);
    let validity = stores.commit.validate(owner.event, Epoch(0), Head::default()).await;
    assert_eq!(validity.expect("validity"), Validity::Fenced);
    let load = stores.commit.load(owner.event).await;
    assert_eq!(load.expect("load"), None);
}

async fn a_batch_is_applied_once(stores: &Stores) {
    let mut owner = Owner::new(1);
    let epoch = claim(stores, owner.event).await;
    let partition = stores.commit.partition_of(owner.event);
    let last = || stores.outbox.last(partition);
    assert_eq!(last().await.expect("last"), Position(0));
    let one = owner.batch(epoch, 3);
    assert_eq!(apply(stores, &mut owner, one.clone()).await, Position(1));
    let again = stores.commit.commit(one.clone()).await.expect("outcome");
    assert_eq!(again, CommitOutcome::AlreadyApplied(Position(1)), "the same batch resent");
    // One without booking events moves the chain alone, and is a batch like any other.
    let two = owner.batch(epoch, 0);
    assert_eq!(two.next.seq, two.base.seq);
    assert_eq!(apply(stores, &mut owner, two.clone()).await, Position(2));
    let again = stores.commit.commit(two).await.expect("outcome");
    assert_eq!(again, CommitOutcome::AlreadyApplied(Position(2)));
    let late = stores.commit.commit(one).await.expect("outcome");
    assert_eq!(late, CommitOutcome::Diverged, "a late copy of the batch before the last");
    assert_eq!(last().await.expect("last"), Position(2));
}

async fn refusals_come_in_their_order(stores: &Stores) {
    let mut owner = Owner::new(1);
    let epoch = claim(stores, owner.event).await;
    let first = owner.batch(epoch, 2);
    apply(stores, &mut owner, first.clone()).await;
    let before = books(stores, &[owner.event]).await;
    let good = owner.batch(epoch, 1);

    let fenced = Batch { epoch: Epoch(epoch.0 + 1), ..first.clone() };
    let mut diverged = good.clone();
    diverged.base.seq = Seq(diverged.base.seq.0 + 1);
    let mut other_road = good.clone();
    other_road.base.chain = Chain([9; 16]);
    let mut oversold = good.clone();
    oversold.summary.counts.booked = 7;
    oversold.summary.counts.held = 4;
    oversold.summary.capacity = 10;
    let mut oversold_elsewhere = oversold.clone();
    oversold_elsewhere.base.chain = Chain([9; 16]);
    let oversold_before = Batch { epoch: Epoch(epoch.0 - 1), ..oversold.clone() };
    let mut oversold_again = first;
    oversold_again.summary = oversold.summary;
    for (batch, expected, why) in [
        (fenced, CommitOutcome::Fenced, "the epoch comes before what is applied already"),
        (diverged, CommitOutcome::Diverged, "another seq"),
        (other_road, CommitOutcome::Diverged, "the same seq by another road"),
        (oversold, CommitOutcome::Invalid, "more places gone than there are"),
        (oversold_elsewhere, CommitOutcome::Diverged, "the base comes before the law"),
        (oversold_before, CommitOutcome::Fenced, "the epoch comes before the law"),
        (oversold_again, CommitOutcome::AlreadyApplied(Position(1)), "known by id and head"),
    ] {
        let outcome = stores.commit.commit(batch).await.expect("outcome");
        assert_eq!(outcome, expected, "{why}");
        assert_eq!(books(stores, &[owner.event]).await, before, "{why}: nothing is written");
    }
    apply(stores, &mut owner, good).await;
}

async fn malformed_batches_are_invalid(stores: &Stores) {
    let mut owner = Owner::new(1);
    let epoch = claim(stores, owner.event).await;
    let first = owner.batch(epoch, 2);
    apply(stores, &mut owner, first).await;
    let before = books(stores, &[owner.event]).await;
    let good = owner.batch(epoch, 1);

    let mut no_chain = good.clone();
    no_chain.next.chain = Chain([1; 16]);
    let with_blob = |blob: Vec<u8>| {
        let mut batch = good.clone();
        batch.next.chain = crate::chain::next(batch.base.chain, &blob);
        batch.blob = Arc::from(blob);
        batch
    };
    let mut backwards = good.clone();
    backwards.next.seq = Seq(1);
    let mut unopened = good.clone();
    unopened.summary.phase = engine::Phase::Unopened;
    let elsewhere = record::encode(Seq(9), &record::decode(&good.blob).expect("a record"));
    for (batch, why) in [
        (no_chain, "a chain that is not the blob's"),
        (with_blob(vec![]), "no blob"),
        (with_blob(vec![0xff, 3]), "a blob of a version that does not exist"),
        (with_blob(elsewhere.to_vec()), "a blob that begins elsewhere"),
        (with_blob(vec![record::VERSION; BATCH_BYTES + 1]), "a blob that is too large"),
        (backwards, "a history that gets shorter"),
        (unopened, "an event that was never opened"),
    ] {
        let outcome = stores.commit.commit(batch).await.expect("outcome");
        assert_eq!(outcome, CommitOutcome::Invalid, "{why}");
        assert_eq!(books(stores, &[owner.event]).await, before, "{why}: nothing is written");
    }
}

async fn a_refused_batch_leaves_its_neighbours_alone(stores: &Stores) {
    let mut owners: Vec<Owner> = (0..24).map(Owner::new).collect();
    let mut batches = Vec::new();
    let epochs = claim_all(stores, &owners).await;
    for owner in &mut owners {
        let partition = stores.commit.partition_of(owner.event);
        batches.push(owner.batch(epochs[&partition], 2));
    }
    for (n, batch) in batches.iter_mut().enumerate() {
        match n % 6 {
            1 => batch.epoch.0 += 1,
            3 => batch.base.seq = Seq(5),
            5 => batch.summary.counts.held = batch.summary.capacity,
            _ => {}
        }
    }
    // All at once: an adapter that commits in groups takes them into one transaction.
    let outcomes = join_all(batches.iter().cloned().map(|b| stores.commit.commit(b))).await;
    for (n, outcome) in outcomes.into_iter().enumerate() {
        let outcome = outcome.expect("outcome");
        let loaded = stores.commit.load(owners[n].event).await.expect("load");
        match n % 6 {
            1 => assert_eq!(outcome, CommitOutcome::Fenced),
            3 => assert_eq!(outcome, CommitOutcome::Diverged),
            5 => assert_eq!(outcome, CommitOutcome::Invalid),
            _ => {
                assert!(matches!(outcome, CommitOutcome::Applied(_)), "{n}: {outcome:?}");
                let loaded = loaded.expect("what was applied");
                assert_eq!(loaded.header.head, batches[n].next);
                assert_eq!(loaded.tail, [batches[n].blob.clone()]);
                continue;
            }
        }
        assert_eq!(loaded, None, "batch {n} was refused");
    }
}

async fn histories_come_back_verbatim(stores: &Stores) {
    let mut owner = Owner::new(3);
    let mut other = Owner::new(4);
    let epoch = claim(stores, owner.event).await;
    let other_epoch =
        if stores.commit.partition_of(other.event) == stores.commit.partition_of(owner.event) {
            epoch
        } else {
            claim(stores, other.event).await
        };
    let mut blobs = Vec::new();
    for n in [3, 0, 1, 0, 0, 4] {
        let batch = owner.batch(epoch, n);
        blobs.push(batch.blob.clone());
        apply(stores, &mut owner, batch).await;
        let between = other.batch(other_epoch, 1);
        apply(stores, &mut other, between).await;
    }
    let loaded = stores.commit.load(owner.event).await.expect("load").expect("a history");
    assert_eq!(loaded.tail, blobs, "in order, byte for byte");
    assert_eq!(loaded.snapshot, None);
    assert_eq!(loaded.from, Head::default());
    assert_eq!(loaded.header.head, owner.head);
    assert_eq!(loaded.header.summary, owner.summary);
    assert_eq!(loaded.header.at, owner.at);
    assert_eq!(stores.commit.load(event(99)).await.expect("load"), None, "never committed");
}

async fn snapshots_cut_the_tail(stores: &Stores) {
    let mut owner = Owner::new(5);
    let epoch = claim(stores, owner.event).await;
    let mut blobs = Vec::new();
    let mut heads = Vec::new();
    // The snapshot is taken between two batches that have no booking events: its seq alone
    // does not say where the tail begins.
    for n in [3, 0, 0, 2, 0, 1] {
        let batch = owner.batch(epoch, n);
        blobs.push(batch.blob.clone());
        apply(stores, &mut owner, batch).await;
        heads.push(owner.head);
    }
    for (taken, kept) in [(1, true), (2, false), (4, true)] {
        let blob: Arc<[u8]> = Arc::from(vec![taken as u8; 10]);
        let snapshot =
            SnapshotToKeep { epoch, event: owner.event, head: heads[taken], blob: blob.clone() };
        let answer = stores.commit.keep_snapshot(snapshot).await.expect("an answer");
        assert_eq!(answer, kept, "a snapshot after batch {taken}");
        let loaded = stores.commit.load(owner.event).await.expect("load").expect("a history");
        if kept {
            assert_eq!(loaded.snapshot, Some(blob));
            assert_eq!(loaded.from, heads[taken], "where the tail begins");
            assert_eq!(loaded.header.snapshot_seq, heads[taken].seq);
            assert_eq!(loaded.tail, blobs[taken + 1..], "the batches after the snapshot");
        }
        assert_eq!(loaded.header.head, owner.head, "a snapshot moves no head");
    }
    let more = owner.batch(epoch, 2);
    let blob = more.blob.clone();
    apply(stores, &mut owner, more).await;
    let loaded = stores.commit.load(owner.event).await.expect("load").expect("a history");
    assert_eq!(loaded.tail.last(), Some(&blob), "the tail grows on");
    assert_eq!(loaded.header.snapshot_seq, heads[4].seq, "a commit keeps the snapshot");
    let whole = stores.journal.history(owner.event, Seq(1), 100).await.expect("history");
    assert_eq!(whole.len(), 7, "a snapshot takes nothing from the journal");
}

async fn snapshots_need_epoch_progress_and_chain(stores: &Stores) {
    let mut owner = Owner::new(6);
    let epoch = claim(stores, owner.event).await;
    for n in [3, 2] {
        let batch = owner.batch(epoch, n);
        apply(stores, &mut owner, batch).await;
    }
    let good = SnapshotToKeep {
        epoch,
        event: owner.event,
        head: owner.head,
        blob: Arc::from(b"snapshot".as_slice()),
    };
    let mut other_epoch = good.clone();
    other_epoch.epoch.0 += 1;
    let mut other_chain = good.clone();
    other_chain.head.chain = Chain([3; 16]);
    let mut within = good.clone();
    within.head.seq = Seq(4);
    let mut beyond = good.clone();
    beyond.head.seq = Seq(6);
    let unknown = SnapshotToKeep { event: event(77), ..good.clone() };
    for (snapshot, why) in [
        (other_epoch, "another epoch"),
        (other_chain, "another chain"),
        (within, "within a batch"),
        (beyond, "beyond the history"),
        (unknown, "an event without history"),
    ] {
        assert!(!stores.commit.keep_snapshot(snapshot).await.expect("an answer"), "{why}");
        let loaded = stores.commit.load(owner.event).await.expect("load").expect("a history");
        assert_eq!((loaded.snapshot, loaded.tail.len()), (None, 2), "{why}");
    }
    assert!(stores.commit.keep_snapshot(good.clone()).await.expect("an answer"));
    assert!(!stores.commit.keep_snapshot(good).await.expect("an answer"), "the same again");
    let loaded = stores.commit.load(owner.event).await.expect("load").expect("a history");
    assert!(loaded.tail.is_empty() && loaded.snapshot.is_some());
}

async fn validation_compares_heads(stores: &Stores) {
    let mut owner = Owner::new(7);
    let epoch = claim(stores, owner.event).await;
    let validate = async |epoch, head| {
        stores.commit.validate(owner.event, epoch, head).await.expect("validity")
    };
    assert_eq!(validate(epoch, Head::default()).await, Validity::Current, "nothing is as before");
    let before = owner.head;
    let batch = owner.clone().batch(epoch, 2);
    assert_eq!(validate(epoch, batch.next).await, Validity::Behind);
    let applied = stores.commit.commit(batch.clone()).await.expect("outcome");
    assert_eq!(applied, CommitOutcome::Applied(Position(1)));
    assert_eq!(validate(epoch, batch.next).await, Validity::Current);
    assert_eq!(validate(epoch, before).await, Validity::Ahead);
    let elsewhere = Head { chain: Chain([5; 16]), ..batch.next };
    assert_eq!(validate(epoch, elsewhere).await, Validity::Ahead, "another road: reload and see");
    assert_eq!(validate(Epoch(epoch.0 + 1), batch.next).await, Validity::Fenced);
    owner.follow(&batch);
    let newer = claim(stores, owner.event).await;
    let validity = stores.commit.validate(owner.event, epoch, owner.head).await;
    assert_eq!(validity.expect("validity"), Validity::Fenced, "claimed anew");
    let validity = stores.commit.validate(owner.event, newer, owner.head).await;
    assert_eq!(validity.expect("validity"), Validity::Current);
}

async fn headers_tell_without_loading(stores: &Stores) {
    let mut owner = Owner::new(8);
    let epoch = claim(stores, owner.event).await;
    let partition = stores.commit.partition_of(owner.event);
    let newest = || stores.commit.newest_time(partition);
    assert_eq!(newest().await.expect("a time"), None);
    let mut first = owner.batch(epoch, 1);
    first.at = at(500);
    first.summary.counts.waitlisted = 1 << 40;
    first.summary.counts.waitlist_entries = 12;
    first.summary.next_deadline = Some(at(900));
    apply(stores, &mut owner, first).await;
    let mut second = owner.batch(epoch, 2);
    second.at = at(400);
    second.summary.phase = engine::Phase::Cancelled;
    second.summary.version = 3;
    apply(stores, &mut owner, second.clone()).await;
    let expected = Header {
        event: owner.event,
        head: second.next,
        batch: second.id,
        summary: second.summary,
        at: at(400),
        snapshot_seq: Seq(0),
    };
    let headers = stores.commit.headers(vec![event(99), owner.event, owner.event]).await;
    assert_eq!(headers.expect("headers"), [None, Some(expected), Some(expected)], "in order");
    assert_eq!(newest().await.expect("a time"), Some(at(500)), "the newest, not the last");
    let tagged = stores.commit.events_by_tag(owner.event.tag()).await.expect("events");
    assert_eq!(tagged, [owner.event]);
    let nobody = stores.commit.events_by_tag(event(99).tag()).await.expect("events");
    assert!(nobody.is_empty());
}

async fn deadlines_are_found(stores: &Stores) {
    let mut owners: Vec<Owner> = (0..5).map(Owner::new).collect();
    let epochs = claim_all(stores, &owners).await;
    for (owner, deadline) in owners.iter_mut().zip([Some(30), None, Some(10), Some(20), Some(40)]) {
        let partition = stores.commit.partition_of(owner.event);
        let mut batch = owner.batch(epochs[&partition], 1);
        batch.summary.next_deadline = deadline.map(at);
        apply(stores, owner, batch).await;
    }
    let due = async |now, limit| {
        let mut all = Vec::new();
        for partition in 0..stores.commit.partitions() {
            let due = stores.commit.due(PartitionId(partition), at(now), limit).await;
            all.extend(due.expect("what is due"));
        }
        all
    };
    let sorted = |mut events: Vec<EventId>| {
        events.sort_unstable();
        events
    };
    let all_of = |numbers: &[usize]| sorted(numbers.iter().map(|n| owners[*n].event).collect());
    assert!(due(9, 10).await.is_empty(), "nothing is due yet");
    assert_eq!(sorted(due(30, 10).await), all_of(&[0, 2, 3]), "at or before");
    if stores.commit.partitions() == 1 {
        let expected = [owners[2].event, owners[3].event];
        assert_eq!(due(30, 2).await, expected, "the earliest first, as many as asked for");
    }
    // A deadline moves, another one goes.
    let (moved, gone) = (2, 3);
    for (n, deadline) in [(moved, Some(50)), (gone, None)] {
        let epoch = epochs[&stores.commit.partition_of(owners[n].event)];
        let mut batch = owners[n].batch(epoch, 0);
        batch.summary.next_deadline = deadline.map(at);
        apply(stores, &mut owners[n], batch).await;
    }
    let all_of = |numbers: &[usize]| sorted(numbers.iter().map(|n| owners[*n].event).collect());
    assert_eq!(sorted(due(45, 10).await), all_of(&[0, 4]));
    assert_eq!(sorted(due(50, 10).await), all_of(&[0, 2, 4]));
}
