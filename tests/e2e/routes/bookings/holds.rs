//! `/bookings/holds…`

use harness::client::Ask;
use harness::people::Person;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stage::{Stage, granted, text};

mod change;
mod confirm;
mod keys;
mod place;
mod read;
mod release;

/// A hold of one place with details.
fn hold(person: &Person, event: Uuid) -> Ask {
    let body = json!({ "event_id": event.to_string(), "details": { "seats": ["B2"], "n": 1 } });
    Ask::post("/bookings/holds").token(&person.token).json(&body)
}

/// Holds a place as somebody new.
async fn held(stage: &mut Stage, event: Uuid) -> (Person, String) {
    let person = stage.person();
    let body = granted(stage.ask(hold(&person, event)).await, 201);
    (person, text(&body, "hold_id"))
}

fn read(person: &Person, id: &str) -> Ask {
    Ask::get(format!("/bookings/holds/{id}")).token(&person.token)
}

fn change(person: &Person, id: &str, body: &Value) -> Ask {
    Ask::patch(format!("/bookings/holds/{id}")).token(&person.token).json(body)
}

fn release(person: &Person, id: &str) -> Ask {
    Ask::delete(format!("/bookings/holds/{id}")).token(&person.token)
}

fn confirm(person: &Person, id: &str) -> Ask {
    Ask::post("/bookings").token(&person.token).json(&json!({ "hold_id": id }))
}
