//! Every route on one screen.

mod availability;
mod bookings;
mod events;
mod holds;
mod lists;
mod one;
mod stream;
#[cfg(test)]
mod tests;

use api::problem::{no_such_method, no_such_path};
use api::routes::{Access, Routes};
use api::{extract, internal as calls};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;

use crate::service::Service;

/// Every public route, with who may call it.
pub(crate) fn routes() -> Routes<Service> {
    Routes::new()
        .post("/bookings", Access::Person, bookings::create)
        .get("/bookings", Access::Person, lists::own)
        .get("/bookings/{id}", Access::Owner, bookings::read)
        .delete("/bookings/{id}", Access::Owner, bookings::cancel)
        .post("/bookings/holds", Access::Person, holds::place)
        // Another's hold is not there, not even for administrators.
        .get("/bookings/holds/{id}", Access::Person, holds::read)
        .patch("/bookings/holds/{id}", Access::Person, holds::change)
        .delete("/bookings/holds/{id}", Access::Person, holds::release)
        .get("/bookings/user/{user_id}/event/{event_id}", Access::Named, one::read)
        .delete("/bookings/user/{user_id}/event/{event_id}", Access::Named, one::cancel)
        .get("/bookings/user/{user_id}", Access::Named, lists::of_user)
        .get("/users/{user_id}/bookings", Access::Named, lists::of_user)
        .get("/bookings/event/{event_id}", Access::Organizer, lists::of_event)
        .get("/events/{event_id}/bookings", Access::Organizer, lists::of_event)
        .get("/events/{event_id}/availability", Access::Anyone, availability::read)
        .get("/events/{event_id}/availability/stream", Access::Anyone, stream::read)
}

/// The public routes.
pub(crate) fn public(service: Service) -> Router {
    let looked_at = service.clone();
    let health = api::health::route(move || {
        let service = looked_at.clone();
        async move { service.box_office().decides().await }
    });
    routes().into_router(extract::BODY_BYTES, service).merge(health)
}

/// The routes for the catalog; see [`api::internal`].
pub(crate) fn internal(service: Service) -> Router {
    internal_routes(service).fallback(no_such_path).method_not_allowed_fallback(no_such_method)
}

/// The same, without an answer to anything else.
pub(crate) fn internal_routes(service: Service) -> Router {
    Router::new()
        .route(calls::OPEN, post(events::open))
        .route(calls::CHANGE, post(events::change))
        .route(calls::CANCEL, post(events::cancel))
        .route(calls::COUNTS, post(events::counts))
        .layer(DefaultBodyLimit::max(calls::BODY_BYTES))
        .with_state(service)
}
