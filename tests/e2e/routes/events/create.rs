//! `POST /events`, and the event's page.

use harness::client::Ask;
use harness::events::description;
use harness::people::Person;
use serde_json::{Value, json};

use crate::stage::{Stage, granted, is_utc, is_uuid_v7, problem, text, wrong_field};

fn create(person: &Person, body: &Value) -> Ask {
    Ask::post("/events").token(&person.token).json(body)
}

#[tokio::test]
async fn a_new_event_is_shown_as_it_was_described() {
    let mut stage = Stage::new().await;
    let person = stage.person();
    let answer = stage.ask(create(&person, &description("A concert", 40))).await;
    assert_eq!(answer.header("etag"), "\"1\"");
    let event = granted(answer, 201);
    let id = text(&event, "id");
    assert!(is_uuid_v7(&id), "{event}");
    for (field, value) in [
        ("title", json!("A concert")),
        ("name", json!("A concert")),
        ("description", json!("Made by a test.")),
        ("start_time", json!("2099-06-01T18:00:00.000Z")),
        ("end_time", json!("2099-06-01T22:00:00.000Z")),
        ("location", json!("Testhausen")),
        ("capacity", json!(40)),
        ("available", json!(40)),
        ("booked", json!(0)),
        ("held", json!(0)),
        ("waitlisted", json!(0)),
        ("price", json!(12.5)),
        ("booking_closes_at", json!("2099-06-01T18:00:00.000Z")),
        ("waitlist", json!(true)),
        ("max_per_booking", json!(10)),
        ("organizer_id", json!(person.id.to_string())),
        ("is_active", json!(true)),
        ("status", json!("open")),
        ("version", json!(1)),
    ] {
        assert_eq!(event[field], value, "{field}: {event}");
    }
    for field in ["created_at", "updated_at", "booking_opens_at"] {
        assert!(is_utc(&event[field]), "{field}: {event}");
    }
    assert!(event.get("timezone").is_some(), "{event}");

    let answer = stage.ask(Ask::get(format!("/events/{id}"))).await;
    assert_eq!(answer.header("etag"), "\"1\"");
    assert_eq!(granted(answer, 200), event);
}

#[tokio::test]
async fn times_without_offset_are_read_in_the_events_zone() {
    let mut stage = Stage::new().await;
    let person = stage.person();
    let mut body = description("In summer", 4);
    body["timezone"] = json!("Europe/Berlin");
    body["start_time"] = json!("2099-06-01T18:00:00");
    body["end_time"] = json!("2099-06-01T22:00:00+03:00");
    body["booking_closes_at"] = json!("2099-06-01T12:00:00");
    let event = granted(stage.ask(create(&person, &body)).await, 201);
    assert_eq!(event["timezone"], "Europe/Berlin");
    assert_eq!(event["start_time"], "2099-06-01T16:00:00.000Z");
    assert_eq!(event["end_time"], "2099-06-01T19:00:00.000Z");
    assert_eq!(event["booking_closes_at"], "2099-06-01T10:00:00.000Z");

    body.as_object_mut().unwrap().remove("timezone");
    let event = granted(stage.ask(create(&person, &body)).await, 201);
    assert_eq!(event["start_time"], "2099-06-01T18:00:00.000Z");
}

#[tokio::test]
async fn name_is_another_word_for_title() {
    let mut stage = Stage::new().await;
    let person = stage.person();
    let mut body = description("", 4);
    body.as_object_mut().unwrap().remove("title");
    body["name"] = json!("By name");
    let event = granted(stage.ask(create(&person, &body)).await, 201);
    assert_eq!((&event["title"], &event["name"]), (&json!("By name"), &json!("By name")));
}

#[tokio::test]
async fn the_optional_fields_count() {
    let mut stage = Stage::new().await;
    let person = stage.person();
    let mut body = description("Later, alone, no queue", 1);
    body["booking_opens_at"] = json!("2099-01-01T00:00:00Z");
    body["booking_closes_at"] = json!("2099-06-01T20:00:00Z");
    body["price"] = json!(0);
    let event = granted(stage.ask(create(&person, &body)).await, 201);
    assert_eq!(event["status"], "not_yet_open");
    assert_eq!(event["booking_opens_at"], "2099-01-01T00:00:00.000Z");
    assert_eq!(event["booking_closes_at"], "2099-06-01T20:00:00.000Z");
    assert_eq!(event["price"].as_f64(), Some(0.0));
    let id = text(&event, "id").parse().unwrap();
    problem(stage.book(&person, id).await, 409, "not_yet_open");
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let mut stage = Stage::new().await;
    let person = stage.person();
    for (field, value) in [
        ("title", json!(null)),
        ("title", json!("")),
        ("title", json!(7)),
        ("location", json!(null)),
        ("start_time", json!(null)),
        ("start_time", json!("tomorrow")),
        ("end_time", json!("2001-01-01T00:00:00Z")),
        ("end_time", json!("2099-06-01T18:00:00Z")),
        ("capacity", json!(0)),
        ("capacity", json!(-1)),
        ("capacity", json!(1.5)),
        ("capacity", json!("many")),
        ("capacity", json!(1_000_001)),
        ("capacity", json!(null)),
        ("price", json!(-0.01)),
        ("price", json!(1.234)),
        ("price", json!("free")),
        ("timezone", json!("Europe/Atlantis")),
        ("booking_closes_at", json!("2099-06-02T00:00:00Z")),
        ("waitlist", json!("yes")),
        ("max_per_booking", json!(0)),
        ("organizer_id", json!(person.id.to_string())),
        ("colour", json!("red")),
    ] {
        let mut body = description("Wrong", 4);
        body[field] = value.clone();
        let answer = stage.ask(create(&person, &body)).await;
        assert_eq!(answer.status, 422, "{field}: {value}: {:?}", answer.body);
        wrong_field(answer, field);
    }
}

#[tokio::test]
async fn all_mistakes_are_listed_at_once() {
    let mut stage = Stage::new().await;
    let person = stage.person();
    let mut body = description("", 0);
    body["colour"] = json!("red");
    let answer = problem(stage.ask(create(&person, &body)).await, 422, "validation_failed");
    let fields: Vec<&str> =
        answer["errors"].as_array().unwrap().iter().filter_map(|e| e["field"].as_str()).collect();
    for field in ["title", "capacity", "colour"] {
        assert!(fields.contains(&field), "{answer}");
    }
}

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let mut stage = Stage::new().await;
    let person = stage.person();
    let send = |kind: &'static str, body: &str| {
        Ask::post("/events").token(&person.token).body(kind, body.to_owned())
    };
    problem(stage.ask(send("application/json", "{\"title\":")).await, 400, "invalid_json");
    problem(stage.ask(send("application/json", "")).await, 400, "invalid_json");
    problem(stage.ask(send("application/json", "[]")).await, 422, "validation_failed");
    problem(stage.ask(send("text/plain", "{}")).await, 415, "unsupported_media_type");
    let large = format!("{{\"title\":\"{}\"}}", "x".repeat(100_000));
    problem(stage.ask(send("application/json", &large)).await, 413, "payload_too_large");
}

#[tokio::test]
async fn there_is_no_page_of_what_is_no_event() {
    let mut stage = Stage::new().await;
    for path in ["/events/17", "/events/0198c0de-0000-7000-8000-0123456789ab"] {
        problem(stage.ask(Ask::get(path)).await, 404, "not_found");
    }
}
