//! `POST /auth/register`.

use api::auth::Register;
use api::extract::json_response;
use api::{Json, Problem};
use axum::extract;
use axum::response::Response;
use http::StatusCode;

use super::State;

pub(super) async fn register(
    extract::State(state): extract::State<State>,
    Json(wish): Json<Register>,
) -> Result<Response, Problem> {
    let profile = state.accounts.register(wish).await?;
    Ok(json_response(StatusCode::CREATED, &profile))
}
