//! One partition: read, merged, and, unless it is only looked at, written anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use engine::EventId;

use super::merge::{Anchor, History, Merged, Source, merge};
use super::plan::{self, Places, Taken};
use super::rebuild::rows;
use super::repair::{Marker, Restored, RestoredEvent, StoredPartition};
use super::replay::{self, Replayed};
use super::report::Report;
use super::{Parts, Tail};
use crate::commit::{Epoch, Era, PartitionId, Position};
use crate::error::StorageError;
use crate::outbox::{OutboxEntry, WholeJournal};
use crate::views::ViewChange;

/// Batches read from the journal, or written to it, at a time.
const PAGE: usize = 512;

/// Most places between the first and the last batch that are written together: the journal
/// looks at all of them.
const SPAN: u64 = 8_192;

/// Changes of the lists, or messages, at a time.
const CHANGES: usize = 1_024;

/// Bits of an epoch that count within an era. An owner of an earlier one, unknown to every
/// source, can never be in the way of a later one.
const EPOCH_BITS: u32 = 32;

/// What all partitions share.
pub(super) struct Job<'a> {
    pub(super) parts: &'a Parts,
    pub(super) era: Era,
    pub(super) limits: &'a engine::Limits,
    pub(super) check: bool,
}

/// A partition as it is to be.
struct Planned {
    merged: Merged,
    places: Places,
    replayed: BTreeMap<EventId, Replayed>,
    marker: Marker,
}

impl Job<'_> {
    /// Bring one partition back, but for opening it: its marker, if it was written.
    pub(super) async fn partition(
        &self,
        partition: PartitionId,
        tails: Vec<Tail>,
        report: &mut Report,
    ) -> Result<Option<Marker>, StorageError> {
        let stored = self.parts.repair.read(partition).await?;
        let journal = whole(&*self.parts.journal, partition).await?;
        let followed = stored.followed;
        let planned = self.plan(partition, stored, journal, tails, report)?;
        report.journalled += planned.places.journal.len() as u64;
        let views_from = followed.map(|followed| followed.views);
        let bus_from = match (followed, &self.parts.bus) {
            (Some(followed), _) => followed.bus,
            (None, Some(bus)) => bus.cursor(partition).await?,
            (None, None) => Position(0),
        };
        let messages = match &self.parts.bus {
            Some(_) => plan::messages(self.era, &planned.merged, bus_from),
            None => Vec::new(),
        };
        report.messages += messages.len() as u64;
        if self.check {
            self.views(partition, &planned, views_from, report).await?;
            return Ok(None);
        }
        self.journal(partition, &planned.places.journal).await?;
        self.views(partition, &planned, views_from, report).await?;
        if let Some(bus) = &self.parts.bus {
            for chunk in messages.chunks(CHANGES) {
                bus.publish(partition, chunk.to_vec(), bus_from).await?;
            }
            bus.publish(partition, Vec::new(), planned.marker.last).await?;
        }
        let events: Vec<RestoredEvent> =
            planned.replayed.into_values().map(|replayed| replayed.event).collect();
        let marker = planned.marker;
        self.parts.repair.restore(partition, Restored { marker, events }).await?;
        Ok(Some(marker))
    }

    fn plan(
        &self,
        partition: PartitionId,
        stored: StoredPartition,
        journal: Vec<OutboxEntry>,
        tails: Vec<Tail>,
        report: &mut Report,
    ) -> Result<Planned, StorageError> {
        let mut taken = Taken::default();
        taken.journal(&journal);
        taken.others(&stored.batches);
        tails.iter().for_each(|tail| taken.others(&tail.entries));
        let highest = taken.highest(&stored);
        report.missing += u64::from(stored.marker.is_none());
        report.holes.extend(taken.holes(partition, highest));
        report.damaged.extend(stored.damaged.iter().cloned());
        let (anchors, snapshots) = anchors(&stored);
        let mut marker = self.marker(&stored, &journal, &tails);
        let mut sources = vec![(Source::Journal, journal), (Source::Store, stored.batches)];
        sources.extend(tails.into_iter().map(|tail| (Source::Tail, tail.entries)));
        let mut merged = merge(sources, &anchors);
        let places = plan::places(&mut merged, &taken, highest);
        marker.last = places.last;
        let mut replayed = BTreeMap::new();
        for (event, history) in &merged.histories {
            if history.head == crate::Head::default() {
                continue;
            }
            let based = history.base != crate::Head::default();
            let base = snapshots.get(event).filter(|_| based).map(|blob| &**blob);
            let mut one = replay::replay(*event, history, base, self.limits)?;
            if one.event.position == Position(0) {
                one.event.position = marker.last;
            }
            report.sealed.extend(one.sealed.clone());
            replayed.insert(*event, one);
        }
        count(&merged, &replayed, report);
        Ok(Planned { merged, places, replayed, marker })
    }

    /// Above everything that anybody has seen.
    fn marker(&self, stored: &StoredPartition, journal: &[OutboxEntry], tails: &[Tail]) -> Marker {
        let in_tails = tails.iter().flat_map(|tail| &tail.entries);
        let batches = || journal.iter().chain(&stored.batches).chain(in_tails.clone());
        let epochs = batches().map(|entry| entry.epoch).chain(tails.iter().map(|tail| tail.epoch));
        let before = epochs.chain(stored.marker.map(|marker| marker.epoch)).max();
        let floor = u64::from(self.era.0) << EPOCH_BITS;
        let epoch = Epoch(floor.max(before.unwrap_or_default().0 + 1));
        let newest_at = batches().map(|entry| entry.at);
        let newest_at = newest_at.chain(stored.marker.and_then(|marker| marker.newest_at)).max();
        Marker { era: self.era, epoch, last: Position(0), newest_at }
    }

    /// Give the journal what it lacks.
    async fn journal(
        &self,
        partition: PartitionId,
        entries: &[Arc<OutboxEntry>],
    ) -> Result<(), StorageError> {
        let mut rest = entries;
        while let Some(first) = rest.first() {
            let near = |entry: &&Arc<OutboxEntry>| entry.position.0 - first.position.0 < SPAN;
            let count = rest.iter().take(PAGE).take_while(near).count();
            let (now, later) = rest.split_at(count);
            let answer = self.parts.journal.append(partition, self.era, now.to_vec()).await?;
            if let Some(conflict) = answer {
                return Err(StorageError::Damaged(format!(
                    "the journal has got a batch of event {} at {} meanwhile: somebody serves",
                    conflict.event, conflict.first_seq.0
                )));
            }
            rest = later;
        }
        Ok(())
    }

    /// Bring the lists to where the histories are: those of which they may lack something or
    /// have too much.
    async fn views(
        &self,
        partition: PartitionId,
        planned: &Planned,
        from: Option<Position>,
        report: &mut Report,
    ) -> Result<(), StorageError> {
        let mut changes = Vec::new();
        let incomplete: BTreeSet<EventId> =
            planned.merged.gaps.iter().map(|gap| gap.event).collect();
        for (event, history) in &planned.merged.histories {
            let newer = |from: Position| {
                history.batches.iter().any(|found| found.entry.position > from || !found.journal)
            };
            let other = !history.lost.is_empty() || incomplete.contains(event);
            if other || from.is_none_or(newer) {
                changes.extend(self.changes(*event, history, planned, report).await?);
            }
            while changes.len() >= CHANGES && !self.check {
                let rest = changes.split_off(CHANGES);
                let now = std::mem::replace(&mut changes, rest);
                self.parts.views.apply(partition, self.era, now, Position(0)).await?;
            }
        }
        if self.check {
            return Ok(());
        }
        self.parts.views.apply(partition, self.era, changes, planned.marker.last).await
    }

    /// All of an event anew, and what its list must not have.
    async fn changes(
        &self,
        event: EventId,
        history: &History,
        planned: &Planned,
        report: &mut Report,
    ) -> Result<Vec<ViewChange>, StorageError> {
        let replayed = planned.replayed.get(&event);
        let good = replayed.map_or(0, |replayed| replayed.good);
        let mut changes = plan::view_changes(event, history, good);
        // Of a sealed event the list is right, as far as anybody can tell.
        if replayed.is_some_and(|replayed| replayed.sealed.is_some()) {
            return Ok(changes);
        }
        let listed = rows(&*self.parts.views, event).await?;
        let back = plan::taken_back(history, &changes, listed.into_values());
        report.withdrawn.extend(back.iter().filter_map(|change| match change {
            ViewChange::Put(row) => Some(*row),
            _ => None,
        }));
        changes.extend(back);
        if self.check {
            changes.clear();
        }
        Ok(changes)
    }
}

type Snapshots = BTreeMap<EventId, Arc<[u8]>>;

/// What the store says of its events, and their usable snapshots.
fn anchors(stored: &StoredPartition) -> (Vec<Anchor>, Snapshots) {
    let mut snapshots = Snapshots::new();
    let mut anchors = Vec::new();
    for one in &stored.events {
        let event = one.header.event;
        let usable = one.snapshot.as_ref().filter(|(h, blob)| replay::is_usable(event, *h, blob));
        if let Some((_, blob)) = usable {
            snapshots.insert(event, blob.clone());
        }
        let snapshot = usable.map(|(head, _)| *head);
        anchors.push(Anchor { event, head: one.header.head, snapshot });
    }
    (anchors, snapshots)
}

fn count(merged: &Merged, replayed: &BTreeMap<EventId, Replayed>, report: &mut Report) {
    report.partitions += 1;
    report.events += replayed.len() as u64;
    for found in merged.histories.values().flat_map(|history| &history.batches) {
        report.batches += 1;
        report.from.journal += u64::from(found.journal);
        report.from.store += u64::from(found.store);
        report.from.tails += u64::from(found.tail);
        report.from.tails_alone += u64::from(found.tail && !found.journal && !found.store);
    }
    report.gaps.extend(&merged.gaps);
    report.forks.extend(&merged.forks);
    report.unreadable.extend(merged.unreadable.iter().cloned());
}

/// Everything that the journal has of a partition.
pub(super) async fn whole(
    journal: &dyn WholeJournal,
    partition: PartitionId,
) -> Result<Vec<OutboxEntry>, StorageError> {
    let (mut all, mut at) = (Vec::new(), Position(0));
    loop {
        let page = journal.scan(partition, at, PAGE).await?;
        let Some(last) = page.iter().map(|entry| entry.position).max() else { return Ok(all) };
        at = last;
        all.extend(page);
    }
}
