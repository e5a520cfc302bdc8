//! For booking: the main fields of many events, deleted ones included.

use api::extract::{JsonBytes, json_response};
use api::internal::{IDS_PER_CALL, IdsCall, SummaryBody};
use api::{ErrorCode, Problem};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use engine::EventId;

use crate::error::Refused;
use crate::render::summary_body;
use crate::service::Service;

/// See [`SummaryBody`].
pub(super) async fn read(
    State(service): State<Service>,
    body: JsonBytes,
) -> Result<Response, Refused> {
    let call: IdsCall = serde_json::from_slice(&body.0).map_err(|error| {
        tracing::error!(%error, "an internal call that cannot be read");
        Problem::new(ErrorCode::InvalidJson, "The internal call cannot be read.")
    })?;
    if call.ids.len() > IDS_PER_CALL {
        let detail = "Too many ids in one call.";
        return Err(Problem::new(ErrorCode::ValidationFailed, detail).into());
    }
    let ids = call.ids.into_iter().map(EventId::from).collect();
    let entries = service.store().get_many(ids).await?;
    let summaries: Vec<Option<SummaryBody>> =
        entries.into_iter().map(|entry| entry.map(summary_body)).collect();
    Ok(json_response(StatusCode::OK, &summaries))
}
