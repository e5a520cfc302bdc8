//! Calls over HTTP that write their own history.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Ask, Client, NoAnswer, Response};
use crate::history::{
    Answer, Call, History, Outcome, Refusal, SeenAvailability, SeenBooking, SeenHold, Status, Told,
    Wish,
};
use crate::people::Person;

/// One client of a run.
#[derive(Debug)]
pub struct Recorder {
    history: Arc<History>,
    number: usize,
    client: Client,
}

impl Recorder {
    /// The client with this number, on this connection.
    #[must_use]
    pub fn new(history: &Arc<History>, number: usize, client: Client) -> Self {
        Self { history: Arc::clone(history), number, client }
    }

    /// Its connection.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Makes a call and keeps it. `None`, and nothing is kept, if there was no server to
    /// send it to.
    pub async fn call(
        &mut self,
        person: &Person,
        wish: &Wish,
        key: Option<&Arc<str>>,
    ) -> Option<Outcome> {
        let ask = ask(wish).token(&person.token);
        let ask = match key {
            Some(key) => ask.key(key),
            None => ask,
        };
        let started = self.history.now();
        let outcome = match self.client.send(&ask).await {
            Ok(response) => outcome(wish, &response),
            Err(NoAnswer::NotSent(_)) => return None,
            Err(NoAnswer::Unknown(why)) => Outcome::Unknown(why),
        };
        let ended = self.history.now();
        self.history.keep(Call {
            client: self.number,
            user: person.id,
            key: key.cloned(),
            wish: wish.clone(),
            started,
            ended,
            outcome: outcome.clone(),
        });
        Some(outcome)
    }
}

fn ask(wish: &Wish) -> Ask {
    match wish {
        Wish::Book { event, quantity, join_waitlist } => Ask::post("/bookings").json(&json!({
            "event_id": event.to_string(),
            "quantity": quantity,
            "join_waitlist": join_waitlist,
        })),
        Wish::Cancel { booking } => Ask::delete(format!("/bookings/{booking}")),
        Wish::Hold { event, quantity } => Ask::post("/bookings/holds")
            .json(&json!({ "event_id": event.to_string(), "quantity": quantity })),
        Wish::Confirm { hold, .. } => {
            Ask::post("/bookings").json(&json!({ "hold_id": hold.to_string() }))
        }
        Wish::SetCapacity { event, capacity } => {
            Ask::patch(format!("/events/{event}")).json(&json!({ "capacity": capacity }))
        }
        Wish::ReadBooking { booking } => Ask::get(format!("/bookings/{booking}")),
        Wish::ReadOwn => Ask::get("/bookings"),
        Wish::ReadAvailability { event } => Ask::get(format!("/events/{event}/availability")),
    }
}

fn outcome(wish: &Wish, response: &Response) -> Outcome {
    let status = response.status.as_u16();
    match status {
        200..=299 => Outcome::Answered(Answer {
            body: response.body.as_ref().into(),
            replayed: response.header("idempotency-replayed") == "true",
            told: told(wish, &response.json()).unwrap_or_else(|what| {
                Told::Garbled(format!("{status} without {what}: {:?}", response.body))
            }),
        }),
        400..=499 => {
            let problem = response.json();
            Outcome::Refused(Refusal {
                status,
                code: problem["code"].as_str().unwrap_or_default().to_owned(),
                existing: id(&problem["booking"], "id").ok(),
            })
        }
        _ => {
            let problem = response.json();
            let code = problem["code"].as_str().unwrap_or("without a code");
            Outcome::Unknown(format!("{status} {code}: {:?}", response.body))
        }
    }
}

fn told(wish: &Wish, body: &Value) -> Result<Told, String> {
    Ok(match wish {
        Wish::Book { .. }
        | Wish::Confirm { .. }
        | Wish::Cancel { .. }
        | Wish::ReadBooking { .. } => Told::Booking(booking(body)?),
        Wish::Hold { .. } => Told::Hold(hold(body)?),
        Wish::ReadOwn => Told::Bookings(bookings(body)?),
        Wish::SetCapacity { .. } => {
            Told::Event { version: number(body, "version")?, capacity: number(body, "capacity")? }
        }
        Wish::ReadAvailability { .. } => Told::Availability(availability(body)?),
    })
}

/// A list of bookings out of JSON.
///
/// # Errors
/// With the name of what is missing.
pub fn bookings(body: &Value) -> Result<Vec<SeenBooking>, String> {
    body.as_array().ok_or("a list")?.iter().map(booking).collect()
}

/// A booking out of JSON.
///
/// # Errors
/// With the name of what is missing.
pub fn booking(body: &Value) -> Result<SeenBooking, String> {
    let same_id = id(body, "id")? == id(body, "booking_id")?;
    let position = match &body["waitlist_position"] {
        Value::Null => None,
        _ => Some(number(body, "waitlist_position")?),
    };
    Ok(SeenBooking {
        id: id(body, "id").and_then(|id| same_id.then_some(id).ok_or("one id".to_owned()))?,
        event: id(body, "event_id")?,
        user: id(body, "user_id")?,
        quantity: number(body, "quantity")?,
        status: match body["status"].as_str() {
            Some("confirmed") => Status::Confirmed,
            Some("waitlisted") => Status::Waitlisted,
            Some("cancelled") => Status::Cancelled,
            _ => return Err("a status".to_owned()),
        },
        seq: number(body, "seq")?,
        position,
    })
}

/// A hold out of JSON.
///
/// # Errors
/// With the name of what is missing.
pub fn hold(body: &Value) -> Result<SeenHold, String> {
    Ok(SeenHold {
        id: id(body, "hold_id")?,
        event: id(body, "event_id")?,
        user: id(body, "user_id")?,
        quantity: number(body, "quantity")?,
        seq: number(body, "seq")?,
    })
}

/// The counts of an event out of JSON.
///
/// # Errors
/// With the name of what is missing.
pub fn availability(body: &Value) -> Result<SeenAvailability, String> {
    Ok(SeenAvailability {
        capacity: number(body, "capacity")?,
        booked: number(body, "booked")?,
        held: number(body, "held")?,
        free: number(body, "free")?,
        available: number(body, "available")?,
        waitlisted: number(body, "waitlisted")?,
        waitlist_entries: number(body, "waitlist_entries")?,
        as_of_seq: number(body, "as_of_seq")?,
    })
}

fn number<T: TryFrom<u64>>(body: &Value, name: &str) -> Result<T, String> {
    let number = body[name].as_u64().and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| name.to_owned())
}

fn id(body: &Value, name: &str) -> Result<Uuid, String> {
    let id = body[name].as_str().and_then(|text| text.parse().ok());
    id.ok_or_else(|| name.to_owned())
}
