//! Which pages may call from a browser: any, or a list; never with cookies.

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::options::Options;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");

/// Named one by one, because `*` would not include `authorization`.
const SENT: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, idempotency-key, if-match, x-request-id",
);

/// What a page may read of an answer beyond the few headers that are always readable.
const SHOWN: HeaderValue = HeaderValue::from_static(
    "availability-as-of, etag, idempotency-key, idempotency-replayed, link, location, \
     ratelimit, ratelimit-policy, retry-after, x-request-id",
);

pub(crate) struct Cors {
    any: bool,
    origins: Vec<String>,
    max_age: HeaderValue,
}

impl Cors {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            any: options.cors_origins.iter().any(|origin| origin == "*"),
            origins: options.cors_origins.clone(),
            max_age: HeaderValue::from(options.cors_max_age.as_secs()),
        }
    }

    /// Whether this is a browser's question whether it may send a request.
    pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
        method == Method::OPTIONS
            && headers.contains_key(ORIGIN)
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// The answer to that question. A page that isn't allowed gets one without leave.
    pub(crate) fn preflight(&self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, SENT);
        headers.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        response
    }

    /// Lets the page that asked read the answer, if it may.
    pub(crate) fn allow(&self, origin: &HeaderValue, headers: &mut HeaderMap) {
        if self.any {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        } else {
            // The answer depends on who asks; a cache must know.
            headers.append(VARY, HeaderValue::from_static("origin"));
            if !self.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()) {
                return;
            }
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, SHOWN);
    }
}
