//! `DELETE /bookings/holds/{id}`

use harness::client::Ask;
use serde_json::json;

use super::{confirm, held, release};
use crate::stage::{Stage, granted, new_id, problem};

#[tokio::test]
async fn places_go_to_the_queue_in_the_same_step_and_again_changes_nothing() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    let (holder, id) = held(&mut stage, event).await;
    let (next, booking) = stage.booked(event).await;
    let first = stage.ask(release(&holder, &id)).await;
    let body = granted(first.clone(), 200);
    assert_eq!((&body["id"], &body["status"]), (&json!(id), &json!("released")));
    assert_eq!(body["details"], json!({ "seats": ["B2"], "n": 1 }));
    let row = Ask::get(format!("/bookings/{booking}")).token(&next.token);
    assert_eq!(granted(stage.ask(row).await, 200)["status"], "confirmed");
    let seq = stage.counts(event).await["as_of_seq"].clone();
    for _ in 0..2 {
        let again = stage.ask(release(&holder, &id)).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
    }
    assert_eq!(stage.counts(event).await["as_of_seq"], seq);
}

#[tokio::test]
async fn what_became_a_booking_is_cancelled_as_one() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    let (holder, id) = held(&mut stage, event).await;
    let booking = granted(stage.ask(confirm(&holder, &id)).await, 201);
    let body = problem(stage.ask(release(&holder, &id)).await, 409, "already_booked");
    assert_eq!(body["booking"]["id"], booking["id"]);
    assert_eq!(stage.counts(event).await["booked"], 1);
}

#[tokio::test]
async fn anothers_hold_is_not_there() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(1).await;
    let (person, id) = held(&mut stage, event).await;
    for other in [organizer, stage.person(), stage.admin()] {
        problem(stage.ask(release(&other, &id)).await, 404, "not_found");
    }
    for id in ["17".to_owned(), new_id().to_string()] {
        problem(stage.ask(release(&person, &id)).await, 404, "not_found");
    }
    problem(stage.ask(Ask::delete(format!("/bookings/holds/{id}"))).await, 401, "unauthorized");
    assert_eq!(stage.counts(event).await["held"], 1);
}
