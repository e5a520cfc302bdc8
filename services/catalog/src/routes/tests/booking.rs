//! A booking service played by hand: it decides just enough to drive the catalog.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use api::extract::json_response;
use api::internal::{
    CANCEL, CHANGE, COUNTS, CancelCall, ChangeCall, CountsBody, EventAnswer, IdsCall, OPEN,
    OpenCall,
};
use api::wire::{Id, parse_id};
use api::{ErrorCode, Problem, Verifier, refusal};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use engine::{BookingEvent, EventId, Rejection, Terms, TermsChange, UserId, Words};
use serde_json::Value;

use crate::Service;
use crate::projection::{Fact, apply};

/// What is decided, and what goes wrong next.
#[derive(Clone)]
pub(super) struct FakeBooking {
    books: Arc<Mutex<Books>>,
    verifier: Arc<Verifier>,
}

#[derive(Default)]
struct Books {
    events: HashMap<Id, Event>,
    answers: HashMap<(Id, String), EventAnswer>,
    /// Every fact, as the bus would bring it, with the event's times of decision.
    facts: Vec<(EventId, engine::Timestamp, BookingEvent)>,
    lose_next_answer: bool,
    refuse_next_open: bool,
    down: bool,
}

struct Event {
    terms: Terms,
    version: u32,
    booked: u32,
    cancelled: bool,
}

impl FakeBooking {
    pub(super) fn new(verifier: Arc<Verifier>) -> Self {
        Self { books: Arc::default(), verifier }
    }

    /// Whose token was passed on.
    fn person(&self, headers: &HeaderMap) -> UserId {
        let token = headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
        self.verifier.verify(token).unwrap().user
    }

    pub(super) fn router(&self) -> Router {
        Router::new()
            .route(OPEN, post(open))
            .route(CHANGE, post(change))
            .route(CANCEL, post(cancel))
            .route(COUNTS, post(counts))
            .with_state(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    pub(super) fn events(&self) -> usize {
        self.lock().events.len()
    }

    /// Some places of an event are booked.
    pub(super) fn book(&self, event: &Value, places: u32) {
        let id = parse_id(event["id"].as_str().unwrap()).unwrap();
        self.lock().events.get_mut(&id).unwrap().booked += places;
    }

    /// Version, capacity, and whether it is cancelled.
    pub(super) fn state(&self, event: EventId) -> (u32, u32, bool) {
        let books = self.lock();
        let event = &books.events[&Id::from(event)];
        (event.version, event.terms.capacity, event.cancelled)
    }

    pub(super) fn refuse_next_open(&self) {
        self.lock().refuse_next_open = true;
    }

    pub(super) fn lose_next_answer(&self) {
        self.lock().lose_next_answer = true;
    }

    pub(super) fn go_down(&self, down: bool) {
        self.lock().down = down;
    }

    /// The only event changes, and the catalog hears of it soon.
    pub(super) fn change_behind_the_scenes(&self, service: &Service) {
        self.change_unheard();
        let (booking, service) = (self.clone(), service.clone());
        // Not yet in the document when the next request reads it, but soon.
        tokio::spawn(async move { booking.publish_all(&service).await });
    }

    /// The only event changes, and nobody has heard of it.
    pub(super) fn change_unheard(&self) {
        let mut state = self.lock();
        let (&id, event) = state.events.iter_mut().next().unwrap();
        event.version += 1;
        let fact = BookingEvent::EventChanged {
            version: event.version,
            terms: event.terms.clone(),
            words: Words::new(br#"{"v":1,"title":"Changed elsewhere"}"#),
        };
        state.facts.push((EventId::from(id), super::NOW.at(), fact));
    }

    /// The only event is cancelled, and nobody has heard of it.
    pub(super) fn cancel_unheard(&self) {
        self.lock().events.values_mut().next().unwrap().cancelled = true;
    }

    /// Bring every fact to the catalog, as the bus does.
    pub(super) async fn publish_all(&self, service: &Service) {
        let facts = self.lock().facts.clone();
        for (event, at, fact) in facts {
            let fact = Fact::from_booking_event(event, at, &fact).unwrap().unwrap();
            apply(service.store(), &fact).await.unwrap();
        }
    }
}

trait Millis {
    fn at(self) -> engine::Timestamp;
}

impl Millis for i64 {
    fn at(self) -> engine::Timestamp {
        engine::Timestamp::from_millis(self)
    }
}

fn refused(rejection: &Rejection) -> Response {
    refusal::problem(rejection, EventId::NIL).into_response()
}

impl Books {
    /// A repeat of an answered key, or whatever the command decides.
    fn decide(
        &mut self,
        id: Id,
        headers: &HeaderMap,
        command: impl FnOnce(&mut Self) -> Result<(BookingEvent, u32), Rejection>,
    ) -> Response {
        if self.down {
            return Problem::new(ErrorCode::Unavailable, "Down.").into_response();
        }
        let key = headers["idempotency-key"].to_str().unwrap().to_owned();
        if let Some(answer) = self.answers.get(&(id, key.clone())) {
            let again = EventAnswer { replayed: true, ..*answer };
            return json_response(StatusCode::OK, &again);
        }
        let (fact, cancelled_bookings) = match command(self) {
            Ok(decided) => decided,
            Err(rejection) => return refused(&rejection),
        };
        let at = super::NOW.at();
        self.facts.push((EventId::from(id), at, fact));
        let version = self.events[&id].version;
        let answer = EventAnswer { version, at: at.millis(), cancelled_bookings, replayed: false };
        self.answers.insert((id, key), answer);
        if std::mem::take(&mut self.lose_next_answer) {
            return Problem::new(ErrorCode::OutcomeUnknown, "Unknown.").into_response();
        }
        json_response(StatusCode::OK, &answer)
    }
}

async fn open(
    State(booking): State<FakeBooking>,
    Path(id): Path<Id>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call: OpenCall = serde_json::from_slice(&body).unwrap();
    let organizer = booking.person(&headers);
    booking.lock().decide(id, &headers, |state| {
        let terms = call.terms.to_engine().unwrap();
        if std::mem::take(&mut state.refuse_next_open) || state.events.contains_key(&id) {
            return Err(Rejection::AlreadyOpen);
        }
        let event = Event { terms: terms.clone(), version: 1, booked: 0, cancelled: false };
        state.events.insert(id, event);
        let words = Words::new(call.words.as_bytes());
        Ok((BookingEvent::EventOpened { organizer, terms, words }, 0))
    })
}

async fn change(
    State(booking): State<FakeBooking>,
    Path(id): Path<Id>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call: ChangeCall = serde_json::from_slice(&body).unwrap();
    booking.lock().decide(id, &headers, |state| {
        let event = state.events.get_mut(&id).filter(|event| !event.cancelled);
        let event = event.ok_or(Rejection::NoSuchEvent)?;
        if call.if_version.is_some_and(|version| version != event.version) {
            return Err(Rejection::VersionMismatch { current: event.version });
        }
        let change: TermsChange = call.change.to_engine().unwrap();
        if change.capacity.is_some_and(|capacity| capacity < event.booked) {
            return Err(Rejection::CapacityBelowSold { booked: event.booked, held: 0 });
        }
        event.terms.capacity = change.capacity.unwrap_or(event.terms.capacity);
        event.terms.ends_at = change.ends_at.unwrap_or(event.terms.ends_at);
        event.version += 1;
        let words = Words::new(call.words.as_bytes());
        let (version, terms) = (event.version, event.terms.clone());
        Ok((BookingEvent::EventChanged { version, terms, words }, 0))
    })
}

async fn cancel(
    State(booking): State<FakeBooking>,
    Path(id): Path<Id>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call: CancelCall = serde_json::from_slice(&body).unwrap();
    let person = booking.person(&headers);
    booking.lock().decide(id, &headers, |state| {
        let event = state.events.get_mut(&id).filter(|event| !event.cancelled);
        let event = event.ok_or(Rejection::NoSuchEvent)?;
        if person != UserId([1; 16]) {
            return Err(Rejection::NotOrganizer);
        }
        if call.if_version.is_some_and(|version| version != event.version) {
            return Err(Rejection::VersionMismatch { current: event.version });
        }
        event.version += 1;
        event.cancelled = true;
        let (version, bookings) = (event.version, event.booked);
        Ok((BookingEvent::EventCancelled { version, bookings }, bookings))
    })
}

async fn counts(State(booking): State<FakeBooking>, body: Bytes) -> Response {
    let call: IdsCall = serde_json::from_slice(&body).unwrap();
    let state = booking.lock();
    if state.down {
        return Problem::new(ErrorCode::Unavailable, "Down.").into_response();
    }
    let counts: Vec<Option<CountsBody>> = call
        .ids
        .iter()
        .map(|id| {
            let event = state.events.get(id)?;
            Some(CountsBody {
                capacity: event.terms.capacity,
                booked: event.booked,
                held: 0,
                waitlisted: 0,
                waitlist_entries: 0,
                cancelled: event.cancelled,
                version: event.version,
            })
        })
        .collect();
    json_response(StatusCode::OK, &counts)
}
