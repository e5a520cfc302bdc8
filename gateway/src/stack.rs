//! The way of a request through the gateway, outermost first.
//!
//! The layers are steps of one function and not a tower of services: every request of
//! the process comes through here, and a tower would box and clone at each floor.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use api::headers::{
    CLIENT_ADDRESS, IDEMPOTENCY_KEY, KEY_ORIGIN, ORIGIN_EDGE, Peer, REQUEST_ID, SESSION_ENDED,
};
use api::{Entropy, Problem, Verifier, trail};
use axum::body::{Bytes, HttpBody};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::{self, AUTHORIZATION, HeaderName, ORIGIN};
use http::{HeaderMap, HeaderValue, Method};
use tokio::time::timeout;

use crate::body::{Watch, drain};
use crate::client::Proxies;
use crate::cors::Cors;
use crate::figures::Figures;
use crate::ids::Ids;
use crate::limits::{self, InFlight, Limits, Refused, Standing};
use crate::meters::Meters;
use crate::options::Options;
use crate::pages::Pages;
use crate::readiness::{Health, Readiness, alive};
use crate::rescue::{self, only_get};
use crate::routing::{Destination, destination};
use crate::{Beside, Upstreams, figures};

/// How the names of our internal headers begin.
const INTERNAL_PREFIX: &str = "eventflow-";

/// Said of every answer. (That a browser should insist on TLS is for whoever ends the TLS
/// in front of us to say.)
const SECURITY: [(HeaderName, HeaderValue); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
];

/// Headers of a request that would be read differently by different parts if there were
/// two of them.
const SINGLE: [HeaderName; 3] = [AUTHORIZATION, IDEMPOTENCY_KEY, header::CONTENT_TYPE];

/// Everything that a request may need on its way.
pub(crate) struct Stack {
    options: Options,
    upstreams: Upstreams,
    health: Health,
    pages: Pages,
    cors: Cors,
    meters: Meters,
    figures: Option<Figures>,
    ids: Ids,
    proxies: Proxies,
    limits: Option<Limits>,
    verifier: Arc<Verifier>,
    in_flight: InFlight,
}

impl Stack {
    pub(crate) fn new(
        options: Options,
        upstreams: Upstreams,
        readiness: Readiness,
        entropy: &dyn Entropy,
        verifier: Arc<Verifier>,
        beside: Beside,
    ) -> Self {
        let Beside { mut routes, figures } = beside;
        routes.extend(crate::routes());
        let (meters, health) = (Meters::new(&routes), Health::new(readiness));
        let cors = Cors::new(&options);
        let proxies = Proxies::new(&options.trusted_proxies);
        let limits =
            options.rate_limit.as_ref().map(|limits| Limits::new(limits, Arc::clone(&verifier)));
        let (in_flight, ids) = (InFlight::new(&options), Ids::new(entropy));
        let pages = Pages::new();
        Self {
            options,
            upstreams,
            health,
            pages,
            cors,
            meters,
            figures,
            ids,
            proxies,
            limits,
            verifier,
            in_flight,
        }
    }

    pub(crate) fn set_document(&mut self, document: Bytes) {
        self.pages.set_document(document);
    }

    /// The whole way.
    pub(crate) async fn handle(self: Arc<Self>, mut request: Request) -> Response {
        // 1. Request id, outermost: every answer has it, whatever happens further in.
        let id = match request.headers().get(REQUEST_ID) {
            Some(id) if trail::is_sane(id) => id.clone(),
            _ => {
                let id = self.ids.make();
                request.headers_mut().insert(REQUEST_ID, id.clone());
                id
            }
        };
        // A page from anywhere that is open on this machine must not read the figures.
        let origin = request.headers().get(ORIGIN).filter(|_| !is_figures(&request)).cloned();
        let personal = request.headers().contains_key(AUTHORIZATION);
        // Every line that is logged on the way carries the id, here and elsewhere.
        let span = trail::span(&id, (request.method(), request.uri(), request.headers()));
        let counted = self.meters.count(request.method(), request.uri().path());
        let mut response = trail::serve(id.clone(), span, self.answer(request)).await;
        counted.answered(response.status());
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, id);
        for (name, value) in SECURITY {
            headers.entry(name).or_insert(value);
        }
        if personal {
            // What was told to one must not be kept for another.
            let kept_nowhere = HeaderValue::from_static("no-store");
            headers.entry(header::CACHE_CONTROL).or_insert(kept_nowhere);
        }
        // 2. CORS, outside of everything that refuses: a page must be able to read a
        // refusal too.
        if let Some(origin) = origin {
            self.cors.allow(&origin, headers);
        }
        response
    }

    async fn answer(&self, mut request: Request) -> Response {
        // 3. Questions of browsers, and what the gateway answers itself: before the
        // limits, so that these are answered under any load.
        if Cors::is_preflight(request.method(), request.headers()) && !is_figures(&request) {
            return self.cors.preflight();
        }
        // 4. Routing, before anything is done for a request that leads nowhere.
        let Some(destination) = destination(request.uri().path()) else {
            // Apart: it is seldom wanted, and every request would keep room for it.
            return Box::pin(self.own(request)).await;
        };
        // 5. How much is under way, before anything is done for one too many.
        let _entered = match self.in_flight.enter() {
            Ok(entered) => entered,
            Err(problem) => return refuse(request, problem).await,
        };
        // 6. Headers that only we may send, away before ours are added; those that must
        // not be ambiguous.
        strip_internal(request.headers_mut());
        if let Some(problem) = ambiguous(request.headers()) {
            return refuse(request, problem).await;
        }
        // 7. Who it is and how often: before anything costs more than this.
        let standing = match self.count(&mut request, destination) {
            Ok(standing) => standing,
            Err(refused) => {
                let (problem, standing) = *refused;
                let mut response = refuse(request, problem).await;
                standing.tell(response.headers_mut());
                return response;
            }
        };
        // 8. What was ended here a moment ago must be known there.
        if self.upstreams.to(destination).is_remote()
            && limits::bearer(request.headers()).is_some_and(|token| self.verifier.is_ended(token))
        {
            request.headers_mut().insert(SESSION_ENDED, HeaderValue::from_static("true"));
        }
        let mut response = self.keyed(request, destination).await;
        if let Some(standing) = standing {
            standing.tell(response.headers_mut());
        }
        response
    }

    /// What the gateway answers itself.
    async fn own(&self, request: Request) -> Response {
        let path = request.uri().path().to_owned();
        let only_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let figures = self.figures.as_ref().filter(|figures| {
            is_figures(&request) && figures.may_see(&request, self.reader(&request))
        });
        let answer = match path.as_str() {
            // Whatever the method is: to those who may not see them there are none.
            figures::PATH if figures.is_none() => None,
            path if !only_read => crate::routes().iter().any(|own| own.path == path).then(only_get),
            "/health" | "/readyz" => Some(self.health.answer(&self.upstreams).await),
            "/livez" => Some(alive()),
            figures::PATH => self.figures(figures).await,
            path => match self.pages.answer(path, request.headers()) {
                Some(page) => Some(page),
                None => self.health.answer_of(path, &self.upstreams).await,
            },
        };
        let Some(answer) = answer else { return refuse(request, rescue::nothing_here()).await };
        // A body that nobody asked for is read away: closing over it would take the answer
        // along. Of one that does not end only a short answer has a chance to arrive.
        let body = request.into_body();
        if body.is_end_stream() || drain(body).await {
            return answer;
        }
        rescue::too_large().into_response()
    }

    /// The figures, for those who may see them. For all others there are none.
    async fn figures(&self, figures: Option<&Figures>) -> Option<Response> {
        let figures = figures?;
        let answer = async {
            // How the parts are belongs to them.
            self.health.look(&self.upstreams).await;
            self.meters.set_in_flight(self.in_flight.count());
            figures.answer().await
        };
        let answer = timeout(self.options.request_timeout, answer).await;
        Some(answer.unwrap_or_else(|_| rescue::too_slow(&Method::GET).into_response()))
    }

    /// Where a request comes from.
    fn client(&self, request: &Request) -> Option<IpAddr> {
        let Peer(peer) = request.extensions().get::<Peer>()?;
        Some(self.proxies.client(*peer, request.headers()))
    }

    /// Who reads, if it is none of the proxies.
    fn reader(&self, request: &Request) -> Option<IpAddr> {
        let Peer(peer) = request.extensions().get::<Peer>()?;
        self.proxies.stranger(*peer, request.headers())
    }

    /// Where the request comes from, and whether that address and that person may ask.
    fn count(
        &self,
        request: &mut Request,
        destination: Destination,
    ) -> Result<Option<Standing>, Refused> {
        let client = self.client(request);
        if let Some(address) = client {
            request.extensions_mut().insert(Peer(address));
            if destination == Destination::Auth {
                // It counts attempts by address.
                let address = HeaderValue::from_str(&address.to_string());
                if let Ok(address) = address {
                    request.headers_mut().insert(CLIENT_ADDRESS, address);
                }
            }
        }
        let Some(limits) = &self.limits else { return Ok(None) };
        let mut extensions = std::mem::take(request.extensions_mut());
        let checked = limits.check(client, request.headers(), &mut extensions);
        *request.extensions_mut() = extensions;
        checked
    }

    async fn keyed(&self, request: Request, destination: Destination) -> Response {
        // 9. The key, outside of whatever may fail in the middle: who is told that the
        // outcome is unknown needs the key to repeat with.
        let mut request = request;
        let key = keyed(&request, destination).then(|| self.key_of(request.headers_mut()));
        let mut response = self.bounded(request, destination).await;
        if let Some(key) = key {
            response.headers_mut().insert(IDEMPOTENCY_KEY, key);
        }
        response
    }

    async fn bounded(&self, request: Request, destination: Destination) -> Response {
        // 10. The body's size. (The head's is bounded where it is read, by the server.)
        let most = self.options.max_body_bytes;
        let size = request.body().size_hint();
        if size.upper() == Some(0) {
            return self.pass_on(request, destination, None).await;
        }
        if size.lower() > most as u64 {
            return refuse(request, rescue::too_large()).await;
        }
        let (parts, body) = request.into_parts();
        let (body, watch) = Watch::over(body, most);
        let request = Request::from_parts(parts, body);
        let response = self.pass_on(request, destination, Some(&watch)).await;
        if response.status().is_client_error() {
            watch.drain().await;
        }
        response
    }

    async fn pass_on(
        &self,
        request: Request,
        destination: Destination,
        body: Option<&Watch>,
    ) -> Response {
        // 11. The answer's time, then panics, innermost, right around what is somebody
        // else's code: a panic ends its request with a 500, and the process goes on.
        let method = request.method().clone();
        let answer = self.upstreams.to(destination).call(request);
        let answer = AssertUnwindSafe(answer).catch_unwind();
        match timeout(self.options.request_timeout, answer).await {
            Ok(Ok(Ok(response))) => rescue::rendered(response),
            Ok(Ok(Err(error))) => error.into_problem().into_response(),
            Ok(Err(payload)) => rescue::panicked(&*payload).into_response(),
            // No service does anything before it has the whole body.
            Err(_) if body.is_some_and(|body| !body.has_arrived()) => rescue::never_arrived(),
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

/// The one of notification's routes that is remembered by a key.
const MESSAGE: &str = "/notifications/send";

/// Whether a request is one of those that are remembered by a key: every write to bookings,
/// holds and events, and a message to attendees.
fn keyed(request: &Request, destination: Destination) -> bool {
    use Destination::{Auth, Booking, Catalog, Notification};

    let remembered = match destination {
        Booking | Catalog => true,
        Notification => request.uri().path() == MESSAGE,
        Auth => false,
    };
    remembered && !request.method().is_safe()
}

/// Whether somebody asks for the figures.
fn is_figures(request: &Request) -> bool {
    request.uri().path() == figures::PATH
}

/// A refusal before the body was looked at; it is read away, so that the refusal is seen.
async fn refuse(request: Request, problem: Problem) -> Response {
    let body = request.into_body();
    if !body.is_end_stream() {
        drain(body).await;
    }
    problem.into_response()
}

/// What could be read in two ways: a header that is there more than once and must not be.
/// (Of a length and chunks the server has dropped the length, as the standard wants it.)
fn ambiguous(headers: &HeaderMap) -> Option<Problem> {
    let repeated = |name: &HeaderName| headers.get_all(name).iter().nth(1).is_some();
    SINGLE.into_iter().find(repeated).map(|name| rescue::repeated(&name))
}

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
