//! Everything that is an error and not a problem yet becomes one, here and only here.

use std::any::Any;

use api::problem::PROBLEM_JSON;
use api::{ErrorCode, Problem};
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};

/// Seconds after which somebody whose request took too long may try again.
const RETRY_SLOW_SECONDS: u32 = 1;

/// An answer as the contract wants it: errors are problems.
pub(crate) fn rendered(response: Response) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || is_problem(&response) {
        return response;
    }
    let problem = match status {
        StatusCode::NOT_FOUND => nothing_here(),
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new(ErrorCode::MethodNotAllowed, "This path does not have this method.")
        }
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::new(ErrorCode::UnsupportedMediaType, "The body's type is not supported.")
        }
        status if status.is_client_error() => {
            Problem::new(ErrorCode::BadRequest, "The request cannot be read.")
        }
        status => Problem::internal(&format_args!("an upstream answered {status} without reason")),
    };
    let allow = response.headers().get(ALLOW).cloned();
    let mut rendered = problem.into_response();
    if let Some(allow) = allow {
        rendered.headers_mut().insert(ALLOW, allow);
    }
    rendered
}

fn is_problem(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|value| value == PROBLEM_JSON)
}

/// Nothing is known by this path.
pub(crate) fn nothing_here() -> Problem {
    Problem::new(ErrorCode::NotFound, "There is nothing at this path.")
}

/// The path is the gateway's own and only read.
pub(crate) fn only_get() -> Response {
    let problem = Problem::new(ErrorCode::MethodNotAllowed, "This path can only be read.");
    let mut response = problem.into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// The body is larger than allowed.
pub(crate) fn too_large() -> Problem {
    Problem::new(ErrorCode::PayloadTooLarge, "The body is larger than allowed.")
}

/// A header that may be there once is there more often.
pub(crate) fn repeated(name: &http::HeaderName) -> Problem {
    let detail = format!("The header \"{name}\" may be sent once only.");
    Problem::new(ErrorCode::InvalidHeader, detail)
}

/// The body did not arrive in time, so nothing was begun. Its connection is of no more
/// use: nobody knows where the next request would begin.
pub(crate) fn never_arrived() -> Response {
    let detail = "The body did not arrive in time. Nothing was changed. Send it again.";
    let mut response = Problem::new(ErrorCode::RequestTimeout, detail).into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The time is over. A read changed nothing; of a write nobody knows.
pub(crate) fn too_slow(method: &Method) -> Problem {
    let problem = if method.is_safe() {
        Problem::new(ErrorCode::Timeout, "The answer took too long.")
    } else {
        Problem::new(
            ErrorCode::OutcomeUnknown,
            "The answer took too long. It may or may not have happened: where there is an \
             Idempotency-Key, repeat with the same one.",
        )
    };
    problem.retry_after(RETRY_SLOW_SECONDS)
}

/// Somebody's code panicked.
pub(crate) fn panicked(payload: &(dyn Any + Send)) -> Problem {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a word");
    Problem::internal(&format_args!("panic: {text}"))
}
