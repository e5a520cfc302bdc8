//! The way to the internal listener of another process.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use sha2::{Digest, Sha256};

use super::UpstreamError;
#[cfg(feature = "tls")]
use super::tls;
use super::trust::Trust;
use crate::headers::SECRET;
use crate::trail;

/// How long a connection may take to come up; with TLS, the handshake as long again.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_millis(500);

/// How long a connection that nobody uses is kept. Shorter than the listener keeps it, so
/// that no request meets one that is being closed.
const IDLE_LIMIT: Duration = Duration::from_secs(20);

/// Most unused connections kept to one process.
const IDLE_CONNECTIONS: usize = 256;

/// Fewest characters of a secret.
pub const SECRET_CHARS: usize = 32;

/// Headers that are about one connection, and not about the request that came by it.
const HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What the processes of one installation know one another by.
#[derive(Clone)]
pub struct Secret(HeaderValue);

/// Why a text cannot be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret must be at least {SECRET_CHARS} visible ASCII characters")]
pub struct SecretError;

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// The secret in this text, white space around it left out.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        if text.len() < SECRET_CHARS || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretError);
        }
        let mut value = HeaderValue::from_str(text).map_err(|_| SecretError)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// Whether a request shows it. Digests are compared, so that the time it takes tells
    /// nothing of the secret.
    #[must_use]
    pub fn is_shown(&self, headers: &HeaderMap) -> bool {
        let digest = |value: &HeaderValue| Sha256::digest(value.as_bytes());
        headers.get(SECRET).is_some_and(|shown| digest(shown) == digest(&self.0))
    }
}

/// A client for internal listeners. Cheap to clone; all clones share their connections.
#[derive(Clone)]
pub struct Client {
    way: Way,
    trust: Arc<Trust>,
}

/// How connections are made.
#[derive(Clone)]
enum Way {
    Plain(legacy::Client<HttpConnector, Body>),
    #[cfg(feature = "tls")]
    Tls(legacy::Client<tls::Connector, Body>),
}

impl Client {
    /// A client that is trusted for this, and trusts those it calls for the same.
    #[must_use]
    pub fn new(trust: impl Into<Trust>) -> Self {
        let trust = trust.into();
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_LIMIT));
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_LIMIT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS);
        let way = match &trust {
            Trust::Secret(_) => Way::Plain(builder.build(connector)),
            #[cfg(feature = "tls")]
            Trust::Certificates(certificates, _) => {
                Way::Tls(builder.build(tls::Connector::new(connector, certificates)))
            }
        };
        Self { way, trust: Arc::new(trust) }
    }

    /// What it is trusted for.
    #[must_use]
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Send a request to `address` (`host:port`) and wait for the answer's head; how long is
    /// for the caller to say.
    ///
    /// # Errors
    /// [`UpstreamError::Refused`] and [`UpstreamError::Unreachable`] if it was certainly not sent, else
    /// [`UpstreamError::Lost`].
    pub async fn call(
        &self,
        address: &str,
        request: Request<Body>,
    ) -> Result<Response<Body>, UpstreamError> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().cloned();
        parts.uri = uri(self.scheme(), address, path).ok_or_else(|| {
            UpstreamError::Unreachable(format!("{address} is not a host and a port"))
        })?;
        parts.version = http::Version::HTTP_11;
        for name in HOP {
            parts.headers.remove(name);
        }
        parts.headers.remove(header::HOST);
        parts.headers.remove(header::EXPECT);
        if let Some(secret) = self.trust.secret() {
            parts.headers.insert(SECRET, secret.0.clone());
        }
        trail::leave(&mut parts.headers);
        parts.extensions = http::Extensions::new();
        match self.send(Request::from_parts(parts, body)).await {
            Ok(response) => {
                let (mut parts, body) = response.into_parts();
                for name in HOP {
                    parts.headers.remove(name);
                }
                Ok(Response::from_parts(parts, Body::new(body)))
            }
            Err(error) if error.is_connect() && is_refused(&error) => Err(UpstreamError::Refused),
            Err(error) if error.is_connect() => Err(UpstreamError::Unreachable(told(&error))),
            #[cfg(feature = "tls")]
            Err(error) if tls::is_turned_away(&error) => {
                Err(UpstreamError::Unreachable(told(&error)))
            }
            Err(error) => Err(UpstreamError::Lost(told(&error))),
        }
    }

    fn scheme(&self) -> Scheme {
        match &self.way {
            Way::Plain(_) => Scheme::HTTP,
            #[cfg(feature = "tls")]
            Way::Tls(_) => Scheme::HTTPS,
        }
    }

    fn send(&self, request: Request<Body>) -> legacy::ResponseFuture {
        match &self.way {
            Way::Plain(client) => client.request(request),
            #[cfg(feature = "tls")]
            Way::Tls(client) => client.request(request),
        }
    }
}

fn uri(scheme: Scheme, address: &str, path: Option<PathAndQuery>) -> Option<Uri> {
    let authority: Authority = address.parse().ok()?;
    let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
    Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build().ok()
}

fn is_refused(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<std::io::Error>() {
            return error.kind() == std::io::ErrorKind::ConnectionRefused;
        }
        cause = inner.source();
    }
    false
}

/// An error with what caused it.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_secret_is_long_and_never_shown_by_accident() {
        let secret = Secret::parse(&format!(" {TEXT}\n")).unwrap();
        assert!(!format!("{secret:?}").contains(TEXT));
        for wrong in ["", "short", &TEXT[1..], "a b 0123456789abcdef0123456789abcdef"] {
            assert!(Secret::parse(wrong).is_err(), "{wrong}");
        }
        let mut headers = HeaderMap::new();
        assert!(!secret.is_shown(&headers));
        headers.insert(SECRET, HeaderValue::from_static("0123456789abcdef0123456789abcdeX"));
        assert!(!secret.is_shown(&headers));
        headers.insert(SECRET, HeaderValue::from_static(TEXT));
        assert!(secret.is_shown(&headers));
    }

    #[tokio::test]
    async fn where_nobody_listens_nothing_was_sent() {
        let nowhere = tokio::net::TcpSocket::new_v4().unwrap();
        nowhere.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = nowhere.local_addr().unwrap().to_string();
        let client = Client::new(Secret::parse(TEXT).unwrap());
        let request = || Request::get("/").body(Body::empty()).unwrap();
        let refused = client.call(&address, request()).await.unwrap_err();
        assert_eq!(refused, UpstreamError::Refused);
        assert!(client.call("not an address", request()).await.is_err());
    }
}
