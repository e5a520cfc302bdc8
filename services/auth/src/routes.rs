//! Every route of the auth service.

mod login;
mod me;
mod register;

use std::sync::Arc;

use api::Verifier;
use api::extract::BODY_BYTES;
use api::problem::{no_such_method, no_such_path};
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::routing::{get, post};

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

pub(crate) fn router(state: State) -> Router {
    Router::new()
        .route("/auth/register", post(register::register))
        .route("/auth/login", post(login::login))
        .route("/auth/validate", get(me::validate))
        .route("/users/me", get(me::me))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(state)
}
