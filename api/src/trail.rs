//! Whose request is being served: its id goes with it through every part and every process,
//! so that one id finds all lines about it.
//!
//! The id travels in [`REQUEST_ID`], and as the field `id` of the span `request`, which every
//! line about a request carries. Traces travel beside it, as the W3C writes them, if the
//! process has somebody who knows how ([`Tracer`]); this crate does not.

use std::borrow::Cow;
use std::future::Future;
use std::sync::OnceLock;

use axum::response::Response;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request};
use tracing::{Instrument, Span};

use crate::headers::REQUEST_ID;
use crate::routes::{METHODS, place_of};

/// Longest request id that is taken over from outside, in characters.
const CHARS: usize = 64;

/// Most of a path that is told, in characters: more than any of ours has. A head may have tens
/// of thousands, and spans wait by the thousand to be sent.
const PATH_CHARS: usize = 256;

/// What stands where a path was cut.
const CUT: &str = "\u{2026}";

tokio::task_local! {
    /// The id of the request that this task serves.
    static SERVED: HeaderValue;
}

/// Takes traces over from requests, and gives them on.
pub trait Tracer: Send + Sync {
    /// The span goes on with the trace that these headers tell of, if they do.
    fn follow(&self, span: &Span, headers: &HeaderMap);
    /// Tell of the span that is entered.
    fn lead(&self, headers: &mut HeaderMap);
}

static TRACER: OnceLock<Box<dyn Tracer>> = OnceLock::new();

/// From now on traces are taken over and given on. Returns `false`, and changes nothing, if
/// they were already.
pub fn trace_by(tracer: Box<dyn Tracer>) -> bool {
    TRACER.set(tracer).is_ok()
}

/// Whether an id from outside may go into our logs: short, and nothing but letters,
/// digits and a few signs.
#[must_use]
pub fn is_sane(id: &HeaderValue) -> bool {
    let id = id.as_bytes();
    (1..=CHARS).contains(&id.len())
        && id.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.:/+=".contains(b))
}

/// The span that every line about a request carries. Its path is without its query: that may
/// have names in it. It is of the highest level, as a span below the level that lines are
/// written from is in no line, and those that are left then want their request's id most.
#[must_use]
pub fn span(id: &HeaderValue, parts: (&http::Method, &http::Uri, &HeaderMap)) -> Span {
    let (method, uri, headers) = parts;
    let id = id.to_str().unwrap_or("");
    let (method, path) = (METHODS[place_of(method)], told_path(uri.path()));
    let span = tracing::error_span!("request", id, %method, path = &*path);
    if let Some(tracer) = TRACER.get() {
        tracer.follow(&span, headers);
    }
    span
}

/// A path as it is told: within bounds.
fn told_path(path: &str) -> Cow<'_, str> {
    match path.char_indices().nth(PATH_CHARS) {
        Some((end, _)) => Cow::Owned(format!("{}{CUT}", &path[..end])),
        None => Cow::Borrowed(path),
    }
}

/// Serve a request under its id and its span.
pub fn serve(
    id: HeaderValue,
    span: Span,
    serving: impl Future<Output = Response>,
) -> impl Future<Output = Response> {
    let told = |response: &Response| {
        tracing::debug!(status = response.status().as_u16(), "answered");
    };
    // Combined, and not awaited in a function of its own: that would keep room for what is
    // served twice, with each request.
    SERVED.scope(id, serving.inspect(told).instrument(span))
}

/// Serve a request of another process of ours, under the id that it came with. One without an
/// id, such as a ping, is about nobody's request.
pub async fn followed<B, F>(request: Request<B>, serve_it: impl FnOnce(Request<B>) -> F) -> Response
where
    F: Future<Output = Response>,
{
    match request.headers().get(REQUEST_ID).filter(|id| is_sane(id)).cloned() {
        Some(id) => {
            let span = span(&id, (request.method(), request.uri(), request.headers()));
            serve(id, span, serve_it(request)).await
        }
        None => serve_it(request).await,
    }
}

/// The id of the request that is being served, on a request that follows from it.
pub fn leave_id(headers: &mut HeaderMap) {
    if headers.contains_key(REQUEST_ID) {
        return;
    }
    // Outside of any request there is none to tell of.
    let _ = SERVED.try_with(|id| headers.insert(REQUEST_ID, id.clone()));
}

/// The same, and the trace: for a request to another process.
pub fn leave(headers: &mut HeaderMap) {
    leave_id(headers);
    if let Some(tracer) = TRACER.get() {
        tracer.lead(headers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_ids_are_taken_over() {
        for good in ["a", "0198c0de-0000-7000-8000-0123456789ab", "x_1.2:3/4+5="] {
            assert!(is_sane(&HeaderValue::from_static(good)), "{good}");
        }
        let long = "a".repeat(CHARS + 1);
        for bad in ["", "a b", "a\tb", "\"a\"", "a;b", long.as_str()] {
            assert!(!is_sane(&HeaderValue::from_str(bad).unwrap()), "{bad}");
        }
    }

    #[test]
    fn a_path_is_cut_between_characters() {
        let as_long_as_may_be = "\u{e4}".repeat(PATH_CHARS);
        assert_eq!(told_path(&as_long_as_may_be), as_long_as_may_be);
        let longer = format!("{as_long_as_may_be}\u{e4}x");
        assert_eq!(told_path(&longer), format!("{as_long_as_may_be}{CUT}"));
    }

    #[tokio::test]
    async fn what_follows_from_a_request_has_its_id() {
        let left = || {
            let mut headers = HeaderMap::new();
            leave(&mut headers);
            headers.get(REQUEST_ID).cloned()
        };
        assert_eq!(left(), None, "nobody's request is served");
        let request = |id: &str| Request::get("/x").header(REQUEST_ID, id).body(()).unwrap();
        let shown = |id: Option<HeaderValue>| {
            let mut response = Response::default();
            if let Some(id) = id {
                response.headers_mut().insert("left", id);
            }
            response
        };
        let served = followed(request("r1"), async |_| {
            let mut own = HeaderMap::new();
            own.insert(REQUEST_ID, HeaderValue::from_static("own"));
            leave(&mut own);
            assert_eq!(own[REQUEST_ID], "own", "one that is there stays");
            shown(left())
        });
        assert_eq!(served.await.headers()["left"], "r1");
        let odd = followed(request("a b"), async |_| shown(left()));
        assert!(odd.await.headers().is_empty(), "not into our logs");
    }
}
