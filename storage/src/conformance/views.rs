//! [`crate::BookingViews`]: rows by stamp, cancellations of whole events, pages, holds.

use engine::{BookingId, BookingStatus, EventId, Seats, Seq, UserId};

use super::Fresh;
use super::sample::{Dice, at, event, user};
use crate::commit::{Era, PartitionId, Position};
use crate::views::{BookingRow, PageRequest, PageStart, ViewChange};
use crate::{BookingViews, Stores};

mod holds;

const HERE: PartitionId = PartitionId(0);

/// Everything that this port asks of an adapter.
pub async fn suite(fresh: Fresh<'_>) {
    suite_of_rows(fresh).await;
    cursors_only_move_forward(&fresh()).await;
    holds::suite_of_forgetting(fresh).await;
}

/// The same for an adapter whose cursors are kept beside the outbox, and whose holds expire
/// by themselves.
pub async fn suite_of_rows(fresh: Fresh<'_>) {
    rows_come_back(&fresh()).await;
    the_newest_stamp_wins(&fresh()).await;
    a_cancelled_event_cancels_its_rows(&fresh()).await;
    replays_change_nothing(&fresh()).await;
    lists_are_newest_first_in_pages(&fresh()).await;
    holds::suite(fresh).await;
}

/// A booking of person `who` at event `what`, made at `seq`, one millisecond per seq.
fn row(what: u64, who: u64, seq: u64) -> BookingRow {
    let made_at = at(seq as i64);
    BookingRow {
        id: BookingId::compose(made_at, event(what), Seq(seq)),
        event: event(what),
        user: user(who),
        quantity: Seats::new(1 + who as u32 % 3).expect("more than zero"),
        status: BookingStatus::Confirmed,
        seq: Seq(seq),
        made_at,
        changed_at: made_at,
        stamp: Seq(seq),
    }
}

fn later(row: BookingRow, status: BookingStatus, stamp: u64) -> BookingRow {
    BookingRow { status, stamp: Seq(stamp), changed_at: at(stamp as i64), ..row }
}

const fn page(limit: usize) -> PageRequest {
    PageRequest { after: None, status: None, limit }
}

async fn apply(views: &dyn BookingViews, era: u32, changes: &[ViewChange], upto: u64) {
    let done = views.apply(HERE, Era(era), changes.to_vec(), Position(upto)).await;
    done.expect("changes are applied");
}

async fn stored(views: &dyn BookingViews, row: &BookingRow) -> BookingRow {
    views.booking(row.id).await.expect("a read").expect("a row")
}

async fn rows_come_back(stores: &Stores) {
    let views = &*stores.views;
    let one = row(1, 1, 1);
    assert_eq!(views.booking(one.id).await.expect("a read"), None);
    let waiting = later(row(1, 2, 2), BookingStatus::Waitlisted, 2);
    apply(views, 1, &[ViewChange::Put(one), ViewChange::Put(waiting)], 1).await;
    assert_eq!(stored(views, &one).await, one);
    assert_eq!(stored(views, &waiting).await, waiting);
    assert_eq!(views.of_user(user(1), page(10)).await.expect("a list"), [one]);
    assert_eq!(views.of_event(event(1), page(10)).await.expect("a list"), [waiting, one]);
    assert!(views.of_user(user(9), page(10)).await.expect("a list").is_empty());
    assert!(views.of_event(event(9), page(10)).await.expect("a list").is_empty());
}

async fn the_newest_stamp_wins(stores: &Stores) {
    let views = &*stores.views;
    let first = row(1, 1, 5);
    let newer = later(first, BookingStatus::Cancelled, 9);
    apply(views, 1, &[ViewChange::Put(newer)], 1).await;
    apply(views, 1, &[ViewChange::Put(first)], 2).await;
    assert_eq!(stored(views, &first).await, newer, "an older row comes late");
    let moved = [
        ViewChange::Put(later(first, BookingStatus::Waitlisted, 12)),
        ViewChange::Put(later(first, BookingStatus::Confirmed, 11)),
    ];
    apply(views, 1, &moved, 3).await;
    assert_eq!(stored(views, &first).await.stamp, Seq(12), "the highest of one call");
    let next_era = later(first, BookingStatus::Confirmed, 6);
    apply(views, 2, &[ViewChange::Put(next_era)], 4).await;
    assert_eq!(stored(views, &first).await, next_era, "a new era beats every seq");
    apply(views, 1, &[ViewChange::Put(later(first, BookingStatus::Cancelled, 99))], 5).await;
    assert_eq!(stored(views, &first).await, next_era, "a lost era never wins");
    let lists = views.of_event(event(1), page(10)).await.expect("a list");
    assert_eq!(lists, [next_era], "one row, in the state it has");
}

async fn a_cancelled_event_cancels_its_rows(stores: &Stores) {
    let views = &*stores.views;
    let confirmed = row(1, 1, 1);
    let waiting = later(row(1, 2, 2), BookingStatus::Waitlisted, 2);
    let cancelled = later(row(1, 3, 3), BookingStatus::Cancelled, 4);
    let elsewhere = row(2, 1, 3);
    let all = ViewChange::CancelAll { event: event(1), stamp: Seq(9), at: at(70) };
    // In one call, and in the middle of it: order counts.
    let changes = [confirmed, waiting, cancelled]
        .map(ViewChange::Put)
        .into_iter()
        .chain([all, ViewChange::Put(elsewhere)]);
    apply(views, 1, &changes.collect::<Vec<_>>(), 1).await;
    for row in [confirmed, waiting] {
        let expected = BookingRow {
            status: BookingStatus::Cancelled,
            stamp: Seq(9),
            changed_at: at(70),
            ..row
        };
        assert_eq!(stored(views, &row).await, expected);
    }
    assert_eq!(stored(views, &cancelled).await, cancelled, "it was over before");
    assert_eq!(stored(views, &elsewhere).await, elsewhere, "another event");
    let left = PageRequest { status: Some(BookingStatus::Confirmed), ..page(10) };
    assert!(views.of_event(event(1), left).await.expect("a list").is_empty());
}

async fn replays_change_nothing(stores: &Stores) {
    let views = &*stores.views;
    let mut history = Vec::new();
    let mut dice = Dice(11);
    for seq in 1..=60 {
        let change = match dice.below(10) {
            0..=5 => ViewChange::Put(row(seq % 3, seq, seq)),
            6..=8 => {
                let made = 1 + dice.below(seq);
                ViewChange::Put(later(row(made % 3, made, made), BookingStatus::Cancelled, seq))
            }
            _ => {
                ViewChange::CancelAll { event: event(seq % 2), stamp: Seq(seq), at: at(seq as i64) }
            }
        };
        history.push(change);
    }
    apply(views, 1, &history, 60).await;
    let lists = async || {
        let mut rows = Vec::new();
        for n in 0..3 {
            rows.extend(views.of_event(event(n), page(100)).await.expect("a list"));
        }
        rows
    };
    let before = lists().await;
    assert!(!before.is_empty());
    for from in [0, 1, 17, 59] {
        apply(views, 1, &history[from..], 60).await;
        assert_eq!(lists().await, before, "replayed from {from}");
        for change in &history[from..] {
            apply(views, 1, std::slice::from_ref(change), 60).await;
        }
        assert_eq!(lists().await, before, "replayed from {from}, one by one");
    }
}

async fn cursors_only_move_forward(stores: &Stores) {
    let views = &*stores.views;
    let cursor = async |partition| views.cursor(PartitionId(partition)).await.expect("a cursor");
    assert_eq!(cursor(0).await, Position(0));
    apply(views, 1, &[], 7).await;
    assert_eq!(cursor(0).await, Position(7), "also when nothing changed");
    apply(views, 1, &[ViewChange::Put(row(1, 1, 1))], 3).await;
    assert_eq!(cursor(0).await, Position(7), "a replay does not take it back");
    assert_eq!(cursor(1).await, Position(0), "each partition has its own");
}

async fn lists_are_newest_first_in_pages(stores: &Stores) {
    let views = &*stores.views;
    let statuses = [BookingStatus::Confirmed, BookingStatus::Waitlisted, BookingStatus::Cancelled];
    // One person at many events, and many people at one event, some in one millisecond.
    let mut rows: Vec<BookingRow> = Vec::new();
    for n in 1..=25 {
        let status = statuses[n as usize % 3];
        let mut mine = later(row(n, 1, n), status, n + 30);
        mine.made_at = at(n as i64 / 4);
        mine.id = BookingId::compose(mine.made_at, mine.event, mine.seq);
        rows.push(mine);
        rows.push(later(row(100, n + 1, n), status, n + 30));
    }
    let changes: Vec<_> = rows.iter().copied().map(ViewChange::Put).collect();
    apply(views, 1, &changes, 1).await;
    let mine = |row: &BookingRow| row.user == user(1);
    let there = |row: &BookingRow| row.event == event(100);
    for status in statuses.map(Some).into_iter().chain([None]) {
        for limit in [1, 4, 25, 100] {
            let paged = pages(views, Some(user(1)), event(0), status, limit).await;
            assert_eq!(paged, expected(&rows, mine, status), "{status:?} by {limit}");
            let paged = pages(views, None, event(100), status, limit).await;
            assert_eq!(paged, expected(&rows, there, status), "{status:?} by {limit}");
        }
    }
}

fn expected(
    rows: &[BookingRow],
    wanted: impl Fn(&BookingRow) -> bool,
    status: Option<BookingStatus>,
) -> Vec<BookingRow> {
    let mut rows: Vec<_> = rows
        .iter()
        .copied()
        .filter(|row| wanted(row) && status.is_none_or(|status| row.status == status))
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.made_at, row.id)));
    rows
}

async fn pages(
    views: &dyn BookingViews,
    user: Option<UserId>,
    event: EventId,
    status: Option<BookingStatus>,
    limit: usize,
) -> Vec<BookingRow> {
    let mut all: Vec<BookingRow> = Vec::new();
    loop {
        let after = all.last().map(|row| PageStart { made_at: row.made_at, id: row.id });
        let request = PageRequest { after, status, limit };
        let page = match user {
            Some(user) => views.of_user(user, request).await,
            None => views.of_event(event, request).await,
        };
        let page = page.expect("a page");
        assert!(page.len() <= limit);
        let done = page.len() < limit;
        all.extend(page);
        if done {
            return all;
        }
    }
}
