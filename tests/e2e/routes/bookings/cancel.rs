//! `DELETE /bookings/{id}`

use harness::client::Ask;
use harness::people::Person;
use serde_json::json;

use crate::stage::{Stage, granted, new_id, problem};

fn cancel(person: &Person, id: &str) -> Ask {
    Ask::delete(format!("/bookings/{id}")).token(&person.token)
}

#[tokio::test]
async fn places_go_to_the_queue_in_the_same_step() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    let (holder, id) = stage.booked(event).await;
    let (next, next_id) = stage.booked(event).await;
    let body = granted(stage.ask(cancel(&holder, &id)).await, 200);
    assert_eq!((&body["id"], &body["status"]), (&json!(id), &json!("cancelled")));
    let row = Ask::get(format!("/bookings/{next_id}")).token(&next.token);
    assert_eq!(granted(stage.ask(row).await, 200)["status"], "confirmed");
    let counts = stage.counts(event).await;
    assert_eq!((&counts["booked"], &counts["waitlist_entries"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn cancelling_again_changes_nothing() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    let (holder, id) = stage.booked(event).await;
    let first = granted(stage.ask(cancel(&holder, &id)).await, 200);
    let seq = stage.counts(event).await["as_of_seq"].clone();
    for _ in 0..2 {
        let again = granted(stage.ask(cancel(&holder, &id)).await, 200);
        assert_eq!(again, first);
    }
    assert_eq!(stage.counts(event).await["as_of_seq"], seq);
    let row = Ask::get(format!("/bookings/{id}")).token(&holder.token);
    let row = granted(stage.ask(row).await, 200);
    assert_eq!(row["status"], "cancelled");
    assert!(row.get("ticket_code").is_none(), "{row}");
}

#[tokio::test]
async fn who_waits_leaves_the_queue() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    stage.booked(event).await;
    let (first, first_id) = stage.booked(event).await;
    let (second, second_id) = stage.booked(event).await;
    let body = granted(stage.ask(cancel(&first, &first_id)).await, 200);
    assert_eq!(body["status"], "cancelled");
    let row = Ask::get(format!("/bookings/{second_id}")).token(&second.token);
    assert_eq!(granted(stage.ask(row).await, 200)["waitlist_position"], 1);
    assert_eq!(stage.counts(event).await["booked"], 1);
}

#[tokio::test]
async fn a_foreign_booking_is_not_there() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(1).await;
    let (owner, id) = stage.booked(event).await;
    for person in [organizer, stage.person()] {
        problem(stage.ask(cancel(&person, &id)).await, 404, "not_found");
    }
    assert_eq!(stage.counts(event).await["booked"], 1);
    // An admin may, for others.
    let admin = stage.admin();
    granted(stage.ask(cancel(&admin, &id)).await, 200);
    let row = Ask::get(format!("/bookings/{id}")).token(&owner.token);
    assert_eq!(granted(stage.ask(row).await, 200)["status"], "cancelled");
    // Nor is it after it was cancelled.
    let stranger = stage.person();
    problem(stage.ask(cancel(&stranger, &id)).await, 404, "not_found");
}

#[tokio::test]
async fn what_is_no_booking_is_not_there() {
    let mut stage = Stage::new().await;
    let person = stage.person();
    for id in ["17".to_owned(), new_id().to_string()] {
        problem(stage.ask(cancel(&person, &id)).await, 404, "not_found");
    }
}
