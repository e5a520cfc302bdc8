//! What a recovery does to one partition, decided before anything is written.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use engine::{BookingId, BookingStatus, Entry, EventId, HoldId, Seq};

use super::merge::{History, Merged};
use super::repair::StoredPartition;
use super::report::Hole;
use crate::bus::Message;
use crate::commit::{Chain, Era, PartitionId, Position};
use crate::outbox::OutboxEntry;
use crate::views::{BookingRow, HoldChange, HoldStatus, HoldStep, ViewChange};
use crate::{project, record};

/// Where everything of a partition goes.
pub(super) struct Places {
    /// Batches that the journal is to get, in order.
    pub(super) journal: Vec<Arc<OutboxEntry>>,
    /// The last place that is taken from now on.
    pub(super) last: Position,
}

/// Decide what the journal lacks and where it goes, and correct the places in `merged`.
///
/// A batch keeps its place unless there is another one in it. Behind a fork all get new
/// places, above all others: so the journal itself tells later which history was taken.
pub(super) fn places(merged: &mut Merged, taken: &Taken, highest: Position) -> Places {
    let mut journal = Vec::new();
    let mut used: BTreeMap<Position, Chain> = taken.journal.clone();
    let mut last = highest;
    for history in merged.histories.values_mut() {
        let moves_behind = moves_behind(history);
        let mut moved = false;
        for found in &mut history.batches {
            let behind = moves_behind.is_some_and(|after| found.entry.last_seq > after);
            if found.journal && !behind {
                continue;
            }
            let place = found.entry.position;
            let free = used.get(&place).is_none_or(|chain| *chain == found.entry.chain);
            // One that has moved takes its successors along: their order is that of places.
            moved |= behind || !free || place == Position(0);
            if moved {
                last = Position(last.0 + 1);
                found.entry.position = last;
            }
            used.insert(found.entry.position, found.entry.chain);
            journal.push(Arc::new(found.entry.clone()));
        }
    }
    journal.sort_by_key(|entry| entry.position);
    Places { journal, last }
}

/// From where on a history that has forked needs new places: unless the journal tells
/// already that this one was taken.
fn moves_behind(history: &History) -> Option<Seq> {
    let after = history.forked_after?;
    let behind = history.batches.iter().filter(|found| found.entry.last_seq > after);
    let (mut mine, mut all_there) = (Position(0), true);
    for found in behind {
        all_there &= found.journal;
        mine = mine.max(found.entry.position);
    }
    let other = history.lost.iter().map(|entry| entry.position).max().unwrap_or_default();
    (!all_there || mine <= other).then_some(after)
}

/// Which places are taken, and by whom.
#[derive(Default)]
pub(super) struct Taken {
    /// In the journal.
    journal: BTreeMap<Position, Chain>,
    /// By anybody.
    all: BTreeSet<Position>,
}

impl Taken {
    pub(super) fn journal(&mut self, entries: &[OutboxEntry]) {
        self.journal.extend(entries.iter().map(|entry| (entry.position, entry.chain)));
        self.others(entries);
    }

    pub(super) fn others(&mut self, entries: &[OutboxEntry]) {
        self.all.extend(entries.iter().map(|entry| entry.position));
    }

    /// The last place that anybody has seen.
    pub(super) fn highest(&self, stored: &StoredPartition) -> Position {
        let marker = stored.marker.map(|marker| marker.last).unwrap_or_default();
        let followed = stored.followed.unwrap_or_default();
        let cursors = followed.journal.max(followed.views).max(followed.bus);
        self.all.last().copied().unwrap_or_default().max(marker).max(cursors)
    }

    /// Places up to `highest` in which nobody has anything.
    pub(super) fn holes(&self, partition: PartitionId, highest: Position) -> Vec<Hole> {
        let mut holes = Vec::new();
        let mut next = Position(1);
        let behind = Position(highest.0 + 1);
        for place in self.all.iter().copied().chain([behind]) {
            if place > next {
                holes.push(Hole { partition, first: next, last: Position(place.0 - 1) });
            }
            next = Position(place.0 + 1).max(next);
        }
        holes
    }
}

/// What follows from the batches of a history that can be replayed, for the lists.
pub(super) fn view_changes(event: EventId, history: &History, good: usize) -> Vec<ViewChange> {
    let good = history.batches[..good].iter();
    good.flat_map(|found| changes_of(event, &found.entry)).collect()
}

fn entries_of(entry: &OutboxEntry) -> Vec<Entry> {
    // What cannot be read has been reported.
    record::decode(&entry.blob).unwrap_or_default()
}

fn changes_of(event: EventId, entry: &OutboxEntry) -> Vec<ViewChange> {
    project::view_changes(event, &entries_of(entry), entry.first_seq)
}

/// What is taken back of a history's event: bookings that the lists show, or would have
/// shown, and the history does not have, and holds that only lost batches have made.
pub(super) fn taken_back(
    history: &History,
    kept: &[ViewChange],
    listed: impl Iterator<Item = BookingRow>,
) -> Vec<ViewChange> {
    let mut bookings: HashSet<BookingId> = HashSet::new();
    let mut holds: HashSet<HoldId> = HashSet::new();
    for change in kept {
        match change {
            ViewChange::Put(row) => _ = bookings.insert(row.id),
            ViewChange::Hold(change) => _ = holds.insert(change.id),
            ViewChange::CancelAll { .. } => {}
        }
    }
    let stamp = history.head.seq;
    let last = history.batches.last().map(|found| found.entry.at);
    let mut rows: BTreeMap<BookingId, BookingRow> = BTreeMap::new();
    let mut back = Vec::new();
    let lost = history.lost.iter().flat_map(|entry| changes_of(entry.event, entry));
    for change in listed.map(ViewChange::Put).chain(lost) {
        match change {
            ViewChange::Put(row) => {
                // What was cancelled already is nobody's any more.
                let newest = rows.entry(row.id).or_insert(row);
                if newest.stamp < row.stamp {
                    *newest = row;
                }
            }
            ViewChange::Hold(change) if holds.insert(change.id) => {
                let step = HoldStep::Ended(HoldStatus::Released);
                let at = last.unwrap_or(change.at);
                back.push(ViewChange::Hold(HoldChange { stamp, at, step, ..change }));
            }
            ViewChange::Hold(_) | ViewChange::CancelAll { .. } => {}
        }
    }
    let mine = |row: &BookingRow| row.seq > history.base.seq && !bookings.contains(&row.id);
    let live = rows.into_values().filter(|row| row.status != BookingStatus::Cancelled);
    back.extend(live.filter(mine).map(|row| {
        let changed_at = last.unwrap_or(row.changed_at);
        ViewChange::Put(BookingRow { status: BookingStatus::Cancelled, changed_at, stamp, ..row })
    }));
    back
}

/// The messages of what lies above a place, and of everything behind a fork.
pub(super) fn messages(era: Era, merged: &Merged, after: Position) -> Vec<Message> {
    let mut messages = Vec::new();
    for (event, history) in &merged.histories {
        for entry in history.batches.iter().map(|found| &found.entry) {
            let forked = history.forked_after.is_some_and(|seq| entry.last_seq > seq);
            if entry.position > after || forked {
                let (entries, first) = (entries_of(entry), entry.first_seq);
                messages.extend(project::bus_messages(era, entry.epoch, *event, &entries, first));
            }
        }
    }
    messages
}
