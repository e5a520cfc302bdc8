//! Random batches against a model that knows what it sent and not how stores judge.

use engine::{EventId, Seq};

use super::Fresh;
use super::commit::books;
use super::sample::{Dice, Owner};
use crate::Stores;
use crate::commit::{Batch, Chain, Claim, CommitOutcome, Epoch, PartitionId, Position};

const EVENTS: u64 = 5;
const STEPS: u64 = 400;

/// Random histories of several events under changing epochs: each outcome is the one that
/// the rules demand, and in the end the store has what was applied and nothing else.
pub async fn suite(fresh: Fresh<'_>) {
    for seed in 1..=4 {
        run(&fresh(), seed).await;
    }
}

struct Model {
    owners: Vec<Owner>,
    applied: Vec<Vec<(Position, Batch)>>,
    epochs: Vec<Epoch>,
    lasts: Vec<u64>,
}

async fn run(stores: &Stores, seed: u64) {
    let mut dice = Dice(seed);
    let partitions = usize::from(stores.commit.partitions());
    let mut model = Model {
        owners: (0..EVENTS).map(Owner::new).collect(),
        applied: vec![Vec::new(); EVENTS as usize],
        epochs: vec![Epoch(0); partitions],
        lasts: vec![0; partitions],
    };
    let events: Vec<EventId> = model.owners.iter().map(|owner| owner.event).collect();
    for partition in 0..stores.commit.partitions() {
        claim(stores, &mut model, partition).await;
    }
    for step in 0..STEPS {
        let n = dice.below(EVENTS) as usize;
        let partition = stores.commit.partition_of(events[n]);
        if dice.below(40) == 0 {
            claim(stores, &mut model, partition.0).await;
        }
        let (batch, expected, what) = model.step(&mut dice, n, usize::from(partition.0));
        let before = books(stores, &events[n..=n]).await;
        let outcome = stores.commit.commit(batch.clone()).await.expect("an outcome");
        assert_eq!(outcome, expected, "seed {seed}, step {step}: {what}");
        if let CommitOutcome::Applied(position) = outcome {
            model.lasts[usize::from(partition.0)] = position.0;
            model.owners[n].follow(&batch);
            model.applied[n].push((position, batch));
        } else {
            let after = books(stores, &events[n..=n]).await;
            assert_eq!(after, before, "seed {seed}, step {step}: {what} wrote something");
        }
    }
    for (event, applied) in events.iter().zip(&model.applied) {
        let Some((_, last)) = applied.last() else { continue };
        let loaded = stores.commit.load(*event).await.expect("a load").expect("a history");
        assert_eq!(loaded.header.head, last.next, "seed {seed}");
        assert_eq!(loaded.header.batch, last.id, "seed {seed}");
        let sent: Vec<_> = applied.iter().map(|(_, batch)| batch.blob.clone()).collect();
        assert_eq!(loaded.tail, sent, "seed {seed}");
        let history = stores.journal.history(*event, Seq(1), usize::MAX >> 1).await;
        let history = history.expect("a history");
        let places: Vec<_> = history.iter().map(|e| (e.position, e.epoch, e.chain)).collect();
        let sent: Vec<_> = applied.iter().map(|(p, b)| (*p, b.epoch, b.next.chain)).collect();
        assert_eq!(places, sent, "seed {seed}");
    }
}

async fn claim(stores: &Stores, model: &mut Model, partition: u16) {
    let epoch = &mut model.epochs[usize::from(partition)];
    let claim = stores.commit.claim(PartitionId(partition), "suite", *epoch, true).await;
    epoch.0 += 1;
    assert_eq!(claim.expect("a claim"), Claim::Won(*epoch));
}

impl Model {
    /// A batch, and the outcome that the rules demand for it because of how it was made.
    fn step(
        &mut self,
        dice: &mut Dice,
        n: usize,
        partition: usize,
    ) -> (Batch, CommitOutcome, &'static str) {
        let epoch = self.epochs[partition];
        let mut batch = self.owners[n].batch(epoch, dice.below(4));
        let next = CommitOutcome::Applied(Position(self.lasts[partition] + 1));
        let applied = &self.applied[n];
        match dice.below(12) {
            0 => match applied.last() {
                Some((place, last)) if last.epoch == epoch => {
                    (last.clone(), CommitOutcome::AlreadyApplied(*place), "a resend")
                }
                Some((_, last)) => {
                    (last.clone(), CommitOutcome::Fenced, "a resend from another epoch")
                }
                None => (batch, next, "the first batch"),
            },
            1 => match applied.split_last() {
                Some((_, [.., (_, older)])) if older.epoch == epoch => {
                    (older.clone(), CommitOutcome::Diverged, "a late copy of an older batch")
                }
                _ => (batch, next, "a batch"),
            },
            2 => {
                batch.epoch.0 += 1 + dice.below(3);
                (batch, CommitOutcome::Fenced, "an epoch that is not yet")
            }
            3 => {
                batch.epoch.0 -= 1;
                batch.summary.counts.booked = u32::MAX;
                (batch, CommitOutcome::Fenced, "an epoch that is over, and oversold")
            }
            4 => {
                batch.base.seq.0 += 1 + dice.below(3);
                (batch, CommitOutcome::Diverged, "another base")
            }
            5 => {
                batch.base.chain = Chain(dice.bytes());
                batch.summary.counts.booked = u32::MAX;
                (batch, CommitOutcome::Diverged, "a base by another road, and oversold")
            }
            6 => {
                batch.summary.counts.booked = u32::MAX;
                batch.summary.counts.held = 1;
                (batch, CommitOutcome::Invalid, "oversold, beyond 32 bits")
            }
            7 => {
                batch.next.chain = Chain(dice.bytes());
                (batch, CommitOutcome::Invalid, "a chain that is not the blob's")
            }
            _ => (batch, next, "a batch"),
        }
    }
}
