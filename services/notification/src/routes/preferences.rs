//! What somebody wants to be told.

use api::extract::json_response;
use api::notification::{PreferencesBody, PreferencesChange, WantedKinds};
use api::problem::FieldError;
use api::{Caller, ErrorCode, Json, Problem};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use engine::UserId;
use serde_json::Value;
use storage::notices::{NoticeKind, Preferences};

use crate::error::of_storage;
use crate::service::Service;

/// Most wrong kinds that are listed.
const LISTED: usize = 20;

/// Longest name of a kind that is repeated to the client, in characters.
const ECHOED_CHARS: usize = 64;

fn body_of(preferences: &Preferences) -> PreferencesBody {
    let kinds = NoticeKind::ALL.iter().map(|kind| {
        let wanted = !preferences.refused.contains(kind);
        (kind.as_str().to_owned(), Value::Bool(wanted))
    });
    PreferencesBody { email: !preferences.no_mail, kinds: kinds.collect() }
}

async fn stored(service: &Service, user: UserId) -> Result<Preferences, Problem> {
    let stored = service.shared().store().preferences(vec![user]).await.map_err(of_storage)?;
    Ok(stored.into_iter().next().unwrap_or_default())
}

/// `GET /notifications/preferences`.
pub(super) async fn read(
    State(service): State<Service>,
    caller: Caller,
) -> Result<Response, Problem> {
    let preferences = stored(&service, caller.user).await?;
    Ok(json_response(StatusCode::OK, &body_of(&preferences)))
}

/// `PUT /notifications/preferences`: the parts that are sent change.
pub(super) async fn change(
    State(service): State<Service>,
    caller: Caller,
    Json(change): Json<PreferencesChange>,
) -> Result<Response, Problem> {
    let kinds = wanted(change.kinds.unwrap_or_default())?;
    let change = storage::notices::PreferencesChange { mail: change.email, kinds };
    let changed = service.shared().store().change_preferences(caller.user, change).await;
    Ok(json_response(StatusCode::OK, &body_of(&changed.map_err(of_storage)?)))
}

/// The kinds with whether they are wanted; every one that is wrong is told.
fn wanted(kinds: WantedKinds) -> Result<Vec<(NoticeKind, bool)>, Problem> {
    let mut errors = Vec::new();
    let mut read = Vec::new();
    for (name, value) in kinds {
        match (NoticeKind::parse(&name), value) {
            (Some(kind), Value::Bool(wanted)) => read.push((kind, wanted)),
            (kind, _) if errors.len() < LISTED => {
                let name: String = name.chars().take(ECHOED_CHARS).collect();
                let detail = match kind {
                    Some(_) => "must be true or false",
                    None => "is not a kind of notification",
                };
                errors.push(FieldError {
                    field: format!("kinds.{name}").into(),
                    detail: detail.into(),
                });
            }
            _ => {}
        }
    }
    if errors.is_empty() {
        return Ok(read);
    }
    let detail = "Some kinds of notifications are not valid.";
    Err(Problem::new(ErrorCode::ValidationFailed, detail).fields(errors))
}
