//! Booking views: lists by user and by event, always rebuildable.

use engine::{BookingId, BookingStatus, EventId, Seats, Seq, Timestamp, UserId};
use futures_util::future::BoxFuture;

use crate::commit::{Era, PartitionId, Position};
use crate::error::StorageError;

/// A booking as lists show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookingRow {
    /// Its id.
    pub id: BookingId,
    /// Of which event.
    pub event: EventId,
    /// Whose.
    pub user: UserId,
    /// How many places.
    pub quantity: Seats,
    /// What it is worth.
    pub status: BookingStatus,
    /// The place in the event's history it was made at.
    pub seq: Seq,
    /// When it was made.
    pub made_at: Timestamp,
    /// When its status last changed.
    pub changed_at: Timestamp,
    /// The seq of the booking event this row is the state after: with the era, the stamp
    /// that decides which of two versions is newer.
    pub stamp: Seq,
}

/// One change of the views, in the order of the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewChange {
    /// Write this row unless the stored one has a higher stamp.
    Put(BookingRow),
    /// Every confirmed or waiting row of `event` with a smaller stamp becomes cancelled.
    CancelAll {
        /// Which event.
        event: EventId,
        /// The seq of the cancellation.
        stamp: Seq,
        /// When.
        at: Timestamp,
    },
}

/// Where a page of a list starts: after this row, in (made_at, id) order, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageStart {
    /// `made_at` of the last row seen.
    pub made_at: Timestamp,
    /// Id of the last row seen.
    pub id: BookingId,
}

/// Which rows of a list are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// After which row, or from the newest.
    pub after: Option<PageStart>,
    /// Only rows of this status.
    pub status: Option<BookingStatus>,
    /// How many rows at most.
    pub limit: usize,
}

/// Lists of bookings. Each change is idempotent; the cursor moves in the transaction of
/// the effect.
pub trait BookingViews: Send + Sync {
    /// The position up to which changes of a partition are in.
    fn cursor(&self, partition: PartitionId) -> BoxFuture<'_, Result<Position, StorageError>>;

    /// Apply changes in order and move the cursor to `upto`, in one stroke.
    fn apply(
        &self,
        partition: PartitionId,
        era: Era,
        changes: Vec<ViewChange>,
        upto: Position,
    ) -> BoxFuture<'_, Result<(), StorageError>>;

    /// One row.
    fn booking(&self, id: BookingId) -> BoxFuture<'_, Result<Option<BookingRow>, StorageError>>;

    /// A user's bookings, newest first.
    fn of_user(
        &self,
        user: UserId,
        page: PageRequest,
    ) -> BoxFuture<'_, Result<Vec<BookingRow>, StorageError>>;

    /// An event's bookings, newest first.
    fn of_event(
        &self,
        event: EventId,
        page: PageRequest,
    ) -> BoxFuture<'_, Result<Vec<BookingRow>, StorageError>>;
}
