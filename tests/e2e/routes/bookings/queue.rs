//! The waitlist, as its people see it: strict, in the order of their coming.

use harness::client::Ask;
use harness::people::Person;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stage::{Stage, granted, problem, text};

/// Somebody new who wants so many places, and what came of it.
async fn wants(stage: &mut Stage, event: Uuid, quantity: u32) -> (Person, Value) {
    let person = stage.person();
    let body = json!({ "event_id": event.to_string(), "quantity": quantity });
    let ask = Ask::post("/bookings").token(&person.token).json(&body);
    let answer = granted(stage.ask(ask).await, 201);
    (person, answer)
}

async fn now(stage: &mut Stage, (person, booking): &(Person, Value)) -> Value {
    let ask = Ask::get(format!("/bookings/{}", text(booking, "id"))).token(&person.token);
    granted(stage.ask(ask).await, 200)
}

async fn leaves(stage: &mut Stage, (person, booking): &(Person, Value)) {
    let ask = Ask::delete(format!("/bookings/{}", text(booking, "id"))).token(&person.token);
    granted(stage.ask(ask).await, 200);
}

#[tokio::test]
async fn the_first_is_served_first_and_holds_the_queue() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(3).await;
    let one = wants(&mut stage, event, 1).await;
    let two = wants(&mut stage, event, 2).await;
    let group = wants(&mut stage, event, 2).await;
    let single = wants(&mut stage, event, 1).await;
    assert_eq!(
        (&group.1["waitlist_position"], &single.1["waitlist_position"]),
        (&json!(1), &json!(2))
    );

    // One place is free and the group needs two: nobody goes past it.
    leaves(&mut stage, &one).await;
    for (waiting, position) in [(&group, 1), (&single, 2)] {
        let row = now(&mut stage, waiting).await;
        assert_eq!(
            (&row["status"], &row["waitlist_position"]),
            (&json!("waitlisted"), &json!(position))
        );
    }
    let counts = stage.counts(event).await;
    assert_eq!((&counts["free"], &counts["available"]), (&json!(1), &json!(0)), "{counts}");
    assert_eq!((&counts["waitlisted"], &counts["waitlist_entries"]), (&json!(3), &json!(2)));

    // Three are free: both are served in the same step.
    leaves(&mut stage, &two).await;
    for (served, was) in [(&group, &group.1), (&single, &single.1)] {
        let row = now(&mut stage, served).await;
        assert_eq!(row["status"], "confirmed", "{row}");
        assert!(row.get("waitlist_position").is_none(), "{row}");
        assert_eq!((&row["seq"], &row["id"]), (&was["seq"], &was["id"]), "{row}");
        assert_eq!(row["created_at"], was["created_at"]);
    }
    let counts = stage.counts(event).await;
    assert_eq!((&counts["booked"], &counts["waitlist_entries"]), (&json!(3), &json!(0)));
}

#[tokio::test]
async fn nobody_new_goes_past_the_queue() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(3).await;
    wants(&mut stage, event, 2).await;
    let group = wants(&mut stage, event, 2).await;
    assert_eq!(group.1["status"], "waitlisted");
    // One place is free, but somebody waits.
    let newcomer = stage.person();
    let body = json!({ "event_id": event.to_string(), "join_waitlist": false });
    let ask = Ask::post("/bookings").token(&newcomer.token).json(&body);
    let refused = problem(stage.ask(ask).await, 409, "sold_out");
    assert_eq!((&refused["available"], &refused["waitlist_entries"]), (&json!(0), &json!(1)));
    let last = wants(&mut stage, event, 1).await;
    assert_eq!(
        (&last.1["status"], &last.1["waitlist_position"]),
        (&json!("waitlisted"), &json!(2))
    );
    // When the group gives up, the next one's place is there.
    leaves(&mut stage, &group).await;
    assert_eq!(now(&mut stage, &last).await["status"], "confirmed");
}

#[tokio::test]
async fn positions_follow_and_places_in_history_do_not() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    wants(&mut stage, event, 1).await;
    let mut queue = Vec::new();
    for _ in 0..4 {
        queue.push(wants(&mut stage, event, 1).await);
    }
    leaves(&mut stage, &queue.remove(1)).await;
    let mut last = 0;
    for (index, entry) in queue.iter().enumerate() {
        let row = now(&mut stage, entry).await;
        assert_eq!(row["waitlist_position"], index + 1, "{row}");
        assert_eq!(row["seq"], entry.1["seq"], "{row}");
        let seq = row["seq"].as_u64().unwrap();
        assert!(seq > last, "{row}");
        last = seq;
    }
}
