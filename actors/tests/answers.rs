//! Answers wait for their batch; what a store's silence or refusal means.

use std::time::Duration;

use actors::SubmitError;
use engine::{BookingStatus, Rejection, Seq};
use storage::{Batch, BatchId, Claim, CommitOutcome, Head, PartitionId, chain, record};
use tokio::time::Instant;

use crate::support::{EVENT, Stage, book, booking, user};

#[tokio::test]
async fn a_place_is_sold_once_and_the_next_person_waits() {
    let stage = Stage::new().await;
    stage.open(1).await;
    assert_eq!(stage.book(1).await.unwrap().booking.status, BookingStatus::Confirmed);
    let second = stage.book(2).await.unwrap();
    assert_eq!(second.booking.status, BookingStatus::Waitlisted);
    assert_eq!(second.waitlist_position, Some(1));
    let header = stage.office().headers(vec![EVENT]).await.unwrap()[0].unwrap();
    assert_eq!((header.summary.counts.booked, header.summary.counts.waitlist_entries), (1, 1));
}

#[tokio::test]
async fn nothing_is_answered_before_it_is_durable() {
    let stage = Stage::new().await;
    stage.open(1).await;
    let faults = stage.store.faults();
    faults.hold_commits();
    let office = stage.office();
    let request = stage.request(user(1), book());
    let accepted = tokio::spawn(async move { office.submit(EVENT, request).await });
    faults.held(1).await;
    // Refusals and questions depend on what is in flight, so they wait as well.
    let office = stage.office();
    let request = stage.request(user(1), book());
    let refused = tokio::spawn(async move { office.submit(EVENT, request).await });
    let office = stage.office();
    let asked = tokio::spawn(async move {
        office.booking_of(EVENT, user(1), Instant::now() + Duration::from_secs(5)).await
    });
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert!(!accepted.is_finished() && !refused.is_finished() && !asked.is_finished());
    faults.release_commits();
    let confirmed = booking(&accepted.await.unwrap().unwrap());
    assert_eq!(confirmed.booking.status, BookingStatus::Confirmed);
    assert!(matches!(
        refused.await.unwrap(),
        Err(SubmitError::Refused(Rejection::AlreadyBooked { .. }))
    ));
    assert_eq!(asked.await.unwrap().unwrap(), Some(confirmed));
}

#[tokio::test]
async fn while_one_batch_is_in_flight_the_next_one_fills() {
    let stage = Stage::new().await;
    stage.open(100).await;
    let faults = stage.store.faults();
    let before = faults.commits();
    faults.hold_commits();
    let mut callers = Vec::new();
    for who in 1..=50 {
        let (office, request) = (stage.office(), stage.request(user(who), book()));
        callers.push(tokio::spawn(async move { office.submit(EVENT, request).await }));
    }
    faults.held(1).await;
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    faults.release_commits();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    let commits = faults.commits() - before;
    assert!(commits <= 3, "fifty bookings took {commits} commits");
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_and_has_one_effect() {
    let stage = Stage::new().await;
    stage.open(5).await;
    stage.store.faults().lose_answers(1);
    let booked = stage.book(1).await.unwrap();
    assert_eq!(booked.booking.seq, Seq(2));
    stage.store.faults().lose_commits(1);
    assert_eq!(stage.book(2).await.unwrap().booking.seq, Seq(3));
    let header = stage.office().headers(vec![EVENT]).await.unwrap()[0].unwrap();
    assert_eq!(header.summary.counts.booked, 2);
    assert_eq!(header.head.seq, Seq(3));
}

#[tokio::test]
async fn a_store_that_stays_silent_makes_the_outcome_unknown_and_the_key_tells_later() {
    let stage = Stage::new().await;
    stage.open(5).await;
    // The first attempt lands, then nothing answers for longer than the caller waits.
    stage.store.faults().lose_answers(1);
    stage.store.faults().hold_commits();
    let mut request = stage.request(user(1), book());
    request.deadline = Instant::now() + Duration::from_millis(500);
    let (office, copy) = (stage.office(), request.clone());
    let caller = tokio::spawn(async move { office.submit(EVENT, copy).await });
    stage.store.faults().held(1).await;
    assert_eq!(caller.await.unwrap(), Err(SubmitError::Unknown));
    stage.store.faults().release_commits();
    request.deadline = Instant::now() + Duration::from_secs(5);
    let told = stage.office().submit(EVENT, request).await.unwrap();
    assert_eq!(booking(&told).booking.status, BookingStatus::Confirmed);
    let header = stage.office().headers(vec![EVENT]).await.unwrap()[0].unwrap();
    assert_eq!(header.summary.counts.booked, 1, "one key, one effect");
}

/// Every repeat by the same key meets the same silence. Whatever the last attempt looks
/// like, an earlier one may have landed.
#[tokio::test]
async fn an_unknown_outcome_is_never_turned_into_a_certain_no() {
    let stage = Stage::new().await;
    stage.open(5).await;
    stage.store.faults().lose_commits(1_000_000);
    let mut callers = Vec::new();
    for who in 1..=3 {
        let (office, mut request) = (stage.office(), stage.request(user(who), book()));
        request.deadline = Instant::now() + Duration::from_millis(1_200);
        callers.push(tokio::spawn(async move { office.submit(EVENT, request).await }));
    }
    for caller in callers {
        assert_eq!(caller.await.unwrap(), Err(SubmitError::Unknown));
    }
}

#[tokio::test]
async fn a_full_store_is_told_and_changes_nothing() {
    let stage = Stage::new().await;
    stage.open(5).await;
    stage.store.faults().fill_up(1);
    assert!(matches!(stage.book(1).await, Err(SubmitError::Unavailable(_))));
    assert_eq!(stage.status(1).await, None);
    assert_eq!(stage.book(1).await.unwrap().booking.seq, Seq(2), "the state was untouched");
}

#[tokio::test]
async fn what_is_staged_behind_a_failed_batch_is_dropped() {
    let stage = Stage::new().await;
    stage.open(5).await;
    let faults = stage.store.faults();
    faults.hold_commits();
    faults.refuse_commits(1);
    let mut callers = Vec::new();
    for who in 1..=3 {
        let (office, request) = (stage.office(), stage.request(user(who), book()));
        callers.push(tokio::spawn(async move { office.submit(EVENT, request).await }));
        faults.held(1).await;
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
    faults.release_commits();
    for caller in callers {
        assert!(matches!(caller.await.unwrap(), Err(SubmitError::Unavailable(_))));
    }
    for who in 1..=3 {
        assert_eq!(stage.status(who).await, None, "nobody has what nobody was promised");
    }
}

#[tokio::test]
async fn a_fenced_owner_answers_nothing_any_more() {
    let stage = Stage::new().await;
    stage.open(5).await;
    let commit = stage.store.stores().commit;
    let epoch = commit.epoch(PartitionId(0)).await.unwrap();
    assert!(matches!(
        commit.claim(PartitionId(0), "other", epoch, true).await.unwrap(),
        Claim::Won(_)
    ));
    assert!(matches!(stage.book(1).await, Err(SubmitError::Unavailable(_))));
    assert!(matches!(stage.book(2).await, Err(SubmitError::Unavailable(_))));
    let deadline = Instant::now() + Duration::from_secs(2);
    let read = stage.office().booking_of(EVENT, user(1), deadline).await;
    assert!(matches!(read, Err(SubmitError::Unavailable(_))), "reads are fenced as well: {read:?}");
    let header = commit.headers(vec![EVENT]).await.unwrap()[0].unwrap();
    assert_eq!(header.summary.counts.booked, 0, "nothing was written");
}

/// A late copy of another batch lands behind the actor's back, under the same epoch.
#[tokio::test]
async fn a_history_that_stands_elsewhere_is_loaded_again() {
    let stage = Stage::new().await;
    stage.open(5).await;
    stage.book(1).await.unwrap();
    let stores = stage.store.stores();
    let header = stores.commit.headers(vec![EVENT]).await.unwrap()[0].unwrap();
    let mut summary = header.summary;
    summary.counts.booked += 1;
    let entry = engine::Entry {
        at: header.at,
        answered: None,
        events: vec![engine::BookingEvent::BookingConfirmed {
            user: user(77),
            quantity: engine::Seats::ONE,
            hold: None,
        }],
    };
    let first = Seq(header.head.seq.0 + 1);
    let blob = record::encode(first, &[entry]);
    let batch = Batch {
        epoch: stores.commit.epoch(PartitionId(0)).await.unwrap(),
        event: EVENT,
        id: BatchId([9; 16]),
        base: header.head,
        next: Head { seq: first, chain: chain::next(header.head.chain, &blob) },
        summary,
        at: header.at,
        blob,
    };
    assert!(matches!(stores.commit.commit(batch).await.unwrap(), CommitOutcome::Applied(_)));
    // The read notices first: it is not answered from the old memory, but by a successor.
    let deadline = Instant::now() + Duration::from_secs(2);
    let read = stage.office().booking_of(EVENT, user(77), deadline).await;
    assert!(matches!(read, Ok(Some(_))), "{read:?}");
    assert_eq!(stage.status(77).await, Some(BookingStatus::Confirmed));
    assert_eq!(stage.book(2).await.unwrap().booking.seq, Seq(first.0 + 1));
    let rows =
        stage.system.fresh_views().of_user(user(2), crate::projection::page()).await.unwrap();
    assert_eq!(rows.len(), 1, "lists go on in the order of the outbox");
}
