//! `Idempotency-Key` on every write that honours it.

use harness::client::{Ask, Response};
use harness::events::description;
use harness::people::Person;
use serde_json::json;
use uuid::Uuid;

use crate::stage::{Stage, booking, problem};

/// A write, and the same call with another body if it has one.
struct Write {
    ask: Ask,
    other: Option<Ask>,
}

/// Each write, ready to be granted, on its own event.
async fn writes(stage: &mut Stage) -> Vec<Write> {
    let person = stage.person();
    let (_, open) = stage.event(10).await;
    let (organizer, mine) = stage.event(10).await;
    let (owner, gone) = stage.event(10).await;
    let (booker, id) = stage.booked(mine).await;
    let create =
        |title: &str| Ask::post("/events").token(&person.token).json(&description(title, 5));
    let change = |ask: Ask, capacity: u32| {
        ask.token(&organizer.token).json(&json!({ "capacity": capacity }))
    };
    let path = format!("/events/{mine}");
    vec![
        Write { ask: create("One"), other: Some(create("Two")) },
        Write { ask: booking(&person, open), other: Some(two_places(&person, open)) },
        Write { ask: change(Ask::patch(&path), 20), other: Some(change(Ask::patch(&path), 21)) },
        Write { ask: change(Ask::put(&path), 22), other: Some(change(Ask::put(&path), 23)) },
        Write { ask: Ask::delete(format!("/bookings/{id}")).token(&booker.token), other: None },
        Write { ask: Ask::delete(format!("/events/{gone}")).token(&owner.token), other: None },
    ]
}

fn two_places(person: &Person, event: Uuid) -> Ask {
    let body = json!({ "event_id": event.to_string(), "quantity": 2 });
    Ask::post("/bookings").token(&person.token).json(&body)
}

fn key() -> String {
    crate::stage::new_id().simple().to_string()
}

#[track_caller]
fn same_again(first: &Response, again: &Response) {
    assert_eq!(again.status, first.status, "{:?}", again.body);
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("content-type"), first.header("content-type"));
    assert_eq!(again.header("etag"), first.header("etag"));
    assert_eq!(again.header("idempotency-replayed"), "true");
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_byte_for_byte() {
    let mut stage = Stage::new().await;
    for write in writes(&mut stage).await {
        let key = key();
        let first = stage.ask(write.ask.clone().key(&key)).await;
        assert!(first.status.is_success(), "{:?}: {:?}", write.ask, first.body);
        assert_eq!(first.header("idempotency-key"), key);
        assert_eq!(first.header("idempotency-replayed"), "");
        for _ in 0..2 {
            let again = stage.ask(write.ask.clone().key(&key)).await;
            same_again(&first, &again);
            assert_eq!(again.header("idempotency-key"), key);
        }
    }
}

#[tokio::test]
async fn repeats_at_the_same_time_get_the_same_answer() {
    let mut stage = Stage::new().await;
    for write in writes(&mut stage).await {
        let ask = write.ask.key(&key());
        let (mut one, mut two, mut three) = (stage.client(), stage.client(), stage.client());
        let (a, b, c) = tokio::join!(one.ask(&ask), two.ask(&ask), three.ask(&ask));
        assert!(a.status.is_success(), "{ask:?}: {:?}", a.body);
        assert_eq!((&a.status, &a.body), (&b.status, &b.body), "{ask:?}");
        assert_eq!((&a.status, &a.body), (&c.status, &c.body), "{ask:?}");
        let replays = [a, b, c].map(|answer| answer.header("idempotency-replayed") == "true");
        assert_eq!(replays.iter().filter(|replayed| !**replayed).count(), 1, "{ask:?}");
    }
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused() {
    let mut stage = Stage::new().await;
    for write in writes(&mut stage).await {
        let Some(other) = write.other else { continue };
        let key = key();
        let first = stage.ask(write.ask.clone().key(&key)).await;
        problem(stage.ask(other.key(&key)).await, 422, "key_reused");
        // And the first is remembered as before.
        same_again(&first, &stage.ask(write.ask.key(&key)).await);
    }
}

#[tokio::test]
async fn a_made_key_is_told_and_works() {
    let mut stage = Stage::new().await;
    for write in writes(&mut stage).await {
        let first = stage.ask(write.ask.clone()).await;
        assert!(first.status.is_success(), "{:?}: {:?}", write.ask, first.body);
        let made = first.header("idempotency-key").to_owned();
        assert!(!made.is_empty(), "{:?}", write.ask);
        same_again(&first, &stage.ask(write.ask.key(&made)).await);
    }
}

#[tokio::test]
async fn a_key_belongs_to_its_person() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(5).await;
    let (one, two, key) = (stage.person(), stage.person(), key());
    let first = stage.ask(booking(&one, event).key(&key)).await;
    let second = stage.ask(booking(&two, event).key(&key)).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 201));
    assert_ne!(first.json()["id"], second.json()["id"]);
    assert_eq!(second.header("idempotency-replayed"), "");
}

#[tokio::test]
async fn a_key_belongs_to_its_event() {
    let mut stage = Stage::new().await;
    let ((_, one), (_, two)) = (stage.event(5).await, stage.event(5).await);
    let (person, key) = (stage.person(), key());
    let first = stage.ask(booking(&person, one).key(&key)).await;
    let second = stage.ask(booking(&person, two).key(&key)).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 201));
    assert_eq!(second.json()["event_id"], two.to_string());
}

#[tokio::test]
async fn a_refusal_is_decided_afresh() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    let (holder, id) = stage.booked(event).await;
    let (person, key) = (stage.person(), key());
    let body = json!({ "event_id": event.to_string(), "join_waitlist": false });
    let ask = Ask::post("/bookings").token(&person.token).json(&body).key(&key);
    problem(stage.ask(ask.clone()).await, 409, "sold_out");
    let cancel = Ask::delete(format!("/bookings/{id}")).token(&holder.token);
    assert_eq!(stage.ask(cancel).await.status, 200);
    let granted = stage.ask(ask).await;
    assert_eq!(granted.status, 201, "{:?}", granted.body);
    assert_eq!(granted.header("idempotency-replayed"), "");
}

#[tokio::test]
async fn the_answer_to_a_key_stays_as_it_was_then() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    let (holder, id) = stage.booked(event).await;
    let (person, key) = (stage.person(), key());
    let first = stage.ask(booking(&person, event).key(&key)).await;
    assert_eq!(first.json()["status"], "waitlisted");
    let cancel = Ask::delete(format!("/bookings/{id}")).token(&holder.token);
    assert_eq!(stage.ask(cancel).await.status, 200);
    // Promoted meanwhile, and then cancelled: the first answer is told all the same.
    same_again(&first, &stage.ask(booking(&person, event).key(&key)).await);
    let own = Ask::delete(format!("/bookings/{}", first.json()["id"].as_str().unwrap()));
    assert_eq!(stage.ask(own.token(&person.token)).await.status, 200);
    same_again(&first, &stage.ask(booking(&person, event).key(&key)).await);
}

#[tokio::test]
async fn keys_that_cannot_be_are_refused() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(5).await;
    for key in [String::new(), "x".repeat(256), "with space".to_owned()] {
        let person = stage.person();
        let answer = stage.ask(booking(&person, event).key(&key)).await;
        problem(answer, 400, "invalid_header");
    }
    let person = stage.person();
    let longest = "x".repeat(255);
    assert_eq!(stage.ask(booking(&person, event).key(&longest)).await.status, 201);
    assert_eq!(stage.counts(event).await["booked"], 1);
}
