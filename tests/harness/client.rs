//! One HTTP connection, kept alive, that never repeats anything by itself: what became
//! of a request is for the test to judge.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::eventually::PATIENCE;

/// A request.
#[derive(Clone, Debug)]
pub struct Ask {
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Ask {
    /// A request without headers or body.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        Self { method, path: path.into(), headers, body }
    }

    /// `GET path`.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// `POST path`.
    #[must_use]
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    /// `PATCH path`.
    #[must_use]
    pub fn patch(path: impl Into<String>) -> Self {
        Self::new(Method::PATCH, path)
    }

    /// `PUT path`.
    #[must_use]
    pub fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path)
    }

    /// `DELETE path`.
    #[must_use]
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// With a header.
    ///
    /// # Panics
    /// When it cannot be one.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("tests send headers that can be sent");
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    /// Without a header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// With more in its query.
    #[must_use]
    pub fn and_query(mut self, query: &str) -> Self {
        self.path.push(if self.path.contains('?') { '&' } else { '?' });
        self.path.push_str(query);
        self
    }

    /// Its method and path, for sentences.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The request as it goes over the wire.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\nhost: localhost\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            bytes.push_str(&format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes())));
        }
        if !self.body.is_empty() {
            bytes.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        bytes.push_str("\r\n");
        let mut bytes = bytes.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// By whoever has this token.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// With an `Idempotency-Key`.
    #[must_use]
    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// With a body of any type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        let content_type = HeaderValue::from_str(content_type);
        let content_type = content_type.expect("tests send headers that can be sent");
        self.headers.insert(header::CONTENT_TYPE, content_type);
        self.body = body.into();
        self
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, byte for byte.
    pub body: Bytes,
}

impl Response {
    /// Its body as JSON; `null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header's value; empty if it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A request without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// There was no connection to send it on.
    NotSent(String),
    /// It may have arrived.
    Unknown(String),
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(why) => write!(f, "not sent: {why}"),
            Self::Unknown(why) => write!(f, "no answer: {why}"),
        }
    }
}

/// A connection, made anew when it is gone.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client of the server at this address; connects with the first request.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, sender: None }
    }

    /// The server has moved; the next request goes to the new address.
    pub fn move_to(&mut self, address: SocketAddr) {
        if address != self.address {
            *self = Self::new(address);
        }
    }

    /// Sends a request, once.
    ///
    /// # Errors
    /// When no answer came; whether it may have been sent is told apart.
    pub async fn send(&mut self, ask: &Ask) -> Result<Response, NoAnswer> {
        let mut sender = self.connected().await?;
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(&ask.path)
            .body(Full::new(ask.body.clone()))
            .map_err(|error| NoAnswer::NotSent(error.to_string()))?;
        *request.headers_mut() = ask.headers.clone();
        request.headers_mut().insert(
            header::HOST,
            HeaderValue::from_str(&self.address.to_string())
                .map_err(|error| NoAnswer::NotSent(error.to_string()))?,
        );
        let exchange = async {
            let answer = sender.send_request(request).await?;
            let (parts, body) = answer.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, hyper::Error>(Response { status: parts.status, headers: parts.headers, body })
        };
        match timeout(PATIENCE, exchange).await {
            Ok(Ok(response)) => {
                self.sender = Some(sender);
                Ok(response)
            }
            Ok(Err(error)) => Err(NoAnswer::Unknown(error.to_string())),
            Err(_) => Err(NoAnswer::Unknown("patience ran out".to_owned())),
        }
    }

    /// Sends a request to a server that must answer.
    ///
    /// # Panics
    /// When it does not.
    pub async fn ask(&mut self, ask: &Ask) -> Response {
        match self.send(ask).await {
            Ok(response) => response,
            Err(error) => panic!("{} {}: {error}", ask.method, ask.path),
        }
    }

    /// The connection, or a new one if the other end has closed it meanwhile.
    async fn connected(&mut self) -> Result<SendRequest<Full<Bytes>>, NoAnswer> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        let connecting = async {
            let stream = TcpStream::connect(self.address).await.map_err(|e| e.to_string())?;
            stream.set_nodelay(true).map_err(|e| e.to_string())?;
            let (mut sender, connection) =
                handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
            // Ends by itself with the connection; its error reaches the sender too.
            tokio::spawn(connection);
            sender.ready().await.map_err(|e| e.to_string())?;
            Ok(sender)
        };
        match timeout(PATIENCE, connecting).await {
            Ok(connected) => connected.map_err(NoAnswer::NotSent),
            Err(_) => Err(NoAnswer::NotSent("patience ran out".to_owned())),
        }
    }
}
