//! The task beside an actor that brings its batches to the store, one at a time, and
//! releases the answers. The actor never awaits a store: one handler that did would cost
//! one fsync per booking, and a kill could cut it between the write and its bookkeeping.

use std::sync::Arc;

use engine::{EventId, Snapshot};
use ractor::ActorRef;
use storage::{
    Batch, BatchId, Head, OutboxEntry, PartitionId, Position, SnapshotToKeep, StorageError,
    Validity, chain, record,
};
use tokio::time::Instant;
use tracing::Instrument;

use crate::directory::Place;
use crate::error::SubmitError;
use crate::event_actor::{Message, Waiting};
use crate::protocol::commit::{Attempts, Ending, Verdict};
use crate::shared::Shared;
use crate::staging::{Filling, Staging};
use crate::watchers::CommittedState;

/// Why a batch failed, and the answers that waited for it.
type Failed = (Ending, Vec<Waiting>);

/// One actor's committer.
pub(crate) struct Committer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) place: Arc<Place>,
    pub(crate) staging: Arc<Staging>,
    pub(crate) actor: ActorRef<Message>,
}

impl Committer {
    /// Take batches until none is left.
    ///
    /// The lane is held all the while: a successor of a dead actor loads only after the
    /// last batch of its predecessor has been answered by the store.
    pub(crate) async fn run(self) {
        let _lane = self.place.lane.lock().await;
        while let Some((filling, head)) = self.staging.take() {
            let ended = if filling.entries == 0 {
                self.validate(filling, head).await
            } else {
                self.commit(filling, head).await
            };
            if let Err((ending, answers)) = ended {
                self.end(&ending, answers);
                return;
            }
        }
    }

    /// Bring one batch to the store and release its answers.
    async fn commit(&self, filling: Filling, base: Head) -> Result<(), Failed> {
        let Filling { encoder, first_seq, last_seq, summary, at, answers, snapshot, .. } = filling;
        let blob = encoder.expect("a batch with entries has an encoder").finish();
        let next = Head { seq: last_seq, chain: chain::next(base.chain, &blob) };
        let partition = self.shared.partition_of(self.place.event);
        let epoch = self.shared.ownership.epoch(partition);
        let batch = Batch {
            epoch,
            event: self.place.event,
            id: self.shared.batch_ids.next(),
            base,
            next,
            summary,
            at,
            blob: Arc::clone(&blob),
        };
        let in_flight = self.shared.commits.enter();
        let span = tracing::debug_span!(
            "commit",
            event = %self.place.event,
            bytes = batch.blob.len(),
            answers = answers.len(),
            seq = next.seq.0,
        );
        let outcome = self.send(&batch).instrument(span).await;
        drop(in_flight);
        let position = match outcome {
            Ok(position) => position,
            Err(ending) => return Err((ending, answers)),
        };
        // The tail first, then the answers: whoever has an answer finds it in the lists.
        let entry = OutboxEntry {
            position,
            event: self.place.event,
            first_seq,
            last_seq,
            epoch,
            chain: next.chain,
            at,
            blob,
        };
        self.shared.tail.push(partition, entry);
        self.shared
            .watchers
            .publish(self.place.event, || CommittedState { seq: next.seq, summary });
        self.staging.committed(next);
        self.place.acknowledged(next);
        for answer in answers {
            answer.release();
        }
        if let Some(snapshot) = snapshot {
            keep_snapshot(&self.shared, self.place.event, *snapshot, next);
        }
        Ok(())
    }

    /// Send the same batch until the store gives an answer that means something, or the
    /// deadline is over.
    async fn send(&self, batch: &Batch) -> Result<Position, Ending> {
        let store = &self.shared.stores.commit;
        if store.always_answers() {
            // Giving up would only make an outcome unknown that is about to be known.
            return match Attempts::default().judge(store.commit(batch.clone()).await, true) {
                Verdict::Durable(position) => Ok(position),
                Verdict::End(ending) => Err(ending),
                Verdict::Repeat => unreachable!("an overdue batch is not repeated"),
            };
        }
        let deadline = Instant::now() + self.shared.options.commit_deadline;
        let mut attempts = Attempts::default();
        loop {
            let answer = tokio::time::timeout_at(deadline, store.commit(batch.clone()))
                .await
                .unwrap_or_else(|_| Err(StorageError::Unknown("no answer in time".into())));
            match attempts.judge(answer, Instant::now() >= deadline) {
                Verdict::Durable(position) => return Ok(position),
                Verdict::End(ending) => return Err(ending),
                Verdict::Repeat => {
                    tokio::time::sleep(self.shared.options.commit_retry_pause).await;
                }
            }
        }
    }

    /// Release answers that wrote nothing, if what they were decided upon still stands.
    async fn validate(&self, filling: Filling, head: Head) -> Result<(), Failed> {
        let partition = self.shared.partition_of(self.place.event);
        let epoch = self.shared.ownership.epoch(partition);
        let answer = self.shared.stores.commit.validate(self.place.event, epoch, head).await;
        let ending = match answer {
            Ok(Validity::Current) => {
                for answer in filling.answers {
                    answer.release();
                }
                return Ok(());
            }
            Ok(Validity::Ahead) => Ending::Diverged { perhaps_written: false },
            Ok(Validity::Behind) => {
                self.close(partition, "the stored history of an event is shorter than answered");
                Ending::Diverged { perhaps_written: false }
            }
            Ok(Validity::Fenced) => Ending::Fenced { perhaps_written: false },
            Err(error) => Ending::NotWritten(error.to_string()),
        };
        Err((ending, filling.answers))
    }

    /// The actor's memory is worth nothing any more. First nothing more is taken from it,
    /// then the actor is told, and only then the callers: whoever repeats at once must not
    /// find its own unfinished key in that memory.
    fn end(&self, ending: &Ending, answers: Vec<Waiting>) {
        let partition = self.shared.partition_of(self.place.event);
        match ending {
            Ending::Fenced { .. } => self.close(partition, "another owner has taken over"),
            Ending::Invalid => {
                tracing::error!(event = %self.place.event, "the store found a batch against the law");
            }
            other => tracing::warn!(event = %self.place.event, ?other, "a commit failed"),
        }
        let staged = self.staging.fail();
        // If the actor is gone already, its supervisor knows.
        let _ = self.actor.cast(Message::CommitFailed(ending.clone()));
        fail_batch(answers, ending);
        for answer in staged {
            answer.fail(SubmitError::Unavailable("an earlier commit of this event failed".into()));
        }
    }

    fn close(&self, partition: PartitionId, why: &str) {
        self.shared.ownership.close(partition);
        tracing::error!(partition = partition.0, event = %self.place.event, why, "partition closed");
    }
}

/// Keep a snapshot, beside the booking path. Losing one costs time at the next load,
/// nothing else.
pub(crate) fn keep_snapshot(shared: &Arc<Shared>, event: EventId, snapshot: Snapshot, head: Head) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let epoch = shared.ownership.epoch(shared.partition_of(event));
        let encoded = tokio::task::spawn_blocking(move || record::encode_snapshot(&snapshot)).await;
        let Ok(blob) = encoded else { return };
        let kept = SnapshotToKeep { epoch, event, head, blob };
        if let Err(error) = shared.stores.commit.keep_snapshot(kept).await {
            tracing::warn!(%event, %error, "a snapshot was not kept");
        }
    });
}

fn fail_batch(answers: Vec<Waiting>, ending: &Ending) {
    for answer in answers {
        answer.fail(match ending {
            ending if ending.perhaps_written() => SubmitError::Unknown,
            Ending::NotWritten(why) => SubmitError::Unavailable(why.clone()),
            Ending::Invalid => SubmitError::Unavailable("the decision broke a law".into()),
            _ => SubmitError::Unavailable("the event is moving to another owner".into()),
        });
    }
}

/// Makes batch ids that no other process makes.
#[derive(Debug)]
pub(crate) struct BatchIds {
    incarnation: [u8; 8],
    next: std::sync::atomic::AtomicU64,
}

impl BatchIds {
    /// `incarnation`: random, other at each start of a process.
    pub(crate) const fn new(incarnation: [u8; 8]) -> Self {
        Self { incarnation, next: std::sync::atomic::AtomicU64::new(1) }
    }

    fn next(&self) -> BatchId {
        let number = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.incarnation);
        id[8..].copy_from_slice(&number.to_be_bytes());
        BatchId(id)
    }
}
