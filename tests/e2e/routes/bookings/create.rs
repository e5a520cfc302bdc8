//! `POST /bookings`

use harness::client::Ask;
use harness::events::description;
use harness::people::Person;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stage::{
    Stage, booking, granted, is_utc, is_uuid_v7, new_id, problem, text, wrong_field,
};

fn book(person: &Person, body: &Value) -> Ask {
    Ask::post("/bookings").token(&person.token).json(body)
}

async fn event_with(stage: &mut Stage, field: &str, value: Value) -> Uuid {
    let organizer = stage.person();
    let mut body = description("With terms", 4);
    body[field] = value;
    let ask = Ask::post("/events").token(&organizer.token).json(&body);
    text(&granted(stage.ask(ask).await, 201), "id").parse().unwrap()
}

#[tokio::test]
async fn a_free_place_is_booked() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(2).await;
    let person = stage.person();
    let body = granted(stage.book(&person, event).await, 201);
    assert!(is_uuid_v7(&text(&body, "id")), "{body}");
    assert_eq!(body["booking_id"], body["id"]);
    assert_eq!(body["event_id"], event.to_string());
    assert_eq!(body["user_id"], person.id.to_string());
    assert_eq!((&body["status"], &body["quantity"]), (&json!("confirmed"), &json!(1)));
    assert!(is_utc(&body["created_at"]) && body["created_at"] == body["updated_at"], "{body}");
    assert!(body["seq"].as_u64().is_some_and(|seq| seq > 0), "{body}");
    assert!(body.get("waitlist_position").is_none(), "{body}");
    assert_eq!(stage.counts(event).await["booked"], 1);
}

#[tokio::test]
async fn who_comes_too_late_waits_in_order() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    stage.booked(event).await;
    let mut last = 0;
    for position in 1..=3 {
        let person = stage.person();
        let body = granted(stage.book(&person, event).await, 201);
        assert_eq!(
            (&body["status"], &body["waitlist_position"]),
            (&json!("waitlisted"), &json!(position))
        );
        assert!(body["seq"].as_u64().unwrap() > last);
        last = body["seq"].as_u64().unwrap();
    }
}

#[tokio::test]
async fn a_second_booking_is_refused_and_shows_the_first() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    for status in ["confirmed", "waitlisted"] {
        let (person, id) = stage.booked(event).await;
        let body = problem(stage.book(&person, event).await, 409, "already_booked");
        let existing = &body["booking"];
        assert_eq!((&existing["id"], &existing["status"]), (&json!(id), &json!(status)));
        assert_eq!((&existing["booking_id"], &existing["quantity"]), (&json!(id), &json!(1)));
    }
    assert_eq!(stage.counts(event).await["waitlist_entries"], 1);
}

#[tokio::test]
async fn who_has_cancelled_may_book_again() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    let (person, id) = stage.booked(event).await;
    granted(stage.ask(Ask::delete(format!("/bookings/{id}")).token(&person.token)).await, 200);
    let again = granted(stage.book(&person, event).await, 201);
    assert_eq!(again["status"], "confirmed");
    assert_ne!(again["id"], id);
}

#[tokio::test]
async fn who_does_not_want_to_wait_is_told() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    stage.booked(event).await;
    let person = stage.person();
    let body = json!({ "event_id": event.to_string(), "join_waitlist": false });
    let refused = problem(stage.ask(book(&person, &body)).await, 409, "sold_out");
    assert_eq!(refused["available"], 0);
    assert_eq!(stage.counts(event).await["waitlist_entries"], 0);
}

#[tokio::test]
async fn without_a_waitlist_nobody_waits() {
    let mut stage = Stage::new().await;
    let event = event_with(&mut stage, "waitlist", json!(false)).await;
    for _ in 0..4 {
        stage.booked(event).await;
    }
    let person = stage.person();
    problem(stage.book(&person, event).await, 409, "sold_out");
}

#[tokio::test]
async fn several_places_are_given_whole_or_waited_for_whole() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(3).await;
    let several = |quantity: u32| json!({ "event_id": event.to_string(), "quantity": quantity });
    let (one, two) = (stage.person(), stage.person());
    let first = granted(stage.ask(book(&one, &several(2))).await, 201);
    assert_eq!((&first["status"], &first["quantity"]), (&json!("confirmed"), &json!(2)));
    let second = granted(stage.ask(book(&two, &several(2))).await, 201);
    assert_eq!((&second["status"], &second["quantity"]), (&json!("waitlisted"), &json!(2)));
    let three = stage.person();
    let too_many = problem(stage.ask(book(&three, &several(4))).await, 409, "exceeds_capacity");
    assert_eq!(too_many["capacity"], 3);
}

#[tokio::test]
async fn one_booking_has_a_greatest_size() {
    let mut stage = Stage::new().await;
    let event = event_with(&mut stage, "max_per_booking", json!(2)).await;
    let person = stage.person();
    let body = |quantity: u32| json!({ "event_id": event.to_string(), "quantity": quantity });
    problem(stage.ask(book(&person, &body(3))).await, 409, "too_many_seats");
    granted(stage.ask(book(&person, &body(2))).await, 201);
}

#[tokio::test]
async fn sales_end_when_the_terms_say_so() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(2).await;
    let closing = json!({ "booking_closes_at": "2021-01-01T00:00:00Z", "booking_opens_at": "2020-01-01T00:00:00Z" });
    let ask = Ask::patch(format!("/events/{event}")).token(&organizer.token).json(&closing);
    assert_eq!(granted(stage.ask(ask).await, 200)["status"], "closed");
    let person = stage.person();
    problem(stage.book(&person, event).await, 409, "sales_closed");
}

#[tokio::test]
async fn what_is_not_there_cannot_be_booked() {
    let mut stage = Stage::new().await;
    let person = stage.person();
    problem(stage.book(&person, new_id()).await, 404, "not_found");
}

#[tokio::test]
async fn what_is_wrong_is_named_and_books_nothing() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(2).await;
    let person = stage.person();
    for (field, value) in [
        ("event_id", json!(null)),
        ("event_id", json!("17")),
        ("event_id", json!(17)),
        ("quantity", json!(0)),
        ("quantity", json!(-1)),
        ("quantity", json!(1.5)),
        ("quantity", json!("two")),
        ("quantity", json!(4_294_967_297_u64)),
        ("join_waitlist", json!("yes")),
        ("user_id", json!(new_id().to_string())),
        ("status", json!("confirmed")),
        ("seats", json!(1)),
    ] {
        let mut body = json!({ "event_id": event.to_string() });
        body[field] = value;
        wrong_field(stage.ask(book(&person, &body)).await, field);
    }
    let send = |kind: &'static str, body: &'static str| {
        Ask::post("/bookings").token(&person.token).body(kind, body)
    };
    problem(stage.ask(send("application/json", "{\"event_id\":")).await, 400, "invalid_json");
    problem(stage.ask(send("application/json", "7")).await, 422, "validation_failed");
    problem(stage.ask(send("text/plain", "{}")).await, 415, "unsupported_media_type");
    assert_eq!(stage.counts(event).await["booked"], 0);
    assert_eq!(granted(stage.ask(booking(&person, event)).await, 201)["status"], "confirmed");
}
