//! `GET /events/{id}/availability`

use harness::client::Ask;
use serde_json::{Value, json};

use crate::stage::{Stage, booking, granted, new_id, problem};

mod stream;

/// The counts but for the seq they are of.
fn counts(body: &Value) -> [u64; 7] {
    ["capacity", "booked", "held", "free", "available", "waitlisted", "waitlist_entries"]
        .map(|name| body[name].as_u64().unwrap_or_else(|| panic!("{name}: {body}")))
}

#[tokio::test]
async fn counts_follow_what_happens() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(3).await;
    let empty = stage.counts(event).await;
    assert_eq!(counts(&empty), [3, 0, 0, 3, 3, 0, 0]);
    let (holder, id) = stage.booked(event).await;
    stage.booked(event).await;
    assert_eq!(counts(&stage.counts(event).await), [3, 2, 0, 1, 1, 0, 0]);

    // Two places do not fit into one: whoever comes now waits behind.
    let large = stage.person();
    let body = json!({ "event_id": event.to_string(), "quantity": 2 });
    let waiting = granted(stage.ask(booking(&large, event).json(&body)).await, 201);
    assert_eq!(waiting["status"], "waitlisted");
    let behind = stage.counts(event).await;
    assert_eq!(counts(&behind), [3, 2, 0, 1, 0, 2, 1]);
    let late = stage.person();
    assert_eq!(granted(stage.book(&late, event).await, 201)["waitlist_position"], 2);
    assert_eq!(counts(&stage.counts(event).await), [3, 2, 0, 1, 0, 3, 2]);

    let cancel = Ask::delete(format!("/bookings/{id}")).token(&holder.token);
    granted(stage.ask(cancel).await, 200);
    let after = stage.counts(event).await;
    assert_eq!(counts(&after), [3, 3, 0, 0, 0, 1, 1]);
    let seqs = [&empty, &behind, &after].map(|body| body["as_of_seq"].as_u64());
    assert!(seqs.is_sorted() && seqs[0] < seqs[2], "{seqs:?}");
}

#[tokio::test]
async fn the_page_shows_the_same() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    stage.booked(event).await;
    stage.booked(event).await;
    let page = stage.page(event).await;
    assert_eq!((&page["booked"], &page["held"]), (&json!(1), &json!(0)));
    assert_eq!((&page["available"], &page["waitlisted"]), (&json!(0), &json!(1)));
    assert_eq!(page["status"], "sold_out");
}

#[tokio::test]
async fn there_are_no_counts_of_what_is_no_event() {
    let mut stage = Stage::new().await;
    for id in ["17".to_owned(), new_id().to_string()] {
        let ask = Ask::get(format!("/events/{id}/availability"));
        problem(stage.ask(ask).await, 404, "not_found");
    }
}
