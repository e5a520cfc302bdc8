//! Whether what several tails answered is the whole tail. A list without a partition, or
//! with the tail of somebody who has lost it, would be silently short. So would one with the
//! tail of an owner that has not heard yet of what it has written: others may have seen it
//! in the sums of the event.

use storage::{Epoch, Era, Holder, PartitionId, Position};

/// A tail that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Read {
    /// Under which ownership.
    pub epoch: Epoch,
    /// How far it follows the outbox without a gap.
    pub followed: Position,
}

/// Which partitions were answered for.
#[derive(Debug, Clone)]
pub struct Coverage {
    answered: Vec<Option<Read>>,
}

impl Coverage {
    /// Nothing is answered yet, of so many partitions.
    #[must_use]
    pub fn new(partitions: u16) -> Self {
        Self { answered: vec![None; usize::from(partitions)] }
    }

    /// Tails were read for these partitions. Of two answers for one the newer ownership
    /// counts, of the same one the longer tail.
    pub fn add(&mut self, answered: impl IntoIterator<Item = (PartitionId, Read)>) {
        for (partition, read) in answered {
            if let Some(known) = self.answered.get_mut(usize::from(partition.0)) {
                *known = (*known).max(Some(read));
            }
        }
    }

    /// The partitions that are not covered: nobody answered for them, or somebody whose
    /// ownership was over, or who did not have the newest batch yet. `holders` was read from
    /// the store, and that reading began after the request had arrived: an ownership that was
    /// current then had seen every answer given before, and so has every later one. What has
    /// moved since needs no other reading.
    #[must_use]
    pub fn missing(&self, holders: &[Holder]) -> Vec<PartitionId> {
        let covered = |partition: u16| {
            let answered = self.answered[usize::from(partition)];
            let holder = holders.iter().find(|holder| holder.partition.0 == partition);
            match (answered, holder) {
                (Some(read), Some(holder)) => {
                    read.epoch >= holder.epoch && read.followed >= holder.last
                }
                // Never owned: nothing was ever committed there. What is missing from its
                // store is another matter.
                (None, Some(holder)) => holder.epoch == Epoch(0) && holder.era != Era(0),
                (_, None) => false,
            }
        };
        let count = u16::try_from(self.answered.len()).expect("partitions fit their id");
        (0..count).filter(|partition| !covered(*partition)).map(PartitionId).collect()
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn missing(answered: &[(u16, u64, u64)], holders: &[(u64, u64)]) -> Vec<u16> {
        let mut coverage = Coverage::new(3);
        coverage.add(answered.iter().map(|&(partition, epoch, followed)| {
            (PartitionId(partition), Read { epoch: Epoch(epoch), followed: Position(followed) })
        }));
        let holder = |(partition, &(epoch, last)): (u16, &(u64, u64))| Holder {
            partition: PartitionId(partition),
            era: Era(1),
            epoch: Epoch(epoch),
            owner: None,
            last: Position(last),
        };
        let holders: Vec<Holder> = (0..).zip(holders).map(holder).collect();
        coverage.missing(&holders).into_iter().map(|partition| partition.0).collect()
    }

    #[test]
    fn every_partition_needs_its_current_owner() {
        let holders = [(4, 0), (2, 0), (9, 0)];
        assert_eq!(missing(&[(0, 4, 0), (1, 2, 0), (2, 9, 0)], &holders), [0; 0]);
        assert_eq!(missing(&[(0, 4, 0), (2, 9, 0)], &holders), [1], "nobody answered");
        assert_eq!(missing(&[(0, 4, 0), (1, 1, 9), (2, 9, 0)], &holders), [1], "a former owner");
        let moved = [(0, 4, 0), (1, 3, 0), (2, 9, 0)];
        assert_eq!(missing(&moved, &holders), [0; 0], "a later owner");
        let both = [(0, 4, 0), (1, 2, 0), (1, 1, 7), (2, 9, 0)];
        assert_eq!(missing(&both, &holders), [0; 0]);
        assert_eq!(missing(&both, &holders[..2]), [2], "a look that is too short");
        let never_owned = [(4, 0), (2, 0), (0, 0)];
        assert_eq!(missing(&[(0, 4, 0), (1, 2, 0)], &never_owned), [0; 0]);
    }

    #[test]
    fn an_owner_has_to_know_its_newest_batch() {
        let holders = [(4, 7), (2, 3), (9, 0)];
        assert_eq!(missing(&[(0, 4, 7), (1, 2, 5), (2, 9, 0)], &holders), [0; 0]);
        assert_eq!(missing(&[(0, 4, 6), (1, 2, 3), (2, 9, 0)], &holders), [0], "not heard yet");
        let twice = [(0, 4, 6), (0, 4, 8), (1, 2, 3), (2, 9, 0)];
        assert_eq!(missing(&twice, &holders), [0; 0], "asked again");
    }
}
