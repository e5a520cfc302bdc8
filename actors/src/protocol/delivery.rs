//! Bringing an actor's batches to the store, one at a time, and saying when the answers
//! that wait for them may leave. Whoever drives it sends what [`Delivery::next`] hands out
//! and feeds back what the store said.

use std::sync::Arc;

use engine::{EventId, Snapshot};
use storage::{
    Batch, BatchId, CommitOutcome, Epoch, Head, OutboxEntry, StorageError, Summary, Validity, chain,
};

use super::commit::{Attempts, Ending, Verdict, judge_validity};
use super::staging::{Filling, Staging};

/// One run of deliveries: from the first batch after a calm until nothing is staged, or
/// until one failed.
#[derive(Debug)]
pub struct Delivery<A> {
    staging: Arc<Staging<A>>,
    event: EventId,
    /// The ownership under which the actor's memory was loaded. What was decided in it is
    /// committed under this one or not at all, even if the partition is ours again.
    epoch: Epoch,
    current: Option<Current<A>>,
}

#[derive(Debug)]
struct Current<A> {
    batch: Option<Batch>,
    attempts: Attempts,
    answers: Vec<A>,
    snapshot: Option<Box<Snapshot>>,
}

/// What is to be sent to the store.
#[derive(Debug, Clone)]
pub enum Step {
    /// This batch, again and again, until [`Delivery::committed`] says otherwise.
    Commit(Batch),
    /// The question whether this head still stands: [`Delivery::validated`].
    Validate {
        /// Under which ownership.
        epoch: Epoch,
        /// What is in memory.
        head: Head,
    },
    /// Nothing: this run is over.
    Rest,
}

/// What follows from the store's word.
#[derive(Debug)]
pub enum After<A> {
    /// Send the same again.
    Repeat,
    /// These answers may leave, once what was committed is in the tail: whoever has an
    /// answer finds it in the lists.
    Release {
        /// The batch that became durable; none after a validation.
        committed: Option<Committed>,
        /// The answers.
        answers: Vec<A>,
    },
    /// The actor's memory is worth nothing any more; nothing is taken from it. Tell the
    /// actor first and then the callers: whoever repeats at once must not find its own
    /// unfinished key in that memory.
    End {
        /// Why.
        ending: Ending,
        /// Those that waited for the batch that failed.
        answers: Vec<A>,
        /// Those staged behind it: certainly not done.
        staged: Vec<A>,
    },
}

/// A batch that is durable.
#[derive(Debug)]
pub struct Committed {
    /// As the outbox has it.
    pub entry: OutboxEntry,
    /// Where the history stands now.
    pub head: Head,
    /// The sums now.
    pub summary: Summary,
    /// A snapshot taken exactly after it.
    pub snapshot: Option<Box<Snapshot>>,
}

impl<A> Delivery<A> {
    /// A run for an actor whose memory was loaded under `epoch`.
    #[must_use]
    pub const fn new(staging: Arc<Staging<A>>, event: EventId, epoch: Epoch) -> Self {
        Self { staging, event, epoch, current: None }
    }

    /// The next thing to send; `id` makes the id of a batch.
    pub fn next(&mut self, id: impl FnOnce() -> BatchId) -> Step {
        let Some((filling, base)) = self.staging.take() else { return Step::Rest };
        let Filling { encoder, last_seq, summary, at, answers, snapshot, .. } = filling;
        let batch = encoder.map(|encoder| {
            let blob = encoder.finish();
            let next = Head { seq: last_seq, chain: chain::next(base.chain, &blob) };
            let (epoch, event) = (self.epoch, self.event);
            Batch { epoch, event, id: id(), base, next, summary, at, blob }
        });
        let step = match &batch {
            Some(batch) => Step::Commit(batch.clone()),
            None => Step::Validate { epoch: self.epoch, head: base },
        };
        self.current = Some(Current { batch, attempts: Attempts::default(), answers, snapshot });
        step
    }

    /// The answers that wait for what is on its way.
    #[must_use]
    pub fn waiting(&self) -> &[A] {
        self.current.as_ref().map_or(&[], |current| &current.answers)
    }

    /// The store answered the batch. `overdue`: its deadline is over.
    ///
    /// # Panics
    /// If no batch is on its way.
    pub fn committed(
        &mut self,
        answer: Result<CommitOutcome, StorageError>,
        overdue: bool,
    ) -> After<A> {
        let mut current = self.current.take().expect("a batch is on its way");
        match current.attempts.judge(answer, overdue) {
            Verdict::Repeat => {
                self.current = Some(current);
                After::Repeat
            }
            Verdict::End(ending) => self.end(ending, current.answers),
            Verdict::Durable(position) => {
                let batch = current.batch.expect("a batch is on its way");
                self.staging.committed(batch.next);
                let entry = OutboxEntry {
                    position,
                    event: batch.event,
                    first_seq: engine::Seq(batch.base.seq.0 + 1),
                    last_seq: batch.next.seq,
                    epoch: batch.epoch,
                    chain: batch.next.chain,
                    at: batch.at,
                    blob: batch.blob,
                };
                let (head, summary, snapshot) = (batch.next, batch.summary, current.snapshot);
                let committed = Some(Committed { entry, head, summary, snapshot });
                After::Release { committed, answers: current.answers }
            }
        }
    }

    /// The store answered whether the head stands.
    ///
    /// # Panics
    /// If no question is on its way.
    pub fn validated(&mut self, answer: Result<Validity, StorageError>) -> After<A> {
        let current = self.current.take().expect("a question is on its way");
        match judge_validity(answer) {
            None => After::Release { committed: None, answers: current.answers },
            Some(ending) => self.end(ending, current.answers),
        }
    }

    fn end(&self, ending: Ending, answers: Vec<A>) -> After<A> {
        After::End { ending, answers, staged: self.staging.fail() }
    }
}
