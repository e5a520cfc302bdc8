//! What an actor has decided and the store does not have yet: the batches that fill while
//! one is in flight, with the answers that wait for them.
//!
//! Shared by the actor, which puts in, and by the [`Delivery`](super::delivery::Delivery),
//! which takes out. Every answer that waits here holds one of the event's permits. What was
//! due has no permit; it is bounded by the lengths of the waitlist and of the holds.

use std::collections::VecDeque;

use engine::{Entry, Seq, Snapshot, Timestamp};
use parking_lot::Mutex;
use storage::record::{ENTRY_BYTES, Encoder};
use storage::{BATCH_BYTES, BATCH_ENTRIES, Head, Summary};

/// The staged batches of one actor. `A` is an answer that waits, with the way to whoever
/// waits for it.
#[derive(Debug)]
pub struct Staging<A> {
    inner: Mutex<Inner<A>>,
}

#[derive(Debug)]
struct Inner<A> {
    queue: VecDeque<Filling<A>>,
    /// Somebody delivers, and takes what is put in without being called.
    running: bool,
    /// A batch failed: everything behind it hangs in the air and is dropped.
    failed: bool,
    /// Where the stored history stands.
    head: Head,
}

/// A batch that fills. Without entries it only carries answers, which wait for what is
/// before them and for a validation.
#[derive(Debug)]
pub(super) struct Filling<A> {
    pub(super) encoder: Option<Encoder>,
    pub(super) entries: usize,
    pub(super) first_seq: Seq,
    pub(super) last_seq: Seq,
    pub(super) summary: Summary,
    pub(super) at: Timestamp,
    pub(super) answers: Vec<A>,
    /// Taken exactly after this batch; nothing may be added any more.
    pub(super) snapshot: Option<Box<Snapshot>>,
}

/// What the actor has to do after putting something in.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Begin to deliver.
    Deliver,
    /// Nothing: somebody does already.
    Nothing,
}

/// A batch before it failed, so that nothing more is taken; the answer comes back.
#[derive(Debug, PartialEq, Eq)]
pub struct Failed<A>(pub A);

impl<A> Staging<A> {
    /// Nothing is staged, and the stored history stands here.
    #[must_use]
    pub fn new(head: Head) -> Self {
        let inner = Inner { queue: VecDeque::new(), running: false, failed: false, head };
        Self { inner: Mutex::new(inner) }
    }

    /// Stage a decision. `first_seq` is the seq of its first booking event.
    ///
    /// # Errors
    /// [`Failed`] with the answer, if an earlier batch has failed.
    pub fn put(
        &self,
        entry: &Entry,
        first_seq: Seq,
        summary: Summary,
        answer: Option<A>,
    ) -> Result<Next, Failed<Option<A>>> {
        let mut inner = self.inner.lock();
        if inner.failed {
            return Err(Failed(answer));
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
        Ok(inner.call_if_idle())
    }

    /// Stage an answer that writes nothing: it waits for everything before it.
    ///
    /// # Errors
    /// [`Failed`] with the answer, if an earlier batch has failed.
    pub fn put_answer(&self, answer: A) -> Result<Next, Failed<A>> {
        let mut inner = self.inner.lock();
        if inner.failed {
            return Err(Failed(answer));
        }
        if inner.queue.back().is_none_or(|last| last.snapshot.is_some()) {
            let seq = inner.head.seq;
            inner.queue.push_back(Filling::new(Seq(seq.0 + 1)));
        }
        inner.queue.back_mut().expect("there is one").answers.push(answer);
        Ok(inner.call_if_idle())
    }

    /// Attach a snapshot to the newest batch, which is closed by it. `take` is only called
    /// when there is such a batch.
    pub fn attach_snapshot(&self, take: impl FnOnce() -> Snapshot) -> bool {
        let mut inner = self.inner.lock();
        match inner.queue.back_mut() {
            Some(last) if last.entries > 0 && last.snapshot.is_none() => {
                last.snapshot = Some(Box::new(take()));
                true
            }
            _ => false,
        }
    }

    /// The next batch to deliver; `None` ends the delivery.
    pub(super) fn take(&self) -> Option<(Filling<A>, Head)> {
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
    pub(super) fn committed(&self, head: Head) {
        self.inner.lock().head = head;
    }

    /// A batch failed: what is staged behind it was decided upon it, so it is dropped. The
    /// answers are returned to be told.
    pub(super) fn fail(&self) -> Vec<A> {
        let mut inner = self.inner.lock();
        inner.failed = true;
        inner.running = false;
        inner.queue.drain(..).flat_map(|filling| filling.answers).collect()
    }

    /// Where the stored history stands, as far as the store has answered.
    #[must_use]
    pub fn head(&self) -> Head {
        self.inner.lock().head
    }

    /// Whether nothing is staged and nothing in flight.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let inner = self.inner.lock();
        inner.queue.is_empty() && !inner.running
    }
}

impl<A> Inner<A> {
    fn call_if_idle(&mut self) -> Next {
        if self.running {
            Next::Nothing
        } else {
            self.running = true;
            Next::Deliver
        }
    }
}

impl<A> Filling<A> {
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
