//! What a replica owns, kept going: drives the state machine of
//! [`protocol::ownership`](crate::protocol::ownership) with time, with what the store says
//! and with what other replicas say, and does what it wants done.
//!
//! Everything that changes what is served here happens under one lock, together with the
//! change of state that caused it, so that an opening and a closing never overtake one
//! another. Nothing waits under that lock: what takes time is a task that comes back with
//! its answer.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use storage::{Epoch, Member, MemberState, Members, PartitionId, Position};
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior};

use crate::error::{Elsewhere, SubmitError};
use crate::peers::Peers;
use crate::protocol::ownership::{Action, Ownership};
use crate::protocol::routing::{Route, Turn, turn};
use crate::protocol::suspicion::Pong;
use crate::protocol::{Moment, Replica};
use crate::shared::Shared;

mod calls;
mod learn;

/// How often everything is looked at.
const TICK: Duration = Duration::from_millis(50);

/// Peers are pinged once in so many ticks.
const PING_TICKS: u64 = 2;

/// The own row is written and those of the others are read once in so many ticks.
const MEMBER_TICKS: u64 = 6;

/// Most partitions prepared at a time.
const PREPARING: usize = 128;

/// How often it is looked whether everything has been given away.
const HAND_OVER_LOOK: Duration = Duration::from_millis(10);

/// What a replica is to the others.
pub struct Identity {
    /// Its name and this life of it.
    pub replica: Replica,
    /// Where the others reach it.
    pub address: String,
    /// Who is there.
    pub members: Arc<dyn Members>,
    /// The way to the others.
    pub peers: Arc<dyn Peers>,
    /// Called when another process goes on under the same name: this one has to end, as both
    /// would take each other's events for their own.
    pub on_duplicate: Arc<dyn Fn() + Send + Sync>,
}

/// One replica among others.
pub(crate) struct Cluster {
    identity: Identity,
    ownership: Mutex<Ownership>,
    began: Instant,
    /// Of the own row: grows with each announcement.
    announced: AtomicU64,
    /// What is under way once only.
    once: Once,
    preparing: Arc<Semaphore>,
    work: Mutex<Work>,
}

/// Errands of which one at a time is enough.
#[derive(Default)]
struct Once {
    holders: AtomicBool,
    /// The holders are to be read once more.
    again: AtomicBool,
    members: AtomicBool,
    follow: AtomicBool,
}

/// What goes on beside the state machine.
#[derive(Default)]
struct Work {
    /// The projectors of the partitions that are served here.
    projectors: HashMap<PartitionId, AbortHandle>,
    /// What claims are out for.
    claiming: HashSet<PartitionId>,
    /// Another life of this name, as its row was last seen.
    namesake: Option<([u8; 8], u64)>,
    /// Whose pings are out.
    pinged: HashSet<Replica>,
    /// Whose actors are to be ended: their memory is of an ownership that is over.
    ended: BTreeSet<PartitionId>,
    /// Being given away, until nothing of them is in flight.
    finishing: HashMap<PartitionId, Epoch>,
    /// The newest position of each partition that the store has shown or answered. A store
    /// that shows less has lost something.
    highest: HashMap<PartitionId, Position>,
    /// Closed for repair.
    broken: BTreeSet<PartitionId>,
}

/// How a replica is, for whoever operates it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaStatus {
    /// Its name and life.
    pub replica: Replica,
    /// How far it is.
    pub state: MemberState,
    /// The era of the store.
    pub era: u32,
    /// Partitions served here.
    pub open: usize,
    /// Partitions on their way to or from here.
    pub moving: usize,
    /// Partitions closed for repair, as far as this replica knows.
    pub broken: usize,
    /// The highest epoch of those served here.
    pub highest_epoch: Epoch,
    /// Events awake.
    pub awake: usize,
    /// Booking events committed here and not yet in the views.
    pub lag: usize,
    /// Replicas in the table of members, this one included.
    pub members: usize,
    /// How long ago the store last answered, in milliseconds.
    pub store_age: Moment,
}

impl Cluster {
    pub(crate) fn new(identity: Identity, partitions: u16) -> Self {
        Self {
            ownership: Mutex::new(Ownership::new(identity.replica.clone(), partitions, 0)),
            identity,
            began: Instant::now(),
            announced: AtomicU64::new(0),
            once: Once::default(),
            preparing: Arc::new(Semaphore::new(PREPARING)),
            work: Mutex::default(),
        }
    }

    /// This process' own monotonic clock.
    fn moment(&self) -> Moment {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn peers(&self) -> &Arc<dyn Peers> {
        &self.identity.peers
    }

    pub(crate) fn me(&self) -> &Replica {
        &self.identity.replica
    }

    /// The address of a member by its name.
    pub(crate) fn address(&self, node: &str) -> Option<String> {
        self.ownership.lock().peers().address(node).map(ToOwned::to_owned)
    }

    /// Why an event of this partition is not served here, and where it is.
    pub(crate) fn elsewhere(&self, partition: PartitionId) -> SubmitError {
        if self.work.lock().broken.contains(&partition) {
            return SubmitError::Unavailable("this part of the events is closed for repair".into());
        }
        let ownership = self.ownership.lock();
        if let Route::There { node, epoch } = ownership.route(partition, self.moment())
            && let Some(address) = ownership.peers().address(&node)
        {
            let address = address.to_owned();
            return SubmitError::Elsewhere(Elsewhere { partition, node, address, epoch });
        }
        SubmitError::Unavailable("this part of the events is moving to another replica".into())
    }

    /// What to do with a request that was passed on.
    fn turn(&self, partition: PartitionId, expected: Epoch, hops: u8) -> Turn {
        turn(self.ownership.lock().route(partition, self.moment()), expected, hops)
    }

    fn pong(&self) -> Pong {
        let (now, ownership) = (self.moment(), self.ownership.lock());
        Pong {
            from: self.identity.replica.clone(),
            state: ownership.state(),
            store_age: ownership.peers().store_age(now),
            silent: ownership.peers().silent(now),
        }
    }

    /// End what goes on beside the state machine.
    pub(crate) fn end(&self) {
        for (_, projector) in self.work.lock().projectors.drain() {
            projector.abort();
        }
    }

    fn member(&self) -> Member {
        Member {
            node: self.identity.replica.node.to_string(),
            incarnation: self.identity.replica.incarnation.to_be_bytes(),
            address: self.identity.address.clone(),
            state: self.ownership.lock().state(),
            tick: self.announced.fetch_add(1, Ordering::AcqRel) + 1,
        }
    }
}

/// The store refused something because this ownership is over.
pub(crate) fn fenced(shared: &Arc<Shared>, partition: PartitionId, epoch: Epoch) {
    if shared.cluster.is_some() {
        let steward = Steward::new(Arc::clone(shared));
        steward.change(|ownership, _| ownership.fenced(partition, epoch));
    } else {
        shared.ownership.close(partition, epoch);
    }
}

/// The history of a partition is not what was answered under this ownership.
pub(crate) fn close(shared: &Arc<Shared>, partition: PartitionId, epoch: Epoch, why: &'static str) {
    if shared.cluster.is_none() {
        shared.ownership.close(partition, epoch);
    } else if shared.ownership.epoch(partition) == epoch {
        let steward = Steward::new(Arc::clone(shared));
        steward.found_broken(partition, epoch, why);
    }
}

/// The handle to a replica among others: what those others ask of it. Cheap to clone.
#[derive(Clone)]
pub struct Steward {
    shared: Arc<Shared>,
}

impl Steward {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    fn cluster(&self) -> &Cluster {
        self.shared.cluster.as_ref().expect("a steward is made in a cluster only")
    }

    /// The answer to a ping.
    #[must_use]
    pub fn pong(&self) -> Pong {
        self.cluster().pong()
    }

    /// Another replica gave a partition up.
    pub fn hinted(&self, partition: PartitionId, epoch: Epoch) {
        self.change(|ownership, now| ownership.hinted(now, partition, epoch));
    }

    /// What to do with a request about this partition that was passed on `hops` times by
    /// replicas that expected this ownership.
    #[must_use]
    pub fn turn(&self, partition: PartitionId, expected: Epoch, hops: u8) -> Turn {
        self.cluster().turn(partition, expected, hops)
    }

    /// The name under which this replica is known.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.cluster().me().node
    }

    /// The address of a member.
    #[must_use]
    pub fn address(&self, node: &str) -> Option<String> {
        self.cluster().address(node)
    }

    /// The ownership under which an event is served here.
    #[must_use]
    pub fn serves(&self, event: engine::EventId) -> Option<Epoch> {
        let partition = self.shared.partition_of(event);
        let ownership = &self.shared.ownership;
        ownership.is_open(partition).then(|| ownership.epoch(partition))
    }

    /// Batches committed here and not yet in the views, of one partition, served or closed:
    /// what a repair of the store cannot find anywhere else.
    #[must_use]
    pub fn tail_of(&self, partition: PartitionId) -> Vec<Arc<storage::OutboxEntry>> {
        if partition.0 < self.shared.stores.commit.partitions() {
            self.shared.tail.entries(partition)
        } else {
            Vec::new()
        }
    }

    /// How it is.
    #[must_use]
    pub fn status(&self) -> ReplicaStatus {
        let (shared, cluster) = (&self.shared, self.cluster());
        let served: Vec<_> = shared.ownership.served().collect();
        let epochs = served.iter().map(|partition| shared.ownership.epoch(*partition));
        let highest_epoch = epochs.max().unwrap_or_default();
        let broken = cluster.work.lock().broken.len();
        let ownership = cluster.ownership.lock();
        ReplicaStatus {
            replica: cluster.identity.replica.clone(),
            state: ownership.state(),
            era: shared.era().0,
            open: served.len(),
            moving: ownership.moving(),
            broken,
            highest_epoch,
            awake: shared.directory.awake(),
            lag: shared.lag(),
            members: ownership.peers().known() + 1,
            store_age: ownership.peers().store_age(cluster.moment()),
        }
    }

    /// Change the state and do what follows, in one stroke.
    fn change(&self, change: impl FnOnce(&mut Ownership, Moment) -> Vec<Action>) {
        let cluster = self.cluster();
        let now = cluster.moment();
        let mut ownership = cluster.ownership.lock();
        let actions = change(&mut ownership, now);
        for action in actions {
            self.act(&mut ownership, action);
        }
    }

    /// Do what the state machine wants done; never waits.
    fn act(&self, ownership: &mut Ownership, action: Action) {
        let shared = &self.shared;
        match action {
            Action::ReadHolders => self.read_holders(),
            Action::Claim { partition, expected, owner_is_gone } => {
                self.claim(partition, expected, owner_is_gone);
            }
            Action::Prepare { partition, epoch } => self.prepare(partition, epoch),
            Action::Open { partition, epoch } => {
                shared.ownership.open(partition, epoch);
                self.project(partition, epoch);
            }
            Action::Close { partition, .. } => self.close(partition),
            Action::Finish { partition, epoch } => {
                shared.ownership.close(partition, epoch);
                self.cluster().work.lock().finishing.insert(partition, epoch);
            }
            Action::Release { partition, epoch } => self.release(partition, epoch),
            Action::Hint { node, partition, epoch } => {
                let address = ownership.peers().address(&node).map(ToOwned::to_owned);
                self.hint(address, partition, epoch);
            }
        }
    }

    /// Nothing of it is served here any more. Its actors are ended a moment later: until
    /// then the store refuses what they decide.
    fn close(&self, partition: PartitionId) {
        let (shared, cluster) = (&self.shared, self.cluster());
        shared.ownership.leave(partition);
        let mut work = cluster.work.lock();
        if let Some(projector) = work.projectors.remove(&partition) {
            projector.abort();
        }
        work.finishing.remove(&partition);
        work.ended.insert(partition);
        // Of what is closed for repair the tail is kept: it may be all that is left.
        if !work.broken.contains(&partition) {
            shared.tail.end(partition);
        }
        drop(work);
        shared.watchers.end_of(|event| shared.partition_of(event) == partition);
    }

    /// Work until told to stop.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for tick in 0_u64.. {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stop.changed() => return,
            }
            if tick.is_multiple_of(MEMBER_TICKS) {
                self.meet_members();
            }
            if tick.is_multiple_of(PING_TICKS) {
                self.ping_all();
            }
            self.change(Ownership::tick);
            self.end_actors();
            self.look_whether_finished();
        }
    }

    /// End the actors of partitions that are not served any more.
    fn end_actors(&self) {
        let ended = std::mem::take(&mut self.cluster().work.lock().ended);
        if ended.is_empty() {
            return;
        }
        let shared = &self.shared;
        shared.directory.end(|event| ended.contains(&shared.partition_of(event)));
    }

    /// Go on with giving away what has nothing in flight.
    fn look_whether_finished(&self) {
        let finishing = self.cluster().work.lock().finishing.clone();
        if finishing.is_empty() {
            return;
        }
        let shared = &self.shared;
        let busy = shared.directory.busy(|event| shared.partition_of(event));
        for (partition, epoch) in finishing {
            if !busy.contains(&partition) {
                self.cluster().work.lock().finishing.remove(&partition);
                self.change(|ownership, _| ownership.finished(partition, epoch));
            }
        }
    }

    /// Give everything away, as far as that is possible by `deadline`; go on serving what is
    /// still here, and passing on what is not.
    pub(crate) async fn hand_over(&self, deadline: Instant) {
        self.change(|ownership, now| {
            ownership.drain();
            ownership.tick(now)
        });
        self.meet_members();
        while !self.cluster().ownership.lock().is_free() && Instant::now() < deadline {
            self.look_whether_finished();
            tokio::time::sleep(HAND_OVER_LOOK).await;
        }
    }

    /// Take the own row away, behind an announcement that is still on its way.
    pub(crate) async fn leave(&self) {
        while self.cluster().once.members.load(Ordering::Acquire) {
            tokio::time::sleep(HAND_OVER_LOOK).await;
        }
        let Identity { replica, members, .. } = &self.cluster().identity;
        let incarnation = replica.incarnation.to_be_bytes();
        if let Err(error) = members.leave(&replica.node, incarnation).await {
            tracing::warn!(%error, "this replica's row is left behind");
        }
    }
}
