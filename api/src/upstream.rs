//! How one face calls another: always as an HTTP service, never past it.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::{Body, Bytes};
use http::{Request, Response, StatusCode};
use tower::ServiceExt;

use crate::problem::{ErrorCode, Problem};
use crate::trail;

mod client;
mod replicas;
mod target;
#[cfg(feature = "tls")]
mod tls;
mod trust;
mod way;

pub use client::{Client, SECRET_CHARS, Secret, SecretError};
pub use replicas::{Replicas, ReplicasOptions};
#[cfg(feature = "tls")]
pub use tls::{Certificates, CertificatesError};
pub use trust::{Certified, Trust};

/// Most bytes of an internal answer.
pub const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// A call to another face that got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// It has not been started yet; it was not called.
    #[error("the upstream is not there yet")]
    NotReady,
    /// Its host refused the connection: there is no such process, and it was not called.
    #[error("the upstream's host refused the connection")]
    Refused,
    /// No connection could be made: it was not called.
    #[error("the upstream cannot be reached: {0}")]
    Unreachable(String),
    /// The connection was lost after the call had been sent, or nothing came in time:
    /// whether it was done is unknown.
    #[error("the upstream did not answer: {0}")]
    Lost(String),
    /// Its answer broke off or is larger than [`ANSWER_BYTES`]: whether the call was
    /// done is unknown.
    #[error("the upstream's answer could not be read: {0}")]
    BrokenAnswer(String),
}

impl UpstreamError {
    /// The problem that a client is told of; the cause is logged.
    #[must_use]
    pub fn into_problem(self) -> Problem {
        match self {
            Self::NotReady | Self::Refused | Self::Unreachable(_) => Problem::unavailable(&self),
            Self::Lost(_) | Self::BrokenAnswer(_) => {
                tracing::warn!(cause = %self, "upstream failed");
                unknown()
            }
        }
    }
}

/// Nobody knows what became of it.
fn unknown() -> Problem {
    Problem::new(
        ErrorCode::OutcomeUnknown,
        "It may or may not have happened. Repeat with the same Idempotency-Key.",
    )
    .retry_after(1)
}

/// Another face. Cheap to clone.
#[derive(Clone)]
pub enum Upstream {
    /// In the same process: its router, called without a socket.
    Local(LateRouter),
    /// One other process.
    Remote {
        /// The way there.
        client: Client,
        /// Its internal listener, `host:port`.
        address: Arc<str>,
    },
    /// Several of which any takes a request, and one serves it.
    Replicas(Replicas),
}

/// A router that is put in place after others have got hold of it: booking and catalog
/// call each other, so one of them exists before the other.
#[derive(Clone, Default)]
pub struct LateRouter(Arc<OnceLock<Router>>);

impl LateRouter {
    /// An empty place for a router.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Put the router in place; returns `false`, and changes nothing, if one is there.
    pub fn bind(&self, router: Router) -> bool {
        self.0.set(router).is_ok()
    }
}

impl From<Router> for Upstream {
    fn from(router: Router) -> Self {
        Self::Local(LateRouter(Arc::new(OnceLock::from(router))))
    }
}

impl Upstream {
    /// Whether it is another process.
    #[must_use]
    pub const fn is_remote(&self) -> bool {
        !matches!(self, Self::Local(_))
    }

    /// Send a request and wait for the answer's head.
    ///
    /// # Errors
    /// When there is nobody to answer.
    pub async fn call(&self, mut request: Request<Body>) -> Result<Response<Body>, UpstreamError> {
        match self {
            Self::Local(place) => {
                // The span is the caller's own; the id is for whoever calls further.
                trail::leave_id(request.headers_mut());
                let router = place.0.get().ok_or(UpstreamError::NotReady)?.clone();
                match router.oneshot(request).await {
                    Ok(response) => Ok(response),
                    Err(never) => match never {},
                }
            }
            Self::Remote { client, address } => client.call(address, request).await,
            Self::Replicas(replicas) => Ok(replicas.call(request).await),
        }
    }

    /// Send a request and wait for the whole answer.
    ///
    /// # Errors
    /// When there is nobody to answer, or the answer breaks off.
    pub async fn ask(&self, request: Request<Body>) -> Result<Answer, UpstreamError> {
        let (parts, body) = self.call(request).await?.into_parts();
        let body = axum::body::to_bytes(body, ANSWER_BYTES)
            .await
            .map_err(|error| UpstreamError::BrokenAnswer(error.to_string()))?;
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: http::HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// The answer as a response again, e.g. a Problem that is passed on as it came.
    #[must_use]
    pub fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod late {
    use axum::routing::get;

    use super::*;

    fn request() -> Request<Body> {
        Request::get("/").body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn a_router_may_come_late() {
        let place = LateRouter::new();
        let upstream = Upstream::Local(place.clone());
        assert_eq!(upstream.call(request()).await.unwrap_err(), UpstreamError::NotReady);
        assert!(place.bind(Router::new().route("/", get(|| async { "first" }))));
        assert!(!place.bind(Router::new()));
        let answer = upstream.ask(request()).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"first"[..]));
    }
}
