//! Names and addresses, from the auth service. They are asked for when they are needed and
//! never kept: an address that was changed is used from then on.

use std::collections::HashMap;
use std::time::Duration;

use api::Upstream;
use api::internal::{CONTACTS, ContactBody, IDS_PER_CALL, IdsCall};
use api::wire::Id;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use engine::UserId;
use storage::StorageError;
use tokio::time::timeout;

/// How long the auth service may take.
const LIMIT: Duration = Duration::from_secs(10);

/// How somebody is reached.
#[derive(Clone)]
pub(crate) struct Contact {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) is_active: bool,
}

/// Those of these people who have an account.
pub(crate) async fn contacts(
    auth: &Upstream,
    users: &[UserId],
) -> Result<HashMap<UserId, Contact>, StorageError> {
    let mut ids: Vec<Id> = users.iter().copied().map(Id::from).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut found = HashMap::new();
    for ids in ids.chunks(IDS_PER_CALL) {
        let answer = timeout(LIMIT, ask(auth, ids)).await;
        let unanswered = || StorageError::NotDone("auth took too long".into());
        for contact in answer.unwrap_or_else(|_| Err(unanswered()))?.into_iter().flatten() {
            let ContactBody { id, name, email, is_active } = contact;
            found.insert(UserId::from(id), Contact { name, email, is_active });
        }
    }
    Ok(found)
}

async fn ask(auth: &Upstream, ids: &[Id]) -> Result<Vec<Option<ContactBody>>, StorageError> {
    let failed = |why: &dyn std::fmt::Display| StorageError::NotDone(format!("auth: {why}"));
    let body = serde_json::to_vec(&IdsCall { ids: ids.to_vec() }).map_err(|e| failed(&e))?;
    let request = Request::post(CONTACTS)
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .map_err(|error| failed(&error))?;
    let answer = auth.ask(request).await.map_err(|error| failed(&error))?;
    if answer.status != StatusCode::OK {
        return Err(failed(&answer.status));
    }
    serde_json::from_slice(&answer.body).map_err(|error| failed(&error))
}
