//! Every route on one screen.

mod events;
mod summaries;
#[cfg(test)]
mod tests;

use api::problem::{no_such_method, no_such_path};
use api::{extract, internal as calls};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use crate::service::Service;

/// The public routes.
pub(crate) fn public(service: Service) -> Router {
    Router::new()
        .route("/events", get(events::list).post(events::create))
        .route(
            "/events/{id}",
            get(events::read).put(events::change).patch(events::change).delete(events::delete),
        )
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(extract::BODY_BYTES))
        .with_state(service)
}

/// The routes for booking; see [`api::internal`].
pub(crate) fn internal(service: Service) -> Router {
    Router::new()
        .route(calls::SUMMARIES, post(summaries::read))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(calls::BODY_BYTES))
        .with_state(service)
}
