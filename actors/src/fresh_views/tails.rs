//! What is committed and not yet in the views, wherever it is: in the tails of this process,
//! and of other replicas, asked in parallel until their answers cover everything that the
//! reader may have seen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use storage::{Epoch, Holder, PartitionId, StorageError};
use tokio::time::{Instant, timeout};

use crate::peers::{TailAnswer, TailQuestion};
use crate::protocol::Replica;
use crate::protocol::coverage::{Coverage, Read};
use crate::shared::Shared;
use crate::steward::Cluster;
use crate::tail::{Overlay, TailRows, Wanted};

/// Pause between two looks at a tail that is behind.
const LOOK: Duration = Duration::from_millis(1);

/// Looks at a tail that is behind before the outbox is read: longer than a store's answer
/// usually takes.
const LOOKS_BEFORE_OUTBOX: usize = 20;

/// How long the tails of another replica are waited for in one round.
const PEER_LIMIT: Duration = Duration::from_millis(500);

/// Pause between two rounds of questions.
const ROUND_PAUSE: Duration = Duration::from_millis(20);

/// How long all partitions are tried to be covered: longer than a takeover takes.
const COVER_LIMIT: Duration = Duration::from_millis(2_500);

/// All tails.
#[derive(Clone)]
pub(super) struct Tails {
    shared: Arc<Shared>,
}

impl Tails {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Of a process that owns everything.
    pub(super) async fn own(
        &self,
        wanted: Wanted,
        share: Option<PartitionId>,
    ) -> Result<Overlay, StorageError> {
        let holders = self.shared.look.holders().await?;
        for holder in holders.iter().filter(|holder| concerns(holder.partition, share)) {
            self.catch_up(holder).await?;
        }
        Ok(self.look_into(wanted, share).await?.1)
    }

    /// Wait until a tail has everything that is committed by now. The sums of an event are
    /// read from its header and may show a batch whose owner has not been answered yet:
    /// whoever saw them must not find a list that lacks it. Mostly there is nothing to wait
    /// for, else an answer of the store; one that was lost is replaced by its outbox.
    async fn catch_up(&self, holder: &Holder) -> Result<(), StorageError> {
        let mut looks = 0;
        let epoch = self.shared.tail.epoch(holder.partition);
        while self.shared.tail.followed(holder.partition) < holder.last {
            if looks == LOOKS_BEFORE_OUTBOX {
                self.shared.follow_outbox(holder.partition).await?;
            }
            if looks > LOOKS_BEFORE_OUTBOX {
                return Err(StorageError::NotDone("the tail is behind".into()));
            }
            looks += 1;
            tokio::time::sleep(LOOK).await;
            if self.shared.tail.epoch(holder.partition) != epoch {
                return Err(StorageError::NotDone("the partition has moved".into()));
            }
        }
        Ok(())
    }

    /// The tails of this process, and whose they are. The first reader after many commits
    /// decodes them, so this is done where it may take a while.
    async fn look_into(
        &self,
        wanted: Wanted,
        share: Option<PartitionId>,
    ) -> Result<(Vec<(PartitionId, Read)>, Overlay), StorageError> {
        let shared = Arc::clone(&self.shared);
        let look = move || {
            let (mut covered, mut all) = (Vec::new(), Overlay::default());
            let partitions = shared.ownership.partitions();
            for partition in partitions.filter(|partition| concerns(*partition, share)) {
                let Some(epoch) = shared.ownership.has_tail(partition) else { continue };
                // How far it goes first, what is in it then: never less than was said.
                let followed = shared.tail.followed(partition);
                let rows = shared.tail.overlay(partition, wanted)?;
                // What was read may be of a tail that was begun anew meanwhile.
                if shared.tail.epoch(partition) == epoch {
                    covered.push((partition, Read { epoch, followed }));
                    all.join(rows);
                }
            }
            Ok((covered, all))
        };
        tokio::task::spawn_blocking(look)
            .await
            .unwrap_or_else(|_| Err(StorageError::NotDone("the reader was stopped".into())))
    }

    /// What this process tells another one.
    pub(super) async fn answer(&self, question: &TailQuestion) -> Result<TailAnswer, StorageError> {
        for (partition, last) in &question.behind {
            if self.shared.ownership.partitions().any(|known| known == *partition)
                && self.shared.ownership.has_tail(*partition).is_some()
                && self.shared.tail.followed(*partition) < *last
            {
                self.shared.follow_outbox(*partition).await?;
            }
        }
        let count = self.shared.stores.commit.partitions();
        let share = question.wanted.share().map(|share| PartitionId(share % count));
        let (covered, rows) = self.look_into(question.wanted, share).await?;
        Ok(TailAnswer { covered, rows: TailRows::from(rows) })
    }

    /// Of all replicas. The holders are read after the request has come, so whoever was an
    /// owner then had seen everything that was answered before; its tail has to be there.
    pub(super) async fn everywhere(
        &self,
        cluster: &Cluster,
        wanted: Wanted,
        share: Option<PartitionId>,
    ) -> Result<Overlay, StorageError> {
        let until = Instant::now() + COVER_LIMIT;
        let (mut all, mut coverage) =
            (Overlay::default(), Coverage::new(self.shared.stores.commit.partitions()));
        let mut behind: Vec<(PartitionId, storage::Position)> = Vec::new();
        let first = self.shared.look.holders().await?;
        for round in 0.. {
            // Whom to ask, the newest reading says; what has to be covered, the first.
            let holders =
                if round == 0 { Arc::clone(&first) } else { self.shared.look.holders().await? };
            let mine: Vec<_> = holders
                .iter()
                .filter(|held| concerns(held.partition, share))
                .filter(|held| self.shared.ownership.has_tail(held.partition) == Some(held.epoch))
                .collect();
            for held in &mine {
                // A tail that stays behind is told as missing below.
                let _ = self.catch_up(held).await;
            }
            let (covered, rows) = self.look_into(wanted, share).await?;
            coverage.add(covered);
            all.join(rows);
            let missing = coverage.missing(&first);
            let others = owners(&holders, &missing, cluster, share);
            let question = TailQuestion { wanted, behind: std::mem::take(&mut behind) };
            let asked = others.iter().map(|node| self.ask(cluster, node, &question));
            for answer in join_all(asked).await.into_iter().flatten() {
                coverage.add(answer.covered);
                all.join(Overlay::from(answer.rows));
            }
            behind = coverage
                .missing(&first)
                .into_iter()
                .filter(|partition| concerns(*partition, share))
                .map(|partition| (partition, first[usize::from(partition.0)].last))
                .collect();
            if behind.is_empty() {
                return Ok(all);
            }
            if Instant::now() >= until {
                tracing::warn!(missing = behind.len(), round, "tails that nobody answers for");
                break;
            }
            tokio::time::sleep(ROUND_PAUSE).await;
        }
        let why = "not all replicas could be asked for what is newest";
        Err(StorageError::NotDone(why.into()))
    }

    async fn ask(
        &self,
        cluster: &Cluster,
        owner: &Replica,
        question: &TailQuestion,
    ) -> Option<TailAnswer> {
        let address = cluster.address(&owner.node)?;
        match timeout(PEER_LIMIT, cluster.peers().tails(&address, question)).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(error)) => {
                tracing::debug!(node = %owner.node, %error, "a tail could not be asked");
                None
            }
            Err(_) => None,
        }
    }
}

fn concerns(partition: PartitionId, share: Option<PartitionId>) -> bool {
    share.is_none_or(|share| share == partition)
}

/// Whom to ask for what is not covered yet.
fn owners(
    holders: &[Holder],
    missing: &[PartitionId],
    cluster: &Cluster,
    share: Option<PartitionId>,
) -> Vec<Replica> {
    let mut owners: BTreeMap<Arc<str>, Replica> = BTreeMap::new();
    for partition in missing.iter().filter(|partition| concerns(**partition, share)) {
        let Some(held) = holders.get(usize::from(partition.0)) else { continue };
        let owner = held.owner.as_deref().and_then(|owner| owner.parse::<Replica>().ok());
        if let Some(owner) = owner.filter(|owner| owner != cluster.me() && held.epoch > Epoch(0)) {
            owners.insert(Arc::clone(&owner.node), owner);
        }
    }
    owners.into_values().collect()
}
