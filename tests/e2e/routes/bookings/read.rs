//! `GET /bookings/{id}`

use harness::client::Ask;
use serde_json::json;

use crate::stage::{Stage, granted, new_id, problem, text};

#[tokio::test]
async fn the_owner_sees_it_with_its_ticket() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    let person = stage.person();
    let made = granted(stage.book(&person, event).await, 201);
    let path = format!("/bookings/{}", text(&made, "id"));
    let read = granted(stage.ask(Ask::get(&path).token(&person.token)).await, 200);
    for field in
        ["id", "booking_id", "event_id", "user_id", "status", "quantity", "created_at", "seq"]
    {
        assert_eq!(read[field], made[field], "{field}: {read}");
    }
    assert!(!text(&read, "ticket_code").is_empty());
    // The same each time, and another for each booking.
    let again = granted(stage.ask(Ask::get(&path).token(&person.token)).await, 200);
    assert_eq!(again, read);
}

#[tokio::test]
async fn who_waits_sees_the_place_in_the_queue_and_no_ticket() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    let (holder, id) = stage.booked(event).await;
    let (first, first_id) = stage.booked(event).await;
    let (second, second_id) = stage.booked(event).await;
    let read = Ask::get(format!("/bookings/{second_id}")).token(&second.token);
    let row = granted(stage.ask(read.clone()).await, 200);
    assert_eq!((&row["status"], &row["waitlist_position"]), (&json!("waitlisted"), &json!(2)));
    assert!(row.get("ticket_code").is_none(), "{row}");

    granted(stage.ask(Ask::delete(format!("/bookings/{id}")).token(&holder.token)).await, 200);
    assert_eq!(granted(stage.ask(read).await, 200)["waitlist_position"], 1);
    let read = Ask::get(format!("/bookings/{first_id}")).token(&first.token);
    let row = granted(stage.ask(read).await, 200);
    assert_eq!(row["status"], "confirmed");
    assert!(row.get("waitlist_position").is_none() && row["ticket_code"].is_string(), "{row}");
    assert_ne!(row["updated_at"], row["created_at"]);
}

#[tokio::test]
async fn a_foreign_booking_is_not_there() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(1).await;
    let (_, id) = stage.booked(event).await;
    for person in [organizer, stage.person()] {
        let ask = Ask::get(format!("/bookings/{id}")).token(&person.token);
        problem(stage.ask(ask).await, 404, "not_found");
    }
    let admin = stage.admin();
    let row =
        granted(stage.ask(Ask::get(format!("/bookings/{id}")).token(&admin.token)).await, 200);
    assert!(row.get("ticket_code").is_none(), "{row}");
}

#[tokio::test]
async fn what_is_no_booking_is_not_there() {
    let mut stage = Stage::new().await;
    let person = stage.person();
    for id in ["17".to_owned(), new_id().to_string(), "%00".to_owned()] {
        let ask = Ask::get(format!("/bookings/{id}")).token(&person.token);
        problem(stage.ask(ask).await, 404, "not_found");
    }
}
