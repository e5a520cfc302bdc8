//! Lists of events larger than one bucket.

use engine::{BookingId, BookingStatus, Seats, Seq};
use storage::conformance::sample::{at, event, user};
use storage::{
    BookingRow, BookingViews, Era, PageRequest, PageStart, PartitionId, Position, ViewChange,
};

use crate::support::Made;

const HERE: PartitionId = PartitionId(0);

/// More than four buckets.
const ROWS: u64 = 21_000;

fn row(seq: u64) -> BookingRow {
    // Several in one millisecond, and over the edges of buckets.
    let made_at = at((seq / 7) as i64);
    BookingRow {
        id: BookingId::compose(made_at, event(1), Seq(seq)),
        event: event(1),
        user: user(seq),
        quantity: Seats::ONE,
        status: BookingStatus::Confirmed,
        seq: Seq(seq),
        made_at,
        changed_at: made_at,
        stamp: Seq(seq),
    }
}

/// The whole list, in pages.
async fn pages(views: &dyn BookingViews, status: Option<BookingStatus>, limit: usize) -> Vec<u64> {
    let mut seqs = Vec::new();
    let mut after = None;
    loop {
        let page = views.of_event(event(1), PageRequest { after, status, limit }).await;
        let page = page.expect("a page");
        seqs.extend(page.iter().map(|row| row.seq.0));
        after = page.last().map(|row| PageStart { made_at: row.made_at, id: row.id });
        if page.len() < limit {
            return seqs;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_event_is_listed_and_cancelled_whole() {
    let made = Made::default();
    let views = made.cassandra().await.views();
    let rows: Vec<ViewChange> = (1..=ROWS).map(row).map(ViewChange::Put).collect();
    views.apply(HERE, Era(1), rows, Position(1)).await.expect("applied");
    let newest_first: Vec<u64> = (1..=ROWS).rev().collect();
    assert_eq!(pages(&*views, None, 1_000).await, newest_first);
    assert_eq!(pages(&*views, Some(BookingStatus::Cancelled), 1_000).await, [0; 0]);
    let all = ViewChange::CancelAll { event: event(1), stamp: Seq(ROWS + 1), at: at(9) };
    // Half of it was done before a crash: the rest follows, and nothing is done twice.
    for change in [all.clone(), all] {
        views.apply(HERE, Era(1), vec![change], Position(2)).await.expect("applied");
        assert_eq!(pages(&*views, Some(BookingStatus::Cancelled), 1_000).await, newest_first);
        assert_eq!(pages(&*views, Some(BookingStatus::Confirmed), 1_000).await, [0; 0]);
    }
    let late = ViewChange::Put(row(17));
    views.apply(HERE, Era(1), vec![late], Position(3)).await.expect("applied");
    let stored = views.booking(row(17).id).await.expect("a read").expect("a row");
    assert_eq!(stored.status, BookingStatus::Cancelled, "what comes late loses");
    made.clear().await;
}
