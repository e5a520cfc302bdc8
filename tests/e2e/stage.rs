//! One server for all tests that run at the same time, and people to ask it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use harness::client::{Ask, Client, Response};
use harness::events;
use harness::people::{People, Person};
use harness::random::Random;
use harness::server::{Home, Server};
use harness::settings;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use uuid::Uuid;

/// The server that is running, if a test holds it. It ends with the last of them: what
/// is only kept in a static would outlive the test binary.
static RUNNING: Mutex<Weak<Shared>> = Mutex::const_new(Weak::new());

/// Counts the people of this test binary, so that no two are the same.
static PEOPLE: AtomicU64 = AtomicU64::new(0);

struct Shared {
    address: SocketAddr,
    people: People,
    /// What was started for these tests; `None` where a server was running already.
    own: Option<(Server, Home)>,
}

impl Shared {
    async fn start() -> Self {
        if let Some((address, data)) = settings::server() {
            return Self { address, people: People::of(&data), own: None };
        }
        let home = Home::new();
        let server = Server::start(&home).await;
        let people = People::of(&home.data());
        Self { address: server.address(), people, own: Some((server, home)) }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some((_, home)) = self.own.as_ref().filter(|_| !std::thread::panicking()) {
            home.assert_no_panic();
        }
    }
}

/// What a test of a route needs: the server, a connection, people.
pub(crate) struct Stage {
    shared: Arc<Shared>,
    client: Client,
}

impl Stage {
    /// On the running server, or a new one.
    pub(crate) async fn new() -> Self {
        let mut running = RUNNING.lock().await;
        let shared = match running.upgrade() {
            Some(shared) => shared,
            None => {
                let shared = Arc::new(Shared::start().await);
                *running = Arc::downgrade(&shared);
                shared
            }
        };
        let client = Client::new(shared.address);
        Self { shared, client }
    }

    /// Another connection.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.shared.address)
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn ask(&mut self, ask: Ask) -> Response {
        self.client.ask(&ask).await
    }

    /// Somebody new.
    pub(crate) fn person(&self) -> Person {
        self.shared.people.attendee(new_id())
    }

    /// Some new admin.
    pub(crate) fn admin(&self) -> Person {
        self.shared.people.admin(new_id())
    }

    /// The issuer of tokens that this server accepts.
    pub(crate) fn people(&self) -> &People {
        &self.shared.people
    }

    /// A new event with so many places, and its organizer.
    pub(crate) async fn event(&mut self, capacity: u32) -> (Person, Uuid) {
        let organizer = self.person();
        let event = events::create(&mut self.client, &organizer, "An evening", capacity).await;
        (organizer, event)
    }

    /// Books as somebody; whatever comes of it.
    pub(crate) async fn book(&mut self, person: &Person, event: Uuid) -> Response {
        self.ask(booking(person, event)).await
    }

    /// Books as somebody new, and returns them with the booking's id.
    pub(crate) async fn booked(&mut self, event: Uuid) -> (Person, String) {
        let person = self.person();
        let answer = granted(self.book(&person, event).await, 201);
        (person, text(&answer, "id"))
    }

    /// The event's page.
    pub(crate) async fn page(&mut self, event: Uuid) -> Value {
        granted(self.ask(Ask::get(format!("/events/{event}"))).await, 200)
    }

    /// The event's counts.
    pub(crate) async fn counts(&mut self, event: Uuid) -> Value {
        granted(self.ask(Ask::get(format!("/events/{event}/availability"))).await, 200)
    }
}

/// A valid booking of one place.
pub(crate) fn booking(person: &Person, event: Uuid) -> Ask {
    Ask::post("/bookings").token(&person.token).json(&json!({ "event_id": event.to_string() }))
}

/// An id that nobody else in this binary gets.
pub(crate) fn new_id() -> Uuid {
    let number = PEOPLE.fetch_add(1, Ordering::Relaxed);
    Random::new(settings::seed()).part(number).uuid()
}

/// The answer was granted, in JSON, with this status; its body.
#[track_caller]
#[allow(clippy::needless_pass_by_value, reason = "callers hand over what they have just got")]
pub(crate) fn granted(answer: Response, status: u16) -> Value {
    assert_eq!(answer.status.as_u16(), status, "{:?}", answer.body);
    assert_eq!(answer.header("content-type"), "application/json", "{:?}", answer.body);
    answer.json()
}

/// The answer is a problem with this status and code; its body.
#[track_caller]
#[allow(clippy::needless_pass_by_value, reason = "callers hand over what they have just got")]
pub(crate) fn problem(answer: Response, status: u16, code: &str) -> Value {
    assert_eq!(answer.status.as_u16(), status, "{:?}", answer.body);
    assert_eq!(answer.header("content-type"), "application/problem+json", "{:?}", answer.body);
    let body = answer.json();
    assert_eq!(body["code"], code, "{body}");
    assert_eq!(body["status"], status, "{body}");
    assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{body}");
    assert!(body["title"].is_string() && body["retryable"].is_boolean(), "{body}");
    body
}

/// The answer says 422 and names this field.
#[track_caller]
pub(crate) fn wrong_field(answer: Response, field: &str) {
    let body = problem(answer, 422, "validation_failed");
    let errors = body["errors"].as_array().cloned().unwrap_or_default();
    assert!(errors.iter().any(|error| error["field"] == field), "{field}: {body}");
}

/// A text in a body.
#[track_caller]
pub(crate) fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}

/// Whether this is a UUID of version 7.
pub(crate) fn is_uuid_v7(text: &str) -> bool {
    text.parse::<Uuid>().is_ok_and(|id| id.get_version_num() == 7)
}

/// Whether this is a time in UTC as answers have it.
pub(crate) fn is_utc(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() >= 20 && text.ends_with('Z'))
}
