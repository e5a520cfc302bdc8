//! Events: list, read, create, change, delete.

use api::clock::rfc3339;
use api::extract::{JsonBytes, json_bytes, json_response, parse_json};
use api::headers::AVAILABILITY_AS_OF;
use api::identity::Credentials;
use api::page::{encode_cursor, next_link};
use api::wire::Id;
use api::{Caller, IdempotencyKey, Path, Problem, Query};
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use axum::http::header::{ETAG, HeaderMap, HeaderValue, IF_MATCH, LINK};
use axum::response::{IntoResponse, Response};
use engine::{EventId, Timestamp};

use crate::changes::{self, IfMatch};
use crate::error::Refused;
use crate::keys::{Accepted, Writer};
use crate::listing::{Listing, Search};
use crate::service::Service;

/// Most versions that one `If-Match` may name.
const VERSIONS_MAX: usize = 16;

/// `GET /events`.
pub(super) async fn list(
    State(service): State<Service>,
    Query(listing): Query<Listing>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Refused> {
    let page = service.page(&listing).await?;
    let mut response = json_response(StatusCode::OK, &page.shown.events);
    let link = page.next.and_then(|(value, id)| {
        if listing.by_skip && listing.has_seats.is_none() {
            let next = (listing.slice.skip + listing.slice.limit).to_string();
            return next_link(&uri, "skip", &next);
        }
        next_link(&uri, "cursor", &encode_cursor(&listing.cursor(&value, id)))
    });
    if let Some(link) = link {
        response.headers_mut().insert(LINK, link);
    }
    Ok(as_of(response, page.shown.as_of))
}

/// `GET /events/search`.
pub(super) async fn search(
    State(service): State<Service>,
    Query(search): Query<Search>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Refused> {
    let Search { words, skip, limit } = search;
    // One more than is shown tells whether there is a next page.
    let mut entries = service.store().search(words, skip, limit + 1).await?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let shown = service.show(&entries).await?;
    let mut response = json_response(StatusCode::OK, &shown.events);
    let next = (skip + limit).to_string();
    if let Some(link) = next_link(&uri, "skip", &next).filter(|_| more) {
        response.headers_mut().insert(LINK, link);
    }
    Ok(as_of(response, shown.as_of))
}

/// `GET /events/{id}`.
pub(super) async fn read(
    State(service): State<Service>,
    Path(id): Path<Id>,
) -> Result<Response, Refused> {
    let entry = service.living(EventId::from(id)).await?;
    let Some(entry) = entry else { return Err(Problem::not_found("event").into()) };
    let version = entry.version;
    let shown = service.show(&[entry]).await?;
    let Some(event) = shown.events.first() else {
        return Err(Problem::not_found("event").into());
    };
    let response = with_version(json_response(StatusCode::OK, event), version);
    Ok(as_of(response, shown.as_of))
}

/// `POST /events`.
pub(super) async fn create(
    State(service): State<Service>,
    caller: Caller,
    credentials: Credentials,
    key: IdempotencyKey,
    body: Result<JsonBytes, Problem>,
) -> Response {
    let writer = Writer { caller, credentials, key };
    let outcome = async { changes::create(&service, &writer, parse_json(&body?.0)?).await };
    answered(&writer, outcome.await)
}

/// `PUT` and `PATCH /events/{id}`.
pub(super) async fn change(
    State(service): State<Service>,
    caller: Caller,
    credentials: Credentials,
    key: IdempotencyKey,
    id: Result<Path<Id>, Problem>,
    headers: HeaderMap,
    body: Result<JsonBytes, Problem>,
) -> Response {
    let writer = Writer { caller, credentials, key };
    let outcome = async {
        let event = EventId::from(id?.0);
        let if_match = if_match(&headers);
        changes::change(&service, &writer, event, &if_match, parse_json(&body?.0)?).await
    };
    answered(&writer, outcome.await)
}

/// `DELETE /events/{id}`.
pub(super) async fn delete(
    State(service): State<Service>,
    caller: Caller,
    credentials: Credentials,
    key: IdempotencyKey,
    id: Result<Path<Id>, Problem>,
    headers: HeaderMap,
) -> Response {
    let writer = Writer { caller, credentials, key };
    let outcome = async {
        changes::delete(&service, &writer, EventId::from(id?.0), &if_match(&headers)).await
    };
    let outcome: Result<Accepted, Refused> = outcome.await;
    match outcome {
        // The event is gone: there is no version to match any more.
        Ok(deleted) => {
            writer.key.answer(json_bytes(deleted.status, deleted.body), deleted.replayed)
        }
        Err(refused) => writer.key.answer(refused.into_response(), false),
    }
}

fn answered(writer: &Writer, outcome: Result<Accepted, Refused>) -> Response {
    match outcome {
        Ok(accepted) => {
            let response = json_bytes(accepted.status, accepted.body);
            writer.key.answer(with_version(response, accepted.version), accepted.replayed)
        }
        Err(refused) => writer.key.answer(refused.into_response(), false),
    }
}

/// The version as `ETag`, for `If-Match`.
fn with_version(mut response: Response, version: u32) -> Response {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

fn as_of(mut response: Response, as_of: Option<Timestamp>) -> Response {
    if let Some(Ok(at)) = as_of.map(|at| HeaderValue::from_str(&rfc3339(at))) {
        response.headers_mut().insert(AVAILABILITY_AS_OF, at);
    }
    response
}

/// What `If-Match` says. A tag that is not one of ours, weak ones among them, is a tag
/// all the same: it just fits nothing.
fn if_match(headers: &HeaderMap) -> IfMatch {
    let mut versions = Vec::new();
    let mut given = false;
    for value in headers.get_all(IF_MATCH) {
        given = true;
        for tag in value.to_str().unwrap_or("").split(',').map(str::trim) {
            if tag == "*" {
                return IfMatch::Any;
            }
            let number = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            if let Some(version) = number.and_then(|number| number.parse().ok())
                && versions.len() < VERSIONS_MAX
            {
                versions.push(version);
            }
        }
    }
    if given { IfMatch::OneOf(versions) } else { IfMatch::Any }
}
