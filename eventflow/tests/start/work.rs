//! What a node is given to do, so that there is something to tell of: an account, an event,
//! a booking, one that waits, a refusal, a hold, a stream of lists.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::client::send;

/// A person with a token.
pub(crate) fn person(addr: SocketAddr, name: &str) -> String {
    let person = json!({
        "username": name, "email": format!("{name}@example.org"), "password": "engines of analysis",
    });
    assert_eq!(send(addr, "POST", "/auth/register", None, &person).status, 201);
    let login = send(addr, "POST", "/auth/login", None, &person);
    login.body["access_token"].as_str().expect("a token").to_owned()
}

/// An event with so many places.
pub(crate) fn event(addr: SocketAddr, organizer: &str, capacity: u32) -> String {
    let event = json!({
        "title": "An evening", "description": "of figures", "location": "Here",
        "start_time": "2090-01-01T18:00:00Z", "end_time": "2090-01-01T20:00:00Z",
        "capacity": capacity, "price": 0,
    });
    let made = send(addr, "POST", "/events", Some(organizer), &event);
    assert_eq!(made.status, 201, "{}", made.body);
    made.body["id"].as_str().unwrap().to_owned()
}

/// A bit of everything. Blocks.
pub(crate) fn everything(addr: SocketAddr) {
    let (ada, bob, eve) = (person(addr, "ada"), person(addr, "bob"), person(addr, "eve"));
    let event = event(addr, &ada, 1);
    let book = |token: &str, wait: bool| {
        let wish = json!({ "event_id": event, "join_waitlist": wait });
        send(addr, "POST", "/bookings", Some(token), &wish)
    };
    let booked = book(&ada, true);
    assert_eq!(booked.status, 201, "{}", booked.body);
    assert_eq!(book(&bob, true).body["status"], "waitlisted");
    assert_eq!(book(&eve, false).body["code"], "sold_out");
    let hold = send(addr, "POST", "/bookings/holds", Some(&eve), &json!({ "event_id": event }));
    assert_eq!(hold.status, 409, "{}", hold.body);
    for path in ["/bookings", "/events", "/events/no-such-id", "/no/such/path"] {
        let status = send(addr, "GET", path, Some(&ada), &Value::Null).status;
        assert!(status == 200 || status == 404, "{path}: {status}");
    }
}
