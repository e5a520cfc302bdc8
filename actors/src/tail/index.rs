//! The tail by booking, user, event and hold, in segments that are dropped whole once the views
//! have all of them. A row that is in both is no harm: the higher stamp wins.

use std::collections::{HashMap, VecDeque};

use engine::{BookingId, BookingStatus, EventId, HoldId, Seq, Timestamp, UserId};
use storage::{
    BookingRow, HoldChange, HoldRow, HoldStatus, OutboxEntry, Position, StorageError, ViewChange,
    project, record,
};

/// A segment takes rows until it has this many.
const SEGMENT_ROWS: usize = 8_192;

/// Which rows a reader wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// One booking.
    Booking(BookingId),
    /// Those of a person.
    User(UserId),
    /// Those of an event.
    Event(EventId),
    /// One hold.
    Hold(HoldId),
}

impl Wanted {
    /// The share of all events in which alone it can be; `None` if in any.
    pub(crate) fn share(self) -> Option<u16> {
        match self {
            Self::Booking(id) => id.tag().map(engine::EventTag::partition),
            Self::Hold(id) => id.tag().map(engine::EventTag::partition),
            Self::Event(event) => Some(event.partition()),
            Self::User(_) => None,
        }
    }
}

/// What tails know of the wanted rows, as one replica tells another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TailRows {
    /// The newest version of each row.
    pub rows: Vec<BookingRow>,
    /// What happened to the wanted hold, in order.
    pub holds: Vec<HoldChange>,
    /// Events that were cancelled: seq and time of it.
    pub cancelled: Vec<(EventId, Seq, Timestamp)>,
}

impl From<TailRows> for Overlay {
    fn from(told: TailRows) -> Self {
        let rows = told.rows.into_iter().map(|row| (row.id, row)).collect();
        Self { rows, holds: told.holds, cancelled: told.cancelled }
    }
}

impl From<Overlay> for TailRows {
    fn from(overlay: Overlay) -> Self {
        let rows = overlay.rows.into_values().collect();
        Self { rows, holds: overlay.holds, cancelled: overlay.cancelled }
    }
}

/// What the tail knows of the wanted rows.
#[derive(Debug, Default, Clone)]
pub(crate) struct Overlay {
    /// The newest version of each row in the tail.
    pub(crate) rows: HashMap<BookingId, BookingRow>,
    /// What happened to the wanted hold, in order.
    holds: Vec<HoldChange>,
    /// Cancelled events: they change rows that are only in the views as well.
    cancelled: Vec<(EventId, Seq, Timestamp)>,
}

/// All indexed entries of one partition's tail.
#[derive(Default)]
pub(crate) struct Index {
    segments: VecDeque<Segment>,
}

#[derive(Default)]
struct Segment {
    last: Position,
    rows: Vec<BookingRow>,
    by_booking: HashMap<BookingId, Vec<u32>>,
    by_user: HashMap<UserId, Vec<u32>>,
    by_event: HashMap<EventId, Vec<u32>>,
    /// Changes of holds count as rows too: see [`Segment::is_full`].
    by_hold: HashMap<HoldId, Vec<HoldChange>>,
    hold_changes: usize,
    cancelled: Vec<(EventId, Seq, Timestamp)>,
}

impl Index {
    pub(crate) fn add(&mut self, entry: &OutboxEntry) -> Result<(), StorageError> {
        let entries = record::decode(&entry.blob)?;
        let full = self.segments.back().is_none_or(Segment::is_full);
        if full {
            self.segments.push_back(Segment::default());
        }
        let segment = self.segments.back_mut().expect("one was pushed or has room");
        segment.last = segment.last.max(entry.position);
        for change in project::view_changes(entry.event, &entries, entry.first_seq) {
            segment.add(change);
        }
        Ok(())
    }

    /// Drop the segments that the views have wholly.
    pub(crate) fn forget(&mut self, upto: Position) {
        while self.segments.front().is_some_and(|segment| segment.last <= upto) {
            self.segments.pop_front();
        }
    }

    pub(crate) fn overlay(&self, wanted: Wanted) -> Overlay {
        let mut overlay = Overlay::default();
        for segment in &self.segments {
            let found = match wanted {
                Wanted::Booking(id) => segment.by_booking.get(&id),
                Wanted::User(user) => segment.by_user.get(&user),
                Wanted::Event(event) => segment.by_event.get(&event),
                Wanted::Hold(id) => {
                    overlay.holds.extend(segment.by_hold.get(&id).into_iter().flatten().cloned());
                    None
                }
            };
            for &at in found.into_iter().flatten() {
                overlay.put(segment.rows[at as usize]);
            }
            overlay.cancelled.extend(&segment.cancelled);
        }
        for row in overlay.rows.values_mut() {
            cancel(&overlay.cancelled, row);
        }
        overlay
    }
}

impl Segment {
    fn is_full(&self) -> bool {
        self.rows.len() + self.hold_changes >= SEGMENT_ROWS
    }

    fn add(&mut self, change: ViewChange) {
        match change {
            ViewChange::Put(row) => {
                let at = u32::try_from(self.rows.len()).expect("a segment is small");
                self.rows.push(row);
                self.by_booking.entry(row.id).or_default().push(at);
                self.by_user.entry(row.user).or_default().push(at);
                self.by_event.entry(row.event).or_default().push(at);
            }
            ViewChange::Hold(change) => {
                self.hold_changes += 1;
                self.by_hold.entry(change.id).or_default().push(change);
            }
            ViewChange::CancelAll { event, stamp, at } => self.cancelled.push((event, stamp, at)),
        }
    }
}

impl Overlay {
    fn put(&mut self, row: BookingRow) {
        let newest = self.rows.entry(row.id).or_insert(row);
        if newest.stamp < row.stamp {
            *newest = row;
        }
    }

    /// Whether rows may be cancelled that the tail itself does not have.
    pub(crate) const fn cancels_events(&self) -> bool {
        !self.cancelled.is_empty()
    }

    /// Add what another partition's tail knows.
    pub(crate) fn join(&mut self, other: Self) {
        for row in other.rows.into_values() {
            self.put(row);
        }
        self.holds.extend(other.holds);
        self.cancelled.extend(other.cancelled);
    }

    /// The wanted hold: its row from the views, brought on by what the tail knows.
    pub(crate) fn hold(&self, stored: Option<HoldRow>) -> Option<HoldRow> {
        let mut row = stored;
        for change in &self.holds {
            if row.as_ref().is_none_or(|row| row.stamp < change.stamp) {
                row = change.after(row);
            }
        }
        let mut row = row?;
        for &(event, stamp, at) in &self.cancelled {
            if event == row.event && stamp > row.stamp && row.status == HoldStatus::Held {
                row.status = HoldStatus::Released;
                row.changed_at = at;
                row.stamp = stamp;
            }
        }
        Some(row)
    }

    /// The newest of a row from the views and what the tail knows of it.
    pub(crate) fn newest(&self, stored: BookingRow) -> BookingRow {
        let mut row = match self.rows.get(&stored.id) {
            Some(row) if row.stamp > stored.stamp => *row,
            _ => stored,
        };
        cancel(&self.cancelled, &mut row);
        row
    }
}

/// Cancel a row if its event was cancelled after it.
fn cancel(cancelled: &[(EventId, Seq, Timestamp)], row: &mut BookingRow) {
    for &(event, stamp, at) in cancelled {
        if event == row.event && stamp > row.stamp && row.status != BookingStatus::Cancelled {
            row.status = BookingStatus::Cancelled;
            row.changed_at = at;
            row.stamp = stamp;
        }
    }
}
