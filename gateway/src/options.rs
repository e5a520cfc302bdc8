//! What can be tuned.

use std::time::Duration;

/// Options of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most bytes of a request's body, whatever it is for; services may allow less.
    pub max_body_bytes: usize,
    /// How long a request may take until its answer begins.
    pub request_timeout: Duration,
    /// Origins whose pages may call the API from a browser; `*` means any. Credentials
    /// (cookies) are never allowed: a token is sent by the page itself.
    pub cors_origins: Vec<String>,
    /// How long a browser may remember what it is allowed to send.
    pub cors_max_age: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_body_bytes: 1024 * 1024,
            request_timeout: Duration::from_secs(30),
            cors_origins: vec!["*".to_owned()],
            cors_max_age: Duration::from_secs(3_600),
        }
    }
}
