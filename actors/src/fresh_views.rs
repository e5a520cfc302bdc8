//! Lists that show every answered write: the tail first, then the views.

use engine::{BookingId, EventId, UserId};
use storage::{BookingRow, PageRequest, StorageError};

/// Booking lists that miss nothing that was answered. Cheap to clone.
#[derive(Clone)]
pub struct FreshViews {}

impl FreshViews {
    /// One booking, whatever its status.
    pub async fn booking(&self, _id: BookingId) -> Result<Option<BookingRow>, StorageError> {
        todo!()
    }

    /// A user's bookings, newest first.
    pub async fn of_user(
        &self,
        _user: UserId,
        _page: PageRequest,
    ) -> Result<Vec<BookingRow>, StorageError> {
        todo!()
    }

    /// An event's bookings, newest first.
    pub async fn of_event(
        &self,
        _event: EventId,
        _page: PageRequest,
    ) -> Result<Vec<BookingRow>, StorageError> {
        todo!()
    }
}
