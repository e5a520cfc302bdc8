//! Every route of the auth service.

mod contacts;
mod login;
mod me;
mod register;
mod session;
mod username;

use std::sync::Arc;

use api::Verifier;
use api::extract::BODY_BYTES;
use api::internal as calls;
use api::problem::{no_such_method, no_such_path};
use api::routes::{Access, Routes};
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::routing::post;

use crate::service::Accounts;

/// What the routes share.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) verifier: Arc<Verifier>,
}

impl FromRef<State> for Arc<Verifier> {
    fn from_ref(state: &State) -> Self {
        Self::clone(&state.verifier)
    }
}

/// Every route, with who may call it.
pub(crate) fn routes() -> Routes<State> {
    Routes::new()
        .post("/auth/register", Access::Anyone, register::register)
        .post("/auth/login", Access::Anyone, login::login)
        .post("/auth/refresh", Access::Anyone, session::refresh)
        .post("/auth/logout", Access::Person, session::logout)
        .get("/auth/validate", Access::Person, me::validate)
        .get("/users/me", Access::Person, me::me)
        .put("/users/me", Access::Person, me::change)
        .patch("/users/me", Access::Person, me::change)
        .get("/users/check-username", Access::Anyone, username::check)
}

pub(crate) fn router(state: State) -> Router {
    let accounts = Arc::clone(&state.accounts);
    let health = api::health::route(move || {
        let accounts = Arc::clone(&accounts);
        async move { accounts.answers().await }
    });
    routes().into_router(BODY_BYTES, state).merge(health)
}

/// The routes for other services; see [`api::internal`].
pub(crate) fn internal(state: State) -> Router {
    Router::new()
        .route(calls::CONTACTS, post(contacts::read))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(calls::BODY_BYTES))
        .with_state(state)
}
