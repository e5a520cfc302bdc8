//! Several processes of which any takes a request and one serves it: the one that owns the
//! event. Requests go where the owner was last seen, else in turn to whoever is healthy; what
//! failed on the way is repeated, if that is safe.
//!
//! Safe is what only reads, and what carries an idempotency key: its repeat finds the outcome
//! of the first copy, or is decided afresh. Once a copy may have arrived, only an answer that
//! settles it counts: until then the outcome is unknown, whatever later copies met. Each copy
//! carries a deadline, after which no replica does it any more: only then does a refusal of a
//! later copy say that the earlier one will have no effect either.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::response::IntoResponse;
use futures_util::future::join_all;
use http::header::{self, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use serde::Deserialize;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::client::Client;
use super::target::{ASK_EVERY, Target};
use super::{UpstreamError, unknown, way};
use crate::headers::{CLIENT_ADDRESS, DEADLINE, IDEMPOTENCY_KEY, OWNER, Peer};
use crate::problem::{ErrorCode, PROBLEM_JSON, Problem};

/// Pause before the first repeat; doubles with each.
const PAUSE: Duration = Duration::from_millis(10);

/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_millis(160);

/// How long one copy of a request may take before another is sent: longer than a replica
/// takes to say that the outcome of a commit is unknown.
const COPY_LIMIT: Duration = Duration::from_millis(3_500);

/// How long a copy may be on its way until it is decided.
const DECIDE_LIMIT: Duration = Duration::from_secs(2);

/// Most bytes of a request's body; the gateway allows less.
const BODY_BYTES: usize = 4 * 1024 * 1024;

/// Most bytes of a problem that is looked into.
const PROBLEM_BYTES: usize = 64 * 1024;

/// Bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicasOptions {
    /// How long a request is repeated before its client is told.
    pub patience: Duration,
}

impl Default for ReplicasOptions {
    fn default() -> Self {
        Self { patience: Duration::from_secs(8) }
    }
}

/// Several replicas. Cheap to clone.
#[derive(Clone)]
pub struct Replicas(Arc<Inner>);

struct Inner {
    options: ReplicasOptions,
    client: Client,
    targets: Vec<Target>,
    /// Where each partition was last served: the target's number and one, 0 if unknown.
    owners: Vec<AtomicU16>,
    next: AtomicUsize,
}

/// One request that is sent until it is settled.
struct Call {
    parts: Parts,
    body: Bytes,
    partition: Option<u16>,
    /// It changes nothing.
    only_reads: bool,
    /// It may be sent more than once.
    repeatable: bool,
    /// A copy may have been done, or be done until this moment.
    perhaps_done: Option<Instant>,
}

/// What came of one copy.
enum Copy {
    /// This settles it.
    Answer(Response<Body>),
    /// It was certainly not done.
    NotDone(Response<Body>),
    /// Nobody knows.
    Unknown,
}

/// What is looked for in a problem.
#[derive(Deserialize)]
struct Code<'a> {
    code: &'a str,
}

impl Replicas {
    /// Replicas at these addresses (`host:port`), all taken for healthy at first.
    #[must_use]
    pub fn new(options: ReplicasOptions, client: Client, addresses: &[String]) -> Self {
        let targets = addresses.iter().map(|address| Target::new(address)).collect();
        let owners = (0..engine::PARTITIONS).map(|_| AtomicU16::new(0)).collect();
        Self(Arc::new(Inner { options, client, targets, owners, next: AtomicUsize::new(0) }))
    }

    /// Look after their health until `shutdown` resolves.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let looks = self.0.targets.iter().map(|target| target.look(&self.0.client));
            let round = async {
                join_all(looks).await;
                sleep(ASK_EVERY).await;
            };
            tokio::select! {
                () = &mut shutdown => return,
                () = round => {}
            }
        }
    }

    /// How many of them take requests, as far as is known.
    #[must_use]
    pub fn healthy(&self) -> usize {
        self.0.targets.iter().filter(|target| target.is_healthy()).count()
    }

    /// The answer to a request, from whichever replica serves it.
    pub async fn call(&self, request: Request<Body>) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        let body = match to_bytes(body, BODY_BYTES).await {
            Ok(body) => body,
            Err(error) => return unreadable(&error).into_response(),
        };
        if let Some(Peer(address)) = parts.extensions.get::<Peer>()
            && let Ok(value) = HeaderValue::from_str(&address.to_string())
        {
            parts.headers.insert(CLIENT_ADDRESS, value);
        }
        // The body is whole now, and says its length itself.
        parts.headers.remove(header::CONTENT_LENGTH);
        let path = parts.uri.path();
        let partition = way::partition(&parts.method, path, &body);
        let only_reads = way::only_reads(&parts.method, path);
        let repeatable = only_reads || parts.headers.contains_key(IDEMPOTENCY_KEY);
        let call = Call { parts, body, partition, only_reads, repeatable, perhaps_done: None };
        self.settle(call).await
    }

    async fn settle(&self, mut call: Call) -> Response<Body> {
        let until = Instant::now() + self.0.options.patience;
        let mut pause = PAUSE;
        let mut asked = None;
        loop {
            let target = self.0.choose(call.partition, asked);
            asked = Some(target);
            let sent = Instant::now();
            // Without a deadline that the replica understands it may be done at any time.
            let decided_by = if self.0.knows_clock(target) { sent } else { until } + DECIDE_LIMIT;
            let copy = self.0.send(&call, target, until).await;
            let last = match copy {
                Copy::Answer(response) => match call.meaning(response.status(), sent) {
                    Meaning::Settled => return response,
                    Meaning::Unknown => return unknown().into_response(),
                    // Asked once more when no earlier copy can be done any more.
                    Meaning::Early(then) if then < until => {
                        sleep_until(then).await;
                        continue;
                    }
                    Meaning::Early(_) => return unknown().into_response(),
                },
                Copy::NotDone(response) => response,
                Copy::Unknown if call.only_reads => {
                    Problem::unavailable(&"no replica has answered a read").into_response()
                }
                // Nothing more can be found out.
                Copy::Unknown if !call.repeatable => return unknown().into_response(),
                Copy::Unknown => {
                    call.perhaps_done = call.perhaps_done.max(Some(decided_by));
                    unknown().into_response()
                }
            };
            if Instant::now() + pause >= until {
                return if call.perhaps_done.is_some() { unknown().into_response() } else { last };
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

/// What an answer means for a request of which a copy may have been done before.
enum Meaning {
    /// What came of it.
    Settled,
    /// Nothing is known of the earlier copy.
    Unknown,
    /// A refusal, which means something only after this moment.
    Early(Instant),
}

impl Call {
    /// What an answer to a copy means that was sent at this moment.
    fn meaning(&self, status: StatusCode, sent: Instant) -> Meaning {
        let Some(until) = self.perhaps_done else { return Meaning::Settled };
        match status.as_u16() {
            // By the key: the outcome of the first copy, or of this one.
            200..=399 => Meaning::Settled,
            // Decided by the rules, so the first copy had not been done when this one came.
            404 | 409 | 412 | 422 if sent >= until => Meaning::Settled,
            404 | 409 | 412 | 422 => Meaning::Early(until),
            // Not decided at all.
            _ => Meaning::Unknown,
        }
    }
}

impl Inner {
    /// Whom to ask: the owner, if it is known and healthy; else in turn whoever is healthy, if
    /// possible another one than last time.
    fn choose(&self, partition: Option<u16>, asked: Option<usize>) -> usize {
        let count = self.targets.len();
        let owner = partition.and_then(|partition| self.owners.get(usize::from(partition)));
        let owner = owner.map(|owner| usize::from(owner.load(Ordering::Acquire)));
        if let Some(owner) = owner.and_then(|owner| owner.checked_sub(1))
            && asked != Some(owner)
            && self.targets.get(owner).is_some_and(Target::is_healthy)
        {
            return owner;
        }
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let turn = (0..count).map(|n| (first + n) % count);
        let mut healthy = turn.clone().filter(|n| self.targets[*n].is_healthy());
        let other = healthy.clone().find(|n| Some(*n) != asked);
        other.or_else(|| healthy.next()).unwrap_or(first % count.max(1))
    }

    /// Whether a deadline can be told that this replica understands.
    fn knows_clock(&self, target: usize) -> bool {
        self.targets.get(target).is_some_and(|target| target.clock_after(Duration::ZERO).is_some())
    }

    /// Send one copy.
    async fn send(&self, call: &Call, target: usize, until: Instant) -> Copy {
        let Some(target) = self.targets.get(target) else {
            return Copy::NotDone(Problem::unavailable(&"there are no replicas").into_response());
        };
        let mut request = Request::new(Body::from(call.body.clone()));
        *request.method_mut() = call.parts.method.clone();
        *request.uri_mut() = call.parts.uri.clone();
        request.headers_mut().clone_from(&call.parts.headers);
        if let Some(deadline) = target.clock_after(DECIDE_LIMIT).filter(|_| !call.only_reads) {
            request.headers_mut().insert(DEADLINE, HeaderValue::from(deadline));
        }
        let races = call.repeatable && !target.is_silent();
        let limit = if call.repeatable { until.min(Instant::now() + COPY_LIMIT) } else { until };
        let answer = tokio::select! {
            answer = timeout_at(limit, self.client.call(&target.address, request)) => answer,
            // It does not answer its pings either: somebody else will.
            () = target.falls_silent(), if races => {
                Ok(Err(UpstreamError::Lost("the replica has stopped answering".into())))
            }
        };
        match answer {
            Ok(Ok(response)) => self.judge(call, response).await,
            Ok(Err(error @ (UpstreamError::Refused | UpstreamError::Unreachable(_)))) => {
                target.refused();
                self.forget(call.partition);
                tracing::debug!(address = %target.address, %error, "a replica is gone");
                Copy::NotDone(error.into_problem().into_response())
            }
            Ok(Err(error)) => {
                self.forget(call.partition);
                tracing::debug!(address = %target.address, %error, "a copy was lost");
                Copy::Unknown
            }
            Err(_) => Copy::Unknown,
        }
    }

    /// What an answer means.
    async fn judge(&self, call: &Call, response: Response<Body>) -> Copy {
        let (mut parts, body) = response.into_parts();
        if let Some(owner) = parts.headers.remove(OWNER) {
            self.learn(&owner);
        }
        let not_now = parts.status == StatusCode::SERVICE_UNAVAILABLE
            && parts.headers.get(CONTENT_TYPE).is_some_and(|value| value == PROBLEM_JSON);
        if !not_now || !call.repeatable {
            return Copy::Answer(Response::from_parts(parts, body));
        }
        let Ok(body) = to_bytes(body, PROBLEM_BYTES).await else { return Copy::Unknown };
        let code = serde_json::from_slice::<Code<'_>>(&body).map(|found| found.code.to_owned());
        let is = |code: &Result<String, _>, wanted: ErrorCode| {
            code.as_ref().is_ok_and(|code| code == wanted.as_str())
        };
        if is(&code, ErrorCode::OutcomeUnknown) {
            return Copy::Unknown;
        }
        let again = is(&code, ErrorCode::Unavailable);
        let response = Response::from_parts(parts, Body::from(body));
        if again {
            self.forget(call.partition);
            Copy::NotDone(response)
        } else {
            // Too much is going on: one copy more would make it worse.
            Copy::Answer(response)
        }
    }

    /// A replica says who serves a partition.
    fn learn(&self, owner: &HeaderValue) {
        let Some((partition, address)) = owner.to_str().ok().and_then(|text| text.split_once(' '))
        else {
            return;
        };
        let Some(place) = partition.parse().ok().and_then(|n: usize| self.owners.get(n)) else {
            return;
        };
        let known = self.targets.iter().position(|target| *target.address == *address);
        if let Some(number) = known.and_then(|known| u16::try_from(known + 1).ok()) {
            place.store(number, Ordering::Release);
        }
    }

    fn forget(&self, partition: Option<u16>) {
        if let Some(place) = partition.and_then(|n| self.owners.get(usize::from(n))) {
            place.store(0, Ordering::Release);
        }
    }
}

/// The body did not arrive, or is too large.
fn unreadable(error: &axum::Error) -> Problem {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(inner) = cause {
        if inner.is::<http_body_util::LengthLimitError>() {
            return Problem::new(ErrorCode::PayloadTooLarge, "The body is larger than allowed.");
        }
        cause = inner.source();
    }
    Problem::new(ErrorCode::BadRequest, "The body could not be read to its end.")
}
