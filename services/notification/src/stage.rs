//! What the tests of this crate share: a service over stores in memory, with an auth service,
//! a catalog and a mail server played by hand.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use api::extract::json_response;
use api::identity::{Role, TokenIssuer, generate_signing_key_pem};
use api::internal::{CONTACTS, ContactBody, IdsCall, SUMMARIES, SummaryBody};
use api::wire::{Id, Money, Time};
use api::words::Description;
use api::{Clock, Entropy, Verifier};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::routing::post;
use engine::{BookingEvent, Entry, EventId, Seats, Seq, Terms, Timestamp, UserId, Words};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::Value;
use storage::memory::MemoryStore;
use storage::notices::{Notice, NoticePage};
use storage::{Epoch, Era, PartitionId, Position, Stores, project};
use tower::ServiceExt;

use crate::mail::{Mail, Mailer, NotSent};
use crate::options::Options;
use crate::service::{Parts, Service};

pub(crate) const HOUR: i64 = 3_600_000;

/// When the tests begin: 2029-11-01T00:00:00Z.
pub(crate) const NOW: i64 = 1_888_185_600_000;

/// The event of most tests.
pub(crate) const EVENT: EventId = EventId([0xee; 16]);

/// Its organizer.
pub(crate) const ORGANIZER: u8 = 0x0f;

/// Who may do everything.
pub(crate) const ADMIN: u8 = 0xad;

/// Nobody has this id.
pub(crate) const NOBODY: u8 = 0xdd;

/// This account is closed.
pub(crate) const CLOSED: u8 = 0xcc;

pub(crate) fn user(n: u8) -> UserId {
    UserId([n; 16])
}

/// Time that is moved by hand.
pub(crate) struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        let next = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (byte, next) in bytes.iter_mut().rev().zip(next.iter().rev().cycle()) {
            *byte = *next;
        }
    }
}

/// A mail server that does what it is told.
#[derive(Default)]
pub(crate) struct Post {
    /// Everything that was handed over, in order: to whom, and which.
    pub(crate) sent: Mutex<Vec<(String, [u8; 16])>>,
    /// What is answered to the next ones.
    pub(crate) next: Mutex<Vec<Result<(), NotSent>>>,
    /// What is answered to an address.
    pub(crate) of: Mutex<HashMap<String, NotSent>>,
    pub(crate) unsettled: Mutex<Option<String>>,
    /// After so many it takes a message and never says so.
    pub(crate) silent_after: Mutex<Option<usize>>,
    /// How long it takes over each message.
    pub(crate) slowness: Mutex<Duration>,
    /// The next message meets a bug of ours.
    pub(crate) breaks: AtomicBool,
    /// Nobody opens when somebody knocks.
    pub(crate) away: AtomicBool,
}

/// The same, as the service holds it.
struct Handed(Arc<Post>);

impl Mailer for Handed {
    fn send(&self, mail: &Mail) -> BoxFuture<'_, Result<(), NotSent>> {
        let (to, id) = (mail.to_address.clone(), mail.id);
        Box::pin(async move {
            let slowness = *self.0.slowness.lock();
            if !slowness.is_zero() {
                tokio::time::sleep(slowness).await;
            }
            {
                let mut next = self.0.next.lock();
                if !next.is_empty() {
                    next.remove(0)?;
                }
            }
            if let Some(refusal) = self.0.of.lock().get(&to) {
                return Err(refusal.clone());
            }
            let sent = {
                let mut sent = self.0.sent.lock();
                sent.push((to, id));
                sent.len()
            };
            assert!(!self.0.breaks.swap(false, Ordering::Relaxed), "a bug");
            let limit = *self.0.silent_after.lock();
            if limit.is_some_and(|limit| sent > limit) {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
    }

    fn knock(&self) -> BoxFuture<'_, Result<(), NotSent>> {
        Box::pin(async {
            let away = self.0.away.load(Ordering::Relaxed);
            if away { Err(NotSent::Down("connection refused".to_owned())) } else { Ok(()) }
        })
    }

    fn takes_twice(&self) -> bool {
        // What can be lost after it was taken is a folder.
        self.0.unsettled.lock().is_none()
    }

    fn settle(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { self.0.unsettled.lock().clone().map_or(Ok(()), Err) })
    }
}

/// An answer.
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    /// Its status and its code, for refusals.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, self.json()["code"].as_str().unwrap_or("").to_owned())
    }
}

/// A service and everything around it.
pub(crate) struct Stage {
    pub(crate) service: Service,
    pub(crate) stores: Stores,
    pub(crate) clock: Arc<Hand>,
    pub(crate) post: Arc<Post>,
    /// Events that the catalog has as deleted.
    pub(crate) deleted: Arc<Mutex<HashSet<Id>>>,
    options: Options,
    verifier: Arc<Verifier>,
    issuer: TokenIssuer,
    /// Facts that were published.
    facts: Mutex<u64>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        // Time in tests does not pass by itself, so nothing needs its share of it.
        Self::with(Options { share_percent: 100, ..Options::default() })
    }

    pub(crate) fn with(options: Options) -> Self {
        let issuer = TokenIssuer::from_pem(&generate_signing_key_pem([7; 32])).unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(NOW)));
        let verifier = Arc::new(Verifier::new(&[issuer.public_key()], clock.clone()));
        let stores = MemoryStore::new(1).stores();
        let (post, deleted) = (Arc::<Post>::default(), Arc::<Mutex<HashSet<Id>>>::default());
        let service = service(&options, &stores, &clock, &verifier, &post, &deleted);
        let facts = Mutex::new(0);
        Self { service, stores, clock, post, deleted, options, verifier, issuer, facts }
    }

    /// The service anew over the same stores, as after a crash.
    pub(crate) fn restart(&mut self, change: impl FnOnce(&mut Options)) {
        change(&mut self.options);
        self.service = service(
            &self.options,
            &self.stores,
            &self.clock,
            &self.verifier,
            &self.post,
            &self.deleted,
        );
    }

    pub(crate) fn at(&self, millis: i64) {
        self.clock.0.store(millis, Ordering::Relaxed);
    }

    /// The facts happen now, one after the other, in one batch.
    pub(crate) async fn happen(&self, facts: Vec<BookingEvent>) {
        self.happen_to(EVENT, facts).await;
    }

    pub(crate) async fn happen_to(&self, event: EventId, facts: Vec<BookingEvent>) {
        self.publish(1, event, facts).await;
    }

    /// The same in an era.
    async fn publish(&self, era: u32, event: EventId, facts: Vec<BookingEvent>) {
        let first = {
            let mut seen = self.facts.lock();
            let first = *seen + 1;
            *seen += facts.len() as u64;
            first
        };
        let entry = Entry { at: self.clock.now(), answered: None, events: facts };
        let messages = project::bus_messages(Era(era), Epoch(1), event, &[entry], Seq(first));
        self.stores.bus.publish(PartitionId(0), messages, Position(first)).await.unwrap();
    }

    /// As after a repair: what happened so far is told once more, in the next era.
    pub(crate) async fn repair(&self, facts: Vec<BookingEvent>) {
        *self.facts.lock() = 0;
        self.publish(2, EVENT, facts).await;
    }

    /// All notices of a person, the oldest first: kind, status and reason.
    pub(crate) async fn told(&self, person: u8) -> Vec<Notice> {
        let page = NoticePage { before: None, kind: None, status: None, limit: 1_000 };
        let mut notices = self.stores.notices.list(user(person), page).await.unwrap();
        notices.reverse();
        notices
    }

    /// The kinds that a person was told, the oldest first.
    pub(crate) async fn kinds(&self, person: u8) -> Vec<&'static str> {
        self.told(person).await.into_iter().map(|notice| notice.kind.as_str()).collect()
    }

    pub(crate) async fn ask(&self, person: u8, method: Method, path: &str, body: &Value) -> Seen {
        self.ask_with(person, method, path, &[], body).await
    }

    pub(crate) async fn ask_with(
        &self,
        person: u8,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Seen {
        let role = if person == ADMIN { Role::Admin } else { Role::Attendee };
        let token = self.issuer.issue(user(person), "someone", role, self.clock.now()).unwrap().0;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let request = request.body(body).unwrap();
        let response = self.service.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1_000_000).await.unwrap().to_vec();
        Seen { status: parts.status.as_u16(), headers: parts.headers, bytes }
    }
}

fn service(
    options: &Options,
    stores: &Stores,
    clock: &Arc<Hand>,
    verifier: &Arc<Verifier>,
    post: &Arc<Post>,
    deleted: &Arc<Mutex<HashSet<Id>>>,
) -> Service {
    let parts = Parts {
        store: stores.notices.clone(),
        bus: stores.bus.clone(),
        auth: auth().into(),
        catalog: catalog(deleted.clone()).into(),
        verifier: verifier.clone(),
        clock: clock.clone(),
        entropy: Arc::new(Counting(AtomicU64::new(1))),
    };
    Service::with_mailer(options.clone(), parts, Box::new(Handed(post.clone())), 4)
}

/// The address of a person.
pub(crate) fn address(person: u8) -> String {
    format!("p{person}@example.org")
}

fn auth() -> Router {
    let contacts = async |body: Bytes| {
        let call: IdsCall = serde_json::from_slice(&body).unwrap();
        let known = call.ids.into_iter().map(|id| {
            (id != Id([NOBODY; 16])).then(|| ContactBody {
                id,
                name: format!("Person {}", id.0[0]),
                email: address(id.0[0]),
                is_active: id != Id([CLOSED; 16]),
            })
        });
        json_response(StatusCode::OK, &known.collect::<Vec<_>>())
    };
    Router::new().route(CONTACTS, post(contacts))
}

fn catalog(deleted: Arc<Mutex<HashSet<Id>>>) -> Router {
    let summaries = async move |body: Bytes| {
        let call: IdsCall = serde_json::from_slice(&body).unwrap();
        let known = call.ids.into_iter().map(|id| {
            (id == Id::from(EVENT)).then(|| SummaryBody {
                id,
                organizer: Id::from(user(ORGANIZER)),
                title: "Tea".to_owned(),
                start_time: Time(Timestamp::from_millis(NOW)),
                end_time: Time(Timestamp::from_millis(NOW)),
                timezone: None,
                location: "Bern".to_owned(),
                price: Money(0),
                opens_at: Time(Timestamp::from_millis(NOW)),
                closes_at: Time(Timestamp::from_millis(NOW)),
                is_active: true,
                deleted: deleted.lock().contains(&id),
            })
        });
        json_response(StatusCode::OK, &known.collect::<Vec<_>>())
    };
    Router::new().route(SUMMARIES, post(summaries))
}

pub(crate) fn terms(ends_at: i64) -> Terms {
    Terms {
        capacity: 10,
        opens_at: Timestamp::from_millis(0),
        closes_at: Timestamp::from_millis(ends_at),
        ends_at: Timestamp::from_millis(ends_at),
        active: true,
        waitlist: true,
        max_per_booking: Seats::ONE,
    }
}

pub(crate) fn words(description: &Description) -> Words {
    Words::new(description.to_text().as_bytes())
}

/// An event comes into being that starts then and takes two hours.
pub(crate) fn opened(starts_at: i64) -> BookingEvent {
    let description = Description {
        title: Some("Tea".to_owned()),
        description: Some(String::new()),
        location: Some("Bern".to_owned()),
        starts_at: Some(Timestamp::from_millis(starts_at)),
        timezone: Some(Some("Europe/Zurich".to_owned())),
        price_cents: Some(0),
    };
    BookingEvent::EventOpened {
        organizer: user(ORGANIZER),
        terms: terms(starts_at + 2 * HOUR),
        words: words(&description),
    }
}

pub(crate) fn confirmed(person: u8) -> BookingEvent {
    BookingEvent::BookingConfirmed { user: user(person), quantity: Seats::ONE, hold: None }
}

pub(crate) fn waitlisted(person: u8) -> BookingEvent {
    BookingEvent::BookingWaitlisted { user: user(person), quantity: Seats::ONE }
}
