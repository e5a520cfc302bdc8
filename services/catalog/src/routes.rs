//! Every route on one screen.

mod events;
mod summaries;
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
        .get("/events", Access::Anyone, events::list)
        .post("/events", Access::Person, events::create)
        .get("/events/search", Access::Anyone, events::search)
        .get("/events/{id}", Access::Anyone, events::read)
        .put("/events/{id}", Access::Organizer, events::change)
        .patch("/events/{id}", Access::Organizer, events::change)
        .delete("/events/{id}", Access::Organizer, events::delete)
}

/// The public routes.
pub(crate) fn public(service: Service) -> Router {
    let looked_at = service.clone();
    let health = api::health::route(move || {
        let service = looked_at.clone();
        async move { service.answers().await }
    });
    routes().into_router(extract::BODY_BYTES, service).merge(health)
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
