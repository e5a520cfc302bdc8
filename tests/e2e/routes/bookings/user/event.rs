//! `GET`, `DELETE /bookings/user/{user}/event/{event}`

use harness::client::Ask;
use serde_json::{Value, json};

use crate::stage::{Stage, granted, new_id, problem};

#[tokio::test]
async fn the_booking_that_is_not_cancelled_or_null() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(1).await;
    let (person, id) = stage.booked(event).await;
    let (waiting, _) = stage.booked(event).await;
    let mine = format!("/bookings/user/me/event/{event}");
    let his = format!("/bookings/user/{}/event/{event}", person.id);
    for path in [&mine, &his] {
        let body = granted(stage.ask(Ask::get(path).token(&person.token)).await, 200);
        assert_eq!((&body["id"], &body["status"]), (&json!(id), &json!("confirmed")));
        assert!(body["ticket_code"].is_string(), "{body}");
    }
    let admin = stage.admin();
    let body = granted(stage.ask(Ask::get(&his).token(&admin.token)).await, 200);
    assert_eq!((&body["id"], body.get("ticket_code")), (&json!(id), None));
    let body = granted(stage.ask(Ask::get(&mine).token(&waiting.token)).await, 200);
    assert_eq!((&body["status"], &body["waitlist_position"]), (&json!("waitlisted"), &json!(1)));

    for nobody in [stage.person(), admin] {
        let body = granted(stage.ask(Ask::get(&mine).token(&nobody.token)).await, 200);
        assert_eq!(body, Value::Null);
    }
    let unknown = format!("/bookings/user/me/event/{}", new_id());
    assert_eq!(granted(stage.ask(Ask::get(unknown).token(&person.token)).await, 200), Value::Null);
    for other in [&organizer, &waiting] {
        problem(stage.ask(Ask::get(&his).token(&other.token)).await, 403, "forbidden");
    }
    problem(stage.ask(Ask::get(&mine)).await, 401, "unauthorized");
    for path in
        [format!("/bookings/user/17/event/{event}"), "/bookings/user/me/event/17".to_owned()]
    {
        problem(stage.ask(Ask::get(path).token(&person.token)).await, 404, "not_found");
    }
}

#[tokio::test]
async fn it_is_cancelled_once() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    let (person, id) = stage.booked(event).await;
    let (waiting, _) = stage.booked(event).await;
    let mine = format!("/bookings/user/me/event/{event}");
    let his = format!("/bookings/user/{}/event/{event}", person.id);
    problem(stage.ask(Ask::delete(&his).token(&waiting.token)).await, 403, "forbidden");
    problem(stage.ask(Ask::delete(&mine)).await, 401, "unauthorized");
    let nobody = stage.person();
    problem(stage.ask(Ask::delete(&mine).token(&nobody.token)).await, 404, "not_found");

    let ask = Ask::delete(&mine).token(&person.token).key("cancel");
    let first = stage.ask(ask.clone()).await;
    let body = granted(first.clone(), 200);
    assert_eq!((&body["id"], &body["status"]), (&json!(id), &json!("cancelled")));
    let list = Ask::get(&mine).token(&waiting.token);
    assert_eq!(granted(stage.ask(list).await, 200)["status"], "confirmed");
    let again = stage.ask(ask).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.header("idempotency-replayed"), "true");
    problem(stage.ask(Ask::delete(&mine).token(&person.token)).await, 404, "not_found");
    // The key was used for this event's booking, not for another's.
    let (_, other) = stage.event(1).await;
    granted(stage.book(&person, other).await, 201);
    let elsewhere = format!("/bookings/user/me/event/{other}");
    let ask = Ask::delete(elsewhere).token(&person.token).key("cancel");
    assert_eq!(granted(stage.ask(ask).await, 200)["event_id"], json!(other.to_string()));

    let admin = stage.admin();
    let theirs = format!("/bookings/user/{}/event/{event}", waiting.id);
    let body = granted(stage.ask(Ask::delete(theirs).token(&admin.token)).await, 200);
    assert_eq!(body["status"], "cancelled");
    assert_eq!(stage.counts(event).await["booked"], 0);
}
