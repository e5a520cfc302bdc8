//! What can be tuned.

use std::time::Duration;

/// Options of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most bytes of a request's body, whatever it is for; services may allow less.
    pub max_body_bytes: usize,
    /// How long a request may take until its answer begins.
    pub request_timeout: Duration,
    /// Most requests under way at once; beyond, 503 at once.
    pub max_in_flight: usize,
    /// How much one address and one person may ask for; `None` for as much as they like.
    pub rate_limit: Option<RateLimit>,
    /// Addresses and networks (`10.0.0.0/8`) of proxies whose `X-Forwarded-For` is
    /// believed.
    pub trusted_proxies: Vec<String>,
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
            max_in_flight: 8_192,
            rate_limit: Some(RateLimit::default()),
            trusted_proxies: Vec::new(),
            cors_origins: vec!["*".to_owned()],
            cors_max_age: Duration::from_secs(3_600),
        }
    }
}

/// Limits of rates, as token buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests a second of one address (an IPv6 network of /64 counts as one).
    pub address_per_s: u32,
    /// Requests of one address at once, after a rest.
    pub address_burst: u32,
    /// Requests a second of one person.
    pub user_per_s: u32,
    /// Requests of one person at once, after a rest.
    pub user_burst: u32,
    /// Most buckets of each kind; a bucket takes some 50 bytes. When there are more
    /// clients, some share one.
    pub buckets: u32,
}

impl Default for RateLimit {
    fn default() -> Self {
        // A school or an office behind one address is no attack, a person who clicks
        // fifty times a second is.
        Self {
            address_per_s: 300,
            address_burst: 2_000,
            user_per_s: 50,
            user_burst: 500,
            buckets: 200_000,
        }
    }
}
