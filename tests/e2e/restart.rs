//! What is there before an end is there after the next start.

use harness::client::Ask;
use harness::events::create;
use harness::people::People;
use harness::server::{Home, Server};
use serde_json::json;

use crate::stage::{booking, granted, new_id, text};

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

#[tokio::test]
async fn after_an_end_in_order() {
    everything_is_still_there(End::Asked).await;
}

#[tokio::test]
async fn after_a_kill() {
    everything_is_still_there(End::Killed).await;
}
