//! A booking service with everything around it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use api::extract::json_response;
use api::identity::{Role, TokenIssuer, generate_signing_key_pem};
use api::internal::{
    CANCEL, CHANGE, COUNTS, CancelCall, ChangeCall, IdsCall, OPEN, OpenCall, SUMMARIES,
    SummaryBody, TermsBody, TermsChangeBody, path_of,
};
use api::wire::{Id, Money, Time};
use api::{Clock, Entropy, Problem, Verifier};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use axum::http::{Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use engine::{EventId, Timestamp, UserId};
use serde_json::{Value, json};
use storage::memory::MemoryStore;
use tower::ServiceExt;

use crate::{Options, Parts, Service};

/// Who opens the events.
pub(super) const ORGANIZER: u8 = 1;

/// Who may do everything.
pub(super) const ADMIN: u8 = 0xad;

/// 2027-01-01T00:00:00Z.
const NOW: i64 = 1_798_761_600_000;

/// 2030-01-01T00:00:00Z, and a day later.
const STARTS: i64 = 1_893_456_000_000;
const ENDS: i64 = STARTS + 86_400_000;

struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

impl actors::Clock for Hand {
    fn now(&self) -> Timestamp {
        Clock::now(self)
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

pub(super) fn event(n: u8) -> EventId {
    EventId([n; 16])
}

pub(super) fn event_id(n: u8) -> String {
    event(n).to_string()
}

pub(super) fn user_id(n: u8) -> String {
    UserId([n; 16]).to_string()
}

pub(super) struct Seen {
    pub(super) status: u16,
    pub(super) bytes: Vec<u8>,
    headers: HeaderMap,
}

impl Seen {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(super) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        self.json()["code"].as_str().unwrap().to_owned()
    }

    pub(super) fn id(&self) -> String {
        assert_eq!(self.status, 201, "{}", self.json());
        self.json()["id"].as_str().unwrap().to_owned()
    }

    pub(super) fn ids(&self) -> Vec<String> {
        let list = self.json();
        let list = list.as_array().unwrap();
        list.iter().map(|booking| booking["id"].as_str().unwrap().to_owned()).collect()
    }
}

pub(super) struct Stage {
    public: Router,
    internal: Router,
    issuer: TokenIssuer,
    clock: Arc<Hand>,
    catalog_down: Arc<AtomicBool>,
    system: actors::System,
}

impl Stage {
    pub(super) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(super) async fn with(service_options: Options) -> Self {
        let issuer = TokenIssuer::from_pem(&generate_signing_key_pem([7; 32])).unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(NOW)));
        let stores = MemoryStore::new(1).stores();
        let options = actors::Options::default();
        let system =
            actors::start(options, stores.booking(), clock.clone(), "test", [1; 8]).await.unwrap();
        let catalog_down = Arc::new(AtomicBool::new(false));
        let catalog =
            Router::new().route(SUMMARIES, post(summaries)).with_state(catalog_down.clone());
        let parts = Parts {
            box_office: system.box_office(),
            fresh_views: system.fresh_views(),
            catalog: catalog.into(),
            verifier: Arc::new(Verifier::new(&[issuer.public_key()], clock.clone())),
            entropy: Arc::new(Counting(AtomicU64::new(1))),
            ticket_secret: [3; 32],
            peers: None,
        };
        let service = Service::new(service_options, parts);
        let (public, internal) = (service.router(), service.internal_router());
        Self { public, internal, issuer, clock, catalog_down, system }
    }

    /// A millisecond passes.
    pub(super) fn tick(&self) {
        self.clock.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Some time passes.
    pub(super) fn pass(&self, time: std::time::Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap();
        self.clock.0.fetch_add(millis, Ordering::Relaxed);
    }

    /// Waits until the views have everything.
    pub(super) async fn projected(&self) {
        let patience = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
        while self.system.projection_lag() > 0 {
            assert!(tokio::time::Instant::now() < patience, "the views never follow");
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }

    /// The actors, to look at and to stop.
    pub(super) const fn system(&self) -> &actors::System {
        &self.system
    }

    pub(super) fn catalog_down(&self) {
        self.catalog_down.store(true, Ordering::Relaxed);
    }

    fn bearer(&self, person: u8) -> String {
        let role = if person == ADMIN { Role::Admin } else { Role::Attendee };
        let now = Clock::now(&*self.clock);
        let user = UserId([person; 16]);
        format!("Bearer {}", self.issuer.issue(user, "someone", role, now).unwrap().0)
    }

    async fn ask(router: &Router, request: Request<Body>) -> Seen {
        let response = router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1_000_000).await.unwrap().to_vec();
        Seen { status: parts.status.as_u16(), headers: parts.headers, bytes }
    }

    pub(super) async fn anonymous(&self, path: &str) -> Seen {
        Self::ask(&self.public, Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// The answer whose body goes on.
    pub(super) async fn open_stream(&self, event: u8) -> Response {
        let path = format!("/events/{}/availability/stream", event_id(event));
        let request = Request::get(path).body(Body::empty()).unwrap();
        self.public.clone().oneshot(request).await.unwrap()
    }

    pub(super) async fn get(&self, person: u8, path: &str) -> Seen {
        let request = Request::get(path).header(AUTHORIZATION, self.bearer(person));
        Self::ask(&self.public, request.body(Body::empty()).unwrap()).await
    }

    pub(super) async fn raw(
        &self,
        person: u8,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Seen {
        let request = self.request(person, method, path, headers, body);
        Self::ask(&self.public, request).await
    }

    pub(super) async fn write(
        &self,
        person: u8,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Seen {
        self.raw(person, method, path, headers, Bytes::from(body.to_string())).await
    }

    fn request(
        &self,
        person: u8,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Request<Body> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, self.bearer(person))
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::from(body)).unwrap()
    }

    /// `POST /bookings` for an event, with these fields besides.
    pub(super) async fn book(
        &self,
        person: u8,
        event: u8,
        mut body: Value,
        headers: &[(&str, &str)],
    ) -> Seen {
        body["event_id"] = json!(event_id(event));
        self.write(person, Method::POST, "/bookings", headers, &body).await
    }

    pub(super) async fn cancel(&self, person: u8, id: &str, headers: &[(&str, &str)]) -> Seen {
        let path = format!("/bookings/{id}");
        self.raw(person, Method::DELETE, &path, headers, Bytes::new()).await
    }

    async fn command(&self, person: u8, route: &str, n: u8, key: &str, call: Vec<u8>) -> Seen {
        let path = path_of(route, Id::from(event(n)));
        let headers = [("idempotency-key", key)];
        let request = self.request(person, Method::POST, &path, &headers, Bytes::from(call));
        Self::ask(&self.internal, request).await
    }

    /// Opens an event with one key, so that a second time is a repeat.
    pub(super) async fn open(&self, n: u8, capacity: u32) -> Value {
        self.open_at(n, capacity, NOW).await
    }

    /// Opens an event whose sales begin a day from now.
    pub(super) async fn open_later(&self, n: u8) -> Value {
        self.open_at(n, 10, NOW + 86_400_000).await
    }

    async fn open_at(&self, n: u8, capacity: u32, opens_at: i64) -> Value {
        let terms = TermsBody {
            capacity,
            opens_at,
            closes_at: STARTS,
            ends_at: ENDS,
            active: true,
            waitlist: true,
            max_per_booking: 10,
        };
        let call = OpenCall { terms, words: "{}".to_owned(), fingerprint: [1; 8] };
        let call = serde_json::to_vec(&call).unwrap();
        let seen = self.command(ORGANIZER, OPEN, n, "open", call).await;
        assert_eq!(seen.status, 200, "{}", seen.json());
        seen.json()
    }

    pub(super) async fn change_capacity(&self, n: u8, capacity: u32) -> Seen {
        let change = TermsChangeBody { capacity: Some(capacity), ..TermsChangeBody::default() };
        let words = "{}".to_owned();
        let call = ChangeCall { change, words, if_version: None, fingerprint: [2; 8] };
        let call = serde_json::to_vec(&call).unwrap();
        self.command(ORGANIZER, CHANGE, n, "change", call).await
    }

    pub(super) async fn cancel_event(&self, person: u8, n: u8, if_version: Option<u32>) -> Seen {
        let call = CancelCall { if_version, fingerprint: [3; 8] };
        let call = serde_json::to_vec(&call).unwrap();
        self.command(person, CANCEL, n, "cancel", call).await
    }

    pub(super) async fn counts(&self, events: &[u8]) -> Value {
        let ids = events.iter().map(|n| Id::from(event(*n))).collect();
        let body = serde_json::to_vec(&IdsCall { ids }).unwrap();
        let request = Request::post(COUNTS)
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .unwrap();
        Self::ask(&self.internal, request).await.json()
    }
}

/// A catalog that knows every event.
async fn summaries(State(down): State<Arc<AtomicBool>>, body: Bytes) -> Response {
    if down.load(Ordering::Relaxed) {
        return Problem::unavailable(&"down").into_response();
    }
    let call: IdsCall = serde_json::from_slice(&body).unwrap();
    let known: Vec<Option<SummaryBody>> = call
        .ids
        .into_iter()
        .map(|id| {
            Some(SummaryBody {
                id,
                organizer: id,
                title: format!("Event {}", id.0[0]),
                start_time: Time(Timestamp::from_millis(STARTS)),
                end_time: Time(Timestamp::from_millis(ENDS)),
                timezone: None,
                location: "Here".to_owned(),
                price: Money(150),
                opens_at: Time(Timestamp::from_millis(NOW)),
                closes_at: Time(Timestamp::from_millis(STARTS)),
                is_active: true,
                deleted: false,
            })
        })
        .collect();
    json_response(StatusCode::OK, &known)
}
