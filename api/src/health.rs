//! Whether a service can do its work, as it says itself at [`PATH`] of its own router: what a
//! process with that service alone would show. The gateway asks it there.

use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use tokio::time::timeout;

use crate::extract::json_bytes;

/// Where a service says how it is.
pub const PATH: &str = "/health";

/// How long the look may take. A store that is slower than this is of no use to anybody who
/// waits for an answer.
pub const LIMIT: Duration = Duration::from_secs(1);

/// The word for what works.
pub const OK: &str = "ok";

/// The word for what does not.
pub const FAILING: &str = "failing";

/// The route, by a look that costs little and goes where the service's own requests go.
pub fn route<L, F>(look: L) -> Router
where
    L: Fn() -> F + Clone + Send + Sync + 'static,
    F: Future<Output = bool> + Send,
{
    Router::new().route(
        PATH,
        get(move || {
            let look = look();
            async move { answer(timeout(LIMIT, look).await.unwrap_or(false)) }
        }),
    )
}

/// How it is, as an answer.
#[must_use]
pub fn answer(works: bool) -> Response {
    let (status, word) =
        if works { (StatusCode::OK, OK) } else { (StatusCode::SERVICE_UNAVAILABLE, FAILING) };
    json_bytes(status, format!("{{\"status\":\"{word}\"}}").into_bytes())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn asked<F>(look: impl Fn() -> F + Clone + Send + Sync + 'static) -> StatusCode
    where
        F: Future<Output = bool> + Send,
    {
        let request = Request::get(PATH).body(Body::empty()).unwrap();
        route(look).oneshot(request).await.unwrap().status()
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_answer_in_time_does_not_work() {
        assert_eq!(asked(async || true).await, StatusCode::OK);
        assert_eq!(asked(async || false).await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(asked(std::future::pending::<bool>).await, StatusCode::SERVICE_UNAVAILABLE);
    }
}
