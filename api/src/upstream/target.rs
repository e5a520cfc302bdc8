//! One of several replicas, as whoever balances sees it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use http::Request;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::client::Client;
use super::{Answer, Upstream, UpstreamError};
use crate::headers::CLOCK;

/// How often each replica is asked whether it is there.
pub(super) const ASK_EVERY: Duration = Duration::from_millis(200);

/// How long its answer is waited for.
const ASK_LIMIT: Duration = Duration::from_millis(300);

/// Answers in a row that have to be missing before it is left out. A refused connection is
/// enough by itself.
const MISSED: u32 = 2;

/// Where a replica says whether it takes requests.
const READY: &str = "/readyz";

/// A replica.
pub(super) struct Target {
    pub(super) address: Arc<str>,
    missed: AtomicU32,
    /// Whether it takes requests.
    healthy: watch::Sender<bool>,
    /// Whether it answers at all, for those who wait for its answers.
    silent: watch::Sender<bool>,
    /// What the replicas' clock shows, against this process' own.
    clock: Mutex<Option<(Instant, i64)>>,
}

impl Target {
    pub(super) fn new(address: &str) -> Self {
        // Taken for healthy until the contrary is seen: nobody has been asked yet.
        let (healthy, silent) = (watch::Sender::new(true), watch::Sender::new(false));
        let (address, missed) = (Arc::from(address), AtomicU32::new(0));
        Self { address, missed, healthy, silent, clock: Mutex::new(None) }
    }

    pub(super) fn is_healthy(&self) -> bool {
        *self.healthy.borrow()
    }

    /// Whether it answers at all.
    pub(super) fn is_silent(&self) -> bool {
        *self.silent.borrow()
    }

    /// Resolves when it stops answering. One that only takes nothing new goes on with what it
    /// has.
    pub(super) async fn falls_silent(&self) {
        // The sender lives as long as this.
        let _ = self.silent.subscribe().wait_for(|silent| *silent).await;
    }

    /// A connection was refused: there is nobody.
    pub(super) fn refused(&self) {
        self.silent.send_replace(true);
        self.becomes(false);
    }

    /// What the replicas' clock will show after this time, if it is known, in milliseconds.
    pub(super) fn clock_after(&self, span: Duration) -> Option<i64> {
        let (seen, shown) = (*self.clock.lock().unwrap_or_else(PoisonError::into_inner))?;
        let passed = i64::try_from((seen.elapsed() + span).as_millis()).ok()?;
        shown.checked_add(passed)
    }

    fn becomes(&self, healthy: bool) {
        let changed =
            self.healthy.send_if_modified(|was| std::mem::replace(was, healthy) != healthy);
        if changed {
            tracing::info!(address = %self.address, healthy, "a replica's health has changed");
        }
    }

    /// Ask it once.
    pub(super) async fn look(&self, client: &Client) {
        let upstream =
            Upstream::Remote { client: client.clone(), address: Arc::clone(&self.address) };
        let Ok(request) = Request::get(READY).body(Body::empty()) else { return };
        match timeout(ASK_LIMIT, upstream.ask(request)).await {
            Ok(Ok(Answer { status, headers, .. })) => {
                self.missed.store(0, Ordering::Release);
                self.silent.send_replace(false);
                let shown = headers.get(CLOCK).and_then(|value| value.to_str().ok()?.parse().ok());
                if let Some(shown) = shown {
                    let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
                    *clock = Some((Instant::now(), shown));
                }
                self.becomes(status.is_success());
            }
            Ok(Err(UpstreamError::Refused)) => self.refused(),
            outcome => {
                if let Ok(Err(error)) = outcome {
                    // Certificates that do not fit, for instance.
                    tracing::debug!(address = %self.address, %error, "a replica does not answer");
                }
                if self.missed.fetch_add(1, Ordering::AcqRel) + 1 >= MISSED {
                    self.refused();
                }
            }
        }
    }
}
