//! The lists anew from the journal alone, or compared with it.

use std::collections::BTreeMap;

use engine::{BookingId, EventId};

use super::merge::{Source, merge};
use super::partition::whole;
use super::plan;
use super::report::RebuildReport;
use crate::commit::{Era, PartitionId, Position};
use crate::error::StorageError;
use crate::memory::MemoryViews;
use crate::outbox::WholeJournal;
use crate::views::{BookingRow, BookingViews, PageRequest, PageStart};

/// Changes applied at a time.
const CHANGES: usize = 1_024;

/// Rows compared at a time.
const ROWS: usize = 1_000;

/// Make the lists anew from the journal: `clear` empties them first. With `check` nothing
/// is written; the bookings of every event of the journal are compared with the lists.
///
/// The caller sees to it that nobody serves, else the lists change meanwhile. What the
/// outbox has and the journal does not yet have follows when somebody serves again.
///
/// # Errors
/// Those of the stores. A rebuild that was broken off is done again from the beginning.
pub async fn rebuild_views<Clear>(
    journal: &dyn WholeJournal,
    views: &dyn BookingViews,
    partitions: u16,
    era: Era,
    clear: impl FnOnce() -> Clear + Send,
    check: bool,
) -> Result<RebuildReport, StorageError>
where
    Clear: Future<Output = Result<(), StorageError>> + Send,
{
    let mut report = RebuildReport::default();
    if !check {
        clear().await?;
    }
    for partition in (0..partitions).map(PartitionId) {
        let batches = whole(journal, partition).await?;
        let merged = merge(vec![(Source::Journal, batches)], &[]);
        report.incomplete += (merged.gaps.len() + merged.unreadable.len()) as u64;
        for (event, history) in &merged.histories {
            let readable = history.batches.iter();
            let good = readable
                .take_while(|found| crate::record::decode(&found.entry.blob).is_ok())
                .count();
            let changes = plan::view_changes(*event, history, good);
            let model = MemoryViews::default();
            model.apply(partition, era, changes.clone(), Position(0)).await?;
            let expected = rows(&model, *event).await?;
            report.bookings += expected.len() as u64;
            if check {
                report.differences += differences(&expected, &rows(views, *event).await?);
                continue;
            }
            for chunk in changes.chunks(CHANGES) {
                views.apply(partition, era, chunk.to_vec(), Position(0)).await?;
            }
        }
    }
    Ok(report)
}

pub(super) type Rows = BTreeMap<BookingId, BookingRow>;

/// Everything that lists have of an event.
pub(super) async fn rows(views: &dyn BookingViews, event: EventId) -> Result<Rows, StorageError> {
    let (mut rows, mut after) = (Rows::new(), None);
    loop {
        let page = views.of_event(event, PageRequest { after, status: None, limit: ROWS }).await?;
        let Some(last) = page.last() else { return Ok(rows) };
        after = Some(PageStart { made_at: last.made_at, id: last.id });
        rows.extend(page.into_iter().map(|row| (row.id, row)));
    }
}

/// Bookings that are in only one of the two, or not the same in both. A booking that a
/// recovery has taken back is in the lists as cancelled, and in no history.
fn differences(expected: &Rows, found: &Rows) -> u64 {
    let wrong = expected.iter().filter(|(id, row)| found.get(id) != Some(*row)).count();
    let extra = found.values().filter(|row| {
        !expected.contains_key(&row.id) && row.status != engine::BookingStatus::Cancelled
    });
    (wrong + extra.count()) as u64
}
