//! `/notifications`: what people are told, from a booking to the log.

use harness::accounts::{self, Account};
use harness::client::Ask;
use harness::eventually::eventually;
use serde_json::{Value, json};

use crate::stage::{Stage, booking, granted, new_id, problem, text};

const PASSWORD: &str = "a long walk home";

/// Somebody with an address.
async fn account(stage: &Stage) -> Account {
    let name = format!("n{}", &new_id().simple().to_string()[..24]);
    accounts::register(&mut stage.client(), &name, PASSWORD).await
}

/// What somebody was told of this kind, once it is there.
async fn told(stage: &mut Stage, account: &Account, kind: &str) -> Value {
    let ask = Ask::get(format!("/notifications?kind={kind}")).token(&account.person.token);
    eventually(&format!("{kind} is told"), async || {
        let list = granted(stage.ask(ask.clone()).await, 200);
        let first = list.as_array()?.first()?.clone();
        (first["status"] != "queued").then_some(first)
    })
    .await
}

#[tokio::test]
async fn a_booking_is_told_to_whom_it_is_and_to_nobody_else() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    let (first, second) = (account(&stage).await, account(&stage).await);
    let made = granted(stage.ask(booking(&first.person, event)).await, 201);
    granted(stage.ask(booking(&second.person, event)).await, 201);
    let confirmed = told(&mut stage, &first, "BookingConfirmed").await;
    assert_eq!((&confirmed["status"], &confirmed["channel"]), (&json!("sent"), &json!("email")));
    assert_eq!(confirmed["booking_id"], made["id"]);
    assert_eq!(confirmed["event_id"], json!(event.to_string()));
    assert!(text(&confirmed, "body").contains(&first.username), "{confirmed}");
    assert!(confirmed["sent_at"].is_string() && confirmed["attempts"] == 1, "{confirmed}");
    told(&mut stage, &second, "BookingWaitlisted").await;
    let cancel = Ask::delete(format!("/bookings/{}", text(&made, "id")));
    granted(stage.ask(cancel.token(&first.person.token)).await, 200);
    let promoted = told(&mut stage, &second, "BookingPromoted").await;
    told(&mut stage, &first, "BookingCancelled").await;
    let path = format!("/notifications/{}", text(&promoted, "id"));
    problem(stage.ask(Ask::get(&path).token(&first.person.token)).await, 404, "not_found");
    assert_eq!(
        granted(stage.ask(Ask::get(&path).token(&second.person.token)).await, 200),
        promoted
    );
}

#[tokio::test]
async fn who_has_no_account_is_not_written_to() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    let (person, _) = stage.booked(event).await;
    let ask = Ask::get("/notifications").token(&person.token);
    let first = eventually("a notification", async || {
        let list = granted(stage.ask(ask.clone()).await, 200);
        list.as_array()?.first().cloned()
    })
    .await;
    assert_eq!((&first["status"], &first["sent_at"]), (&json!("suppressed"), &Value::Null));
    assert_eq!(first["details"], "There is no such account.");
}

#[tokio::test]
async fn changes_and_messages_reach_the_attendees() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(5).await;
    let guest = account(&stage).await;
    granted(stage.ask(booking(&guest.person, event)).await, 201);
    let moved = Ask::patch(format!("/events/{event}")).token(&organizer.token);
    granted(stage.ask(moved.json(&json!({ "location": "The other hall" }))).await, 200);
    let change = told(&mut stage, &guest, "EventChanged").await;
    assert!(text(&change, "body").contains("Place: The other hall"), "{change}");
    let body = json!({ "event_id": event.to_string(), "subject": "Doors", "message": "At seven" });
    let send = Ask::post("/notifications/send").json(&body);
    problem(stage.ask(send.clone().token(&guest.person.token)).await, 403, "forbidden");
    let sent = granted(stage.ask(send.token(&organizer.token)).await, 202);
    assert_eq!(sent["to"], "confirmed");
    let message = told(&mut stage, &guest, "OrganizerMessage").await;
    assert!(text(&message, "body").contains("At seven"), "{message}");
    let gone = Ask::delete(format!("/events/{event}")).token(&organizer.token);
    granted(stage.ask(gone).await, 200);
    told(&mut stage, &guest, "EventCancelled").await;
}
