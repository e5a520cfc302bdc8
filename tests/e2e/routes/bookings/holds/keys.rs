//! `Idempotency-Key` on every write to holds

use harness::client::Ask;
use serde_json::json;

use super::{change, confirm, hold, release};
use crate::stage::{Stage, granted, problem, text};

#[tokio::test]
async fn repeats_get_the_first_answers_byte_for_byte() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    let person = stage.person();
    let first = stage.ask(hold(&person, event).key("place")).await;
    let id = text(&granted(first.clone(), 201), "id");
    let extend = json!({ "extend": true });
    let mut told = vec![(hold(&person, event).key("place"), first)];
    for (key, body) in [
        ("extend", extend.clone()),
        ("details", json!({ "details": { "n": 2 } })),
        ("extend again", extend.clone()),
        ("both", json!({ "details": { "n": 3 }, "extend": true })),
    ] {
        let ask = change(&person, &id, &body).key(&key.replace(' ', "-"));
        told.push((ask.clone(), stage.ask(ask).await));
    }
    let ask = release(&person, &id).key("release");
    told.push((ask.clone(), stage.ask(ask).await));
    // Meanwhile the place is somebody else's.
    stage.booked(event).await;
    for (ask, first) in &told {
        assert!(first.status.is_success(), "{ask:?}: {:?}", first.body);
        assert_eq!(first.header("idempotency-replayed"), "");
        for _ in 0..2 {
            let again = stage.ask(ask.clone()).await;
            assert_eq!((again.status, &again.body), (first.status, &first.body), "{ask:?}");
            assert_eq!(again.header("idempotency-replayed"), "true");
            assert_eq!(again.header("idempotency-key"), first.header("idempotency-key"));
        }
    }
    let other = json!({ "event_id": event.to_string(), "details": {} });
    let other = Ask::post("/bookings/holds").token(&person.token).json(&other).key("place");
    problem(stage.ask(other).await, 422, "key_reused");
    let other = change(&person, &id, &json!({ "details": {} })).key("extend");
    problem(stage.ask(other).await, 422, "key_reused");
}

#[tokio::test]
async fn a_confirmation_is_repeated_after_its_booking_is_gone() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    let person = stage.person();
    let id = text(&granted(stage.ask(hold(&person, event)).await, 201), "id");
    let first = stage.ask(confirm(&person, &id).key("confirm")).await;
    let booking = text(&granted(first.clone(), 201), "id");
    let cancel = Ask::delete(format!("/bookings/{booking}")).token(&person.token);
    granted(stage.ask(cancel).await, 200);
    let again = stage.ask(confirm(&person, &id).key("confirm")).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.header("idempotency-replayed"), "true");
    problem(stage.ask(confirm(&person, &id)).await, 409, "hold_expired");
}
