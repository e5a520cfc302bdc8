//! `GET /events/{id}/availability/stream`

use harness::client::Ask;
use harness::server::{Home, Server};
use serde_json::json;

use crate::sse::Events;
use crate::stage::{Stage, granted, new_id, problem};

fn path(event: impl std::fmt::Display) -> String {
    format!("/events/{event}/availability/stream")
}

#[tokio::test]
async fn the_state_now_then_every_change_until_the_event_is_cancelled() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(2).await;
    let mut events = Events::open(stage.address(), &path(event)).await;
    assert!(events.head.starts_with("http/1.1 200"), "{}", events.head);
    assert!(events.head.contains("content-type: text/event-stream"), "{}", events.head);
    let first = events.next().await.unwrap();
    let counts = stage.counts(event).await;
    assert_eq!((first.name.as_str(), first.json()), ("availability", counts.clone()));
    assert_eq!(first.id, counts["as_of_seq"].as_u64());
    for _ in 0..3 {
        stage.booked(event).await;
        // Whoever has the answer finds it in the stream, and the same as in the counts.
        let counts = stage.counts(event).await;
        let seen = loop {
            let seen = events.next().await.unwrap();
            if seen.id >= counts["as_of_seq"].as_u64() {
                break seen;
            }
        };
        assert_eq!(seen.json(), counts);
    }
    granted(stage.ask(Ask::delete(format!("/events/{event}")).token(&organizer.token)).await, 200);
    let last = events.next().await.unwrap();
    assert_eq!((last.name.as_str(), &last.json()["available"]), ("availability", &json!(0)));
    let closed = events.next().await.unwrap();
    assert_eq!((closed.name.as_str(), closed.data.contains("cancelled")), ("closed", true));
    assert_eq!(events.next().await, None);
    problem(stage.ask(Ask::get(path(event))).await, 404, "not_found");
}

#[tokio::test]
async fn there_is_no_stream_of_what_is_no_event() {
    let mut stage = Stage::new().await;
    for id in ["17".to_owned(), new_id().to_string()] {
        problem(stage.ask(Ask::get(path(id))).await, 404, "not_found");
    }
}

#[tokio::test]
async fn streams_are_bounded_and_quiet_ones_say_that_they_are_there() {
    let home = Home::new();
    let environment = [
        ("EVENTFLOW_BOOKING__STREAMS_PER_EVENT", "1"),
        ("EVENTFLOW_BOOKING__STREAM_HEARTBEAT_MS", "100"),
    ];
    let server = Server::start_in(&home, &[], &environment).await;
    let people = harness::people::People::of(&home.data());
    let mut client = server.client();
    let organizer = people.attendee(new_id());
    let event = harness::events::create(&mut client, &organizer, "Watched", 2).await;
    let mut events = Events::open(server.address(), &path(event)).await;
    events.next().await.unwrap();
    let refused = client.ask(&Ask::get(path(event))).await;
    assert_ne!(refused.header("retry-after"), "");
    problem(refused, 503, "overloaded");
    assert!(events.comment().await.starts_with(": "));
    drop(events);
    // Who leaves is forgotten, at the next heartbeat at the latest.
    harness::eventually::eventually("there is room again", async || {
        let events = Events::open(server.address(), &path(event)).await;
        events.head.starts_with("http/1.1 200").then_some(())
    })
    .await;
    assert!(server.stop().await.success(), "{}", home.log());
    home.assert_no_panic();
}
