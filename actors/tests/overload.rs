//! Every queue has a bound, and who is refused is told at once.

use actors::{Crowd, Options, SubmitError};

use crate::support::{EVENT, Stage, book, quick, user};

async fn crowded(
    options: Options,
    callers: u32,
) -> (Stage, Vec<Result<actors::Receipt, SubmitError>>) {
    let stage = Stage::with(options).await;
    stage.open(100).await;
    let faults = stage.store.faults();
    faults.hold_commits();
    let mut waiting = Vec::new();
    for who in 1..=callers {
        let (office, request) = (stage.office(), stage.request(user(who), book()));
        waiting.push(tokio::spawn(async move { office.submit(EVENT, request).await }));
        // In turn: who comes later finds the earlier one's permit taken.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    faults.held(1).await;
    faults.release_commits();
    let mut outcomes = Vec::new();
    for caller in waiting {
        outcomes.push(caller.await.unwrap());
    }
    (stage, outcomes)
}

#[tokio::test]
async fn an_event_takes_so_many_at_a_time_and_then_more() {
    let (stage, outcomes) = crowded(Options { in_flight_per_event: 3, ..quick() }, 5).await;
    assert!(outcomes[..3].iter().all(Result::is_ok), "{outcomes:?}");
    for refused in &outcomes[3..] {
        assert_eq!(*refused, Err(SubmitError::Overloaded(Crowd::Event)));
    }
    stage.book(9).await.expect("the permits are back");
}

#[tokio::test]
async fn a_process_takes_so_many_at_a_time_and_then_more() {
    let (stage, outcomes) = crowded(Options { in_flight: 2, ..quick() }, 3).await;
    assert_eq!(outcomes[2], Err(SubmitError::Overloaded(Crowd::Replica)));
    stage.book(9).await.expect("the permits are back");
}

#[tokio::test]
async fn a_principal_has_so_many_at_a_time() {
    let stage = Stage::with(Options { in_flight_per_principal: 1, ..quick() }).await;
    stage.open(100).await;
    let faults = stage.store.faults();
    faults.hold_commits();
    let (office, request) = (stage.office(), stage.request(user(1), book()));
    let first = tokio::spawn(async move { office.submit(EVENT, request).await });
    faults.held(1).await;
    assert_eq!(stage.book(1).await.unwrap_err(), SubmitError::Overloaded(Crowd::Principal));
    faults.release_commits();
    first.await.unwrap().unwrap();
    assert!(matches!(stage.book(1).await, Err(SubmitError::Refused(_))), "let in again");
}
