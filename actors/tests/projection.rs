//! Lists show every answered write, whatever the projector has done.

use actors::{Options, SubmitError};
use engine::{BookingStatus, Command};
use storage::memory::MemoryStore;
use storage::{PageRequest, PageStart, PartitionId, Stores};

use crate::support::{EVENT, Stage, eventually, quick, user};

pub(crate) fn page() -> PageRequest {
    PageRequest { after: None, status: None, limit: 100 }
}

async fn listed(stage: &Stage, who: u32) -> Vec<BookingStatus> {
    let rows = stage.system.fresh_views().of_user(user(who), page()).await.unwrap();
    rows.into_iter().map(|row| row.status).collect()
}

async fn cancel(stage: &Stage, who: u32) {
    let id = stage.book(who).await.map_or_else(
        |error| match error {
            SubmitError::Refused(engine::Rejection::AlreadyBooked { existing }) => {
                existing.booking.id(EVENT)
            }
            other => panic!("{other:?}"),
        },
        |reply| reply.booking.id(EVENT),
    );
    stage.submit(user(who), Command::Cancel { booking: id }).await.unwrap();
}

/// Every answer is followed at once by a read of every list; the projector runs as it
/// likes in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_an_answer_finds_it_in_the_lists() {
    let stage = Stage::new().await;
    stage.open(2).await;
    for round in 0..100 {
        let (a, b, c) = (3 * round + 1, 3 * round + 2, 3 * round + 3);
        stage.book(a).await.unwrap();
        assert_eq!(listed(&stage, a).await, [BookingStatus::Confirmed]);
        stage.book(b).await.unwrap();
        stage.book(c).await.unwrap();
        assert_eq!(listed(&stage, c).await, [BookingStatus::Waitlisted]);
        cancel(&stage, a).await;
        assert_eq!(listed(&stage, a).await, [BookingStatus::Cancelled]);
        assert_eq!(listed(&stage, c).await, [BookingStatus::Confirmed]);
        cancel(&stage, b).await;
        cancel(&stage, c).await;
    }
    let views = stage.system.fresh_views();
    let all = views.of_event(EVENT, PageRequest { limit: 1_000, ..page() }).await.unwrap();
    assert_eq!(all.len(), 300);
    assert!(all.iter().all(|row| row.status == BookingStatus::Cancelled));
}

/// What was committed may be seen in the sums of an event before its owner hears of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_saw_the_sums_finds_the_booking_in_the_lists() {
    let slow = Options { commit_retry_pause: std::time::Duration::from_millis(250), ..quick() };
    let stage = Stage::with(slow).await;
    stage.open(5).await;
    let seq = async || {
        let header = stage.stores.commit.headers(vec![EVENT]).await.unwrap().pop().flatten();
        header.map(|header| header.head.seq)
    };
    let before = seq().await;
    stage.store.faults().lose_answers(1);
    let (booked, listed_as) = tokio::join!(stage.book(1), async {
        eventually("the commit is there", async || seq().await != before).await;
        listed(&stage, 1).await
    });
    assert_eq!(listed_as, [BookingStatus::Confirmed], "seen in the sums, so in the list");
    assert_eq!(booked.unwrap().booking.status, BookingStatus::Confirmed);
}

#[tokio::test]
async fn pages_join_without_gap_or_double() {
    let stage = Stage::new().await;
    stage.open(1_000).await;
    for who in 1..=25 {
        stage.book(who).await.unwrap();
    }
    let views = stage.system.fresh_views();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let rows =
            views.of_event(EVENT, PageRequest { after, status: None, limit: 4 }).await.unwrap();
        let Some(last) = rows.last() else { break };
        after = Some(PageStart { made_at: last.made_at, id: last.id });
        seen.extend(rows.iter().map(|row| row.user));
    }
    let newest_first: Vec<_> = (1..=25).rev().map(user).collect();
    assert_eq!(seen, newest_first);
}

#[tokio::test]
async fn a_cancelled_event_cancels_every_listed_booking() {
    let stage = Stage::new().await;
    stage.open(2).await;
    for who in 1..=4 {
        stage.book(who).await.unwrap();
    }
    eventually("the views have all", async || stage.system.projection_lag() == 0).await;
    stage.submit(user(0), Command::CancelEvent { if_version: None }).await.unwrap();
    for who in 1..=4 {
        assert_eq!(listed(&stage, who).await, [BookingStatus::Cancelled]);
    }
    let views = stage.system.fresh_views();
    let confirmed = PageRequest { status: Some(BookingStatus::Confirmed), ..page() };
    assert_eq!(views.of_event(EVENT, confirmed).await.unwrap(), []);
    let cancelled = PageRequest { status: Some(BookingStatus::Cancelled), ..page() };
    assert_eq!(views.of_event(EVENT, cancelled).await.unwrap().len(), 4);
}

#[tokio::test]
async fn facts_of_the_event_reach_the_bus_in_order() {
    let stage = Stage::new().await;
    stage.open(2).await;
    stage.book(1).await.unwrap();
    stage.submit(user(0), Command::CancelEvent { if_version: None }).await.unwrap();
    let bus = stage.store.stores().bus;
    let mut kinds = Vec::new();
    while kinds.len() < 3 {
        for delivery in bus.next("test", 10).await.unwrap() {
            bus.acknowledge("test", delivery.number).await.unwrap();
            kinds.push(delivery.kind);
        }
    }
    assert_eq!(kinds, ["EventOpened", "PlacesChanged", "EventCancelled"]);
}

#[tokio::test]
async fn nothing_new_is_sold_when_the_views_are_too_far_behind() {
    // A tail of nothing is always full.
    let stage = Stage::with(Options { tail_limit: 0, ..quick() }).await;
    stage.open(2).await;
    assert_eq!(stage.book(1).await.unwrap_err(), SubmitError::ProjectionBehind);
}

#[tokio::test]
async fn views_that_were_lost_are_built_again_at_the_start() {
    let stage = Stage::new().await;
    stage.open(500).await;
    for who in 1..=60 {
        stage.book(who).await.unwrap();
    }
    cancel(&stage, 7).await;
    let now = actors::Clock::now(&*stage.clock).millis();
    let whole = stage.store.clone();
    stage.system.stop(tokio::time::Instant::now() + std::time::Duration::from_secs(5)).await;
    // A tail that holds far less than what has to be built again.
    let options = Options { tail_limit: 10, projector_batch: 4, ..quick() };
    let stores = Stores { views: MemoryStore::new(1).stores().views, ..whole.stores() };
    let stage = Stage::on_stores(whole, stores, now, options).await;
    eventually("the views have all", async || stage.system.projection_lag() == 0).await;
    let outbox = stage.store.stores().outbox.last(PartitionId(0)).await.unwrap();
    assert_eq!(stage.stores.views.cursor(PartitionId(0)).await.unwrap(), outbox);
    assert_eq!(listed(&stage, 60).await, [BookingStatus::Confirmed]);
    assert_eq!(listed(&stage, 7).await, [BookingStatus::Cancelled]);
}

/// Pages by status are the whole list without the others, whatever of it is in the views
/// and whatever in the tail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_by_status_agree_with_the_whole_list() {
    let stage = Stage::new().await;
    stage.open(8).await;
    let views = stage.system.fresh_views();
    let everything = PageRequest { limit: 1_000, ..page() };
    for round in 0..40 {
        stage.clock.advance(std::time::Duration::from_millis(1));
        for who in 1..=4 {
            stage.book(4 * round + who).await.unwrap();
        }
        if round % 3 == 0 {
            cancel(&stage, 2 * round + 1).await;
        }
        if round % 8 == 0 {
            eventually("the views have all", async || stage.system.projection_lag() == 0).await;
        }
        let all = views.of_event(EVENT, everything).await.unwrap();
        for status in
            [BookingStatus::Confirmed, BookingStatus::Waitlisted, BookingStatus::Cancelled]
        {
            let mut paged = Vec::new();
            let mut after = None;
            loop {
                let request = PageRequest { after, status: Some(status), limit: 3 };
                let rows = views.of_event(EVENT, request).await.unwrap();
                let Some(last) = rows.last() else { break };
                after = Some(PageStart { made_at: last.made_at, id: last.id });
                paged.extend(rows);
            }
            let expected: Vec<_> = all.iter().filter(|row| row.status == status).copied().collect();
            assert_eq!(paged, expected, "{status:?} in round {round}");
        }
    }
}
