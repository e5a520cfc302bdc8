//! Whether this process wants requests, and which of its parts work.
//!
//! What this process itself is made of and cannot do without makes it unready (503), so that
//! whoever balances asks another one. What is elsewhere is missing behind every door alike,
//! and what may wait (mail, say) is not worth closing a door for: both are said, and the door
//! stays open (`degraded`, 200).

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use api::extract::json_bytes;
use api::{Upstream, health};
use axum::body::Body;
use axum::response::Response;
use futures_util::future::join_all;
use http::{Request, StatusCode};
use metrics::{Gauge, gauge};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::Upstreams;
use crate::routing::Destination;

/// How this process is as a whole: for people, for whoever balances load, for whoever
/// restarts what is dead.
pub(crate) const PATHS: [&str; 3] = ["/health", "/readyz", "/livez"];

/// How long an answer about the parts is good for. Asking costs each of them one small read,
/// and these paths have no limits.
const FRESH: Duration = Duration::from_secs(1);

/// A part behind this door.
pub(crate) struct Part {
    /// How it is called in answers and figures.
    name: &'static str,
    /// Where it tells of itself alone.
    pub(crate) path: &'static str,
    to: Destination,
    /// Whether a door without it is no door. One in another process never is.
    vital: bool,
}

/// All of them. A new part is a line here.
pub(crate) const PARTS: &[Part] = &[
    Part { name: "auth", path: "/health/auth", to: Destination::Auth, vital: true },
    Part { name: "catalog", path: "/health/catalog", to: Destination::Catalog, vital: true },
    Part { name: "booking", path: "/health/booking", to: Destination::Booking, vital: true },
    Part {
        name: "notification",
        path: "/health/notification",
        to: Destination::Notification,
        vital: false,
    },
];

const STARTING: u8 = 0;
const READY: u8 = 1;
const DRAINING: u8 = 2;

/// Starting, ready, draining; set by the process, asked by whoever balances load. Cheap
/// to clone: all clones are one.
#[derive(Clone, Debug)]
pub struct Readiness(Arc<AtomicU8>);

impl Default for Readiness {
    /// Starting.
    fn default() -> Self {
        Self(Arc::new(AtomicU8::new(STARTING)))
    }
}

impl Readiness {
    /// Everything is there: requests are welcome.
    pub fn ready(&self) {
        self.0.store(READY, Ordering::Release);
    }

    /// The end has begun: requests are still answered, new ones should go elsewhere.
    pub fn draining(&self) {
        self.0.store(DRAINING, Ordering::Release);
    }

    /// Whether requests are welcome.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire) == READY
    }

    /// The word for it.
    fn word(&self) -> &'static str {
        match self.0.load(Ordering::Acquire) {
            READY => health::OK,
            DRAINING => "draining",
            _ => "starting",
        }
    }
}

/// What is known of the parts.
pub(crate) struct Health {
    readiness: Readiness,
    gauges: Vec<Gauge>,
    /// Whether each of [`PARTS`] works, and as of when. Who asks while it is being looked
    /// waits for what is found.
    seen: Mutex<Option<(Instant, Vec<bool>)>>,
}

impl Health {
    pub(crate) fn new(readiness: Readiness) -> Self {
        let of = |part: &Part| gauge!("eventflow_part_ready", "part" => part.name);
        Self { readiness, gauges: PARTS.iter().map(of).collect(), seen: Mutex::default() }
    }

    /// Whether each of [`PARTS`] works.
    pub(crate) async fn look(&self, upstreams: &Upstreams) -> Vec<bool> {
        let mut seen = self.seen.lock().await;
        if let Some((at, works)) = &*seen
            && at.elapsed() < FRESH
        {
            return works.clone();
        }
        let works = join_all(PARTS.iter().map(|part| works(upstreams.to(part.to)))).await;
        for (gauge, works) in self.gauges.iter().zip(&works) {
            gauge.set(if *works { 1.0 } else { 0.0 });
        }
        *seen = Some((Instant::now(), works.clone()));
        works
    }

    /// The answer of `/readyz` and `/health`.
    pub(crate) async fn answer(&self, upstreams: &Upstreams) -> Response {
        let works = self.look(upstreams).await;
        let word = self.readiness.word();
        let failing = |vital: bool| {
            let mut parts = PARTS.iter().zip(&works);
            let here = |part: &Part| part.vital && !upstreams.to(part.to).is_remote();
            parts.any(|(part, works)| !works && here(part) == vital)
        };
        let (status, whole) = match word {
            health::OK if failing(true) => (StatusCode::SERVICE_UNAVAILABLE, health::FAILING),
            health::OK if failing(false) => (StatusCode::OK, "degraded"),
            health::OK => (StatusCode::OK, health::OK),
            word => (StatusCode::SERVICE_UNAVAILABLE, word),
        };
        let mut body = format!("{{\"status\":\"{whole}\",\"parts\":{{\"gateway\":\"{word}\"");
        for (part, works) in PARTS.iter().zip(&works) {
            let word = if *works { health::OK } else { health::FAILING };
            // Writing to a string cannot fail.
            let _ = write!(body, ",\"{}\":\"{word}\"", part.name);
        }
        body.push_str("}}");
        json_bytes(status, body.into_bytes())
    }

    /// The answer of one part's path; `None` if it is none.
    pub(crate) async fn answer_of(&self, path: &str, upstreams: &Upstreams) -> Option<Response> {
        let place = PARTS.iter().position(|part| part.path == path)?;
        Some(health::answer(self.look(upstreams).await[place]))
    }
}

/// Whether somebody is there who does the work: a service is asked as it would be alone;
/// of replicas it is known which of them take requests.
async fn works(upstream: &Upstream) -> bool {
    if let Upstream::Replicas(replicas) = upstream {
        return replicas.healthy() > 0;
    }
    let Ok(request) = Request::get(health::PATH).body(Body::empty()) else { return false };
    let answer = timeout(health::LIMIT, upstream.call(request)).await;
    matches!(answer, Ok(Ok(answer)) if answer.status().is_success())
}

/// The answer of `/livez`: whoever can answer lives.
pub(crate) fn alive() -> Response {
    health::answer(true)
}
