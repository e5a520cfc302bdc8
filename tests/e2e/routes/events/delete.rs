//! `DELETE /events/{id}`

use harness::client::Ask;
use harness::people::Person;
use serde_json::json;
use uuid::Uuid;

use crate::stage::{Stage, granted, new_id, problem};

fn delete(person: &Person, event: Uuid) -> Ask {
    Ask::delete(format!("/events/{event}")).token(&person.token)
}

#[tokio::test]
async fn an_event_goes_with_its_bookings() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(1).await;
    let (confirmed, confirmed_id) = stage.booked(event).await;
    let (waiting, waiting_id) = stage.booked(event).await;
    let (gone, gone_id) = stage.booked(event).await;
    let cancel = Ask::delete(format!("/bookings/{gone_id}")).token(&gone.token);
    granted(stage.ask(cancel).await, 200);

    let body = granted(stage.ask(delete(&organizer, event)).await, 200);
    assert_eq!(body["id"], event.to_string());
    assert_eq!(body["cancelled_bookings"], 2);
    assert!(body["detail"].is_string());

    // At once, for everybody.
    problem(stage.ask(Ask::get(format!("/events/{event}"))).await, 404, "not_found");
    let counts = Ask::get(format!("/events/{event}/availability"));
    problem(stage.ask(counts).await, 404, "not_found");
    problem(stage.book(&confirmed, event).await, 404, "not_found");
    for (person, id) in [(&confirmed, &confirmed_id), (&waiting, &waiting_id), (&gone, &gone_id)] {
        let read = Ask::get(format!("/bookings/{id}")).token(&person.token);
        assert_eq!(granted(stage.ask(read).await, 200)["status"], "cancelled");
        let list = Ask::get("/bookings/user/me").token(&person.token);
        let list = granted(stage.ask(list).await, 200);
        assert_eq!(list[0]["status"], "cancelled");
        assert_eq!(list[0]["event"]["title"], "An evening");
        assert_eq!(list[0]["event"]["status"], "cancelled");
        // Cancelling what is cancelled changes nothing.
        let cancel = Ask::delete(format!("/bookings/{id}")).token(&person.token);
        assert_eq!(granted(stage.ask(cancel).await, 200)["status"], "cancelled");
    }
    // And it is not there to be deleted again.
    problem(stage.ask(delete(&organizer, event)).await, 404, "not_found");
}

#[tokio::test]
async fn deleted_events_are_in_no_list() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(1).await;
    let title = format!("Gone {}", new_id().simple());
    let rename = Ask::patch(format!("/events/{event}")).token(&organizer.token);
    granted(stage.ask(rename.json(&json!({ "title": title }))).await, 200);
    let list = Ask::get(format!("/events?title={}", title.replace(' ', "%20")));
    assert_eq!(granted(stage.ask(list.clone()).await, 200).as_array().map(Vec::len), Some(1));
    granted(stage.ask(delete(&organizer, event)).await, 200);
    assert_eq!(granted(stage.ask(list).await, 200), json!([]));
}

#[tokio::test]
async fn only_its_organizer_or_an_admin_may() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(5).await;
    let (stranger, admin) = (stage.person(), stage.admin());
    problem(stage.ask(delete(&stranger, event)).await, 403, "forbidden");
    assert_eq!(stage.page(event).await["version"], 1);
    granted(stage.ask(delete(&admin, event)).await, 200);
}

#[tokio::test]
async fn if_match_is_honoured() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(5).await;
    let ask = delete(&organizer, event).header("if-match", "\"2\"");
    problem(stage.ask(ask).await, 412, "precondition_failed");
    let ask = delete(&organizer, event).header("if-match", "\"1\"");
    granted(stage.ask(ask).await, 200);
}

#[tokio::test]
async fn what_is_not_there_cannot_be_deleted() {
    let mut stage = Stage::new().await;
    let person = stage.person();
    problem(stage.ask(delete(&person, new_id())).await, 404, "not_found");
    let ask = Ask::delete("/events/17").token(&person.token);
    problem(stage.ask(ask).await, 404, "not_found");
}
