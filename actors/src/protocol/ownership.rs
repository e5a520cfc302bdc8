//! What this replica owns, claims and gives away. Fed with what was seen, it answers with
//! what is to be done; it never waits.
//!
//! ```text
//!             claim                    barrier, tail, deadlines
//!   Foreign ───────▶ Claiming ──won──▶ Preparing ──────▶ Open ──hand-off──▶ Leaving
//!      ▲                │ lost, unknown     │              │ fenced            │ released
//!      └────────────────┴───────────────────┴──────────────┴──────────────────┘
//! ```

use storage::{Epoch, Holder, MemberState, PartitionId};

use super::routing::Route;
use super::suspicion::{Peers, Verdict};
use super::{Moment, Replica};

/// How often all holders are read, in milliseconds.
pub const LOOK_EVERY: Moment = 1_000;

/// After this time without a living owner a partition is anybody's, not only that of the
/// replica it belongs to.
pub const ANYBODY_AFTER: Moment = 1_000;

/// A claim whose answer is out for this long is taken for lost; the next look tells.
pub const CLAIM_LIMIT: Moment = 2_000;

/// An epoch below what was seen is believed when the store says so for this long: longer
/// than any of its answers takes.
pub const REWOUND_AFTER: Moment = 900;

/// A preparation that failed is tried again after this.
pub const PREPARE_AGAIN: Moment = 200;

/// Replicas that have been ready for this long are handed what belongs to them.
pub const SETTLED_AFTER: Moment = 5_000;

/// Between two hand-offs to a replica that has joined: at most 20 a second.
pub const HAND_OFF_EVERY: Moment = 50;

/// A hand-off whose batch in flight is not answered by then is done all the same: what is
/// still on its way is fenced by it.
pub const LEAVING_LIMIT: Moment = 3_000;

/// Something to be done; the answer comes back by the method named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Read all holders: [`Ownership::holders`].
    ReadHolders,
    /// Claim a partition: [`Ownership::claimed`].
    Claim {
        /// Which.
        partition: PartitionId,
        /// The epoch that was seen.
        expected: Epoch,
        /// Whether its owner is known to be gone, so that its tenure counts for nothing.
        owner_is_gone: bool,
    },
    /// Wait for the durability barrier, then read the outbox into the tail, then what is
    /// due: [`Ownership::prepared`].
    Prepare {
        /// Which.
        partition: PartitionId,
        /// Under which ownership.
        epoch: Epoch,
    },
    /// It is served from now on.
    Open {
        /// Which.
        partition: PartitionId,
        /// Under which ownership.
        epoch: Epoch,
    },
    /// It is not served any more: end its actors, forget its tail.
    Close {
        /// Which.
        partition: PartitionId,
        /// The ownership that is over.
        epoch: Epoch,
    },
    /// Take nothing new for it and let its batches finish: [`Ownership::finished`].
    Finish {
        /// Which.
        partition: PartitionId,
        /// Under which ownership.
        epoch: Epoch,
    },
    /// Give it up in the store: [`Ownership::released`].
    Release {
        /// Which.
        partition: PartitionId,
        /// The ownership that ends.
        epoch: Epoch,
    },
    /// Tell a replica that a partition is free.
    Hint {
        /// Whom.
        node: String,
        /// Which.
        partition: PartitionId,
        /// Its epoch now.
        epoch: Epoch,
    },
}

/// What came of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// It is ours.
    Won(Epoch),
    /// Somebody else was faster; this is the epoch now.
    Lost(Epoch),
    /// It changed hands a moment ago.
    TooSoon,
    /// Nobody knows: the store did not answer.
    Unknown,
}

/// The ownership of one replica.
#[derive(Debug)]
pub struct Ownership {
    me: Replica,
    state: MemberState,
    peers: Peers,
    partitions: Vec<Partition>,
    /// When holders were last asked for, if ever.
    looked: Option<Moment>,
    /// Whether holders have been read since the start: before that nothing is claimed.
    knows_holders: bool,
    handed_off: Moment,
}

#[derive(Debug)]
struct Partition {
    /// The newest epoch seen, and who had it then.
    epoch: Epoch,
    owner: Option<Replica>,
    /// Since when it has had no living owner.
    orphan_since: Option<Moment>,
    /// An epoch below the newest one seen, and since when the store has been saying so.
    rewound: Option<(Epoch, Moment)>,
    /// Its history needs repair: nobody may claim it.
    closed: bool,
    /// A claim brought nothing: not again before the holders are known better.
    waits: bool,
    mine: Mine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mine {
    Foreign,
    Claiming {
        since: Moment,
    },
    Preparing {
        epoch: Epoch,
        again: Option<Moment>,
    },
    Open {
        epoch: Epoch,
    },
    Leaving {
        epoch: Epoch,
        since: Moment,
        releasing: bool,
    },
    /// Its history needs repair: served by nobody, and kept, so that nobody else tries.
    Broken {
        epoch: Epoch,
    },
}

impl Mine {
    const fn epoch(self) -> Option<Epoch> {
        match self {
            Self::Foreign | Self::Claiming { .. } => None,
            Self::Preparing { epoch, .. }
            | Self::Open { epoch }
            | Self::Leaving { epoch, .. }
            | Self::Broken { epoch } => Some(epoch),
        }
    }
}

impl Ownership {
    /// A replica that has just started and knows nothing, of a store with so many
    /// partitions.
    #[must_use]
    pub fn new(me: Replica, partitions: u16, now: Moment) -> Self {
        let foreign = |_| Partition {
            epoch: Epoch(0),
            owner: None,
            orphan_since: None,
            rewound: None,
            closed: false,
            waits: false,
            mine: Mine::Foreign,
        };
        Self {
            peers: Peers::new(me.clone(), now),
            me,
            state: MemberState::Starting,
            partitions: (0..partitions).map(foreign).collect(),
            looked: None,
            knows_holders: false,
            handed_off: now,
        }
    }

    /// The other replicas.
    #[must_use]
    pub const fn peers(&self) -> &Peers {
        &self.peers
    }

    /// The other replicas, to tell what was heard of them.
    pub const fn peers_mut(&mut self) -> &mut Peers {
        &mut self.peers
    }

    /// How far this replica is.
    #[must_use]
    pub const fn state(&self) -> MemberState {
        self.state
    }

    /// Everything is up: partitions may be taken.
    pub fn ready(&mut self) {
        if self.state == MemberState::Starting {
            self.state = MemberState::Ready;
        }
    }

    /// This replica is going to stop: everything is given away, nothing taken any more.
    pub fn drain(&mut self) {
        self.state = MemberState::Draining;
    }

    /// Where a partition is served, as far as this replica knows.
    #[must_use]
    pub fn route(&self, partition: PartitionId, now: Moment) -> Route {
        let Some(known) = self.partitions.get(usize::from(partition.0)) else {
            return Route::Nowhere;
        };
        match (known.mine, &known.owner) {
            (Mine::Open { epoch }, _) => Route::Here(epoch),
            (Mine::Foreign | Mine::Claiming { .. }, Some(owner)) if *owner != self.me => {
                match self.peers.verdict(owner, now) {
                    Verdict::Alive => Route::There { node: owner.node.clone(), epoch: known.epoch },
                    Verdict::Dead | Verdict::Unfit => Route::Nowhere,
                }
            }
            _ => Route::Nowhere,
        }
    }

    /// The ownership under which a partition is served here, if it is.
    #[must_use]
    pub fn serves(&self, partition: PartitionId) -> Option<Epoch> {
        match self.partitions.get(usize::from(partition.0))?.mine {
            Mine::Open { epoch } => Some(epoch),
            _ => None,
        }
    }

    /// The ownership for which a partition is being prepared. What was read for an earlier
    /// one comes too late, and must not take the place of what is newer.
    #[must_use]
    pub fn prepares(&self, partition: PartitionId) -> Option<Epoch> {
        match self.partitions.get(usize::from(partition.0))?.mine {
            Mine::Preparing { epoch, .. } => Some(epoch),
            _ => None,
        }
    }

    /// The ownership under which a partition's tail is here and complete.
    #[must_use]
    pub fn has_tail(&self, partition: PartitionId) -> Option<Epoch> {
        match self.partitions.get(usize::from(partition.0))?.mine {
            Mine::Open { epoch } | Mine::Leaving { epoch, .. } => Some(epoch),
            _ => None,
        }
    }

    /// How many partitions are served here.
    #[must_use]
    pub fn open(&self) -> usize {
        self.partitions.iter().filter(|known| matches!(known.mine, Mine::Open { .. })).count()
    }

    /// How many partitions are on their way to or from here.
    #[must_use]
    pub fn moving(&self) -> usize {
        let settled = |known: &&Partition| {
            !matches!(known.mine, Mine::Foreign | Mine::Open { .. } | Mine::Broken { .. })
        };
        self.partitions.iter().filter(settled).count()
    }

    /// The store was repaired and counts epochs anew: nothing that was known of it, or owned
    /// in it, is worth anything.
    pub fn begin_anew(&mut self, holders: &[Holder]) -> Vec<Action> {
        let mut actions = Vec::new();
        for holder in holders {
            let Some(known) = self.partitions.get_mut(usize::from(holder.partition.0)) else {
                continue;
            };
            if let Some(epoch) = known.mine.epoch() {
                actions.push(Action::Close { partition: holder.partition, epoch });
            }
            let owner = holder.owner.as_deref().and_then(|owner| owner.parse().ok());
            *known = Partition {
                epoch: holder.epoch,
                owner,
                orphan_since: None,
                rewound: None,
                closed: false,
                waits: false,
                mine: Mine::Foreign,
            };
        }
        actions
    }

    /// Whether nothing is owned, nor on its way to be: a draining replica may stop then.
    #[must_use]
    pub fn is_free(&self) -> bool {
        let free = |known: &Partition| matches!(known.mine, Mine::Foreign | Mine::Broken { .. });
        self.partitions.iter().all(free)
    }

    /// Time has passed: to be called at least every 100 ms.
    pub fn tick(&mut self, now: Moment) -> Vec<Action> {
        self.peers.look(now);
        let mut actions = Vec::new();
        if self.looked.is_none_or(|looked| now.saturating_sub(looked) >= LOOK_EVERY) {
            self.looked = Some(now);
            actions.push(Action::ReadHolders);
        }
        self.go_on(now, &mut actions);
        self.claim_orphans(now, &mut actions);
        self.hand_off(now, &mut actions);
        actions
    }

    /// Who owns what was read from the store.
    pub fn holders(&mut self, now: Moment, holders: &[Holder]) -> Vec<Action> {
        self.peers.store_answered(now);
        self.knows_holders = true;
        let mut actions = Vec::new();
        for holder in holders {
            let owner = holder.owner.as_deref().and_then(|owner| owner.parse().ok());
            if let Some(known) = self.partitions.get_mut(usize::from(holder.partition.0)) {
                known.waits = false;
            }
            if self.is_rewound(now, holder.partition, holder.epoch) {
                self.forget(holder.partition, holder.epoch, &mut actions);
            }
            self.seen(holder.partition, holder.epoch, owner, &mut actions);
        }
        self.claim_orphans(now, &mut actions);
        actions
    }

    /// A partition is said to be free, by the replica that gave it up.
    pub fn hinted(&mut self, now: Moment, partition: PartitionId, epoch: Epoch) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Some(known) = self.partitions.get_mut(usize::from(partition.0)) {
            known.waits = false;
        }
        self.seen(partition, epoch, None, &mut actions);
        self.claim_orphans(now, &mut actions);
        actions
    }

    /// A claim was answered.
    pub fn claimed(
        &mut self,
        now: Moment,
        partition: PartitionId,
        outcome: Claimed,
    ) -> Vec<Action> {
        let me = self.me.clone();
        let Some(known) = self.partitions.get_mut(usize::from(partition.0)) else {
            return Vec::new();
        };
        let mut actions = Vec::new();
        if matches!(known.mine, Mine::Claiming { .. }) {
            known.mine = Mine::Foreign;
        }
        match outcome {
            // Also when it comes so late that nobody waited for it any more: taking what is
            // ours is better than claiming it once more from oneself.
            Claimed::Won(epoch)
                if !known.closed && epoch >= known.epoch && known.mine.epoch() < Some(epoch) =>
            {
                self.peers.store_answered(now);
                if let Some(old) = known.mine.epoch() {
                    actions.push(Action::Close { partition, epoch: old });
                }
                (known.epoch, known.owner) = (epoch, Some(me));
                known.mine = Mine::Preparing { epoch, again: None };
                actions.push(Action::Prepare { partition, epoch });
                return actions;
            }
            Claimed::Lost(epoch) if epoch > known.epoch => {
                // Who it is, the next look tells.
                (known.epoch, known.owner) = (epoch, None);
                known.orphan_since = Some(now);
            }
            Claimed::Won(_) | Claimed::Lost(_) | Claimed::TooSoon | Claimed::Unknown => {}
        }
        // Not again before it is known who has it now. That is looked for soon, but not at
        // once: everybody who lost would come back in step.
        known.waits = true;
        self.looked = self.looked.map(|looked| looked.min(now.saturating_sub(LOOK_EVERY / 2)));
        actions
    }

    /// Barrier, tail and deadlines of a partition are done, or failed for now.
    pub fn prepared(
        &mut self,
        now: Moment,
        partition: PartitionId,
        prepared: Epoch,
        done: bool,
    ) -> Vec<Action> {
        let Some(known) = self.partitions.get_mut(usize::from(partition.0)) else {
            return Vec::new();
        };
        match &mut known.mine {
            Mine::Preparing { epoch, again } if *epoch == prepared => {
                if !done {
                    *again = Some(now + PREPARE_AGAIN);
                    return Vec::new();
                }
                known.mine = Mine::Open { epoch: prepared };
                vec![Action::Open { partition, epoch: prepared }]
            }
            _ => Vec::new(),
        }
    }

    /// The store refused something because this ownership is over.
    pub fn fenced(&mut self, partition: PartitionId, epoch: Epoch) -> Vec<Action> {
        let mut actions = Vec::new();
        let Some(known) = self.partitions.get_mut(usize::from(partition.0)) else {
            return actions;
        };
        if known.mine.epoch() == Some(epoch) {
            known.mine = Mine::Foreign;
            known.owner = None;
            actions.push(Action::Close { partition, epoch });
            // Who has it now is not known: look at once.
            self.looked = None;
        }
        actions
    }

    /// The history of a partition is not what was answered: it is closed until it has been
    /// repaired, and neither served nor claimed, whatever comes of claims and preparations
    /// under way.
    pub fn broken(&mut self, partition: PartitionId) -> Vec<Action> {
        let Some(known) = self.partitions.get_mut(usize::from(partition.0)) else {
            return Vec::new();
        };
        known.closed = true;
        match known.mine {
            Mine::Broken { .. } => Vec::new(),
            mine => match mine.epoch() {
                None => {
                    known.mine = Mine::Foreign;
                    Vec::new()
                }
                Some(epoch) => {
                    known.mine = Mine::Broken { epoch };
                    vec![Action::Close { partition, epoch }]
                }
            },
        }
    }

    /// It was closed by mistake: its store goes by another ownership, which knows better.
    pub fn sound(&mut self, partition: PartitionId) -> Vec<Action> {
        let Some(known) = self.partitions.get_mut(usize::from(partition.0)) else {
            return Vec::new();
        };
        known.closed = false;
        // Who has it, the next look tells.
        known.waits = true;
        let mine = std::mem::replace(&mut known.mine, Mine::Foreign);
        self.looked = None;
        mine.epoch().map(|epoch| Action::Close { partition, epoch }).into_iter().collect()
    }

    /// Nothing of a partition is in flight any more.
    pub fn finished(&mut self, partition: PartitionId, finished: Epoch) -> Vec<Action> {
        let Some(known) = self.partitions.get_mut(usize::from(partition.0)) else {
            return Vec::new();
        };
        match &mut known.mine {
            Mine::Leaving { epoch, releasing, .. } if *epoch == finished && !*releasing => {
                *releasing = true;
                vec![Action::Release { partition, epoch: finished }]
            }
            _ => Vec::new(),
        }
    }

    /// A release was answered: `done` unless nobody knows. Whoever released must not serve
    /// any more either way.
    pub fn released(
        &mut self,
        now: Moment,
        partition: PartitionId,
        released: Epoch,
        done: bool,
    ) -> Vec<Action> {
        let taker = self.taker(partition, now);
        let Some(known) = self.partitions.get_mut(usize::from(partition.0)) else {
            return Vec::new();
        };
        if !matches!(known.mine, Mine::Leaving { epoch, .. } if epoch == released) {
            return Vec::new();
        }
        known.mine = Mine::Foreign;
        let mut actions = vec![Action::Close { partition, epoch: released }];
        if done {
            let epoch = Epoch(released.0 + 1);
            (known.epoch, known.owner, known.orphan_since) = (epoch, None, Some(now));
            if let Some(node) = taker.filter(|node| **node != *self.me.node) {
                actions.push(Action::Hint { node, partition, epoch });
            }
        }
        actions
    }
}

mod course;
#[cfg(test)]
mod tests;
