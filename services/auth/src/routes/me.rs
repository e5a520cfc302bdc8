//! `/users/me` and `GET /auth/validate`.

use api::auth::ProfileChange;
use api::extract::json_response;
use api::headers::client_address;
use api::{Caller, Json, Problem};
use axum::extract;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use storage::SessionId;

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

pub(super) async fn change(
    extract::State(state): extract::State<State>,
    caller: Caller,
    headers: HeaderMap,
    Json(wish): Json<ProfileChange>,
) -> Result<Response, Problem> {
    let (session, address) = (SessionId(caller.session.0), client_address(&headers));
    let profile = state.accounts.change(caller.user, session, wish, address).await?;
    Ok(json_response(StatusCode::OK, &profile))
}
