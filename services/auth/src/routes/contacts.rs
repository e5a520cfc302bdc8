//! For other services: how people are reached.

use api::extract::{JsonBytes, json_response};
use api::internal::{ContactBody, IDS_PER_CALL, IdsCall};
use api::{ErrorCode, Problem};
use axum::extract;
use axum::response::Response;
use engine::UserId;
use http::StatusCode;

use super::State;

/// See [`ContactBody`].
pub(super) async fn read(
    extract::State(state): extract::State<State>,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let call: IdsCall = serde_json::from_slice(&body.0).map_err(|error| {
        tracing::error!(%error, "an internal call that cannot be read");
        Problem::new(ErrorCode::InvalidJson, "The internal call cannot be read.")
    })?;
    if call.ids.len() > IDS_PER_CALL {
        return Err(Problem::new(ErrorCode::ValidationFailed, "Too many ids in one call."));
    }
    let mut contacts: Vec<Option<ContactBody>> = Vec::with_capacity(call.ids.len());
    for id in call.ids {
        contacts.push(state.accounts.contact(UserId::from(id)).await?);
    }
    Ok(json_response(StatusCode::OK, &contacts))
}
