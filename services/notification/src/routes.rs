//! Every route on one screen.

mod lists;
mod one;
mod preferences;
mod send;
mod templates;
#[cfg(test)]
mod tests;

use api::extract;
use api::routes::{Access, Routes};
use axum::Router;

pub(crate) use lists::{CURSOR_BYTES, LIMIT, LIMIT_MAX};

use crate::service::Service;

/// Every public route, with who may call it.
pub(crate) fn routes() -> Routes<Service> {
    Routes::new()
        .get("/notifications", Access::Person, lists::own)
        .get("/notifications/preferences", Access::Person, preferences::read)
        .put("/notifications/preferences", Access::Person, preferences::change)
        .post("/notifications/send", Access::Organizer, send::send)
        .post("/notifications/resend", Access::Admin, one::resend_failed)
        .get("/notifications/status/{id}", Access::Owner, one::status)
        .get("/notifications/templates", Access::Admin, templates::list)
        .get("/notifications/templates/{kind}", Access::Admin, templates::read)
        .put("/notifications/templates/{kind}", Access::Admin, templates::set)
        .delete("/notifications/templates/{kind}", Access::Admin, templates::unset)
        .get("/notifications/{id}", Access::Owner, one::read)
        .post("/notifications/{id}/resend", Access::Owner, one::resend)
}

/// The public routes.
pub(crate) fn public(service: Service) -> Router {
    let looked_at = service.clone();
    let health = api::health::route(move || {
        let service = looked_at.clone();
        async move { service.works().await }
    });
    routes().into_router(extract::BODY_BYTES, service).merge(health)
}
