//! What the holders tell: who owns what, whether the store has lost something, whether it
//! was repaired.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use std::time::Duration;

use storage::{Epoch, Era, Holder, PartitionId, Position};

use super::Steward;
use super::calls::{Done, answered};

/// What is said of a store that has lost something.
pub(super) const LESS: &str = "the store has less than it has shown";

/// Pause before a store is told again that a partition is closed.
const TELL_AGAIN: Duration = Duration::from_secs(1);

impl Steward {
    /// All holders were read, and before that reading began the store had these positions.
    pub(super) fn learn(&self, holders: &[Holder], floor: &HashMap<PartitionId, Position>) {
        self.notice_repair(holders);
        for held in holders {
            if held.era == Era(0) {
                self.is_missing(held.partition);
            } else if self.has_lost(held, floor) {
                self.found_broken(held.partition, held.epoch, LESS);
            }
        }
        let sound: Vec<Holder> = {
            let mut work = self.cluster().work.lock();
            let broken = &work.broken;
            let sound = holders.iter().filter(|held| !broken.contains(&held.partition));
            let sound: Vec<Holder> = sound.cloned().collect();
            for held in &sound {
                let highest = work.highest.entry(held.partition).or_default();
                *highest = held.last.max(*highest);
            }
            sound
        };
        self.change(|ownership, now| ownership.holders(now, &sound));
        self.follow_behind(&sound);
    }

    /// A batch may have landed that nobody here was told of, and nobody may ever be.
    fn follow_behind(&self, holders: &[Holder]) {
        let shared = &self.shared;
        let behind = holders.iter().filter(|held| {
            shared.ownership.has_tail(held.partition) == Some(held.epoch)
                && shared.tail.followed(held.partition) < held.last
        });
        let behind: Vec<PartitionId> = behind.map(|held| held.partition).collect();
        if behind.is_empty() || self.cluster().once.follow.swap(true, Ordering::AcqRel) {
            return;
        }
        let steward = self.clone();
        tokio::spawn(async move {
            let _done = Done(&steward.cluster().once.follow);
            for partition in behind {
                if let Err(error) = answered(steward.shared.follow_outbox(partition)).await {
                    tracing::warn!(partition = partition.0, %error, "the outbox cannot be read");
                }
            }
        });
    }

    /// Whether the store has less of a partition than is known to have been there.
    fn has_lost(&self, held: &Holder, floor: &HashMap<PartitionId, Position>) -> bool {
        if self.cluster().work.lock().broken.contains(&held.partition) {
            return false;
        }
        let had = floor.get(&held.partition).copied().unwrap_or_default();
        held.era == self.shared.era() && held.last < had
    }

    /// The newest position of each partition that was seen or answered so far. To be taken
    /// before the store is asked: what is answered meanwhile may be newer than its answer.
    pub(super) fn floor(&self) -> HashMap<PartitionId, Position> {
        let mut floor = self.cluster().work.lock().highest.clone();
        for partition in self.shared.ownership.partitions() {
            if self.shared.ownership.has_tail(partition).is_some() {
                let followed = self.shared.tail.followed(partition);
                let highest = floor.entry(partition).or_default();
                *highest = followed.max(*highest);
            }
        }
        floor
    }

    /// Whether a newest position is below one that the store has shown before.
    pub(super) fn lacks(&self, partition: PartitionId, last: Position) -> bool {
        self.cluster().work.lock().highest.get(&partition).is_some_and(|seen| last < *seen)
    }

    /// Close a partition for repair: here at once, and in the store as soon as it can be told,
    /// so that no other replica serves it either. `epoch`: under which it was found so.
    pub(crate) fn found_broken(&self, partition: PartitionId, epoch: Epoch, why: &'static str) {
        if !self.cluster().work.lock().broken.insert(partition) {
            return;
        }
        tracing::error!(
            partition = partition.0,
            why,
            "partition closed: `eventflow recover` repairs it"
        );
        self.shared.ownership.leave(partition);
        self.change(|ownership, _| ownership.broken(partition));
        let steward = self.clone();
        tokio::spawn(async move { steward.tell_broken(partition, epoch).await });
    }

    /// Tell the store, until it has heard.
    async fn tell_broken(&self, partition: PartitionId, epoch: Epoch) {
        let era = self.shared.era();
        while self.shared.era() == era {
            match answered(self.shared.stores.commit.close(partition, epoch)).await {
                Ok(true) => return,
                // The epoch is another one: somebody has taken it over since, with whatever
                // the store has now, or has closed it. What was found here is of the past.
                Ok(false) => {
                    self.cluster().work.lock().broken.remove(&partition);
                    return self.change(|ownership, _| ownership.sound(partition));
                }
                Err(error) => {
                    tracing::warn!(partition = partition.0, %error, "the store was not told");
                    tokio::time::sleep(TELL_AGAIN).await;
                }
            }
        }
    }

    /// A partition is missing from the store, or was closed by somebody: nothing is to be told.
    fn is_missing(&self, partition: PartitionId) {
        if self.cluster().work.lock().broken.insert(partition) {
            tracing::error!(
                partition = partition.0,
                why = "it is missing from the store",
                "partition closed: `eventflow recover` repairs it"
            );
            self.shared.ownership.leave(partition);
            self.change(|ownership, _| ownership.broken(partition));
        }
    }

    /// A repaired store has another era: whatever was known of it is worth nothing.
    fn notice_repair(&self, holders: &[Holder]) {
        let known = self.shared.era();
        // All of a repaired store, or it is not repaired yet.
        let Some(era) = holders.iter().map(|held| held.era).min().filter(|era| *era > known) else {
            return;
        };
        tracing::warn!(era = era.0, "the store was repaired: everything begins anew");
        self.shared.era.store(era.0, Ordering::Release);
        {
            let mut work = self.cluster().work.lock();
            work.broken.clear();
            work.highest.clear();
        }
        self.shared.directory.forget_acknowledged();
        self.change(|ownership, _| ownership.begin_anew(holders));
    }
}
