//! The only gate to durable state: claims, loads, commits, validations.

use std::sync::Arc;

use engine::{Counts, EventId, EventTag, Phase, Seq, Timestamp};
use futures_util::future::BoxFuture;

use crate::error::StorageError;
use crate::{chain, record};

/// Number of a partition's ownership, raised by each claim: the fencing token that
/// every commit is checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Epoch(pub u64);

/// Number of a history of epochs. Raised when a store is rebuilt or restored, so that
/// stamps of the lost history never win.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Era(pub u32);

/// A running hash over an inventory's history; see [`crate::chain`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Chain(pub [u8; 16]);

/// Identity of a batch: a repeat of the same batch has the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct BatchId(pub [u8; 16]);

/// The share of all events that is owned, fenced and followed as one. A store decides
/// how many it has: SQLite one for everything, Redis [`engine::PARTITIONS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct PartitionId(pub u16);

/// Place of a batch in its partition's outbox, from 1, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position(pub u64);

/// Where an inventory's history stands: how far, and by which road.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Head {
    /// Booking events so far.
    pub seq: Seq,
    /// The running hash so far.
    pub chain: Chain,
}

/// An owned partition does not change hands more often than this.
pub const TENURE: std::time::Duration = std::time::Duration::from_millis(250);

/// Most entries of one batch.
pub const BATCH_ENTRIES: usize = 512;

/// Most bytes of one batch's blob. An entry that is larger by itself cannot exist: the
/// engine's bounds see to that.
pub const BATCH_BYTES: usize = 256 * 1024;

/// Decisions of one event that become durable together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The ownership under which they were decided.
    pub epoch: Epoch,
    /// Whose decisions.
    pub event: EventId,
    /// Identity of this batch.
    pub id: BatchId,
    /// Where the history must stand.
    pub base: Head,
    /// Where it will stand.
    pub next: Head,
    /// The sums, state and version after it, kept in the header.
    pub summary: Summary,
    /// The actor's time of its last decision.
    pub at: Timestamp,
    /// Its entries in stored form ([`crate::record`]), kept verbatim.
    pub blob: Arc<[u8]>,
}

impl Batch {
    /// The law that this batch breaks by itself, whatever is stored. Needs no store, so
    /// an adapter asks before it queues; the answer counts only after the checks of epoch
    /// and head.
    #[must_use]
    pub fn broken_law(&self) -> Option<&'static str> {
        let Summary { counts, capacity, phase, .. } = &self.summary;
        if u64::from(counts.booked) + u64::from(counts.held) > u64::from(*capacity) {
            return Some("more places are gone than there are");
        }
        if *phase == Phase::Unopened {
            return Some("an event that was never opened has no history");
        }
        if self.next.seq < self.base.seq {
            return Some("the history gets shorter");
        }
        if self.blob.len() > BATCH_BYTES {
            return Some("the blob is too large");
        }
        if record::first_seq(&self.blob).ok() != self.base.seq.0.checked_add(1).map(Seq) {
            return Some("the blob does not begin where the history stands");
        }
        if chain::next(self.base.chain, &self.blob) != self.next.chain {
            return Some("the chain is not that of the blob");
        }
        None
    }
}

/// What a store knows when it judges a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The current epoch of the partition.
    pub epoch: Epoch,
    /// Where the event's history stands; the default if nothing was ever committed.
    pub head: Head,
    /// The batch that brought it there, and its place; `None` if there is none.
    pub last: Option<(BatchId, Position)>,
}

/// The checks of a commit, in their order: the outcome of a batch that is not written, or
/// `None` for one that is to be written now. `lawful` is [`Batch::broken_law`]`.is_none()`.
#[must_use]
pub fn judge(batch: &Batch, lawful: bool, known: &Known) -> Option<CommitOutcome> {
    // Epoch 0 is before the first claim: nobody owns it, so nobody may write under it.
    if batch.epoch != known.epoch || known.epoch == Epoch(0) {
        return Some(CommitOutcome::Fenced);
    }
    if let Some((id, position)) = known.last
        && id == batch.id
        && known.head == batch.next
    {
        return Some(CommitOutcome::AlreadyApplied(position));
    }
    if known.head != batch.base {
        return Some(CommitOutcome::Diverged);
    }
    if !lawful {
        return Some(CommitOutcome::Invalid);
    }
    None
}

/// What a store says of `mine`, in memory under `epoch`, when the partition's epoch and
/// the event's stored head are these. An equal seq with another chain counts as ahead: a
/// batch without booking events moves the chain alone, and whoever reloads sees which of
/// the two it is.
#[must_use]
pub fn compare(current: Epoch, stored: Head, epoch: Epoch, mine: Head) -> Validity {
    if epoch != current || current == Epoch(0) {
        Validity::Fenced
    } else if stored == mine {
        Validity::Current
    } else if stored.seq < mine.seq {
        Validity::Behind
    } else {
        Validity::Ahead
    }
}

/// What a header tells of an inventory without loading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Summary {
    /// Sums of places.
    pub counts: Counts,
    /// Places in all.
    pub capacity: u32,
    /// Where the event is in its life.
    pub phase: Phase,
    /// Version of the event's terms and words.
    pub version: u32,
    /// When the event wants to be woken.
    pub next_deadline: Option<Timestamp>,
}

/// The stored summary of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which event.
    pub event: EventId,
    /// Where its history stands.
    pub head: Head,
    /// The batch that brought it there.
    pub batch: BatchId,
    /// Its sums.
    pub summary: Summary,
    /// The time of its last decision.
    pub at: Timestamp,
    /// The seq of its snapshot; 0 without one.
    pub snapshot_seq: Seq,
}

/// The result of a commit that the store answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// Written, durable, and in the outbox at this place.
    Applied(Position),
    /// It was written before, at this place: success.
    AlreadyApplied(Position),
    /// The epoch is over. Nothing was written; this owner is done for good.
    Fenced,
    /// The history stands elsewhere. Nothing was written; reload.
    Diverged,
    /// The batch breaks a law. Nothing was written; it is a bug.
    Invalid,
}

/// The result of asking whether what is in memory may be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// The epoch is current and the head is exactly mine.
    Current,
    /// The epoch is current, the head is ahead of mine.
    Ahead,
    /// The history is shorter than mine: close the partition.
    Behind,
    /// The epoch is over.
    Fenced,
}

/// The result of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Owned from now on, durably, and everything committed before is durable too.
    Won(Epoch),
    /// Somebody else was faster; this is the epoch now.
    Lost(Epoch),
    /// The ownership changed too recently.
    TooSoon,
}

/// Who a partition belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Which partition.
    pub partition: PartitionId,
    /// The era of its history; 0 where the partition is missing from the store, so that
    /// nobody can own it.
    pub era: Era,
    /// The number of its ownership; 0 before the first claim.
    pub epoch: Epoch,
    /// Who claimed it last; `None` if it was never claimed, or given up since.
    pub owner: Option<String>,
    /// The place of its newest batch: whoever has not followed the outbox so far lacks
    /// something that others may have seen.
    pub last: Position,
}

/// Everything needed to bring an inventory back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The header.
    pub header: Header,
    /// The newest snapshot's stored form, taken at `header.snapshot_seq`.
    pub snapshot: Option<Arc<[u8]>>,
    /// Where the history stands before the first batch of `tail`: the default without a
    /// snapshot. With the blobs it proves every later chain.
    pub from: Head,
    /// Blobs of the batches after the snapshot, in order.
    pub tail: Vec<Arc<[u8]>>,
}

/// A snapshot to keep, so that loading is faster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotToKeep {
    /// The ownership under which it was taken.
    pub epoch: Epoch,
    /// Of which event.
    pub event: EventId,
    /// The head at which it was taken; the stored history must have it.
    pub head: Head,
    /// Its stored form.
    pub blob: Arc<[u8]>,
}

/// Claims, loads, commits. All checks of a commit happen before its first write.
pub trait CommitStore: Send + Sync {
    /// How many partitions this store has; at least 1.
    fn partitions(&self) -> u16;

    /// The partition that an event belongs to here.
    fn partition_of(&self, event: EventId) -> PartitionId {
        PartitionId(event.partition() % self.partitions())
    }

    /// Whether every commit is answered, with an outcome that is known, or the process
    /// ends: then nobody gives up waiting, however slow the store is.
    fn always_answers(&self) -> bool {
        false
    }

    /// The current era of the store's history.
    fn era(&self) -> BoxFuture<'_, Result<Era, StorageError>>;

    /// The current epoch of a partition; 0 before the first claim.
    fn epoch(&self, partition: PartitionId) -> BoxFuture<'_, Result<Epoch, StorageError>>;

    /// Who owns what: every partition, in order. Also the check of epochs that a tail needs
    /// before it may answer.
    fn holders(&self) -> BoxFuture<'_, Result<Vec<Holder>, StorageError>>;

    /// Take ownership if the epoch is still `expected`. A store of several replicas says
    /// [`Claim::TooSoon`] within [`TENURE`] of the last change of a partition that has an
    /// owner, unless the claimant knows that this owner is gone.
    fn claim<'a>(
        &'a self,
        partition: PartitionId,
        owner: &'a str,
        expected: Epoch,
        owner_is_gone: bool,
    ) -> BoxFuture<'a, Result<Claim, StorageError>>;

    /// Give the partition up, if `epoch` is still its epoch: from then on it has the next
    /// epoch and no owner, so nothing of the old ownership can be written any more.
    /// `false`, and nothing is written, if it is not.
    fn release(
        &self,
        partition: PartitionId,
        epoch: Epoch,
    ) -> BoxFuture<'_, Result<bool, StorageError>>;

    /// Close a partition whose history has gone wrong, if this is still its epoch: it is over
    /// then, and nobody can claim it until it has been repaired. Its holder is told with era
    /// 0, as if it were missing. A store with one owner for ever has nobody to tell.
    ///
    /// `false`, and nothing is closed, if the epoch is another one: somebody else has found
    /// the partition in order since, or has closed it.
    fn close(
        &self,
        _partition: PartitionId,
        _epoch: Epoch,
    ) -> BoxFuture<'_, Result<bool, StorageError>> {
        Box::pin(std::future::ready(Ok(true)))
    }

    /// Returns when everything that this partition's store has taken so far is durable as
    /// far as its level promises; asked after a claim, before anything is answered. A
    /// store that never shows what is not durable has nothing to wait for.
    fn barrier(&self, partition: PartitionId) -> BoxFuture<'_, Result<(), StorageError>>;

    /// The newest time stored anywhere in a partition, for the check of the clock at start.
    fn newest_time(
        &self,
        partition: PartitionId,
    ) -> BoxFuture<'_, Result<Option<Timestamp>, StorageError>>;

    /// Everything needed to bring an inventory back; `None` if nothing was ever committed.
    fn load(&self, event: EventId) -> BoxFuture<'_, Result<Option<Loaded>, StorageError>>;

    /// One batch, in one stroke, in this order: another epoch is `Fenced`; a head that is
    /// this batch already is `AlreadyApplied`; a head other than `base` is `Diverged`;
    /// more places gone than there are, or a malformed batch, is `Invalid`; else header,
    /// log and outbox are written, durably, and it is `Applied`.
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<CommitOutcome, StorageError>>;

    /// Whether what is in memory at `head` under `epoch` may be answered.
    fn validate(
        &self,
        event: EventId,
        epoch: Epoch,
        head: Head,
    ) -> BoxFuture<'_, Result<Validity, StorageError>>;

    /// Keep a snapshot. `false`, and nothing is written, unless the epoch is current, the
    /// seq is above that of the stored one, and the history has this chain at this seq.
    fn keep_snapshot(&self, snapshot: SnapshotToKeep) -> BoxFuture<'_, Result<bool, StorageError>>;

    /// The headers of these events, in the same order; wakes nobody.
    fn headers(
        &self,
        events: Vec<EventId>,
    ) -> BoxFuture<'_, Result<Vec<Option<Header>>, StorageError>>;

    /// The events whose deadline is at or before `now`, earliest first, at most `limit`.
    fn due(
        &self,
        partition: PartitionId,
        now: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<EventId>, StorageError>>;

    /// The events that carry a tag: one, or seldom more.
    fn events_by_tag(&self, tag: EventTag) -> BoxFuture<'_, Result<Vec<EventId>, StorageError>>;
}
