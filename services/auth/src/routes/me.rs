//! `GET /users/me` and `GET /auth/validate`.

use api::extract::json_response;
use api::{Caller, Problem};
use axum::extract;
use axum::response::Response;
use http::StatusCode;

use super::State;

pub(super) async fn me(
    extract::State(state): extract::State<State>,
    caller: Caller,
) -> Result<Response, Problem> {
    Ok(json_response(StatusCode::OK, &state.accounts.profile(caller.user).await?))
}

pub(super) async fn validate(
    extract::State(state): extract::State<State>,
    caller: Caller,
) -> Result<Response, Problem> {
    Ok(json_response(StatusCode::OK, &state.accounts.validate(caller.user).await?))
}
