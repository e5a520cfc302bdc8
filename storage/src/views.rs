//! Booking views: lists of bookings by user and by event, and holds with their details.
//! Always rebuildable.

use engine::{BookingId, BookingStatus, EventId, HoldId, Seats, Seq, Timestamp, UserId, Words};
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

/// How a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HoldStatus {
    /// It has its places.
    Held,
    /// Its time ran out.
    Expired,
    /// Its owner gave it back, or its event was cancelled.
    Released,
    /// It has become a booking.
    Confirmed,
}

/// A hold with its details, which the inventory does not keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRow {
    /// Its id.
    pub id: HoldId,
    /// Of which event.
    pub event: EventId,
    /// Whose.
    pub user: UserId,
    /// How many places.
    pub quantity: Seats,
    /// How it stands.
    pub status: HoldStatus,
    /// The place in the event's history it was made at.
    pub seq: Seq,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
    /// Until when its places are set aside.
    pub expires_at: Timestamp,
    /// Its details, opaque.
    pub details: Words,
    /// The details that were in force when it was extended without being given new ones,
    /// by the number of the extension: what a repeat of that call is told.
    pub extended: Vec<(u8, Words)>,
    /// The seq of the booking event this row is the state after.
    pub stamp: Seq,
}

/// What happened to a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldChange {
    /// Which hold.
    pub id: HoldId,
    /// Of which event.
    pub event: EventId,
    /// The seq of the booking event.
    pub stamp: Seq,
    /// When.
    pub at: Timestamp,
    /// What.
    pub step: HoldStep,
}

/// One step in the life of a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldStep {
    /// Places were set aside.
    Placed {
        /// For whom.
        user: UserId,
        /// How many.
        quantity: Seats,
        /// Until when.
        expires_at: Timestamp,
        /// Details of the coming booking.
        details: Words,
    },
    /// It got other details, a later end, or both.
    Changed {
        /// Its end from now on.
        expires_at: Timestamp,
        /// How often it has been extended.
        extensions: u8,
        /// New details, if they changed.
        details: Option<Words>,
    },
    /// It is over, or was confirmed after it was over.
    Ended(HoldStatus),
}

impl HoldChange {
    /// The row after this change of `before`, which is older. A change of a hold that is
    /// not known, because it was forgotten long ago, makes no row.
    #[must_use]
    pub fn after(&self, before: Option<HoldRow>) -> Option<HoldRow> {
        if let HoldStep::Placed { user, quantity, expires_at, ref details } = self.step {
            return Some(HoldRow {
                id: self.id,
                event: self.event,
                user,
                quantity,
                status: HoldStatus::Held,
                seq: self.stamp,
                made_at: self.at,
                changed_at: self.at,
                expires_at,
                details: details.clone(),
                extended: Vec::new(),
                stamp: self.stamp,
            });
        }
        let mut row = before?;
        match &self.step {
            HoldStep::Placed { .. } => unreachable!("it has returned"),
            HoldStep::Changed { expires_at, extensions, details } => {
                row.expires_at = *expires_at;
                match details {
                    Some(details) => row.details = details.clone(),
                    None => row.extended.push((*extensions, row.details.clone())),
                }
            }
            HoldStep::Ended(status) => row.status = *status,
        }
        row.changed_at = self.at;
        row.stamp = self.stamp;
        Some(row)
    }
}

/// One change of the views, in the order of the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewChange {
    /// Write this row unless the stored one has a higher stamp.
    Put(BookingRow),
    /// Bring the hold's row on by this change unless its stamp is as high already.
    Hold(HoldChange),
    /// Every confirmed or waiting row of `event` with a smaller stamp becomes cancelled,
    /// and every open hold released.
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

    /// One hold.
    fn hold(&self, id: HoldId) -> BoxFuture<'_, Result<Option<HoldRow>, StorageError>>;

    /// Forget holds that ended before this moment, at most `limit`; returns how many.
    fn forget_holds(
        &self,
        before: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<usize, StorageError>>;

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
