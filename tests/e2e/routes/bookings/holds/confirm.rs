//! `POST /bookings` with a `hold_id`

use harness::client::Ask;
use serde_json::json;

use super::{confirm, held, release};
use crate::stage::{Stage, granted, new_id, problem, wrong_field};

#[tokio::test]
async fn a_hold_becomes_a_booking_of_its_places() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(3).await;
    let person = stage.person();
    let wish = json!({ "event_id": event.to_string(), "quantity": 2 });
    let ask = Ask::post("/bookings/holds").token(&person.token).json(&wish);
    let id = crate::stage::text(&granted(stage.ask(ask).await, 201), "id");
    let body = granted(stage.ask(confirm(&person, &id)).await, 201);
    assert_eq!((&body["status"], &body["quantity"]), (&json!("confirmed"), &json!(2)));
    let counts = stage.counts(event).await;
    assert_eq!((&counts["booked"], &counts["held"]), (&json!(2), &json!(0)));
    let again = problem(stage.ask(confirm(&person, &id)).await, 409, "already_booked");
    assert_eq!(again["booking"]["id"], body["id"]);
}

#[tokio::test]
async fn who_waits_does_not_get_what_is_held() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    let (holder, id) = held(&mut stage, event).await;
    let (_, _) = stage.booked(event).await;
    let body = granted(stage.ask(confirm(&holder, &id)).await, 201);
    assert_eq!(body["status"], "confirmed");
    let counts = stage.counts(event).await;
    assert_eq!((&counts["booked"], &counts["waitlist_entries"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn what_cannot_be_confirmed_is_refused() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(2).await;
    let (person, id) = held(&mut stage, event).await;
    for other in [organizer, stage.person(), stage.admin()] {
        problem(stage.ask(confirm(&other, &id)).await, 404, "not_found");
    }
    problem(stage.ask(confirm(&person, &new_id().to_string())).await, 404, "not_found");
    wrong_field(stage.ask(confirm(&person, "17")).await, "hold_id");
    granted(stage.ask(release(&person, &id)).await, 200);
    problem(stage.ask(confirm(&person, &id)).await, 409, "hold_expired");
    assert_eq!(stage.counts(event).await["booked"], 0);
}
