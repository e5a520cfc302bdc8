//! `PUT` and `PATCH /events/{id}`

use harness::client::Ask;
use harness::people::Person;
use hyper::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stage::{Stage, granted, new_id, problem, wrong_field};

fn change(person: &Person, event: Uuid, body: &Value) -> Ask {
    Ask::patch(format!("/events/{event}")).token(&person.token).json(body)
}

#[tokio::test]
async fn only_what_is_sent_changes() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(5).await;
    let mut expected = stage.page(event).await;
    for (version, method, field, value) in [
        (2, Method::PATCH, "title", json!("Another title")),
        (3, Method::PUT, "description", json!("Another text.")),
        (4, Method::PATCH, "location", json!("Elsewhere")),
        (5, Method::PUT, "price", json!(3.25)),
        (6, Method::PATCH, "capacity", json!(8)),
        (7, Method::PUT, "end_time", json!("2099-06-01T23:00:00.000Z")),
        (8, Method::PATCH, "max_per_booking", json!(3)),
        (9, Method::PUT, "waitlist", json!(false)),
    ] {
        let ask = Ask::new(method, format!("/events/{event}"));
        let answer = stage.ask(ask.token(&organizer.token).json(&json!({ field: value }))).await;
        assert_eq!(answer.header("etag"), format!("\"{version}\""));
        let body = granted(answer, 200);
        expected[field] = value;
        expected["version"] = json!(version);
        expected["name"] = expected["title"].clone();
        expected["available"] = expected["capacity"].clone();
        expected["updated_at"] = body["updated_at"].clone();
        assert_eq!(body, expected);
        assert_eq!(stage.page(event).await, expected);
    }
}

#[tokio::test]
async fn get_edit_put_works() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(5).await;
    let mut page = stage.page(event).await;
    page["title"] = json!("Edited");
    page["name"] = json!("Edited");
    let ask = Ask::put(format!("/events/{event}")).token(&organizer.token).json(&page);
    let body = granted(stage.ask(ask).await, 200);
    assert_eq!((&body["title"], &body["version"]), (&json!("Edited"), &json!(2)));
}

#[tokio::test]
async fn more_places_go_to_the_queue_first() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(1).await;
    stage.booked(event).await;
    let (first, first_id) = stage.booked(event).await;
    let (second, second_id) = stage.booked(event).await;
    let body = granted(stage.ask(change(&organizer, event, &json!({ "capacity": 2 }))).await, 200);
    assert_eq!((&body["booked"], &body["available"]), (&json!(2), &json!(0)));
    let read = |person: &Person, id: &str| Ask::get(format!("/bookings/{id}")).token(&person.token);
    let row = granted(stage.ask(read(&first, &first_id)).await, 200);
    assert_eq!(row["status"], "confirmed");
    let row = granted(stage.ask(read(&second, &second_id)).await, 200);
    assert_eq!((&row["status"], &row["waitlist_position"]), (&json!("waitlisted"), &json!(1)));
}

#[tokio::test]
async fn never_below_what_is_sold() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(3).await;
    stage.booked(event).await;
    stage.booked(event).await;
    let answer = stage.ask(change(&organizer, event, &json!({ "capacity": 1 }))).await;
    let body = problem(answer, 409, "capacity_below_sold");
    assert_eq!((&body["booked"], &body["held"]), (&json!(2), &json!(0)));
    let page = stage.page(event).await;
    assert_eq!((&page["capacity"], &page["version"]), (&json!(3), &json!(1)));
    granted(stage.ask(change(&organizer, event, &json!({ "capacity": 2 }))).await, 200);
}

#[tokio::test]
async fn inactive_events_sell_nothing_and_serve_their_queue() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(1).await;
    let (holder, id) = stage.booked(event).await;
    let (waiting, waiting_id) = stage.booked(event).await;
    let closed = json!({ "is_active": false });
    let body = granted(stage.ask(change(&organizer, event, &closed)).await, 200);
    assert_eq!((&body["is_active"], &body["status"]), (&json!(false), &json!("closed")));
    let newcomer = stage.person();
    problem(stage.book(&newcomer, event).await, 409, "sales_closed");
    let cancel = Ask::delete(format!("/bookings/{id}")).token(&holder.token);
    granted(stage.ask(cancel).await, 200);
    let read = Ask::get(format!("/bookings/{waiting_id}")).token(&waiting.token);
    assert_eq!(granted(stage.ask(read).await, 200)["status"], "confirmed");
    granted(stage.ask(change(&organizer, event, &json!({ "is_active": true }))).await, 200);
    assert_eq!(stage.book(&newcomer, event).await.status, 201);
}

#[tokio::test]
async fn if_match_is_honoured() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(5).await;
    let ask = |tag: &str, capacity: u32| {
        change(&organizer, event, &json!({ "capacity": capacity })).header("if-match", tag)
    };
    granted(stage.ask(ask("\"1\"", 6)).await, 200);
    for tag in ["\"1\"", "\"3\"", "W/\"2\"", "nonsense"] {
        problem(stage.ask(ask(tag, 7)).await, 412, "precondition_failed");
    }
    assert_eq!(stage.page(event).await["capacity"], 6);
    granted(stage.ask(ask("\"2\"", 7)).await, 200);
    granted(stage.ask(ask("*", 8)).await, 200);
}

#[tokio::test]
async fn only_its_organizer_or_an_admin_may() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(5).await;
    let (stranger, admin) = (stage.person(), stage.admin());
    let body = json!({ "title": "Mine now" });
    problem(stage.ask(change(&stranger, event, &body)).await, 403, "forbidden");
    assert_eq!(stage.page(event).await["version"], 1);
    granted(stage.ask(change(&admin, event, &body)).await, 200);
}

#[tokio::test]
async fn what_is_wrong_is_named_and_changes_nothing() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(5).await;
    for (field, value) in [
        ("title", json!("")),
        ("title", json!(null)),
        ("capacity", json!(0)),
        ("capacity", json!("x")),
        ("price", json!(-1)),
        ("end_time", json!("2099-06-01T17:00:00Z")),
        ("is_active", json!("yes")),
        ("colour", json!("red")),
    ] {
        wrong_field(stage.ask(change(&organizer, event, &json!({ field: value }))).await, field);
    }
    let path = format!("/events/{event}");
    let ask = Ask::patch(&path).token(&organizer.token).body("application/json", "{");
    problem(stage.ask(ask).await, 400, "invalid_json");
    assert_eq!(stage.page(event).await["version"], 1);
}

#[tokio::test]
async fn what_is_not_there_cannot_be_changed() {
    let mut stage = Stage::new().await;
    let person = stage.person();
    let body = json!({ "title": "X" });
    problem(stage.ask(change(&person, new_id(), &body)).await, 404, "not_found");
    let ask = Ask::patch("/events/17").token(&person.token).json(&body);
    problem(stage.ask(ask).await, 404, "not_found");
}
