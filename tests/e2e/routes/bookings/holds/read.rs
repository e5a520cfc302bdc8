//! `GET /bookings/holds/{id}`

use harness::client::Ask;
use serde_json::json;

use super::{confirm, held, hold, read, release};
use crate::stage::{Stage, granted, new_id, problem, text};

#[tokio::test]
async fn a_hold_reads_as_it_was_told_and_then_as_it_stands() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(5).await;
    let person = stage.person();
    let told = granted(stage.ask(hold(&person, event)).await, 201);
    let id = text(&told, "id");
    assert_eq!(granted(stage.ask(read(&person, &id)).await, 200), told);
    granted(stage.ask(release(&person, &id)).await, 200);
    let mut released = told.clone();
    released["status"] = json!("released");
    assert_eq!(granted(stage.ask(read(&person, &id)).await, 200), released);

    let (other, id) = held(&mut stage, event).await;
    granted(stage.ask(confirm(&other, &id)).await, 201);
    assert_eq!(granted(stage.ask(read(&other, &id)).await, 200)["status"], "confirmed");
}

#[tokio::test]
async fn holds_go_with_their_event() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(5).await;
    let (person, id) = held(&mut stage, event).await;
    granted(stage.ask(Ask::delete(format!("/events/{event}")).token(&organizer.token)).await, 200);
    assert_eq!(granted(stage.ask(read(&person, &id)).await, 200)["status"], "released");
    problem(stage.ask(confirm(&person, &id)).await, 409, "hold_expired");
}

#[tokio::test]
async fn anothers_hold_is_not_there() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(1).await;
    let (person, id) = held(&mut stage, event).await;
    for other in [organizer, stage.person(), stage.admin()] {
        problem(stage.ask(read(&other, &id)).await, 404, "not_found");
    }
    for id in ["17".to_owned(), new_id().to_string(), event.to_string()] {
        problem(stage.ask(read(&person, &id)).await, 404, "not_found");
    }
    problem(stage.ask(Ask::get(format!("/bookings/holds/{id}"))).await, 401, "unauthorized");
}
