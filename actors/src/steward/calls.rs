//! What takes time: questions to the store and to other replicas, each a task that comes
//! back with its answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use storage::{Claim, Epoch, Member, PartitionId, StorageError};
use tokio::time::timeout;

use super::learn::LESS;
use super::{Identity, Steward};
use crate::peers::PeerError;
use crate::projector::Projector;
use crate::protocol::ownership::Claimed;

/// How long a ping may take; longer than the silence that makes a suspect.
const PING_LIMIT: Duration = Duration::from_millis(800);

/// How long a hint may take. Who does not get it looks for itself a second later.
const HINT_LIMIT: Duration = Duration::from_millis(500);

/// How long an answer of the store is waited for, beyond its own limits.
const STORE_LIMIT: Duration = Duration::from_secs(3);

/// Pause before a projector that panicked is started again.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// Says that an errand is done, however it ends.
pub(super) struct Done<'a>(pub(super) &'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// An answer of the store, in time.
pub(super) async fn answered<T>(
    answer: impl Future<Output = Result<T, StorageError>>,
) -> Result<T, StorageError> {
    timeout(STORE_LIMIT, answer)
        .await
        .unwrap_or_else(|_| Err(StorageError::Unknown("no answer in time".into())))
}

impl Steward {
    pub(super) fn read_holders(&self) {
        if self.cluster().once.holders.swap(true, Ordering::AcqRel) {
            // The one under way began before whatever made us ask.
            self.cluster().once.again.store(true, Ordering::Release);
            return;
        }
        let steward = self.clone();
        tokio::spawn(async move {
            let once = &steward.cluster().once;
            let _done = Done(&once.holders);
            loop {
                once.again.store(false, Ordering::Release);
                let floor = steward.floor();
                match answered(steward.shared.look.holders()).await {
                    Ok(holders) => steward.learn(&holders, &floor),
                    Err(error) => tracing::debug!(%error, "the holders could not be read"),
                }
                if !once.again.load(Ordering::Acquire) {
                    return;
                }
            }
        });
    }

    /// Write the own row, read those of the others.
    pub(super) fn meet_members(&self) {
        if self.cluster().once.members.swap(true, Ordering::AcqRel) {
            return;
        }
        let steward = self.clone();
        tokio::spawn(async move {
            let cluster = steward.cluster();
            let _done = Done(&cluster.once.members);
            let members = &cluster.identity.members;
            let rows = async {
                // Read first: what another life of this name has written is overwritten next.
                let rows = members.all().await?;
                if !steward.is_usurped(&rows) {
                    members.announce(&cluster.member()).await?;
                }
                Ok(rows)
            };
            match answered(rows).await {
                Ok(rows) => steward.change(|ownership, now| {
                    ownership.peers_mut().members(now, &rows);
                    ownership.ready();
                    Vec::new()
                }),
                Err(error) => tracing::debug!(%error, "the members could not be read"),
            }
        });
    }

    /// Whether another life of this name goes on announcing itself. Then one of the two ends,
    /// the same one whoever finds out.
    fn is_usurped(&self, rows: &[Member]) -> bool {
        let cluster = self.cluster();
        let Identity { replica, on_duplicate, .. } = &cluster.identity;
        let own = rows.iter().find(|row| row.node == *replica.node);
        let other = own.filter(|row| u64::from_be_bytes(row.incarnation) != replica.incarnation);
        let seen = other.map(|row| (row.incarnation, row.tick));
        let before = std::mem::replace(&mut cluster.work.lock().namesake, seen);
        let (Some((incarnation, tick)), Some((known, last))) = (seen, before) else { return false };
        let ends = known == incarnation
            && tick > last
            && replica.incarnation < u64::from_be_bytes(incarnation);
        if ends {
            on_duplicate();
        }
        ends
    }

    pub(super) fn ping_all(&self) {
        let cluster = self.cluster();
        let now = cluster.moment();
        let peers: Vec<_> = {
            let ownership = cluster.ownership.lock();
            let to_ping = ownership.peers().to_ping(now);
            to_ping.map(|(peer, address)| (peer.clone(), address.to_owned())).collect()
        };
        for (peer, address) in peers {
            if !cluster.work.lock().pinged.insert(peer.clone()) {
                continue;
            }
            let steward = self.clone();
            tokio::spawn(async move {
                let cluster = steward.cluster();
                let answer = timeout(PING_LIMIT, cluster.identity.peers.ping(&address)).await;
                cluster.work.lock().pinged.remove(&peer);
                steward.change(|ownership, now| {
                    match answer {
                        Ok(Ok(pong)) => ownership.peers_mut().pong(now, pong),
                        Ok(Err(PeerError::Refused)) => ownership.peers_mut().refused(&peer),
                        Ok(Err(PeerError::Failed(_))) | Err(_) => {}
                    }
                    Vec::new()
                });
            });
        }
    }

    pub(super) fn claim(&self, partition: PartitionId, expected: Epoch, owner_is_gone: bool) {
        if !self.cluster().work.lock().claiming.insert(partition) {
            return;
        }
        let steward = self.clone();
        tokio::spawn(async move {
            let owner = steward.cluster().identity.replica.to_string();
            let store = &steward.shared.stores.commit;
            // Waited for as long as the store takes: one that is won late is taken.
            let claimed = match store.claim(partition, &owner, expected, owner_is_gone).await {
                Ok(Claim::Won(epoch)) => Claimed::Won(epoch),
                Ok(Claim::Lost(epoch)) => Claimed::Lost(epoch),
                Ok(Claim::TooSoon) => Claimed::TooSoon,
                Err(error) => {
                    tracing::debug!(partition = partition.0, %error, "a claim failed");
                    Claimed::Unknown
                }
            };
            steward.cluster().work.lock().claiming.remove(&partition);
            steward.change(|ownership, now| ownership.claimed(now, partition, claimed));
        });
    }

    /// Barrier and tail; the deadlines are read by the sweeper as soon as it is served, and
    /// an actor runs what is due before anything else.
    pub(super) fn prepare(&self, partition: PartitionId, epoch: Epoch) {
        let steward = self.clone();
        tokio::spawn(async move {
            let preparing = Arc::clone(&steward.cluster().preparing);
            let Ok(_permit) = preparing.acquire_owned().await else { return };
            let filling = steward.clone();
            let filled = tokio::spawn(async move { filling.fill_tail(partition, epoch).await });
            let done = match filled.await {
                Ok(Ok(done)) => done,
                // It panicked, and said so.
                Err(_) => false,
                Ok(Err(error)) => {
                    tracing::warn!(partition = partition.0, %error, "a takeover has to wait");
                    false
                }
            };
            steward.change(|ownership, now| ownership.prepared(now, partition, epoch, done));
        });
    }

    fn prepares(&self, partition: PartitionId) -> Option<Epoch> {
        self.cluster().ownership.lock().prepares(partition)
    }

    async fn fill_tail(&self, partition: PartitionId, epoch: Epoch) -> Result<bool, StorageError> {
        let shared = &self.shared;
        answered(shared.stores.commit.barrier(partition)).await?;
        let views = shared.viewed(partition).await?;
        {
            // What was read for an ownership that is over must not take the place of what
            // is newer.
            let ownership = self.cluster().ownership.lock();
            if ownership.prepares(partition) != Some(epoch) {
                return Ok(false);
            }
            shared.tail.begin(partition, epoch, views);
        }
        let last = shared.stores.outbox.last(partition).await?;
        if self.lacks(partition, last) && self.prepares(partition) == Some(epoch) {
            self.found_broken(partition, epoch, LESS);
            return Ok(false);
        }
        shared.fill(partition, epoch, views).await?;
        Ok(true)
    }

    /// Follow what is served here.
    pub(super) fn project(&self, partition: PartitionId, epoch: Epoch) {
        let shared = Arc::clone(&self.shared);
        let projector = tokio::spawn(async move {
            loop {
                let follow = Projector::follow(Arc::clone(&shared), partition, epoch);
                if AssertUnwindSafe(follow).catch_unwind().await.is_ok() {
                    return;
                }
                tracing::error!(partition = partition.0, "a projector panicked");
                tokio::time::sleep(AFTER_PANIC).await;
            }
        });
        let mut work = self.cluster().work.lock();
        if let Some(old) = work.projectors.insert(partition, projector.abort_handle()) {
            old.abort();
        }
    }

    pub(super) fn release(&self, partition: PartitionId, epoch: Epoch) {
        let steward = self.clone();
        tokio::spawn(async move {
            let released = answered(steward.shared.stores.commit.release(partition, epoch)).await;
            let done = matches!(released, Ok(true));
            steward.change(|ownership, now| ownership.released(now, partition, epoch, done));
        });
    }

    pub(super) fn hint(&self, address: Option<String>, partition: PartitionId, epoch: Epoch) {
        let Some(address) = address else { return };
        let steward = self.clone();
        tokio::spawn(async move {
            let hint = steward.cluster().identity.peers.hint(&address, partition, epoch);
            // It is advice; its loss costs a second.
            let _ = timeout(HINT_LIMIT, hint).await;
        });
    }
}
