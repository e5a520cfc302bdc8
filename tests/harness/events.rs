//! Making events, and reading back all that there is to read about them.

use hyper::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Ask, Client, Response};
use crate::history::SeenBooking;
use crate::people::Person;
use crate::recorder::{availability, bookings};
use crate::served::ServedEvent;

/// Most rows of one page of a list of bookings.
const PAGE: usize = 500;

/// Most pages that are followed: a list that never ends is wrong.
const PAGES: usize = 1_000;

/// What a valid `POST /events` says, for tests to change.
#[must_use]
pub fn description(title: &str, capacity: u32) -> Value {
    json!({
        "title": title,
        "description": "Made by a test.",
        "start_time": "2099-06-01T18:00:00Z",
        "end_time": "2099-06-01T22:00:00Z",
        "location": "Testhausen",
        "capacity": capacity,
        "price": 12.5,
    })
}

/// Makes an event with so many places.
///
/// # Panics
/// When it is refused.
pub async fn create(client: &mut Client, organizer: &Person, title: &str, capacity: u32) -> Uuid {
    let ask = Ask::post("/events").token(&organizer.token).json(&description(title, capacity));
    let answer = client.ask(&ask).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    let event = answer.json();
    event["id"].as_str().and_then(|id| id.parse().ok()).expect("an event has an id")
}

/// Everything that is served about an event.
///
/// # Panics
/// When something cannot be read.
pub async fn read_back(client: &mut Client, event: Uuid, organizer: &Person) -> ServedEvent {
    let served = try_read_back(client, event, organizer).await;
    served.unwrap_or_else(|why| panic!("{why}"))
}

/// As [`read_back`], of a system that need not answer yet.
///
/// # Errors
/// With a sentence, when something cannot be read.
pub async fn try_read_back(
    client: &mut Client,
    event: Uuid,
    organizer: &Person,
) -> Result<ServedEvent, String> {
    let counts = granted(client, &Ask::get(format!("/events/{event}/availability"))).await?;
    let page = granted(client, &Ask::get(format!("/events/{event}"))).await?.json();
    Ok(ServedEvent {
        id: event,
        availability: availability(&counts.json()).map_err(|what| format!("no {what}"))?,
        capacity: figure(&page, "capacity")?,
        version: figure(&page, "version")?,
        bookings: try_list(client, &format!("/events/{event}/bookings"), organizer).await?,
    })
}

/// A list of bookings with all its pages.
///
/// # Panics
/// When a page cannot be read, or there is no end of them.
pub async fn list(client: &mut Client, path: &str, person: &Person) -> Vec<SeenBooking> {
    try_list(client, path, person).await.unwrap_or_else(|why| panic!("{why}"))
}

/// As [`list`], of a system that need not answer yet.
///
/// # Errors
/// With a sentence, when a page cannot be read, or there is no end of them.
pub async fn try_list(
    client: &mut Client,
    path: &str,
    person: &Person,
) -> Result<Vec<SeenBooking>, String> {
    let mut rows = Vec::new();
    let mut next = format!("{path}?limit={PAGE}");
    for _ in 0..PAGES {
        let page = granted(client, &Ask::get(&next).token(&person.token)).await?;
        rows.extend(bookings(&page.json()).map_err(|what| format!("{next}: no {what}"))?);
        match next_page(&page) {
            Some(link) => next = link,
            None => return Ok(rows),
        }
    }
    Err(format!("{path} has more than {PAGES} pages"))
}

/// The path of the next page, out of a `Link: <…>; rel="next"`.
#[must_use]
pub fn next_page(page: &Response) -> Option<String> {
    let link = page.header("link");
    let (target, rest) = link.strip_prefix('<')?.split_once('>')?;
    assert!(rest.contains("rel=\"next\""), "an unknown link: {link}");
    let path = target
        .find("://")
        .map_or(Some(0), |scheme| target[scheme + 3..].find('/').map(|slash| scheme + 3 + slash));
    Some(target[path.unwrap_or(target.len())..].to_owned())
}

async fn granted(client: &mut Client, ask: &Ask) -> Result<Response, String> {
    let answer = client.send(ask).await.map_err(|why| format!("{}: {why}", ask.line()))?;
    if answer.status != StatusCode::OK {
        return Err(format!("{}: {} {:?}", ask.line(), answer.status, answer.body));
    }
    Ok(answer)
}

fn figure(body: &Value, name: &str) -> Result<u32, String> {
    let figure = body[name].as_u64().and_then(|figure| u32::try_from(figure).ok());
    figure.ok_or_else(|| format!("no {name} in {body}"))
}
