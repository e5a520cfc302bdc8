//! The way of a request through the gateway, outermost first.
//!
//! The layers are steps of one function and not a tower of services: every request of
//! the process comes through here, and a tower would box and clone at each floor.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use api::Entropy;
use api::headers::{IDEMPOTENCY_KEY, KEY_ORIGIN, ORIGIN_EDGE, REQUEST_ID};
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::{HeaderName, ORIGIN};
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::Limited;
use tokio::time::timeout;

use crate::Upstreams;
use crate::cors::Cors;
use crate::ids::{Ids, is_sane};
use crate::options::Options;
use crate::readiness::{Readiness, alive};
use crate::rescue;
use crate::routing::{Destination, destination};

/// How the names of our internal headers begin.
const INTERNAL_PREFIX: &str = "eventflow-";

/// Everything that a request may need on its way.
pub(crate) struct Stack {
    options: Options,
    upstreams: Upstreams,
    readiness: Readiness,
    cors: Cors,
    ids: Ids,
}

impl Stack {
    pub(crate) fn new(
        options: Options,
        upstreams: Upstreams,
        readiness: Readiness,
        entropy: &dyn Entropy,
    ) -> Self {
        let cors = Cors::new(&options);
        Self { cors, options, upstreams, readiness, ids: Ids::new(entropy) }
    }

    /// The whole way.
    pub(crate) async fn handle(self: Arc<Self>, mut request: Request) -> Response {
        // 1. Request id, outermost: every answer has it, whatever happens further in.
        let id = match request.headers().get(REQUEST_ID) {
            Some(id) if is_sane(id) => id.clone(),
            _ => {
                let id = self.ids.make();
                request.headers_mut().insert(REQUEST_ID, id.clone());
                id
            }
        };
        let origin = request.headers().get(ORIGIN).cloned();
        let mut response = self.answer(request).await;
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, id);
        // 2. CORS, outside of everything that refuses: a page must be able to read a
        // refusal too.
        if let Some(origin) = origin {
            self.cors.allow(&origin, headers);
        }
        response
    }

    async fn answer(&self, request: Request) -> Response {
        // 3. Questions of browsers, and what the gateway answers itself: before the
        // limits, so that these are answered under any load.
        if Cors::is_preflight(request.method(), request.headers()) {
            return self.cors.preflight();
        }
        // 4. Routing, before anything is done for a request that leads nowhere.
        let Some(destination) = destination(request.uri().path()) else {
            return match request.uri().path() {
                "/health" | "/readyz" => own(request.method(), || self.readiness.answer()),
                "/livez" => own(request.method(), alive),
                _ => rescue::nothing_here().into_response(),
            };
        };
        // 5. The body's size, before anything is done for a request that is too large.
        // (The head's size is bounded where it is read, by the server.)
        let Ok(mut request) = bounded(request, self.options.max_body_bytes) else {
            return rescue::too_large().into_response();
        };
        // 6. Headers that only we may send, away before ours are added.
        strip_internal(request.headers_mut());
        // 7. The key, outside of whatever may fail in the middle: who is told that the
        // outcome is unknown needs the key to repeat with.
        let key = keyed(request.method(), destination).then(|| self.key_of(request.headers_mut()));
        let mut response = self.pass_on(request, destination).await;
        if let Some(key) = key {
            response.headers_mut().insert(IDEMPOTENCY_KEY, key);
        }
        response
    }

    async fn pass_on(&self, request: Request, destination: Destination) -> Response {
        // 8. The answer's time, then panics, innermost, right around what is somebody
        // else's code: a panic ends its request with a 500, and the process goes on.
        let method = request.method().clone();
        let answer = self.upstreams.to(destination).call(request);
        let answer = AssertUnwindSafe(answer).catch_unwind();
        match timeout(self.options.request_timeout, answer).await {
            Ok(Ok(Ok(response))) => rescue::rendered(response),
            Ok(Ok(Err(error))) => error.into_problem().into_response(),
            Ok(Err(payload)) => rescue::panicked(&*payload).into_response(),
            Err(_) => rescue::too_slow(&method).into_response(),
        }
    }

    /// The client's key, or one that is made now and marked as ours.
    fn key_of(&self, headers: &mut HeaderMap) -> HeaderValue {
        if let Some(key) = headers.get(IDEMPOTENCY_KEY) {
            return key.clone();
        }
        let key = self.ids.make();
        headers.insert(IDEMPOTENCY_KEY, key.clone());
        headers.insert(KEY_ORIGIN, HeaderValue::from_static(ORIGIN_EDGE));
        key
    }
}

/// Whether a request is one of those that are remembered by a key: every write to
/// bookings, holds and events.
fn keyed(method: &Method, destination: Destination) -> bool {
    !method.is_safe() && matches!(destination, Destination::Booking | Destination::Catalog)
}

/// The request with a body that cannot be longer than `most`, or nothing if it is
/// announced to be longer. A body of announced length isn't wrapped: the server never
/// passes on more than was announced.
fn bounded(request: Request, most: usize) -> Result<Request, TooLarge> {
    match request.body().size_hint().upper() {
        Some(length) if length > most as u64 => Err(TooLarge),
        Some(_) => Ok(request),
        None => Ok(request.map(|body| Body::new(Limited::new(body, most)))),
    }
}

/// A body is longer than allowed.
struct TooLarge;

/// Takes away what only our own processes may say to each other.
fn strip_internal(headers: &mut HeaderMap) {
    let internal = |name: &HeaderName| name.as_str().starts_with(INTERNAL_PREFIX);
    if !headers.keys().any(internal) {
        return;
    }
    let names: Vec<HeaderName> = headers.keys().filter(|name| internal(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// An answer of the gateway's own: only read.
fn own(method: &Method, answer: impl FnOnce() -> Response) -> Response {
    if matches!(*method, Method::GET | Method::HEAD) { answer() } else { rescue::only_get() }
}
