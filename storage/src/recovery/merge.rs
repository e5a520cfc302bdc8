//! One history out of several sources. Pure: nothing is read or written here.
//!
//! The chain decides what belongs together: a batch follows a head if the chain of the two
//! is the one that the batch names. So the batches of an event make a tree, whose root is
//! the empty history; a path through it is a history, and where it branches are two.

use std::collections::{BTreeMap, BTreeSet};

use engine::{EventId, Seq};

use super::report::{Branch, Fork, Gap, Unreadable};
use crate::commit::Head;
use crate::outbox::OutboxEntry;
use crate::record;

mod tree;

use tree::Tree;

/// Where a batch was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// The long-term record.
    Journal,
    /// The store, as far as it came back.
    Store,
    /// The memory of an owner: what is there was acknowledged, or was about to be.
    Tail,
}

/// What the store says of an event besides its batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Which event.
    pub event: EventId,
    /// Where its history stands.
    pub head: Head,
    /// The head of its snapshot, if that one is usable.
    pub snapshot: Option<Head>,
}

/// A batch, and who has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The batch; where the journal has it, at the journal's place.
    pub entry: OutboxEntry,
    /// Whether the journal has it.
    pub journal: bool,
    /// Whether the store has it.
    pub store: bool,
    /// Whether an owner has it.
    pub tail: bool,
}

/// The history of an event that is gone on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Where it begins: the default, or the head of a snapshot behind a hole.
    pub base: Head,
    /// Where it ends.
    pub head: Head,
    /// Its batches from there on, in order.
    pub batches: Vec<Found>,
    /// Batches that are not part of it: of other branches, and behind gaps.
    pub lost: Vec<OutboxEntry>,
    /// Where it parts from another one first, if it does.
    pub forked_after: Option<Seq>,
}

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// By event. One of which nothing at all can be used is there with an empty history.
    pub histories: BTreeMap<EventId, History>,
    /// What is missing.
    pub gaps: Vec<Gap>,
    /// Histories that were two.
    pub forks: Vec<Fork>,
    /// What nobody can read.
    pub unreadable: Vec<Unreadable>,
}

/// For every event the longest history that its chain proves. Where there are two from one
/// point, the one with more that an owner had in memory is taken, as that was acknowledged;
/// else the one with the later place in the journal, which is where the last recovery has
/// put the one that it had taken; else the longer one.
#[must_use]
pub fn merge(sources: Vec<(Source, Vec<OutboxEntry>)>, anchors: &[Anchor]) -> Merged {
    let mut by_event: BTreeMap<EventId, Vec<(Source, OutboxEntry)>> = BTreeMap::new();
    for (source, entries) in sources {
        for entry in entries {
            by_event.entry(entry.event).or_default().push((source, entry));
        }
    }
    let anchors: BTreeMap<EventId, Anchor> = anchors.iter().map(|a| (a.event, *a)).collect();
    let events: BTreeSet<EventId> = by_event.keys().chain(anchors.keys()).copied().collect();
    let mut merged = Merged::default();
    for event in events {
        let entries = by_event.remove(&event).unwrap_or_default();
        let history = merge_event(event, entries, anchors.get(&event), &mut merged);
        merged.histories.insert(event, history);
    }
    merged
}

fn merge_event(
    event: EventId,
    entries: Vec<(Source, OutboxEntry)>,
    anchor: Option<&Anchor>,
    merged: &mut Merged,
) -> History {
    let batches = unique(entries);
    let unreadable = batches.iter().filter_map(|found| flaw(&found.entry));
    merged.unreadable.extend(unreadable);
    let mut tree = Tree::new(&batches);
    let from_start = tree.grow(Head::default());
    let mut path = tree.best(from_start);
    let mut base = Head::default();
    // A snapshot that no history leads to reaches over what is missing.
    if let Some(snapshot) = anchor.and_then(|anchor| anchor.snapshot)
        && snapshot != Head::default()
        && !tree.has(snapshot)
    {
        let root = tree.grow(snapshot);
        let behind = tree.best(root);
        if tree.end(root, &behind).seq > tree.end(from_start, &path).seq {
            let from = tree.end(from_start, &path).seq;
            let (first, last) = (Seq(from.0 + 1), snapshot.seq);
            merged.gaps.push(Gap { event, first, last, unusable: 0, bridged: true });
            (path, base) = (behind, snapshot);
        }
    }
    let root = if base == Head::default() { from_start } else { tree.root_at(base) };
    let head = tree.end(root, &path);
    let forks = tree.forks(event, root, &path);
    let mut forked_after = forks.iter().map(|fork| fork.after).min();
    merged.forks.extend(forks);
    let (strays, behind) = tree.unreached(head, base);
    if let Some(fork) = stray_fork(event, head, &strays) {
        forked_after = Some(forked_after.map_or(fork.after, |after| after.min(fork.after)));
        merged.forks.push(fork);
    }
    let known = anchor.map(|anchor| anchor.head).filter(|head| !tree.has(*head));
    merged.gaps.extend(gaps(event, head, &behind, known));
    let taken: BTreeSet<usize> = path.iter().copied().collect();
    let lost = tree.lost(&taken, base);
    let lost = lost.into_iter().map(|batch| batches[batch].entry.clone()).collect();
    let batches = path.iter().map(|batch| batches[*batch].clone()).collect();
    History { base, head, batches, lost, forked_after }
}

/// Each batch once, in the order of seq and place, with everybody who has it.
fn unique(entries: Vec<(Source, OutboxEntry)>) -> Vec<Found> {
    // The blob is part of it: a damaged copy must not hide a good one.
    let mut batches: BTreeMap<_, Found> = BTreeMap::new();
    for (source, entry) in entries {
        let key = (entry.first_seq, entry.chain.0, entry.blob.clone());
        let found = batches.entry(key).or_insert_with(|| Found {
            entry: entry.clone(),
            journal: false,
            store: false,
            tail: false,
        });
        // The store's log does not know the ownership of its batches: 0.
        let epoch = found.entry.epoch.max(entry.epoch);
        let later = entry.position > found.entry.position;
        if source == Source::Journal && (!found.journal || later) {
            found.entry = entry;
        }
        found.entry.epoch = epoch;
        match source {
            Source::Journal => found.journal = true,
            Source::Store => found.store = true,
            Source::Tail => found.tail = true,
        }
    }
    let mut batches: Vec<Found> = batches.into_values().collect();
    batches.sort_by_key(|found| (found.entry.first_seq, found.entry.position));
    batches
}

/// Why a batch cannot be read, if it cannot.
fn flaw(entry: &OutboxEntry) -> Option<Unreadable> {
    let reason = match record::decode(&entry.blob) {
        Err(error) => error.to_string(),
        Ok(entries) => {
            let events: usize = entries.iter().map(|entry| entry.events.len()).sum();
            let last = (entry.first_seq.0 + events as u64).checked_sub(1);
            let begins = record::first_seq(&entry.blob).ok();
            if last == Some(entry.last_seq.0) && begins == Some(entry.first_seq) {
                return None;
            }
            "it is not what its place says".to_owned()
        }
    };
    let (event, first_seq, position) = (entry.event, entry.first_seq, entry.position);
    Some(Unreadable { event, first_seq, position, reason })
}

/// What no chain leads to, although the history has these seqs: of another history whose
/// beginning is gone.
fn stray_fork(event: EventId, head: Head, strays: &[&Found]) -> Option<Fork> {
    let first = strays.iter().map(|found| found.entry.first_seq.0).min()?;
    let mut left = Branch::default();
    for found in strays {
        left.batches += 1;
        left.last = left.last.max(found.entry.last_seq);
        left.tail += u64::from(found.tail);
        left.journal += u64::from(found.journal);
    }
    let taken = Branch { last: head.seq, ..Branch::default() };
    Some(Fork { event, after: Seq(first.saturating_sub(1)), proven: false, taken, left })
}

/// What is missing behind the end of a history, judged by the batches that are there and by
/// the head that the store had.
fn gaps(event: EventId, head: Head, behind: &[&Found], known: Option<Head>) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = Vec::new();
    let mut end = head.seq.0;
    let gap = |first: u64, last: u64| Gap {
        event,
        first: Seq(first),
        last: Seq(last),
        unusable: 0,
        bridged: false,
    };
    for found in behind {
        let first = found.entry.first_seq.0;
        // Even without a missing seq the chain is broken in front of the first.
        if gaps.is_empty() || first > end + 1 {
            gaps.push(gap(end + 1, first.saturating_sub(1)));
        }
        if let Some(last) = gaps.last_mut() {
            last.unusable += 1;
        }
        end = end.max(found.entry.last_seq.0);
    }
    if let Some(known) = known {
        let is_behind = known.seq.0 > end;
        let is_other = gaps.is_empty() && known.seq == head.seq && known != head;
        if is_behind || is_other {
            gaps.push(gap(end + 1, known.seq.0));
        }
    }
    gaps
}
