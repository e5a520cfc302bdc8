//! `POST /auth/register`.

use api::auth::Register;
use api::extract::json_response;
use api::headers::client_address;
use api::{Json, Problem};
use axum::extract;
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::State;

pub(super) async fn register(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    Json(wish): Json<Register>,
) -> Result<Response, Problem> {
    let profile = state.accounts.register(wish, client_address(&headers)).await?;
    Ok(json_response(StatusCode::CREATED, &profile))
}
