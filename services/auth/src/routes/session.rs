//! `POST /auth/refresh` and `POST /auth/logout`.

use api::auth::{Logout, Refresh};
use api::extract::{JsonBytes, json_response, parse_json};
use api::fields::Fields;
use api::headers::client_address;
use api::{Caller, Json, Problem};
use axum::extract;
use axum::response::Response;
use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderMap, HeaderValue};
use serde_json::json;
use storage::SessionId;

use super::State;

pub(super) async fn refresh(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    Json(wish): Json<Refresh>,
) -> Result<Response, Problem> {
    let address = client_address(&headers);
    let token = state.accounts.refresh(&wish.refresh_token, address).await?;
    Ok(not_stored(json_response(StatusCode::OK, &token)))
}

/// By the access token, by the refresh token, or by both: then both sessions end.
pub(super) async fn logout(
    extract::State(state): extract::State<State>,
    caller: Result<Caller, Problem>,
    body: Result<JsonBytes, Problem>,
) -> Result<Response, Problem> {
    let JsonBytes(bytes) = body?;
    let wish: Logout =
        if bytes.is_empty() { Logout::default() } else { Fields::read(parse_json(&bytes)?)? };
    match (caller, wish.refresh_token) {
        (Ok(caller), None) => state.accounts.sessions().end(SessionId(caller.session.0)).await?,
        (Err(_), Some(refresh)) => state.accounts.sessions().end_by(&refresh).await?,
        (Ok(caller), Some(refresh)) => {
            state.accounts.sessions().end(SessionId(caller.session.0)).await?;
            // That of the same session is over by now.
            match state.accounts.sessions().end_by(&refresh).await {
                Ok(()) | Err(crate::Error::BadRefreshToken) => {}
                Err(error) => return Err(error.into()),
            }
        }
        (Err(problem), None) => return Err(problem),
    }
    Ok(json_response(StatusCode::OK, &json!({ "detail": "You are logged out." })))
}

/// An answer with secrets in it.
pub(super) fn not_stored(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
