//! `/metrics`: what this process counts, for whoever may see it.

use std::net::IpAddr;
use std::sync::Arc;

use api::headers::Peer;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures_util::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue};

use crate::client::Networks;

/// Where the figures are.
pub const PATH: &str = "/metrics";

/// The format's name, as Prometheus reads it.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// What somebody who passes a request on for somebody else writes into it.
const PASSED_ON: [HeaderName; 4] = [
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("via"),
];

/// The figures and who may see them. Cheap to clone.
#[derive(Clone)]
pub struct Figures {
    write: Arc<dyn Fn() -> BoxFuture<'static, String> + Send + Sync>,
    seen_from: Arc<Networks>,
}

impl Figures {
    /// Figures that are written by a function, for requests from these networks.
    pub fn new(
        write: impl Fn() -> BoxFuture<'static, String> + Send + Sync + 'static,
        seen_from: &[String],
    ) -> Self {
        Self { write: Arc::new(write), seen_from: Arc::new(Networks::new(seen_from)) }
    }

    /// Whether a request may see them, whose client is `client`, as far as that is known. A
    /// proxy that nobody has declared stands on this machine, mostly: what it passes on comes
    /// from nobody knows where, and is not its own.
    #[must_use]
    pub fn may_see(&self, request: &Request, client: Option<IpAddr>) -> bool {
        let peer = request.extensions().get::<Peer>().map(|Peer(address)| *address);
        let Some(client) = client else { return false };
        let passed_on = PASSED_ON.iter().any(|name| request.headers().contains_key(name));
        self.seen_from.contains(client) && !(passed_on && peer == Some(client))
    }

    /// Them.
    pub async fn answer(&self) -> Response {
        let mut response = Response::new(Body::from((self.write)().await));
        response.headers_mut().insert(CONTENT_TYPE, TEXT);
        response
    }
}
