//! Lists that show every answered write: the tail first, then the views.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

use engine::{BookingId, BookingStatus, EventId, HoldId, UserId};
use storage::{BookingRow, HoldRow, PageRequest, PageStart, PartitionId, StorageError};

use crate::peers::{TailAnswer, TailQuestion};
use crate::shared::Shared;
use crate::tail::{Overlay, Wanted};

mod tails;

use tails::Tails;

/// The most rows of one page.
pub const PAGE_ROWS: usize = 1_000;

/// Booking lists that miss nothing that was answered. Cheap to clone.
#[derive(Clone)]
pub struct FreshViews {
    shared: Arc<Shared>,
    tails: Tails,
}

impl FreshViews {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { tails: Tails::new(Arc::clone(&shared)), shared }
    }

    /// One booking, whatever its status.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn booking(&self, id: BookingId) -> Result<Option<BookingRow>, StorageError> {
        let overlay = self.overlay(Wanted::Booking(id)).await?;
        let stored = self.shared.stores.views.booking(id).await?;
        Ok(match stored {
            Some(stored) => Some(overlay.newest(stored)),
            None => overlay.rows.get(&id).copied(),
        })
    }

    /// One hold with its details, however it stands; `None` also when it ended so long ago
    /// that it is forgotten.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn hold(&self, id: HoldId) -> Result<Option<HoldRow>, StorageError> {
        let overlay = self.overlay(Wanted::Hold(id)).await?;
        let stored = self.shared.stores.views.hold(id).await?;
        Ok(overlay.hold(stored))
    }

    /// A user's bookings, newest first, at most [`PAGE_ROWS`].
    ///
    /// # Errors
    /// Those of the store.
    pub async fn of_user(
        &self,
        user: UserId,
        page: PageRequest,
    ) -> Result<Vec<BookingRow>, StorageError> {
        let overlay = self.overlay(Wanted::User(user)).await?;
        self.page(overlay, page, |page| self.shared.stores.views.of_user(user, page)).await
    }

    /// An event's bookings, newest first, at most [`PAGE_ROWS`].
    ///
    /// # Errors
    /// Those of the store.
    pub async fn of_event(
        &self,
        event: EventId,
        page: PageRequest,
    ) -> Result<Vec<BookingRow>, StorageError> {
        let overlay = self.overlay(Wanted::Event(event)).await?;
        self.page(overlay, page, |page| self.shared.stores.views.of_event(event, page)).await
    }

    /// What the tails of all partitions that matter know, of this process and of others.
    async fn overlay(&self, wanted: Wanted) -> Result<Overlay, StorageError> {
        let count = self.shared.stores.commit.partitions();
        let share = wanted.share().map(|share| PartitionId(share % count));
        match &self.shared.cluster {
            None => self.tails.own(wanted, share).await,
            Some(cluster) => self.tails.everywhere(cluster, wanted, share).await,
        }
    }

    /// The answer to another replica's question.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tails(&self, question: &TailQuestion) -> Result<TailAnswer, StorageError> {
        self.tails.answer(question).await
    }

    /// One page out of both: rows of the views in their newest version, and those that
    /// only the tail has.
    async fn page<'a, F>(
        &'a self,
        overlay: Overlay,
        page: PageRequest,
        read: impl Fn(PageRequest) -> F + 'a,
    ) -> Result<Vec<BookingRow>, StorageError>
    where
        F: Future<Output = Result<Vec<BookingRow>, StorageError>> + 'a,
    {
        let limit = page.limit.min(PAGE_ROWS);
        let wanted = |row: &BookingRow| {
            page.status.is_none_or(|status| row.status == status)
                && page.after.is_none_or(|after| (row.made_at, row.id) < (after.made_at, after.id))
        };
        // A cancelled event is one entry in the tail; which rows it cancels, only the views
        // know, and there they have another status still.
        let cancelled = page.status == Some(BookingStatus::Cancelled);
        let status = page.status.filter(|_| !(cancelled && overlay.cancels_events()));
        let mut rows: Vec<BookingRow> = Vec::new();
        let mut seen: HashSet<BookingId> = HashSet::new();
        let mut after = page.after;
        // A row of the views may drop out because the tail has it in another status: then
        // read on, until the page is full or the views end.
        loop {
            let stored = read(PageRequest { after, limit, status }).await?;
            let ended = stored.len() < limit;
            after = stored.last().map(|row| PageStart { made_at: row.made_at, id: row.id });
            for row in stored {
                let newest = overlay.newest(row);
                if seen.insert(row.id) && wanted(&newest) {
                    rows.push(newest);
                }
            }
            if ended || rows.len() >= limit {
                break;
            }
        }
        rows.extend(overlay.rows.values().filter(|row| !seen.contains(&row.id) && wanted(row)));
        rows.sort_unstable_by_key(|row| Reverse((row.made_at, row.id)));
        rows.truncate(limit);
        Ok(rows)
    }
}
