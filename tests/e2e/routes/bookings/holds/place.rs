//! `POST /bookings/holds`

use harness::client::Ask;
use serde_json::{Value, json};

use super::{held, hold};
use crate::stage::{Stage, granted, is_utc, is_uuid_v7, new_id, problem, text, wrong_field};

#[tokio::test]
async fn places_are_set_aside() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(5).await;
    let person = stage.person();
    let details = json!({ "seats": ["B2", "B1"], "meal": { "kind": "vegan" }, "note": "é" });
    let wish = json!({ "event_id": event.to_string(), "quantity": 2, "details": details });
    let ask = Ask::post("/bookings/holds").token(&person.token).json(&wish);
    let body = granted(stage.ask(ask).await, 201);
    assert!(is_uuid_v7(&text(&body, "hold_id")), "{body}");
    assert_eq!(body["id"], body["hold_id"]);
    assert_eq!(body["event_id"], json!(event.to_string()));
    assert_eq!(body["user_id"], json!(person.id.to_string()));
    assert_eq!((&body["quantity"], &body["status"]), (&json!(2), &json!("held")));
    assert_eq!(body["details"], details);
    assert!(is_utc(&body["expires_at"]) && is_utc(&body["created_at"]), "{body}");
    assert!(text(&body, "expires_at") > text(&body, "created_at"));
    assert!(body["seq"].as_u64().is_some_and(|seq| seq > 0), "{body}");
    let counts = stage.counts(event).await;
    assert_eq!((&counts["held"], &counts["available"]), (&json!(2), &json!(3)));

    // One place and no details when nothing is said of them.
    let other = stage.person();
    let wish = json!({ "event_id": event.to_string() });
    let ask = Ask::post("/bookings/holds").token(&other.token).json(&wish);
    let body = granted(stage.ask(ask).await, 201);
    assert_eq!((&body["quantity"], &body["details"]), (&json!(1), &json!({})));
}

#[tokio::test]
async fn a_person_has_one_hold_or_booking_per_event() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(5).await;
    let (holder, id) = held(&mut stage, event).await;
    let body = problem(stage.ask(hold(&holder, event)).await, 409, "has_hold");
    assert_eq!((&body["hold_id"], &body["quantity"]), (&json!(id), &json!(1)));
    assert!(is_utc(&body["expires_at"]), "{body}");
    let (booker, booking) = stage.booked(event).await;
    let body = problem(stage.ask(hold(&booker, event)).await, 409, "already_booked");
    assert_eq!(body["booking"]["id"], json!(booking));
    // Booking as many as are held confirms the hold, another number doesn't.
    let wish = |quantity| json!({ "event_id": event.to_string(), "quantity": quantity });
    let ask = Ask::post("/bookings").token(&holder.token);
    problem(stage.ask(ask.clone().json(&wish(2))).await, 409, "has_hold");
    granted(stage.ask(ask.json(&wish(1))).await, 201);
    assert_eq!(stage.counts(event).await["held"], 0);
}

#[tokio::test]
async fn holds_do_not_wait() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    held(&mut stage, event).await;
    let late = stage.person();
    let body = problem(stage.ask(hold(&late, event)).await, 409, "sold_out");
    assert_eq!((&body["available"], &body["waitlist_entries"]), (&json!(0), &json!(0)));
    granted(stage.book(&late, event).await, 201);
    let later = stage.person();
    let body = problem(stage.ask(hold(&later, event)).await, 409, "sold_out");
    assert_eq!(body["waitlist_entries"], 1);
}

#[tokio::test]
async fn what_cannot_be_a_hold_is_refused() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(2).await;
    let person = stage.person();
    let id = event.to_string();
    let ask = Ask::post("/bookings/holds").token(&person.token);
    let long = "x".repeat(16 * 1024);
    let wrong: [(Value, &str); 7] = [
        (json!({}), "event_id"),
        (json!({ "event_id": "17" }), "event_id"),
        (json!({ "event_id": id, "quantity": 0 }), "quantity"),
        (json!({ "event_id": id, "quantity": 1.5 }), "quantity"),
        (json!({ "event_id": id, "details": [1] }), "details"),
        (json!({ "event_id": id, "details": { "long": long } }), "details"),
        (json!({ "event_id": id, "seats": ["A1"] }), "seats"),
    ];
    for (body, field) in wrong {
        wrong_field(stage.ask(ask.clone().json(&body)).await, field);
    }
    let broken = ask.clone().body("application/json", "{\"event_id\":");
    problem(stage.ask(broken).await, 400, "invalid_json");
    let huge = json!({ "event_id": id, "details": { "long": "x".repeat(70 * 1024) } });
    problem(stage.ask(ask.clone().json(&huge)).await, 413, "payload_too_large");
    let text = ask.clone().body("text/plain", "{}");
    problem(stage.ask(text).await, 415, "unsupported_media_type");
    let nobody = Ask::post("/bookings/holds").json(&json!({ "event_id": id }));
    problem(stage.ask(nobody).await, 401, "unauthorized");
    let unknown = json!({ "event_id": new_id().to_string() });
    problem(stage.ask(ask.clone().json(&unknown)).await, 404, "not_found");
    let many = json!({ "event_id": id, "quantity": 3 });
    problem(stage.ask(ask.json(&many)).await, 409, "exceeds_capacity");
    assert_eq!(stage.counts(event).await["held"], 0, "nothing was changed");
    let listed = Ask::get("/bookings/holds").token(&person.token);
    problem(stage.ask(listed).await, 405, "method_not_allowed");
}
