//! A partitioned store with a history, lost and brought back: what the tests of recoveries
//! share, whatever the store and the journal are.

use std::sync::Arc;

use engine::{BookingStatus, Seq};

use super::sample::Owner;
use crate::commit::{CommitStore, Era, Head, PartitionId, Position};
use crate::outbox::OutboxEntry;
use crate::project;
use crate::recovery::{Report, Tail};
use crate::views::{BookingViews, PageRequest};
use crate::{Batch, Claim, CommitOutcome, Epoch, WholeJournal, record};

/// Events with histories, each batch of which is known to have been acknowledged.
#[derive(Debug, Default)]
pub struct Past {
    /// The owners, at their heads.
    pub owners: Vec<Owner>,
    /// Every batch, by partition, in the order of its places.
    pub batches: Vec<(PartitionId, OutboxEntry)>,
}

impl Past {
    /// So many events, opened and nothing else; `place` puts a batch somewhere.
    pub async fn begin<Placing>(events: u64, epoch: Epoch, place: impl Fn(Batch) -> Placing) -> Self
    where
        Placing: Future<Output = (PartitionId, Position)>,
    {
        let mut past = Self::default();
        for n in 0..events {
            let mut owner = Owner::new(n);
            let batch = owner.opening(epoch);
            past.note(&mut owner, &batch, place(batch.clone()).await);
            past.owners.push(owner);
        }
        past
    }

    /// One more batch for each event, with so many bookings; 0 just answers a key.
    pub async fn go_on<Placing>(
        &mut self,
        epoch: Epoch,
        bookings: u64,
        place: impl Fn(Batch) -> Placing,
    ) where
        Placing: Future<Output = (PartitionId, Position)>,
    {
        let mut owners = std::mem::take(&mut self.owners);
        for owner in &mut owners {
            let batch = owner.batch(epoch, bookings);
            self.note(owner, &batch, place(batch.clone()).await);
        }
        self.owners = owners;
    }

    fn note(
        &mut self,
        owner: &mut Owner,
        batch: &Batch,
        (partition, place): (PartitionId, Position),
    ) {
        self.batches.push((partition, Owner::placed(batch, place.0)));
        owner.follow(batch);
    }

    /// What the owners have in memory, from a batch on.
    #[must_use]
    pub fn tails(&self, from: usize) -> Vec<Tail> {
        let mut tails: Vec<Tail> = Vec::new();
        for (partition, entry) in &self.batches[from..] {
            match tails.iter_mut().find(|tail| tail.partition == *partition) {
                Some(tail) => tail.entries.push(entry.clone()),
                None => tails.push(Tail {
                    partition: *partition,
                    epoch: entry.epoch,
                    entries: vec![entry.clone()],
                }),
            }
        }
        tails
    }

    /// The heads as they were after so many batches.
    #[must_use]
    pub fn heads_after(&self, batches: usize) -> Vec<Head> {
        let head = |owner: &Owner| {
            let mine = self.batches[..batches].iter().rev().map(|(_, entry)| entry);
            let last = mine.into_iter().find(|entry| entry.event == owner.event);
            last.map(|e| Head { seq: e.last_seq, chain: e.chain }).unwrap_or_default()
        };
        self.owners.iter().map(head).collect()
    }

    /// Give a journal batches up to one.
    pub async fn journal(&self, journal: &dyn WholeJournal, upto: usize) {
        for (partition, entry) in &self.batches[..upto] {
            let entry = vec![Arc::new(entry.clone())];
            let answer = journal.append(*partition, Era(1), entry).await.expect("an answer");
            assert_eq!(answer, None);
        }
    }

    /// Give lists the changes of batches up to one.
    pub async fn view(&self, views: &dyn BookingViews, upto: usize) {
        for (partition, entry) in &self.batches[..upto] {
            let entries = record::decode(&entry.blob).expect("it was encoded");
            let changes = project::view_changes(entry.event, &entries, entry.first_seq);
            views.apply(*partition, Era(1), changes, entry.position).await.expect("applied");
        }
    }
}

/// Every event stands where it was, its sums are right, and it can be replayed.
pub async fn stands(store: &dyn CommitStore, past: &Past, heads: &[Head]) {
    for (owner, head) in past.owners.iter().zip(heads) {
        let loaded = store.load(owner.event).await.expect("a load").expect("a history");
        assert_eq!(loaded.header.head, *head);
        let snapshot = loaded.snapshot.expect("a snapshot");
        let snapshot = record::decode_snapshot(&snapshot).expect("one of ours");
        let mut inventory = engine::Inventory::restore(snapshot).expect("an inventory");
        for blob in &loaded.tail {
            let entries = record::decode(blob).expect("it was encoded");
            entries.iter().for_each(|entry| inventory.apply(entry));
        }
        assert_eq!(inventory.seq(), head.seq);
        let booked = head.seq.0 - 1;
        assert_eq!(u64::from(inventory.counts().booked), booked, "all but the opening");
        assert_eq!(inventory.counts(), loaded.header.summary.counts);
        let tagged = store.events_by_tag(owner.event.tag()).await.expect("events");
        assert_eq!(tagged, [owner.event]);
    }
}

/// Every event's list has what its history has, and nothing else is confirmed.
pub async fn listed(views: &dyn BookingViews, past: &Past, heads: &[Head]) {
    for (owner, head) in past.owners.iter().zip(heads) {
        let page =
            PageRequest { after: None, status: Some(BookingStatus::Confirmed), limit: 10_000 };
        let rows = views.of_event(owner.event, page).await.expect("a page");
        let mut seqs: Vec<u64> = rows.iter().map(|row| row.seq.0).collect();
        seqs.sort_unstable();
        assert_eq!(seqs, (2..=head.seq.0).collect::<Vec<_>>());
    }
}

/// Ownerships begin anew, above all that were; what was decided under those is fenced; and
/// the histories go on at new places.
pub async fn goes_on(store: &dyn CommitStore, past: &mut Past, heads: &[Head], report: &Report) {
    let old = past.batches.iter().map(|(_, entry)| entry.epoch).max().unwrap_or_default();
    for holder in store.holders().await.expect("holders") {
        assert_eq!((holder.era, holder.owner), (report.era, None));
        assert!(holder.epoch > old);
        let won = store.claim(holder.partition, "next", holder.epoch, false).await;
        assert_eq!(won.expect("a claim"), Claim::Won(Epoch(holder.epoch.0 + 1)));
    }
    let mut owners = std::mem::take(&mut past.owners);
    for (owner, head) in owners.iter_mut().zip(heads) {
        owner.head = *head;
        owner.summary.counts.booked = u32::try_from(head.seq.0 - 1).expect("few");
        let partition = store.partition_of(owner.event);
        let late = owner.batch(old, 1);
        let outcome = store.commit(late).await.expect("an outcome");
        assert_eq!(outcome, CommitOutcome::Fenced, "an ownership of the lost history");
        let epoch = store.epoch(partition).await.expect("an epoch");
        let batch = owner.batch(epoch, 2);
        let outcome = store.commit(batch.clone()).await.expect("an outcome");
        let CommitOutcome::Applied(place) = outcome else { panic!("{outcome:?}") };
        past.batches.push((partition, Owner::placed(&batch, place.0)));
        owner.follow(&batch);
    }
    past.owners = owners;
}

/// The seqs that lie between two sets of heads, by event: the gaps that a loss has made.
#[must_use]
pub fn between(past: &Past, from: &[Head], upto: &[Head]) -> Vec<(engine::EventId, Seq, Seq)> {
    let both = from.iter().zip(upto);
    let lost = past.owners.iter().zip(both).filter(|(_, (from, upto))| from != upto);
    lost.map(|(owner, (from, upto))| (owner.event, Seq(from.seq.0 + 1), upto.seq)).collect()
}
