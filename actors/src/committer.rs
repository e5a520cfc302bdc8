//! The task beside an actor that brings its batches to the store, one at a time, and
//! releases the answers. The actor never awaits a store: one handler that did would cost
//! one fsync per booking, and a kill could cut it between the write and its bookkeeping.

use std::sync::Arc;

use engine::{EventId, Snapshot};
use ractor::ActorRef;
use storage::{Batch, BatchId, Epoch, Head, PartitionId, SnapshotToKeep, StorageError, record};
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::directory::Place;
use crate::error::SubmitError;
use crate::event_actor::{Message, Waiting};
use crate::protocol::commit::Ending;
use crate::protocol::delivery::{After, Committed, Delivery, Step};
use crate::protocol::staging::Staging;
use crate::shared::Shared;
use crate::steward;
use crate::watchers::CommittedState;

/// Most requests that the span of one commit is linked with.
const LINKS: usize = 32;

/// One actor's committer.
pub(crate) struct Committer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) place: Arc<Place>,
    pub(crate) staging: Arc<Staging<Waiting>>,
    /// The ownership under which the actor's memory was loaded.
    pub(crate) epoch: Epoch,
    pub(crate) actor: ActorRef<Message>,
}

impl Committer {
    /// Take batches until none is left.
    ///
    /// The lane is held all the while: a successor of a dead actor loads only after the
    /// last batch of its predecessor has been answered by the store.
    pub(crate) async fn run(self) {
        let _lane = self.place.lane.lock().await;
        let event = self.place.event;
        let mut delivery = Delivery::new(Arc::clone(&self.staging), event, self.epoch);
        loop {
            // Under which request's span what follows is logged.
            let mut span = Span::none();
            let after = match delivery.next(|| self.shared.batch_ids.next()) {
                Step::Rest => return,
                Step::Commit(batch) => {
                    span = self.span(delivery.waiting(), &batch);
                    self.commit(&mut delivery, batch).instrument(span.clone()).await
                }
                Step::Validate { epoch, head } => {
                    delivery.validated(self.shared.stores.commit.validate(event, epoch, head).await)
                }
            };
            match after {
                After::Repeat => unreachable!("a commit is repeated until it means something"),
                After::Release { committed, answers } => self.release(committed, answers),
                After::End { ending, answers, staged } => {
                    span.in_scope(|| self.end(&ending, answers, staged));
                    return;
                }
            }
        }
    }

    /// Send one batch until the store's answer means something.
    async fn commit(&self, delivery: &mut Delivery<Waiting>, batch: Batch) -> After<Waiting> {
        let in_flight = self.shared.commits.enter();
        let meters = &self.shared.meters;
        meters.batch(delivery.waiting().len(), batch.blob.len());
        let begun = Instant::now();
        let after = self.send(delivery, batch).await;
        let ending = match &after {
            After::End { ending, .. } => Some(ending),
            _ => None,
        };
        meters.committed(begun.elapsed(), ending);
        drop(in_flight);
        after
    }

    /// What a commit is logged under. It serves many requests; its lines carry the id of the
    /// first, and the span is linked with those of the others, so far as there is room. If
    /// nobody wants to hear of commits, what goes wrong is still told under that request.
    fn span(&self, waiting: &[Waiting], batch: &Batch) -> Span {
        let mut spans = waiting.iter().filter_map(Waiting::span);
        let first = spans.next();
        let span = tracing::debug_span!(
            parent: first.and_then(Span::id),
            "commit",
            event = %self.place.event,
            bytes = batch.blob.len(),
            answers = waiting.len(),
            seq = batch.next.seq.0,
        );
        if span.is_disabled() {
            return first.cloned().unwrap_or_else(Span::none);
        }
        for other in spans.take(LINKS) {
            span.follows_from(other);
        }
        span
    }

    /// Send the same batch until the store gives an answer that means something, or the
    /// deadline is over.
    async fn send(&self, delivery: &mut Delivery<Waiting>, batch: Batch) -> After<Waiting> {
        let store = &self.shared.stores.commit;
        if store.always_answers() {
            // Giving up would only make an outcome unknown that is about to be known.
            return delivery.committed(store.commit(batch).await, true);
        }
        let deadline = Instant::now() + self.shared.options.commit_deadline;
        loop {
            let answer = tokio::time::timeout_at(deadline, store.commit(batch.clone()))
                .await
                .unwrap_or_else(|_| Err(StorageError::Unknown("no answer in time".into())));
            match delivery.committed(answer, Instant::now() >= deadline) {
                After::Repeat => {
                    tokio::time::sleep(self.shared.options.commit_retry_pause).await;
                }
                after => return after,
            }
        }
    }

    /// The tail first, then the answers: whoever has an answer finds it in the lists.
    fn release(&self, committed: Option<Committed>, answers: Vec<Waiting>) {
        let mut snapshot = None;
        if let Some(committed) = committed {
            let (event, head, summary) = (self.place.event, committed.head, committed.summary);
            let partition = self.shared.partition_of(event);
            self.shared.tail.push(partition, self.epoch, committed.entry);
            self.shared.watchers.publish(event, || CommittedState { seq: head.seq, summary });
            self.place.acknowledged(head);
            self.place.waits(summary.counts.waitlist_entries);
            snapshot = committed.snapshot.map(|snapshot| (snapshot, head));
        }
        for answer in answers {
            if let Some(span) = told(&answer) {
                span.in_scope(|| tracing::debug!("an answer is released"));
            }
            answer.release();
        }
        if let Some((snapshot, head)) = snapshot {
            keep_snapshot(&self.shared, self.place.event, self.epoch, *snapshot, head);
        }
    }

    /// The actor's memory is worth nothing any more. First the actor is told, and only then
    /// the callers: whoever repeats at once must not find its own unfinished key in it.
    fn end(&self, ending: &Ending, answers: Vec<Waiting>, staged: Vec<Waiting>) {
        let partition = self.shared.partition_of(self.place.event);
        match ending {
            Ending::Fenced { .. } => {
                tracing::info!(partition = partition.0, event = %self.place.event, "fenced");
                steward::fenced(&self.shared, partition, self.epoch);
            }
            Ending::Behind => {
                self.close(partition, "the stored history of an event is shorter than answered");
            }
            Ending::Invalid => {
                tracing::error!(event = %self.place.event, "the store found a batch against the law");
            }
            other => tracing::warn!(event = %self.place.event, ?other, "a commit failed"),
        }
        // If the actor is gone already, its supervisor knows.
        let _ = self.actor.cast(Message::CommitFailed(ending.clone()));
        fail_batch(answers, ending);
        for answer in staged {
            answer.fail(SubmitError::Unavailable("an earlier commit of this event failed".into()));
        }
    }

    fn close(&self, partition: PartitionId, why: &'static str) {
        tracing::error!(partition = partition.0, event = %self.place.event, why, "partition closed");
        steward::close(&self.shared, partition, self.epoch, why);
    }
}

/// Keep a snapshot, beside the booking path. Losing one costs time at the next load,
/// nothing else.
pub(crate) fn keep_snapshot(
    shared: &Arc<Shared>,
    event: EventId,
    epoch: Epoch,
    snapshot: Snapshot,
    head: Head,
) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let encoded = tokio::task::spawn_blocking(move || record::encode_snapshot(&snapshot)).await;
        let Ok(blob) = encoded else { return };
        let kept = SnapshotToKeep { epoch, event, head, blob };
        if let Err(error) = shared.stores.commit.keep_snapshot(kept).await {
            tracing::warn!(%event, %error, "a snapshot was not kept");
        }
    });
}

/// The span of an answer, if anybody wants to hear of each.
fn told(answer: &Waiting) -> Option<&Span> {
    if tracing::enabled!(tracing::Level::DEBUG) { answer.span() } else { None }
}

fn fail_batch(answers: Vec<Waiting>, ending: &Ending) {
    for answer in answers {
        if let Some(span) = told(&answer) {
            span.in_scope(|| tracing::debug!(?ending, "an answer is not to be had"));
        }
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
