//! What a recovery found and did. Plain values: whoever shows them, as text or otherwise,
//! reads the fields.

use std::fmt;

use engine::{EventId, Seq};

use crate::commit::{Era, PartitionId, Position};
use crate::views::BookingRow;

/// What a recovery found, and what it did or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The era from now on.
    pub era: Era,
    /// Whether anything was written, or all this was only looked at.
    pub written: bool,
    /// Partitions looked at.
    pub partitions: u64,
    /// Partitions that were missing from the store.
    pub missing: u64,
    /// Events with a history.
    pub events: u64,
    /// Batches of these histories.
    pub batches: u64,
    /// How many of them each source had.
    pub from: Origins,
    /// Batches that the journal lacked, or has got again at a new place.
    pub journalled: u64,
    /// Messages published.
    pub messages: u64,
    /// What is missing.
    pub gaps: Vec<Gap>,
    /// Histories that were two.
    pub forks: Vec<Fork>,
    /// Batches that nobody can read.
    pub unreadable: Vec<Unreadable>,
    /// Events whose history is whole, but cannot be replayed: they stay closed.
    pub sealed: Vec<Sealed>,
    /// Bookings that the lists had, or would have had, and no history has: as they are in the
    /// lists from now on, cancelled. Somebody may have been told of them.
    pub withdrawn: Vec<BookingRow>,
    /// Places of the outbox of which no source has the batch. What was there is lost, or
    /// there never was anything: a recovery leaves such places behind.
    pub holes: Vec<Hole>,
    /// What the store had that cannot be ours.
    pub damaged: Vec<String>,
}

impl Report {
    /// Add what was found in other partitions.
    pub(super) fn add(&mut self, part: Self) {
        self.partitions += part.partitions;
        self.missing += part.missing;
        self.events += part.events;
        self.batches += part.batches;
        self.from.journal += part.from.journal;
        self.from.store += part.from.store;
        self.from.tails += part.from.tails;
        self.from.tails_alone += part.from.tails_alone;
        self.journalled += part.journalled;
        self.messages += part.messages;
        self.gaps.extend(part.gaps);
        self.forks.extend(part.forks);
        self.unreadable.extend(part.unreadable);
        self.sealed.extend(part.sealed);
        self.withdrawn.extend(part.withdrawn);
        self.holes.extend(part.holes);
        self.damaged.extend(part.damaged);
    }

    /// Whether nothing that was ever acknowledged is known to be missing.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.gaps.iter().all(|gap| gap.bridged)
            && self.forks.is_empty()
            && self.unreadable.is_empty()
            && self.sealed.is_empty()
            && self.withdrawn.is_empty()
            && self.holes.is_empty()
            && self.damaged.is_empty()
    }
}

/// How many batches of the recovered histories a source had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    /// The journal.
    pub journal: u64,
    /// The store.
    pub store: u64,
    /// The tails of owners.
    pub tails: u64,
    /// Nobody but the tails: without them these would be lost.
    pub tails_alone: u64,
}

/// Booking events of an event that no source has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// Of which event.
    pub event: EventId,
    /// The first that is missing.
    pub first: Seq,
    /// The last that is missing; below `first` if only batches without booking events are.
    pub last: Seq,
    /// Batches behind it, up to the next gap, that are there and cannot be used.
    pub unusable: u64,
    /// A snapshot reaches over it: history is missing, but no booking.
    pub bridged: bool,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event, first, last, unusable, bridged } = self;
        if last < first {
            write!(f, "event {event}: an answered key is missing before {}", first.0)?;
        } else {
            write!(f, "event {event}: {} to {} are missing", first.0, last.0)?;
        }
        if *bridged {
            return write!(f, " from its history; a snapshot has their effect");
        }
        if *unusable > 0 {
            write!(f, ", and {unusable} batches behind cannot be used")?;
        }
        Ok(())
    }
}

/// Two histories of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fork {
    /// Of which event.
    pub event: EventId,
    /// The last seq that they share.
    pub after: Seq,
    /// Whether the chain shows it; else the other one has lost its beginning.
    pub proven: bool,
    /// The history that is gone on with.
    pub taken: Branch,
    /// The other one. It stays in the journal as far as it was there.
    pub left: Branch,
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event, after, proven, taken, left } = self;
        let surely = if *proven { "" } else { " probably" };
        write!(
            f,
            "event {event}: two histories{surely} from {} on: taken {taken}; left {left}",
            after.0
        )
    }
}

/// One of two histories, from where they part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Branch {
    /// Its batches.
    pub batches: u64,
    /// Where it ends.
    pub last: Seq,
    /// How many of its batches an owner had in memory: these were acknowledged.
    pub tail: u64,
    /// How many of its batches the journal has.
    pub journal: u64,
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batches, last, tail, journal } = self;
        write!(
            f,
            "{batches} batches up to {} ({tail} known to an owner, {journal} in the journal)",
            last.0
        )
    }
}

/// A batch that nobody can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Of which event.
    pub event: EventId,
    /// Its first seq.
    pub first_seq: Seq,
    /// Its place.
    pub position: Position,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event, first_seq, position, reason } = self;
        write!(f, "event {event}: the batch of {} at place {}: {reason}", first_seq.0, position.0)
    }
}

/// An event whose history is proven by its chain and cannot be replayed here. It is kept as
/// it is; whoever asks for it is refused, until a version that can read it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Which event.
    pub event: EventId,
    /// The first seq of the batch that cannot be replayed.
    pub from: Seq,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {} stays closed from {} on: {}", self.event, self.from.0, self.reason)
    }
}

/// Places of which no source has the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hole {
    /// Of which partition.
    pub partition: PartitionId,
    /// The first.
    pub first: Position,
    /// The last.
    pub last: Position,
}

impl fmt::Display for Hole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, first, last } = self;
        write!(f, "partition {}: nobody has what was at {} to {}", partition.0, first.0, last.0)
    }
}

/// What a rebuild of the lists found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RebuildReport {
    /// Bookings that must be in the lists.
    pub bookings: u64,
    /// Bookings that were missing, too many, or different; counted only when checking.
    pub differences: u64,
    /// Events whose history cannot be read to its end: what is behind is not in the lists.
    pub incomplete: u64,
}
