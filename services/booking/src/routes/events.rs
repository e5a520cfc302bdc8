//! For the catalog: commands to an event, and counts of many.

use api::extract::{JsonBytes, json_response};
use api::internal::{
    CancelCall, ChangeCall, CountsBody, EventAnswer, IDS_PER_CALL, IdsCall, OpenCall,
};
use api::wire::Id;
use api::{Caller, ErrorCode, IdempotencyKey, Path, Problem};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use engine::{Command, EventId, Fingerprint, Key, Phase, Reply, Words};
use serde::de::DeserializeOwned;

use crate::error::of_storage;
use crate::service::Service;

/// The calls as idempotency keys know them.
const OPEN: &str = "POST /events";
const CHANGE: &str = "PATCH /events";
const CANCEL: &str = "DELETE /events";

/// See [`OpenCall`].
pub(super) async fn open(
    State(service): State<Service>,
    caller: Caller,
    key: IdempotencyKey,
    Path(event): Path<Id>,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let call: OpenCall = parsed(&body)?;
    let terms = call.terms.to_engine().ok_or_else(no_places)?;
    let command = Command::Open { terms, words: Words::new(call.words.as_bytes()) };
    let key = engine_key(&key, &caller, OPEN, call.fingerprint);
    submit(&service, &caller, event, key, command).await
}

/// See [`ChangeCall`].
pub(super) async fn change(
    State(service): State<Service>,
    caller: Caller,
    key: IdempotencyKey,
    Path(event): Path<Id>,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let call: ChangeCall = parsed(&body)?;
    let command = Command::Change {
        change: call.change.to_engine().ok_or_else(no_places)?,
        words: Words::new(call.words.as_bytes()),
        if_version: call.if_version,
    };
    let key = engine_key(&key, &caller, CHANGE, call.fingerprint);
    submit(&service, &caller, event, key, command).await
}

/// See [`CancelCall`].
pub(super) async fn cancel(
    State(service): State<Service>,
    caller: Caller,
    key: IdempotencyKey,
    Path(event): Path<Id>,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let call: CancelCall = parsed(&body)?;
    let command = Command::CancelEvent { if_version: call.if_version };
    let key = engine_key(&key, &caller, CANCEL, call.fingerprint);
    submit(&service, &caller, event, key, command).await
}

/// See [`CountsBody`]. No caller: what it tells, everybody may know.
pub(super) async fn counts(
    State(service): State<Service>,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let call: IdsCall = parsed(&body)?;
    if call.ids.len() > IDS_PER_CALL {
        return Err(Problem::new(ErrorCode::ValidationFailed, "Too many ids in one call."));
    }
    let events: Vec<EventId> = call.ids.into_iter().map(EventId::from).collect();
    let headers = service.box_office().headers(events).await;
    let headers = headers.map_err(|error| of_storage(&error))?;
    let counts: Vec<Option<CountsBody>> = headers
        .into_iter()
        .map(|header| {
            let summary = header?.summary;
            (summary.phase != Phase::Unopened).then_some(CountsBody {
                capacity: summary.capacity,
                booked: summary.counts.booked,
                held: summary.counts.held,
                waitlisted: summary.counts.waitlisted,
                waitlist_entries: summary.counts.waitlist_entries,
                cancelled: summary.phase == Phase::Cancelled,
                version: summary.version,
            })
        })
        .collect();
    Ok(json_response(StatusCode::OK, &counts))
}

async fn submit(
    service: &Service,
    caller: &Caller,
    event: Id,
    key: Key,
    command: Command,
) -> Result<Response, Problem> {
    let receipt = service.submit(caller, EventId::from(event), key, command).await?;
    let Reply::Event(reply) = receipt.reply else {
        return Err(Problem::internal(&"a command to an event got another's reply"));
    };
    let answer = EventAnswer {
        version: reply.version,
        at: reply.at.millis(),
        cancelled_bookings: reply.cancelled_bookings,
        replayed: receipt.replayed,
    };
    Ok(json_response(StatusCode::OK, &answer))
}

/// The client's key with the fingerprint of what the client sent: the internal body has
/// defaults filled in, which may differ at a repeat.
fn engine_key(key: &IdempotencyKey, caller: &Caller, call: &str, fingerprint: [u8; 8]) -> Key {
    let mut key = key.to_engine(caller.user, call, &[]);
    key.fingerprint = Fingerprint(fingerprint);
    key
}

fn parsed<T: DeserializeOwned>(body: &JsonBytes) -> Result<T, Problem> {
    serde_json::from_slice(&body.0).map_err(|error| {
        tracing::error!(%error, "an internal call that cannot be read");
        Problem::new(ErrorCode::InvalidJson, "The internal call cannot be read.")
    })
}

fn no_places() -> Problem {
    Problem::new(ErrorCode::ValidationFailed, "The field \"max_per_booking\" must be at least 1.")
        .field("max_per_booking", "must be at least 1")
}
