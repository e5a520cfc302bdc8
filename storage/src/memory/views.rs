//! Booking views in memory.

use std::collections::BTreeMap;

use engine::{BookingId, BookingStatus, EventId, HoldId, Timestamp, UserId};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::now;
use crate::commit::{Era, PartitionId, Position};
use crate::error::StorageError;
use crate::views::{BookingRow, BookingViews, HoldRow, HoldStatus, PageRequest, ViewChange};

/// Booking views in memory.
#[derive(Debug, Default)]
pub struct MemoryViews {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<BookingId, (Era, BookingRow)>,
    holds: BTreeMap<HoldId, (Era, HoldRow)>,
    cursors: BTreeMap<PartitionId, Position>,
}

impl State {
    fn apply(&mut self, era: Era, change: ViewChange) {
        match change {
            ViewChange::Put(row) => {
                let stored = self.rows.entry(row.id).or_insert((era, row));
                if (stored.0, stored.1.stamp) <= (era, row.stamp) {
                    *stored = (era, row);
                }
            }
            ViewChange::Hold(change) => {
                let stored = self.holds.get(&change.id);
                if stored.is_some_and(|(old, row)| (*old, row.stamp) >= (era, change.stamp)) {
                    return;
                }
                if let Some(row) = change.after(stored.map(|(_, row)| row.clone())) {
                    self.holds.insert(change.id, (era, row));
                }
            }
            ViewChange::CancelAll { event, stamp, at } => {
                for (row_era, row) in self.rows.values_mut() {
                    if row.event == event
                        && row.status != BookingStatus::Cancelled
                        && (*row_era, row.stamp) < (era, stamp)
                    {
                        *row_era = era;
                        row.status = BookingStatus::Cancelled;
                        row.changed_at = at;
                        row.stamp = stamp;
                    }
                }
                for (row_era, row) in self.holds.values_mut() {
                    if row.event == event
                        && row.status == HoldStatus::Held
                        && (*row_era, row.stamp) < (era, stamp)
                    {
                        *row_era = era;
                        row.status = HoldStatus::Released;
                        row.changed_at = at;
                        row.stamp = stamp;
                    }
                }
            }
        }
    }
}

impl MemoryViews {
    fn page(
        &self,
        page: PageRequest,
        wanted: impl Fn(&BookingRow) -> bool,
    ) -> BoxFuture<'_, Result<Vec<BookingRow>, StorageError>> {
        let state = self.state.lock();
        let mut rows: Vec<BookingRow> = state
            .rows
            .values()
            .map(|(_, row)| *row)
            .filter(|row| wanted(row) && page.status.is_none_or(|status| row.status == status))
            .filter(|row| page.after.is_none_or(|a| (row.made_at, row.id) < (a.made_at, a.id)))
            .collect();
        rows.sort_unstable_by_key(|row| std::cmp::Reverse((row.made_at, row.id)));
        rows.truncate(page.limit);
        now(rows)
    }
}

impl BookingViews for MemoryViews {
    fn cursor(&self, partition: PartitionId) -> BoxFuture<'_, Result<Position, StorageError>> {
        now(self.state.lock().cursors.get(&partition).copied().unwrap_or_default())
    }

    fn apply(
        &self,
        partition: PartitionId,
        era: Era,
        changes: Vec<ViewChange>,
        upto: Position,
    ) -> BoxFuture<'_, Result<(), StorageError>> {
        let mut state = self.state.lock();
        for change in changes {
            state.apply(era, change);
        }
        let cursor = state.cursors.entry(partition).or_default();
        *cursor = upto.max(*cursor);
        now(())
    }

    fn booking(&self, id: BookingId) -> BoxFuture<'_, Result<Option<BookingRow>, StorageError>> {
        now(self.state.lock().rows.get(&id).map(|(_, row)| *row))
    }

    fn hold(&self, id: HoldId) -> BoxFuture<'_, Result<Option<HoldRow>, StorageError>> {
        now(self.state.lock().holds.get(&id).map(|(_, row)| row.clone()))
    }

    fn forget_holds(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<usize, StorageError>> {
        let mut state = self.state.lock();
        let over: Vec<HoldId> = state
            .holds
            .values()
            .filter(|(_, row)| row.status != HoldStatus::Held && row.changed_at < before)
            .map(|(_, row)| row.id)
            .take(limit)
            .collect();
        for id in &over {
            state.holds.remove(id);
        }
        now(over.len())
    }

    fn of_user(
        &self,
        user: UserId,
        page: PageRequest,
    ) -> BoxFuture<'_, Result<Vec<BookingRow>, StorageError>> {
        self.page(page, |row| row.user == user)
    }

    fn of_event(
        &self,
        event: EventId,
        page: PageRequest,
    ) -> BoxFuture<'_, Result<Vec<BookingRow>, StorageError>> {
        self.page(page, |row| row.event == event)
    }
}
