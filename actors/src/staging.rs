//! What an actor has decided and the store does not have yet: the batches that fill while
//! one is in flight, with the answers that wait for them.
//!
//! Shared by the actor, which puts in, and its committer, which takes out. Every answer
//! that waits here holds one of the event's permits. What was due has no permit; it is
//! bounded by the lengths of the waitlist and of the holds.

use std::collections::VecDeque;

use engine::{Entry, Seq, Snapshot, Timestamp};
use parking_lot::Mutex;
use storage::record::{ENTRY_BYTES, Encoder};
use storage::{BATCH_BYTES, BATCH_ENTRIES, Head, Summary};

use crate::error::SubmitError;
use crate::event_actor::Waiting;

/// The staged batches of one actor.
pub(crate) struct Staging {
    inner: Mutex<Inner>,
}

struct Inner {
    queue: VecDeque<Filling>,
    /// A committer is at work; it takes what is put in without being called.
    running: bool,
    /// A batch failed: everything behind it hangs in the air and is dropped.
    failed: bool,
    /// Where the stored history stands.
    head: Head,
}

/// A batch that fills. Without entries it only carries answers, which wait for what is
/// before them and for a validation.
pub(crate) struct Filling {
    pub(crate) encoder: Option<Encoder>,
    pub(crate) entries: usize,
    pub(crate) first_seq: Seq,
    pub(crate) last_seq: Seq,
    pub(crate) summary: Summary,
    pub(crate) at: Timestamp,
    pub(crate) answers: Vec<Waiting>,
    /// Taken exactly after this batch; nothing may be added any more.
    pub(crate) snapshot: Option<Box<Snapshot>>,
}

/// What the actor has to do after putting something in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Call a committer.
    CallCommitter,
    /// Nothing: one is at work, or nothing was taken.
    Nothing,
}

impl Staging {
    pub(crate) fn new(head: Head) -> Self {
        let inner = Inner { queue: VecDeque::new(), running: false, failed: false, head };
        Self { inner: Mutex::new(inner) }
    }

    /// Stage a decision. `first_seq` is the seq of its first booking event.
    pub(crate) fn put(
        &self,
        entry: &Entry,
        first_seq: Seq,
        summary: Summary,
        answer: Option<Waiting>,
    ) -> Next {
        let mut inner = self.inner.lock();
        if inner.failed {
            return drop_answer(inner, answer);
        }
        let room = inner.queue.back().is_some_and(|last| {
            last.snapshot.is_none()
                && last.entries < BATCH_ENTRIES
                && last.encoder.as_ref().map_or(0, Encoder::len) + ENTRY_BYTES <= BATCH_BYTES
        });
        if !room {
            inner.queue.push_back(Filling::new(first_seq));
        }
        let filling = inner.queue.back_mut().expect("one was pushed or has room");
        if filling.entries == 0 {
            filling.first_seq = first_seq;
        }
        filling.encoder.get_or_insert_with(|| Encoder::new(first_seq)).append(entry);
        filling.entries += 1;
        filling.last_seq = Seq(first_seq.0 + entry.events.len() as u64 - 1);
        filling.summary = summary;
        filling.at = entry.at;
        filling.answers.extend(answer);
        call_if_idle(&mut inner)
    }

    /// Stage an answer that writes nothing: it waits for everything before it.
    pub(crate) fn put_answer(&self, answer: Waiting) -> Next {
        let mut inner = self.inner.lock();
        if inner.failed {
            return drop_answer(inner, Some(answer));
        }
        if inner.queue.back().is_none_or(|last| last.snapshot.is_some()) {
            let seq = inner.head.seq;
            inner.queue.push_back(Filling::new(Seq(seq.0 + 1)));
        }
        inner.queue.back_mut().expect("there is one").answers.push(answer);
        call_if_idle(&mut inner)
    }

    /// Attach a snapshot to the newest batch, which is closed by it. `take` is only called
    /// when there is such a batch.
    pub(crate) fn attach_snapshot(&self, take: impl FnOnce() -> Snapshot) -> bool {
        let mut inner = self.inner.lock();
        match inner.queue.back_mut() {
            Some(last) if last.entries > 0 && last.snapshot.is_none() => {
                last.snapshot = Some(Box::new(take()));
                true
            }
            _ => false,
        }
    }

    /// The next batch for the committer; `None` ends its work.
    pub(crate) fn take(&self) -> Option<(Filling, Head)> {
        let mut inner = self.inner.lock();
        match inner.queue.pop_front() {
            Some(filling) => Some((filling, inner.head)),
            None => {
                inner.running = false;
                None
            }
        }
    }

    /// The history stands here now.
    pub(crate) fn committed(&self, head: Head) {
        self.inner.lock().head = head;
    }

    /// A batch failed: what is staged behind it was decided upon it, so it is dropped. The
    /// answers are returned to be told.
    pub(crate) fn fail(&self) -> Vec<Waiting> {
        let mut inner = self.inner.lock();
        inner.failed = true;
        inner.running = false;
        inner.queue.drain(..).flat_map(|filling| filling.answers).collect()
    }

    /// Where the stored history stands, as far as the store has answered.
    pub(crate) fn head(&self) -> Head {
        self.inner.lock().head
    }

    /// Whether nothing is staged and nothing in flight.
    pub(crate) fn is_idle(&self) -> bool {
        let inner = self.inner.lock();
        inner.queue.is_empty() && !inner.running
    }
}

impl Filling {
    fn new(first_seq: Seq) -> Self {
        Self {
            encoder: None,
            entries: 0,
            first_seq,
            last_seq: Seq(first_seq.0.saturating_sub(1)),
            summary: Summary::default(),
            at: Timestamp::EPOCH,
            answers: Vec::new(),
            snapshot: None,
        }
    }
}

fn call_if_idle(inner: &mut Inner) -> Next {
    if inner.running {
        Next::Nothing
    } else {
        inner.running = true;
        Next::CallCommitter
    }
}

fn drop_answer(inner: parking_lot::MutexGuard<'_, Inner>, answer: Option<Waiting>) -> Next {
    // Told outside the lock: an answer may wake somebody.
    drop(inner);
    if let Some(answer) = answer {
        answer.fail(SubmitError::Unavailable("an earlier commit of this event failed".into()));
    }
    Next::Nothing
}
