//! What follows from time and from what is known: claims, repeats, hand-offs.

use std::collections::BTreeMap;

use storage::{Epoch, MemberState, PartitionId};

use super::{
    ANYBODY_AFTER, Action, CLAIM_LIMIT, HAND_OFF_EVERY, LEAVING_LIMIT, Mine, Ownership,
    REWOUND_AFTER, SETTLED_AFTER,
};
use crate::protocol::suspicion::Verdict;
use crate::protocol::{Moment, Replica, placement};

impl Ownership {
    /// What is known of a partition, from anywhere. Only newer epochs change anything.
    pub(super) fn seen(
        &mut self,
        partition: PartitionId,
        epoch: Epoch,
        owner: Option<Replica>,
        actions: &mut Vec<Action>,
    ) {
        let Some(known) = self.partitions.get_mut(usize::from(partition.0)) else { return };
        if epoch < known.epoch {
            return;
        }
        if epoch > known.epoch {
            known.orphan_since = None;
        }
        (known.epoch, known.owner) = (epoch, owner);
        if let Some(mine) = known.mine.epoch()
            && mine < epoch
        {
            known.mine = Mine::Foreign;
            actions.push(Action::Close { partition, epoch: mine });
        }
    }

    /// Whether the store stands by an epoch below one that was seen. Once, that is an answer
    /// that took its time; for longer, the store has lost what it had shown, and whoever
    /// insisted on it would never take part again.
    pub(super) fn is_rewound(&mut self, now: Moment, partition: PartitionId, epoch: Epoch) -> bool {
        let Some(known) = self.partitions.get_mut(usize::from(partition.0)) else { return false };
        if epoch >= known.epoch {
            known.rewound = None;
            return false;
        }
        match known.rewound {
            Some((seen, since)) if seen == epoch => now.saturating_sub(since) >= REWOUND_AFTER,
            _ => {
                known.rewound = Some((epoch, now));
                false
            }
        }
    }

    /// What was seen above this epoch is not there any more, nor is an ownership of it.
    pub(super) fn forget(
        &mut self,
        partition: PartitionId,
        epoch: Epoch,
        actions: &mut Vec<Action>,
    ) {
        let Some(known) = self.partitions.get_mut(usize::from(partition.0)) else { return };
        (known.epoch, known.owner, known.rewound) = (epoch, None, None);
        known.orphan_since = None;
        if let Some(mine) = known.mine.epoch()
            && mine > epoch
        {
            known.mine = Mine::Foreign;
            actions.push(Action::Close { partition, epoch: mine });
        }
    }

    /// Claims that were not answered, preparations to repeat, hand-offs that take too long.
    pub(super) fn go_on(&mut self, now: Moment, actions: &mut Vec<Action>) {
        for (known, partition) in self.partitions.iter_mut().zip((0..).map(PartitionId)) {
            match &mut known.mine {
                Mine::Claiming { since } if now.saturating_sub(*since) >= CLAIM_LIMIT => {
                    known.mine = Mine::Foreign;
                    known.waits = true;
                }
                Mine::Preparing { epoch, again } if again.is_some_and(|again| again <= now) => {
                    *again = None;
                    actions.push(Action::Prepare { partition, epoch: *epoch });
                }
                Mine::Leaving { epoch, since, releasing }
                    if !*releasing && now.saturating_sub(*since) >= LEAVING_LIMIT =>
                {
                    *releasing = true;
                    actions.push(Action::Release { partition, epoch: *epoch });
                }
                Mine::Leaving { epoch, since, releasing: true }
                    if now.saturating_sub(*since) >= 2 * LEAVING_LIMIT =>
                {
                    // The release was not answered. Whoever finds us named may claim.
                    let epoch = *epoch;
                    known.mine = Mine::Foreign;
                    actions.push(Action::Close { partition, epoch });
                }
                _ => {}
            }
        }
    }

    /// Claim what has no living owner: at once what belongs here, after a while anything.
    pub(super) fn claim_orphans(&mut self, now: Moment, actions: &mut Vec<Action>) {
        if self.state != MemberState::Ready || !self.knows_holders {
            return;
        }
        let trusts_itself = self.peers.trusts_itself(now);
        let takers: BTreeMap<&str, ()> =
            self.peers.takers(now).chain([&*self.me.node]).map(|node| (node, ())).collect();
        for (known, partition) in self.partitions.iter_mut().zip((0..).map(PartitionId)) {
            if known.mine != Mine::Foreign || known.closed || known.waits {
                known.orphan_since = None;
                continue;
            }
            let owner_is_gone = match &known.owner {
                None => false,
                // Named without knowing: an answer to a claim was lost.
                Some(owner) if *owner == self.me => true,
                Some(owner) if owner.node == self.me.node => true,
                Some(owner) => match self.peers.verdict(owner, now) {
                    Verdict::Alive => {
                        known.orphan_since = None;
                        continue;
                    }
                    Verdict::Dead | Verdict::Unfit if trusts_itself => true,
                    Verdict::Dead | Verdict::Unfit => continue,
                },
            };
            let since = *known.orphan_since.get_or_insert(now);
            let first = placement::first(partition, takers.keys().copied());
            if first == Some(&*self.me.node) || now.saturating_sub(since) >= ANYBODY_AFTER {
                known.mine = Mine::Claiming { since: now };
                let expected = known.epoch;
                actions.push(Action::Claim { partition, expected, owner_is_gone });
            }
        }
    }

    /// Give away what belongs elsewhere: everything when draining, else a little at a time
    /// to whoever has been there for a while.
    pub(super) fn hand_off(&mut self, now: Moment, actions: &mut Vec<Action>) {
        let draining = self.state == MemberState::Draining;
        if !draining && now.saturating_sub(self.handed_off) < HAND_OFF_EVERY {
            return;
        }
        let settled: Vec<String> =
            self.peers.settled(now, SETTLED_AFTER).map(ToOwned::to_owned).collect();
        for (known, partition) in self.partitions.iter_mut().zip((0..).map(PartitionId)) {
            let Mine::Open { epoch } = known.mine else { continue };
            let candidates = settled.iter().map(String::as_str).chain([&*self.me.node]);
            let elsewhere = placement::first(partition, candidates) != Some(&*self.me.node);
            if draining || elsewhere {
                known.mine = Mine::Leaving { epoch, since: now, releasing: false };
                actions.push(Action::Finish { partition, epoch });
                self.handed_off = now;
                if !draining {
                    return;
                }
            }
        }
    }

    /// Who should take a partition that this replica gives up.
    pub(super) fn taker(&self, partition: PartitionId, now: Moment) -> Option<String> {
        let me = (self.state == MemberState::Ready).then_some(&*self.me.node);
        let takers = self.peers.takers(now).chain(me);
        placement::first(partition, takers).map(ToOwned::to_owned)
    }
}
