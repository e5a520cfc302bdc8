//! Every route on one screen.

mod availability;
mod bookings;
mod events;
mod lists;
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
        .route("/bookings", post(bookings::create).get(lists::own))
        .route("/bookings/{id}", get(bookings::read).delete(bookings::cancel))
        .route("/bookings/user/{user_id}", get(lists::of_user))
        .route("/users/{user_id}/bookings", get(lists::of_user))
        .route("/bookings/event/{event_id}", get(lists::of_event))
        .route("/events/{event_id}/bookings", get(lists::of_event))
        .route("/events/{event_id}/availability", get(availability::read))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(extract::BODY_BYTES))
        .with_state(service)
}

/// The routes for the catalog; see [`api::internal`].
pub(crate) fn internal(service: Service) -> Router {
    Router::new()
        .route(calls::OPEN, post(events::open))
        .route(calls::CHANGE, post(events::change))
        .route(calls::CANCEL, post(events::cancel))
        .route(calls::COUNTS, post(events::counts))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(calls::BODY_BYTES))
        .with_state(service)
}
