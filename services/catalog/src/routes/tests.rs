//! The routes over the store in memory and a booking service played by hand.

mod booking;
mod crashes;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use api::identity::{Role, TokenIssuer, generate_signing_key_pem};
use api::{Clock, Entropy, Verifier};
use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use axum::http::{Method, Request};
use engine::{Timestamp, UserId};
use serde_json::{Value, json};
use storage::CatalogStore;
use storage::memory::MemoryStore;
use tower::ServiceExt;

use self::booking::FakeBooking;
use crate::{Options, Parts, Service};

/// 2027-01-01T00:00:00Z.
const NOW: i64 = 1_798_761_600_000;

struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (byte, value) in bytes.iter_mut().rev().zip(number.iter().rev()) {
            *byte = *value;
        }
    }
}

/// A catalog with everything around it.
struct Stage {
    router: Router,
    service: Service,
    booking: FakeBooking,
    issuer: TokenIssuer,
    clock: Arc<Hand>,
    verifier: Arc<Verifier>,
}

struct Seen {
    status: u16,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Seen {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl Stage {
    fn new() -> Self {
        let issuer = TokenIssuer::from_pem(&generate_signing_key_pem([7; 32])).unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(NOW)));
        let verifier = Arc::new(Verifier::new(&[issuer.public_key()], clock.clone()));
        let booking = FakeBooking::new(verifier.clone());
        Self::over(MemoryStore::new(1).stores().catalog, booking, verifier, clock)
    }

    /// A new process over what others have left.
    fn over(
        store: Arc<dyn CatalogStore>,
        booking: FakeBooking,
        verifier: Arc<Verifier>,
        clock: Arc<Hand>,
    ) -> Self {
        let issuer = TokenIssuer::from_pem(&generate_signing_key_pem([7; 32])).unwrap();
        let options =
            Options { projection_patience: Duration::from_millis(100), ..Options::default() };
        let parts = Parts {
            store,
            bus: MemoryStore::new(1).stores().bus,
            booking: booking.router().into(),
            verifier: verifier.clone(),
            clock: clock.clone(),
            entropy: Arc::new(Counting(AtomicU64::new(1))),
        };
        let service = Service::new(options, parts);
        Self { router: service.router(), service, booking, issuer, clock, verifier }
    }

    fn token(&self, person: u8, role: Role) -> String {
        let now = self.clock.now();
        self.issuer.issue(UserId([person; 16]), "someone", role, now).unwrap().0
    }

    async fn send(&self, request: Request<Body>) -> Seen {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1_000_000).await.unwrap().to_vec();
        Seen { status: parts.status.as_u16(), headers: parts.headers, bytes }
    }

    async fn write(
        &self,
        person: u8,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Seen {
        let role = if person == 0xad { Role::Admin } else { Role::Attendee };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, format!("Bearer {}", self.token(person, role)))
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.send(request.body(body).unwrap()).await
    }

    async fn get(&self, path: &str) -> Seen {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Creates the event of [`fair`] as person 1 and returns its path.
    async fn fair(&self) -> String {
        let seen = self.write(1, Method::POST, "/events", &[], &fair()).await;
        assert_eq!(seen.status, 201, "{:?}", seen.json());
        format!("/events/{}", seen.json()["id"].as_str().unwrap())
    }
}

fn fair() -> Value {
    json!({
        "title": "Fair", "description": "A fair.", "location": "Hall 1",
        "start_time": "2027-05-01T10:00:00+02:00", "end_time": "2027-05-01T18:00:00Z",
        "capacity": 100, "price": 12.5,
    })
}

const KEY: (&str, &str) = ("idempotency-key", "k1");

#[tokio::test]
async fn an_event_is_created_and_read_as_the_contract_says() {
    let stage = Stage::new();
    let seen = stage.write(1, Method::POST, "/events", &[KEY], &fair()).await;
    assert_eq!(seen.status, 201);
    assert_eq!(seen.header("etag"), Some("\"1\""));
    assert_eq!(seen.header("idempotency-key"), Some("k1"));
    assert_eq!(seen.header("idempotency-replayed"), None);
    let event = seen.json();
    let id = event["id"].as_str().unwrap();
    assert_eq!(
        event,
        json!({
            "id": id, "title": "Fair", "name": "Fair", "description": "A fair.",
            "start_time": "2027-05-01T08:00:00.000Z", "end_time": "2027-05-01T18:00:00.000Z",
            "timezone": null, "location": "Hall 1", "capacity": 100, "available": 100,
            "booked": 0, "held": 0, "waitlisted": 0, "price": 12.5,
            "booking_opens_at": "2027-01-01T00:00:00.000Z",
            "booking_closes_at": "2027-05-01T08:00:00.000Z",
            "waitlist": true, "max_per_booking": 10,
            "organizer_id": "01010101-0101-0101-0101-010101010101", "is_active": true,
            "status": "open", "created_at": "2027-01-01T00:00:00.000Z",
            "updated_at": "2027-01-01T00:00:00.000Z", "version": 1,
        })
    );
    let read = stage.get(&format!("/events/{id}")).await;
    assert_eq!((read.status, read.json()), (200, event.clone()));
    assert_eq!(read.header("etag"), Some("\"1\""));
    let list = stage.get("/events").await;
    assert_eq!(list.json(), json!([event]));
    assert_eq!(list.header("link"), None);
}

#[tokio::test]
async fn a_repeated_key_creates_one_event_and_gets_the_same_bytes() {
    let stage = Stage::new();
    let first = stage.write(1, Method::POST, "/events", &[KEY], &fair()).await;
    // Later, with more booked, in another order of fields.
    stage.clock.0.fetch_add(60_000, Ordering::Relaxed);
    stage.booking.book(&first.json(), 3);
    let again = stage.write(1, Method::POST, "/events", &[KEY], &fair()).await;
    assert_eq!((again.status, &again.bytes), (201, &first.bytes));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.header("etag"), Some("\"1\""));
    assert_eq!(stage.booking.events(), 1);

    let mut other = fair();
    other["capacity"] = json!(101);
    let refused = stage.write(1, Method::POST, "/events", &[KEY], &other).await;
    assert_eq!((refused.status, &refused.json()["code"]), (422, &json!("key_reused")));
    assert_eq!(refused.header("idempotency-key"), Some("k1"));
    // Another person's key of the same name is another key.
    assert_eq!(stage.write(2, Method::POST, "/events", &[KEY], &fair()).await.status, 201);
    assert_eq!(stage.booking.events(), 2);
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_finds_its_event_again() {
    let stage = Stage::new();
    stage.booking.lose_next_answer();
    let lost = stage.write(1, Method::POST, "/events", &[KEY], &fair()).await;
    assert_eq!((lost.status, &lost.json()["code"]), (503, &json!("outcome_unknown")));
    assert_eq!(stage.booking.events(), 1);
    // The fact is not on the bus yet, so the catalog cannot show it.
    stage.clock.0.fetch_add(60_000, Ordering::Relaxed);
    let behind = stage.write(1, Method::POST, "/events", &[KEY], &fair()).await;
    assert_eq!((behind.status, &behind.json()["code"]), (503, &json!("catalog_behind")));
    assert!(behind.header("retry-after").is_some());
    stage.booking.publish_all(&stage.service).await;
    let again = stage.write(1, Method::POST, "/events", &[KEY], &fair()).await;
    assert_eq!(again.status, 201);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(stage.booking.events(), 1);
    // What was decided first counts, not what the repeat filled in.
    assert_eq!(again.json()["booking_opens_at"], "2027-01-01T00:00:00.000Z");
}

#[tokio::test]
async fn a_change_needs_the_organizer_or_an_admin() {
    let stage = Stage::new();
    let path = stage.fair().await;
    let change = json!({"title": "Great Fair"});
    let anyone = stage.write(2, Method::PATCH, &path, &[], &change).await;
    assert_eq!((anyone.status, &anyone.json()["code"]), (403, &json!("forbidden")));
    let own = stage.write(1, Method::PATCH, &path, &[], &change).await;
    assert_eq!((own.status, own.json()["version"].as_u64()), (200, Some(2)));
    assert_eq!(own.json()["name"], "Great Fair");
    let capacity = json!({"capacity": 120});
    let admin = stage.write(0xad, Method::PUT, &path, &[], &capacity).await;
    assert_eq!((admin.status, admin.header("etag")), (200, Some("\"3\"")));
    assert_eq!(admin.json()["available"], 120);
    assert_eq!(stage.get(&path).await.json(), admin.json());

    let nobody = Request::delete(&path).body(Body::empty()).unwrap();
    let nobody = stage.send(nobody).await;
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, Some("Bearer")));
}

#[tokio::test]
async fn get_edit_put_works_and_unknown_fields_do_not() {
    let stage = Stage::new();
    let path = stage.fair().await;
    let mut event = stage.get(&path).await.json();
    event["location"] = json!("Hall 2");
    let put = stage.write(1, Method::PUT, &path, &[], &event).await;
    assert_eq!((put.status, &put.json()["location"]), (200, &json!("Hall 2")));
    let wrong = json!({"colour": "red", "capacity": 0, "title": null});
    let wrong = stage.write(1, Method::PATCH, &path, &[], &wrong).await;
    assert_eq!(wrong.status, 422);
    let fields: Vec<_> = wrong.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(fields, ["title", "capacity", "colour"]);
    assert_eq!(stage.get(&path).await.json()["version"], 2, "nothing changed");
}

#[tokio::test]
async fn if_match_is_honoured() {
    let stage = Stage::new();
    let path = stage.fair().await;
    let change = json!({"title": "B"});
    for (tag, status) in [
        ("\"2\"", 412),
        ("W/\"1\"", 412),
        ("junk", 412),
        ("\"1\"", 200),
        ("\"9\", \"2\"", 200),
        ("*", 200),
    ] {
        let seen = stage.write(1, Method::PATCH, &path, &[("if-match", tag)], &change).await;
        assert_eq!(seen.status, status, "{tag}");
    }
    let seen = stage.write(1, Method::DELETE, &path, &[("if-match", "\"1\"")], &Value::Null).await;
    assert_eq!((seen.status, seen.json()["version"].as_u64()), (412, Some(4)));
}

#[tokio::test]
async fn a_change_decided_meanwhile_is_checked_anew() {
    let stage = Stage::new();
    let path = stage.fair().await;
    // Another replica changed the event; its fact is on the bus, but not in the document.
    stage.booking.change_behind_the_scenes(&stage.service);
    let later = json!({"end_time": "2027-05-01T19:00:00Z"});
    let seen = stage.write(1, Method::PATCH, &path, &[], &later).await;
    assert_eq!((seen.status, seen.json()["version"].as_u64()), (200, Some(3)));
    assert_eq!(seen.json()["title"], "Changed elsewhere");
    assert_eq!(seen.json()["end_time"], "2027-05-01T19:00:00.000Z");
}

#[tokio::test]
async fn a_change_whose_predecessor_never_comes_is_reported_as_behind() {
    let stage = Stage::new();
    let path = stage.fair().await;
    stage.booking.change_unheard();
    let seen = stage.write(1, Method::PATCH, &path, &[KEY], &json!({"title": "C"})).await;
    assert_eq!((seen.status, &seen.json()["code"]), (503, &json!("catalog_behind")));
    stage.booking.publish_all(&stage.service).await;
    let again = stage.write(1, Method::PATCH, &path, &[KEY], &json!({"title": "C"})).await;
    assert_eq!((again.status, again.json()["version"].as_u64()), (200, Some(3)));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
}

#[tokio::test]
async fn what_booking_refuses_is_passed_on() {
    let stage = Stage::new();
    let path = stage.fair().await;
    stage.booking.book(&stage.get(&path).await.json(), 50);
    let seen = stage.write(1, Method::PATCH, &path, &[KEY], &json!({"capacity": 49})).await;
    assert_eq!((seen.status, &seen.json()["code"]), (409, &json!("capacity_below_sold")));
    assert_eq!(seen.json()["booked"], 50);
    assert_eq!(seen.header("idempotency-key"), Some("k1"));
    assert_eq!(seen.header("content-type"), Some("application/problem+json"));
    // A refusal is not kept: the same key may be used for what is granted.
    let seen = stage.write(1, Method::PATCH, &path, &[KEY], &json!({"capacity": 50})).await;
    assert_eq!((seen.status, &seen.json()["status"]), (200, &json!("sold_out")));
}

#[tokio::test]
async fn a_deleted_event_is_gone() {
    let stage = Stage::new();
    let path = stage.fair().await;
    let id = stage.get(&path).await.json()["id"].clone();
    stage.booking.book(&stage.get(&path).await.json(), 2);
    assert_eq!(stage.write(2, Method::DELETE, &path, &[], &Value::Null).await.status, 403);
    let seen = stage.write(1, Method::DELETE, &path, &[KEY], &Value::Null).await;
    assert_eq!((seen.status, seen.json()["cancelled_bookings"].as_u64()), (200, Some(2)));
    assert_eq!(seen.json()["id"], id);
    assert!(seen.json()["detail"].is_string());
    let again = stage.write(1, Method::DELETE, &path, &[KEY], &Value::Null).await;
    assert_eq!((again.status, &again.bytes), (200, &seen.bytes));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(stage.get(&path).await.status, 404);
    assert_eq!(stage.get("/events").await.json(), json!([]));
    assert_eq!(stage.write(1, Method::DELETE, &path, &[], &Value::Null).await.status, 404);
    let late = stage.write(1, Method::PATCH, &path, &[], &json!({"title": "x"})).await;
    assert_eq!(late.status, 404);
}

#[tokio::test]
async fn an_event_that_booking_knows_to_be_cancelled_is_not_shown() {
    let stage = Stage::new();
    let path = stage.fair().await;
    stage.booking.cancel_unheard();
    assert_eq!(stage.get(&path).await.status, 404);
    assert_eq!(stage.get("/events").await.json(), json!([]));
}

#[tokio::test]
async fn while_booking_is_down_the_counts_last_seen_are_shown() {
    let stage = Stage::new();
    let path = stage.fair().await;
    let live = stage.get(&path).await;
    assert_eq!(live.header("availability-as-of"), None);
    stage.booking.go_down(true);
    stage.clock.0.fetch_add(1_000, Ordering::Relaxed);
    let copy = stage.get(&path).await;
    assert_eq!((copy.status, copy.json()), (200, live.json()));
    assert_eq!(copy.header("availability-as-of"), Some("2027-01-01T00:00:00.000Z"));
    let seen = stage.write(1, Method::PATCH, &path, &[], &json!({"title": "x"})).await;
    assert_eq!(seen.status, 503);
    stage.booking.go_down(false);
    assert_eq!(stage.get(&path).await.header("availability-as-of"), None);
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let stage = Stage::new();
    for n in 0..5 {
        let mut event = fair();
        event["title"] = json!(format!("Fair {n}"));
        event["location"] = json!(if n % 2 == 0 { "Köln" } else { "Ulm" });
        event["start_time"] = json!(format!("2027-05-01T0{}:00:00Z", 9 - n));
        assert_eq!(stage.write(n + 1, Method::POST, "/events", &[], &event).await.status, 201);
    }
    let titles = |seen: &Seen| -> Vec<String> {
        let list = seen.json();
        let list = list.as_array().unwrap();
        list.iter().map(|event| event["title"].as_str().unwrap().to_owned()).collect()
    };
    let page = stage.get("/events?limit=2").await;
    assert_eq!(titles(&page), ["Fair 4", "Fair 3"]);
    let next = page.header("link").unwrap();
    let next = next.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap();
    assert_eq!(titles(&stage.get(next).await), ["Fair 2", "Fair 1"]);
    let skipped = stage.get("/events?limit=2&skip=2").await;
    assert_eq!(titles(&skipped), ["Fair 2", "Fair 1"]);
    let next = "</events?limit=2&skip=4>; rel=\"next\"";
    assert_eq!(skipped.header("link"), Some(next));
    let last = stage.get("/events?limit=2&skip=4").await;
    assert_eq!((titles(&last), last.header("link")), (vec!["Fair 0".to_owned()], None));
    assert_eq!(titles(&stage.get("/events?title=FAIR%203").await), ["Fair 3"]);
    assert_eq!(titles(&stage.get("/events?name=fair%203").await), ["Fair 3"]);
    assert_eq!(titles(&stage.get("/events?location=ulm").await), ["Fair 3", "Fair 1"]);
    let organizer = "01010101-0101-0101-0101-010101010101";
    assert_eq!(titles(&stage.get(&format!("/events?organizer_id={organizer}")).await), ["Fair 0"]);
    for (query, status) in
        [("limit=0", 422), ("limit=101", 422), ("skip=-1", 422), ("organizer_id=me", 400)]
    {
        assert_eq!(stage.get(&format!("/events?{query}")).await.status, status, "{query}");
    }
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_are_problems() {
    let stage = Stage::new();
    for (path, status, code) in [
        ("/events/17", 404, "not_found"),
        ("/events/0198c0de-0000-7000-8000-0123456789ab", 404, "not_found"),
        ("/elsewhere", 404, "not_found"),
    ] {
        let seen = stage.get(path).await;
        assert_eq!((seen.status, &seen.json()["code"]), (status, &json!(code)), "{path}");
    }
    let seen = stage.send(Request::delete("/events").body(Body::empty()).unwrap()).await;
    assert_eq!((seen.status, &seen.json()["code"]), (405, &json!("method_not_allowed")));
    let big = json!({"title": "x".repeat(70_000)});
    let seen = stage.write(1, Method::POST, "/events", &[], &big).await;
    assert_eq!((seen.status, &seen.json()["code"]), (413, &json!("payload_too_large")));
    assert!(seen.header("idempotency-key").is_some());
}

#[tokio::test]
async fn summaries_tell_of_deleted_events_too() {
    let stage = Stage::new();
    let path = stage.fair().await;
    let id = stage.get(&path).await.json()["id"].clone();
    stage.write(1, Method::DELETE, &path, &[], &Value::Null).await;
    let unknown = "0198c0de-0000-7000-8000-0123456789ab";
    let request = Request::post(api::internal::SUMMARIES)
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(json!({"ids": [unknown, id]}).to_string()))
        .unwrap();
    let response = stage.service.internal_router().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let bytes = axum::body::to_bytes(response.into_body(), 100_000).await.unwrap();
    let summaries: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(summaries[0], Value::Null);
    assert_eq!((&summaries[1]["id"], &summaries[1]["deleted"]), (&id, &json!(true)));
}
