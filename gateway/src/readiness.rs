//! Whether this process wants requests, and how it says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use api::extract::json_bytes;
use axum::response::Response;
use http::StatusCode;

/// The paths that are answered here: for people, for whoever balances load, for whoever
/// restarts what is dead.
pub(crate) const PATHS: [&str; 3] = ["/health", "/readyz", "/livez"];

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

    /// The answer of `/readyz` and `/health`.
    pub(crate) fn answer(&self) -> Response {
        let (status, text) = match self.0.load(Ordering::Acquire) {
            READY => (StatusCode::OK, "ok"),
            DRAINING => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        };
        json_bytes(status, format!("{{\"status\":\"{text}\"}}").into_bytes())
    }
}

/// The answer of `/livez`: whoever can answer lives.
pub(crate) fn alive() -> Response {
    json_bytes(StatusCode::OK, b"{\"status\":\"ok\"}".to_vec())
}
