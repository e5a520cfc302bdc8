//! What has to be done from time to time: wake the events whose deadlines have come, those
//! that sleep included; forget places of sleepers and holds that are over.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use engine::{EventId, Timestamp};
use storage::PartitionId;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::box_office::BoxOffice;
use crate::shared::Shared;

/// What can be forgotten is looked for once in so many sweeps.
const FORGET_EVERY: u64 = 10;

/// Holds forgotten by one call of the store.
const HOLDS_AT_ONCE: usize = 256;

/// Most such calls in a row: about four hundred holds a second at the default pace.
const HOLD_STEPS: usize = 16;

/// Most due events remembered as looked at, in batches: from then on the look begins anew
/// at the earliest deadline.
const BATCHES_PER_ROUND: usize = 64;

/// Work until told to stop.
pub(crate) async fn run(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let office = BoxOffice::new(Arc::clone(&shared));
    let mut forgetting: Option<JoinHandle<()>> = None;
    let mut rounds: Vec<Round> = shared.ownership.partitions().map(|_| Round::default()).collect();
    for sweep in 0u64.. {
        if sweep.is_multiple_of(FORGET_EVERY) {
            shared.directory.forget_sleepers();
            // Beside the deadlines: the views may be slow, and what is due is not to wait.
            if forgetting.as_ref().is_none_or(JoinHandle::is_finished) {
                let shared = Arc::clone(&shared);
                forgetting = Some(tokio::spawn(async move { forget_holds(&shared).await }));
            }
        }
        let deadline = Instant::now() + shared.options.deadline_sweep;
        for (partition, round) in shared.ownership.partitions().zip(&mut rounds) {
            if !shared.ownership.is_open(partition) {
                continue;
            }
            for event in round.next(&shared, partition).await {
                if let Err(error) = office.wake(event, deadline).await {
                    tracing::debug!(%event, %error, "an event with a deadline was not woken");
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(shared.options.deadline_sweep) => {}
            _ = stop.changed() => return,
        }
    }
}

/// One round through the due events of a partition, a batch at a time. An event that
/// cannot be woken stays due and stays among the earliest; the next batch is what lies
/// behind those looked at, so that it keeps nobody else from being woken.
#[derive(Default)]
struct Round {
    looked_at: HashSet<EventId>,
}

impl Round {
    async fn next(&mut self, shared: &Shared, partition: PartitionId) -> Vec<EventId> {
        let batch = shared.options.deadline_batch;
        let limit = self.limit(batch);
        let due = shared.stores.commit.due(partition, shared.clock.now(), limit).await;
        let due = due.unwrap_or_else(|error| {
            tracing::warn!(%error, "the deadlines could not be read");
            Vec::new()
        });
        self.behind(due, batch)
    }

    /// How many of the earliest to read, so that a batch of them is new.
    fn limit(&self, batch: usize) -> usize {
        self.looked_at.len() + batch
    }

    /// Of the earliest, [`Round::limit`] of them or all that there are, those to look at
    /// now.
    fn behind(&mut self, due: Vec<EventId>, batch: usize) -> Vec<EventId> {
        let ended = due.len() < self.limit(batch);
        let next: Vec<_> =
            due.into_iter().filter(|event| !self.looked_at.contains(event)).take(batch).collect();
        self.looked_at.extend(&next);
        if ended || self.looked_at.len() >= batch.saturating_mul(BATCHES_PER_ROUND) {
            self.looked_at.clear();
        }
        next
    }
}

/// Holds that were over long ago are forgotten, some at a time.
async fn forget_holds(shared: &Shared) {
    let key = Duration::from_millis(u64::from(shared.options.limits.client_key_memory.as_millis()));
    let memory = shared.options.hold_memory.max(key);
    let memory = i64::try_from(memory.as_millis()).unwrap_or(i64::MAX);
    let before = Timestamp::from_millis(shared.clock.now().millis().saturating_sub(memory));
    for _ in 0..HOLD_STEPS {
        match shared.stores.views.forget_holds(before, HOLDS_AT_ONCE).await {
            Ok(HOLDS_AT_ONCE) => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "holds that are over could not be forgotten");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BATCH: usize = 4;

    fn event(n: u8) -> EventId {
        EventId([n; 16])
    }

    fn look(round: &mut Round, due: &[EventId]) -> Vec<EventId> {
        let earliest = due.iter().copied().take(round.limit(BATCH)).collect();
        round.behind(earliest, BATCH)
    }

    #[test]
    fn events_that_cannot_be_woken_keep_nobody_from_being_woken() {
        // The first ten stay due whatever is done; the others are done when looked at.
        let mut due: Vec<_> = (0..30).map(event).collect();
        let mut round = Round::default();
        for sweep in 0.. {
            assert!(sweep < 10, "still waiting: {due:?}");
            for looked_at in look(&mut round, &due) {
                due.retain(|event| *event < self::event(10) || *event != looked_at);
            }
            if due.len() == 10 {
                break;
            }
        }
        // And those that could not be woken are looked at again.
        let mut again: Vec<_> = (0..6).flat_map(|_| look(&mut round, &due)).collect();
        again.sort_unstable();
        again.dedup();
        assert_eq!(again, due);
    }

    #[test]
    fn what_is_remembered_of_a_round_is_bounded() {
        let due: Vec<_> = (0..=u16::MAX)
            .map(|n| {
                let mut id = [0; 16];
                id[..2].copy_from_slice(&n.to_be_bytes());
                EventId(id)
            })
            .collect();
        let mut round = Round::default();
        for _ in 0..1_000 {
            assert_eq!(look(&mut round, &due).len(), BATCH);
            assert!(round.looked_at.len() < BATCH * BATCHES_PER_ROUND);
        }
    }
}
