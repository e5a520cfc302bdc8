//! What is there before an end is there after the next start.

use harness::client::Ask;
use harness::events::create;
use harness::eventually::eventually;
use harness::people::People;
use harness::server::{Home, Server};
use serde_json::json;

use crate::stage::{booking, granted, new_id, problem, text};

/// How the process ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Asked,
    Killed,
}

async fn everything_is_still_there(end: End) {
    let home = Home::new();
    let server = Server::start(&home).await;
    let people = People::of(&home.data());
    let (organizer, first, second) =
        (people.attendee(new_id()), people.attendee(new_id()), people.attendee(new_id()));
    let mut client = server.client();
    let account = json!({
        "username": "stays", "email": "stays@example.org", "password": "plum tractor 17",
    });
    granted(client.ask(&Ask::post("/auth/register").json(&account)).await, 201);
    let login = Ask::post("/auth/login").json(&json!({
        "username": "stays", "password": "plum tractor 17",
    }));
    let token = text(&granted(client.ask(&login).await, 200), "access_token");
    let event = create(&mut client, &organizer, "Still there", 1).await;
    let booked = client.ask(&booking(&first, event).key("k1")).await;
    let waiting = client.ask(&booking(&second, event).key("k2")).await;
    assert_eq!((booked.status.as_u16(), waiting.status.as_u16()), (201, 201));
    let page = Ask::get(format!("/events/{event}"));
    let before = granted(client.ask(&page).await, 200);
    match end {
        End::Asked => assert!(server.stop().await.success(), "{}", home.log()),
        End::Killed => server.kill(),
    }

    let server = Server::start(&home).await;
    let mut client = server.client();
    assert_eq!(granted(client.ask(&page).await, 200), before);
    // The key that signs tokens is the same, so who was logged in still is.
    granted(client.ask(&Ask::get("/users/me").token(&token)).await, 200);
    granted(client.ask(&login).await, 200);
    for (person, key, answer) in [(&first, "k1", &booked), (&second, "k2", &waiting)] {
        let again = client.ask(&booking(person, event).key(key)).await;
        assert_eq!(again.body, answer.body);
        assert_eq!(again.header("idempotency-replayed"), "true");
    }
    let id = text(&booked.json(), "id");
    granted(client.ask(&Ask::delete(format!("/bookings/{id}")).token(&first.token)).await, 200);
    let list = granted(client.ask(&Ask::get("/bookings").token(&second.token)).await, 200);
    assert_eq!((&list[0]["status"], &list[0]["id"]), (&json!("confirmed"), &waiting.json()["id"]));
    assert!(server.stop().await.success());
    home.assert_no_panic();
}

/// What is told is told again, byte for byte, whatever has happened since and whichever
/// process answers.
#[tokio::test]
async fn repeats_after_changes_and_a_kill() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let people = People::of(&home.data());
    let mut client = server.client();
    let event = create(&mut client, &people.attendee(new_id()), "Told again", 1).await;
    let holder = people.attendee(new_id());
    let waiting: Vec<_> = (0..3).map(|_| people.attendee(new_id())).collect();
    let details = json!({ "event_id": event.to_string(), "details": { "row": 7, "b": [1, 2] } });
    let place = Ask::post("/bookings/holds").token(&holder.token).json(&details).key("place");
    let mut told = vec![(place.clone(), client.ask(&place).await)];
    let hold = format!("/bookings/holds/{}", text(&granted(told[0].1.clone(), 201), "id"));
    for person in &waiting {
        let ask = booking(person, event).key("wait");
        told.push((ask.clone(), client.ask(&ask).await));
    }
    assert_eq!(told[3].1.json()["waitlist_position"], 3);
    let patch = |body| Ask::patch(&hold).token(&holder.token).json(&body);
    for ask in [
        patch(json!({ "extend": true })).key("extend"),
        patch(json!({ "details": {} })).key("details"),
        Ask::delete(&hold).token(&holder.token).key("release"),
        // Promoted meanwhile, each of them.
        Ask::delete(format!("/bookings/user/me/event/{event}")).token(&waiting[0].token).key("c"),
        Ask::delete(format!("/bookings/{}", told[2].1.json()["id"].as_str().unwrap()))
            .token(&waiting[1].token)
            .key("c"),
    ] {
        told.push((ask.clone(), client.ask(&ask).await));
    }
    let mine = Ask::get(format!("/bookings/user/me/event/{event}")).token(&waiting[2].token);
    assert_eq!(granted(client.ask(&mine).await, 200)["status"], "confirmed");
    server.kill();

    let server = Server::start(&home).await;
    let mut client = server.client();
    for (ask, first) in &told {
        assert!(first.status.is_success(), "{ask:?}: {:?}", first.body);
        let again = client.ask(ask).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body), "{ask:?}");
        assert_eq!(again.header("idempotency-replayed"), "true", "{ask:?}");
    }
    let read = granted(client.ask(&Ask::get(&hold).token(&holder.token)).await, 200);
    assert_eq!((&read["status"], &read["details"]), (&json!("released"), &json!({})));
    assert!(server.stop().await.success());
    home.assert_no_panic();
}

/// A hold ends although its event sleeps: nobody asks the event for anything after the
/// start, its counts are read from what is stored.
#[tokio::test]
async fn a_hold_runs_out_while_nobody_is_there() {
    let home = Home::new();
    let span = [("EVENTFLOW_LIMITS__HOLD_SPAN_S", "10")];
    let server = Server::start_in(&home, &[], &span).await;
    let people = People::of(&home.data());
    let mut client = server.client();
    let event = create(&mut client, &people.attendee(new_id()), "Sleeps", 1).await;
    let (holder, waiting) = (people.attendee(new_id()), people.attendee(new_id()));
    let body = json!({ "event_id": event.to_string() });
    let place = Ask::post("/bookings/holds").token(&holder.token).json(&body);
    let hold = text(&granted(client.ask(&place).await, 201), "id");
    let booked = granted(client.ask(&booking(&waiting, event)).await, 201);
    assert_eq!(booked["status"], "waitlisted");
    let counts = Ask::get(format!("/events/{event}/availability"));
    assert_eq!(granted(client.ask(&counts).await, 200)["held"], 1);
    server.kill();

    let server = Server::start_in(&home, &[], &span).await;
    let mut client = server.client();
    eventually("the place goes to who waits", async || {
        let now = granted(client.ask(&counts).await, 200);
        (now["held"] == 0 && now["booked"] == 1).then_some(())
    })
    .await;
    let read = Ask::get(format!("/bookings/holds/{hold}")).token(&holder.token);
    assert_eq!(granted(client.ask(&read).await, 200)["status"], "expired");
    let confirm = Ask::post("/bookings").token(&holder.token).json(&json!({ "hold_id": hold }));
    problem(client.ask(&confirm).await, 409, "hold_expired");
    let mine = Ask::get(format!("/bookings/user/me/event/{event}")).token(&waiting.token);
    assert_eq!(granted(client.ask(&mine).await, 200)["id"], booked["id"]);
    assert!(server.stop().await.success());
    home.assert_no_panic();
}

#[tokio::test]
async fn after_an_end_in_order() {
    everything_is_still_there(End::Asked).await;
}

#[tokio::test]
async fn after_a_kill() {
    everything_is_still_there(End::Killed).await;
}
