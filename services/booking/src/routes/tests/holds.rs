//! `/bookings/holds`, `/bookings/user/{user}/event/{event}`.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::Method;
use serde_json::{Value, json};

use super::KEY;
use super::stage::{ADMIN, Seen, Stage, event_id, user_id};

/// The default span of a hold.
const SPAN: Duration = Duration::from_secs(600);

const fn key(name: &str) -> [(&str, &str); 1] {
    [("idempotency-key", name)]
}

async fn hold(stage: &Stage, who: u8, body: Value, headers: &[(&str, &str)]) -> Seen {
    let mut body = body;
    body["event_id"] = json!(event_id(1));
    stage.write(who, Method::POST, "/bookings/holds", headers, &body).await
}

async fn patch(stage: &Stage, who: u8, id: &str, body: Value, headers: &[(&str, &str)]) -> Seen {
    stage.write(who, Method::PATCH, &format!("/bookings/holds/{id}"), headers, &body).await
}

async fn release(stage: &Stage, who: u8, id: &str, headers: &[(&str, &str)]) -> Seen {
    let path = format!("/bookings/holds/{id}");
    stage.raw(who, Method::DELETE, &path, headers, Bytes::new()).await
}

async fn read(stage: &Stage, who: u8, id: &str) -> Seen {
    stage.get(who, &format!("/bookings/holds/{id}")).await
}

async fn confirm(stage: &Stage, who: u8, id: &str) -> Seen {
    stage.write(who, Method::POST, "/bookings", &[], &json!({"hold_id": id})).await
}

#[track_caller]
fn refused(seen: &Seen, status: u16, code: &str) {
    assert_eq!((seen.status, seen.code()), (status, code.to_owned()), "{}", seen.json());
}

#[tokio::test]
async fn a_hold_is_placed_read_and_confirmed_as_the_contract_says() {
    let stage = Stage::new().await;
    stage.open(1, 3).await;
    let details = json!({"seats": ["B2", "B1"], "note": "aisle"});
    let seen = hold(&stage, 2, json!({"quantity": 2, "details": details}), &[KEY]).await;
    let body = seen.json();
    let (id, made_at) = (seen.id(), body["created_at"].clone());
    assert_eq!(
        body,
        json!({
            "hold_id": id, "id": id, "event_id": event_id(1), "user_id": user_id(2),
            "quantity": 2, "details": details, "status": "held",
            "expires_at": "2027-01-01T00:10:00.000Z", "created_at": made_at, "seq": 2,
        })
    );
    let seen_again = read(&stage, 2, &id).await;
    assert_eq!((seen_again.status, &seen_again.bytes), (200, &seen.bytes));
    // Another's is not there, not even for an administrator.
    for other in [3, ADMIN] {
        refused(&read(&stage, other, &id).await, 404, "not_found");
        refused(&patch(&stage, other, &id, json!({"extend": true}), &[]).await, 404, "not_found");
        refused(&release(&stage, other, &id, &[]).await, 404, "not_found");
        refused(&confirm(&stage, other, &id).await, 404, "not_found");
    }
    let twice = hold(&stage, 2, json!({}), &[]).await;
    refused(&twice, 409, "has_hold");
    assert_eq!((&twice.json()["hold_id"], &twice.json()["quantity"]), (&json!(id), &json!(2)));
    refused(&hold(&stage, 3, json!({"quantity": 2}), &[]).await, 409, "sold_out");

    let booked = confirm(&stage, 2, &id).await;
    assert_eq!((booked.status, &booked.json()["quantity"]), (201, &json!(2)));
    assert_eq!(read(&stage, 2, &id).await.json()["status"], "confirmed");
    let over = release(&stage, 2, &id, &[]).await;
    refused(&over, 409, "already_booked");
    assert_eq!(over.json()["booking"]["id"], booked.json()["id"]);
    refused(&confirm(&stage, 2, &id).await, 409, "already_booked");
    stage.cancel(2, &booked.id(), &[]).await;
    refused(&confirm(&stage, 2, &id).await, 409, "hold_expired");
}

#[tokio::test]
async fn details_are_replaced_and_the_span_extended_three_times() {
    let stage = Stage::new().await;
    stage.open(1, 1).await;
    let id = hold(&stage, 2, json!({"details": {"n": 1}}), &[]).await.id();
    let changed = patch(&stage, 2, &id, json!({"details": {"n": 2}}), &[]).await;
    assert_eq!((changed.status, &changed.json()["details"]), (200, &json!({"n": 2})));
    assert_eq!(changed.json()["expires_at"], "2027-01-01T00:10:00.000Z");
    assert_eq!(read(&stage, 2, &id).await.bytes, changed.bytes);
    stage.pass(SPAN / 2);
    let extended = patch(&stage, 2, &id, json!({"extend": true}), &[]).await;
    assert_eq!(extended.json()["expires_at"], "2027-01-01T00:15:00.000Z");
    assert_eq!(extended.json()["details"], json!({"n": 2}));
    let both = json!({"details": {"n": 3}, "extend": true});
    assert_eq!(patch(&stage, 2, &id, both, &[]).await.json()["details"], json!({"n": 3}));
    assert_eq!(patch(&stage, 2, &id, json!({"extend": true}), &[]).await.status, 200);
    let fourth = patch(&stage, 2, &id, json!({"extend": true}), &[]).await;
    refused(&fourth, 409, "no_more_extensions");
    assert_eq!(fourth.json()["extensions"], 3);
    // Details may still change.
    assert_eq!(patch(&stage, 2, &id, json!({"details": {}}), &[]).await.status, 200);
    for wrong in [json!({}), json!({"details": []}), json!({"quantity": 2, "extend": true})] {
        refused(&patch(&stage, 2, &id, wrong, &[]).await, 422, "validation_failed");
    }
    refused(&patch(&stage, 2, &event_id(7), json!({"extend": true}), &[]).await, 404, "not_found");
    refused(&patch(&stage, 2, "17", json!({"extend": true}), &[]).await, 404, "not_found");
}

#[tokio::test]
async fn every_repeated_key_of_a_hold_is_told_the_same_bytes() {
    let stage = Stage::new().await;
    stage.open(1, 1).await;
    let place = || hold(&stage, 2, json!({"details": {"n": 1}}), &[KEY]);
    let first = place().await;
    let id = first.id();
    let changes = [
        ("a", json!({"extend": true})),
        ("b", json!({"details": {"n": 2}})),
        ("c", json!({"details": {"n": 3}, "extend": true})),
        ("d", json!({"details": {"n": 4}})),
        ("e", json!({"extend": true})),
        ("f", json!({"details": {"n": 5}})),
    ];
    let mut told = Vec::new();
    for (name, change) in &changes {
        stage.tick();
        let seen = patch(&stage, 2, &id, change.clone(), &key(name)).await;
        assert_eq!(seen.status, 200);
        told.push(seen);
    }
    assert_eq!(told[0].json()["details"], json!({"n": 1}), "as of that extension");
    assert_eq!(told[4].json()["details"], json!({"n": 4}), "as of that extension");
    let released = release(&stage, 2, &id, &key("r")).await;
    assert_eq!((released.status, &released.json()["status"]), (200, &json!("released")));
    assert_eq!(released.json()["details"], json!({"n": 5}));

    for round in ["from the tail", "from the views"] {
        let again = place().await;
        assert_eq!((again.status, &again.bytes), (201, &first.bytes), "{round}");
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        for ((name, change), told) in changes.iter().zip(&told) {
            let again = patch(&stage, 2, &id, change.clone(), &key(name)).await;
            assert_eq!((again.status, &again.bytes), (200, &told.bytes), "{name} {round}");
            assert_eq!(again.header("idempotency-replayed"), Some("true"));
        }
        let again = release(&stage, 2, &id, &key("r")).await;
        assert_eq!(
            (&again.bytes, again.header("idempotency-replayed")),
            (&released.bytes, Some("true"))
        );
        stage.projected().await;
    }
    for (name, other) in [("a", json!({"details": {}})), ("b", json!({"details": {"n": 9}}))] {
        refused(&patch(&stage, 2, &id, other, &key(name)).await, 422, "key_reused");
    }
    refused(&hold(&stage, 2, json!({"details": {"n": 2}}), &[KEY]).await, 422, "key_reused");
    // Without a key, or with another, a second release changes nothing and says the same.
    let again = release(&stage, 2, &id, &[]).await;
    assert_eq!((again.status, &again.bytes), (200, &released.bytes));
    assert_eq!(again.header("idempotency-replayed"), None);
    refused(&patch(&stage, 2, &id, json!({"extend": true}), &[]).await, 409, "hold_expired");
    refused(&confirm(&stage, 2, &id).await, 409, "hold_expired");
}

#[tokio::test]
async fn a_late_confirmation_is_granted_while_its_places_are_free() {
    let stage = Stage::new().await;
    stage.open(1, 1).await;
    let id = hold(&stage, 2, json!({}), &[]).await.id();
    stage.pass(SPAN);
    assert_eq!(read(&stage, 2, &id).await.json()["status"], "expired");
    let held = hold(&stage, 3, json!({}), &[]).await.id();
    refused(&confirm(&stage, 2, &id).await, 409, "hold_expired");
    refused(&patch(&stage, 2, &id, json!({"extend": true}), &[]).await, 409, "hold_expired");
    let gone = release(&stage, 2, &id, &[]).await;
    assert_eq!((gone.status, &gone.json()["status"]), (200, &json!("expired")));
    release(&stage, 3, &held, &[]).await;
    assert_eq!(confirm(&stage, 2, &id).await.json()["status"], "confirmed");
    assert_eq!(read(&stage, 2, &id).await.json()["status"], "confirmed");
}

#[tokio::test]
async fn holds_do_not_wait_and_do_not_pass_who_waits() {
    let stage = Stage::new().await;
    stage.open(1, 1).await;
    let id = hold(&stage, 2, json!({}), &[]).await.id();
    let waiting = stage.book(3, 1, json!({}), &[]).await;
    assert_eq!(waiting.json()["waitlist_position"], 1);
    let refusal = hold(&stage, 4, json!({}), &[]).await;
    refused(&refusal, 409, "sold_out");
    assert_eq!(refusal.json()["waitlist_entries"], 1);
    refused(&stage.book(2, 1, json!({"quantity": 2}), &[]).await, 409, "has_hold");
    release(&stage, 2, &id, &[]).await;
    let promoted = stage.get(3, &format!("/bookings/{}", waiting.id())).await.json();
    assert_eq!(promoted["status"], "confirmed", "in the same step");
    refused(&hold(&stage, 3, json!({}), &[]).await, 409, "already_booked");
    refused(
        &stage
            .write(2, Method::POST, "/bookings/holds", &[], &json!({"event_id": event_id(9)}))
            .await,
        404,
        "not_found",
    );
}

#[tokio::test]
async fn a_cancelled_event_releases_its_holds() {
    let stage = Stage::new().await;
    stage.open(1, 1).await;
    let id = hold(&stage, 2, json!({}), &[]).await.id();
    for round in ["in the tail", "in the views"] {
        if round == "in the tail" {
            stage.cancel_event(super::stage::ORGANIZER, 1, None).await;
        }
        assert_eq!(read(&stage, 2, &id).await.json()["status"], "released", "{round}");
        stage.projected().await;
    }
}

#[tokio::test]
async fn the_booking_of_a_person_for_an_event() {
    let stage = Stage::new().await;
    stage.open(1, 1).await;
    let mine = format!("/bookings/user/me/event/{}", event_id(1));
    let his = format!("/bookings/user/{}/event/{}", user_id(2), event_id(1));
    let none = stage.get(2, &mine).await;
    assert_eq!((none.status, none.bytes.as_slice()), (200, &b"null"[..]));
    let booked = stage.book(2, 1, json!({}), &[]).await.json();
    let read = stage.get(2, &mine).await.json();
    assert_eq!((&read["id"], read["ticket_code"].is_string()), (&booked["id"], true));
    assert_eq!(stage.get(2, &his).await.json(), read);
    let admins = stage.get(ADMIN, &his).await.json();
    assert_eq!((&admins["id"], admins.get("ticket_code")), (&booked["id"], None));
    refused(&stage.get(3, &his).await, 403, "forbidden");
    stage.book(3, 1, json!({}), &[]).await;
    let waiting = stage.get(3, &mine).await.json();
    assert_eq!(
        (&waiting["status"], &waiting["waitlist_position"]),
        (&json!("waitlisted"), &json!(1))
    );

    let cancel = async |who, path: &str, headers: &[(&str, &str)]| {
        stage.raw(who, Method::DELETE, path, headers, Bytes::new()).await
    };
    refused(&cancel(3, &his, &[]).await, 403, "forbidden");
    refused(&cancel(4, &mine, &[]).await, 404, "not_found");
    let done = cancel(2, &mine, &[KEY]).await;
    assert_eq!((done.status, &done.json()["status"]), (200, &json!("cancelled")));
    assert_eq!(done.json()["id"], booked["id"]);
    assert_eq!(stage.get(2, &mine).await.bytes, b"null");
    refused(&cancel(2, &mine, &[]).await, 404, "not_found");
    // The repeat is told the same, whether there is another booking by now or not.
    for _ in 0..2 {
        let again = cancel(2, &mine, &[KEY]).await;
        let replayed = again.header("idempotency-replayed");
        assert_eq!((&again.bytes, replayed), (&done.bytes, Some("true")));
        stage.book(2, 1, json!({}), &[]).await;
    }
    assert!(stage.get(2, &mine).await.json()["id"].is_string(), "the other one stays");
    assert_eq!(cancel(ADMIN, &his, &[]).await.status, 200);
    for wrong in ["/bookings/user/17/event/", "/bookings/user/me/event/17?"] {
        let path = format!("{wrong}{}", event_id(1));
        assert_eq!(stage.get(2, &path).await.status, 404, "{path}");
    }
}
