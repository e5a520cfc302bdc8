//! Setting places aside: placing, reading, changing and releasing a hold.
//!
//! The engine keeps no details. An answer takes them from the request where the request
//! has them, so a repeat has the same; else from the row of the hold, which remembers what
//! was in force at each extension and does not change any more once the hold is over.

use actors::Receipt;
use api::booking::{BookingBody, HoldBody, HoldChangeRequest, HoldRequest, HoldStatusBody};
use api::extract::{JsonBytes, json_response};
use api::wire::Id;
use api::{Caller, ErrorCode, IdempotencyKey, Path, Problem};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use engine::{Command, EventId, Hold, HoldId, Reply, Words};
use storage::{HoldRow, HoldStatus};

use crate::error::{of_decided, of_storage, of_submit};
use crate::service::Service;

/// The calls as idempotency keys know them.
const PLACE: &str = "POST /bookings/holds";
const CHANGE: &str = "PATCH /bookings/holds";
const RELEASE: &str = "DELETE /bookings/holds";

/// `POST /bookings/holds`.
pub(super) async fn place(
    State(service): State<Service>,
    caller: Caller,
    key: IdempotencyKey,
    body: Result<JsonBytes, Problem>,
) -> Response {
    answer(&key, StatusCode::CREATED, placed(&service, &caller, &key, body).await)
}

/// `GET /bookings/holds/{id}`.
pub(super) async fn read(
    State(service): State<Service>,
    caller: Caller,
    Path(id): Path<Id>,
) -> Result<Response, Problem> {
    let row = own_row(&service, &caller, HoldId::from(id)).await?;
    Ok(json_response(StatusCode::OK, &body_of_row(&service, &row)?))
}

/// `PATCH /bookings/holds/{id}`.
pub(super) async fn change(
    State(service): State<Service>,
    caller: Caller,
    key: IdempotencyKey,
    id: Result<Path<Id>, Problem>,
    body: Result<JsonBytes, Problem>,
) -> Response {
    answer(&key, StatusCode::OK, changed(&service, &caller, &key, id, body).await)
}

/// `DELETE /bookings/holds/{id}`.
pub(super) async fn release(
    State(service): State<Service>,
    caller: Caller,
    key: IdempotencyKey,
    id: Result<Path<Id>, Problem>,
) -> Response {
    answer(&key, StatusCode::OK, released(&service, &caller, &key, id).await)
}

fn answer(
    key: &IdempotencyKey,
    status: StatusCode,
    outcome: Result<(HoldBody, bool), Problem>,
) -> Response {
    match outcome {
        Ok((hold, replayed)) => key.answer(json_response(status, &hold), replayed),
        Err(problem) => key.answer(problem.into_response(), false),
    }
}

async fn placed(
    service: &Service,
    caller: &Caller,
    key: &IdempotencyKey,
    body: Result<JsonBytes, Problem>,
) -> Result<(HoldBody, bool), Problem> {
    let request = HoldRequest::from_body(&body?.0)?;
    let key = key.to_engine(caller.user, PLACE, &request.canonical());
    let HoldRequest { event, quantity, details } = request;
    let command = Command::PlaceHold { quantity, details: details.clone() };
    let receipt = service.submit(caller, event, key, command).await?;
    let hold = hold_of(&receipt)?;
    Ok((HoldBody::of(event, &hold, HoldStatusBody::Held, &details)?, receipt.replayed))
}

async fn changed(
    service: &Service,
    caller: &Caller,
    key: &IdempotencyKey,
    id: Result<Path<Id>, Problem>,
    body: Result<JsonBytes, Problem>,
) -> Result<(HoldBody, bool), Problem> {
    let id = HoldId::from(id?.0);
    let request = HoldChangeRequest::from_body(&body?.0)?;
    let key = key.to_engine(caller.user, CHANGE, &request.canonical(id));
    let HoldChangeRequest { details, extend } = request;
    for event in events_of(service, id).await? {
        let command = Command::ChangeHold { hold: id, details: details.clone(), extend };
        let receipt = match service.submit(caller, event, key, command).await {
            Ok(receipt) => receipt,
            Err(problem) if problem.code() == ErrorCode::NotFound => continue,
            Err(problem) => return Err(problem),
        };
        let hold = hold_of(&receipt)?;
        let details = match details {
            Some(details) => details,
            None => details_at(service, id, hold.extensions).await.map_err(of_decided)?,
        };
        let body = HoldBody::of(event, &hold, HoldStatusBody::Held, &details)?;
        return Ok((body, receipt.replayed));
    }
    Err(over(service, &own_row(service, caller, id).await?).await?)
}

async fn released(
    service: &Service,
    caller: &Caller,
    key: &IdempotencyKey,
    id: Result<Path<Id>, Problem>,
) -> Result<(HoldBody, bool), Problem> {
    let id = HoldId::from(id?.0);
    let key = key.to_engine(caller.user, RELEASE, &id.bytes());
    for event in events_of(service, id).await? {
        match service.submit(caller, event, key, Command::ReleaseHold { hold: id }).await {
            Ok(receipt) => {
                let hold = hold_of(&receipt)?;
                let row = row(service, id).await.map_err(of_decided)?;
                let details = row.ok_or_else(|| forgotten(id))?.details;
                let body = HoldBody::of(event, &hold, HoldStatusBody::Released, &details)?;
                return Ok((body, receipt.replayed));
            }
            // Not there, or no longer: its row knows which.
            Err(problem)
                if matches!(problem.code(), ErrorCode::NotFound | ErrorCode::HoldExpired) => {}
            Err(problem) => return Err(problem),
        }
    }
    // Its places were given back before, by its owner or by time: the same answer again,
    // and nothing changes.
    let row = own_row(service, caller, id).await?;
    if row.status == HoldStatus::Confirmed {
        return Err(over(service, &row).await?);
    }
    Ok((body_of_row(service, &row)?, false))
}

/// What is told of a hold that nothing can be done with any more: that it has become a
/// booking, or that it is over.
pub(super) async fn over(service: &Service, row: &HoldRow) -> Result<Problem, Problem> {
    if row.status == HoldStatus::Confirmed {
        let booking = service.box_office().booking_of(row.event, row.user, service.deadline());
        let booking = booking.await.map_err(|error| of_submit(&error, row.event))?;
        if let Some(booking) = booking {
            let body = BookingBody::of(row.event, &booking);
            let body = serde_json::to_value(body).map_err(|error| Problem::internal(&error))?;
            let detail = "This hold has become a booking. Change or cancel that.";
            return Ok(Problem::new(ErrorCode::AlreadyBooked, detail).with("booking", body));
        }
    }
    let detail = match row.status {
        HoldStatus::Held | HoldStatus::Expired => "The hold has expired. Place a new one.",
        HoldStatus::Released => "The hold was released. Place a new one.",
        HoldStatus::Confirmed => "The hold became a booking, which was cancelled since.",
    };
    Ok(Problem::new(ErrorCode::HoldExpired, detail))
}

/// The caller's hold. Another's does not exist, not even for administrators.
pub(super) async fn own_row(
    service: &Service,
    caller: &Caller,
    id: HoldId,
) -> Result<HoldRow, Problem> {
    let row = row(service, id).await?;
    row.filter(|row| row.user == caller.user).ok_or_else(|| Problem::not_found("hold"))
}

async fn row(service: &Service, id: HoldId) -> Result<Option<HoldRow>, Problem> {
    service.fresh_views().hold(id).await.map_err(|error| of_storage(&error))
}

/// The details in force when the hold was extended for the n-th time without new ones.
async fn details_at(service: &Service, id: HoldId, extensions: u8) -> Result<Words, Problem> {
    let row = row(service, id).await?.ok_or_else(|| forgotten(id))?;
    let found = row.extended.into_iter().find(|(number, _)| *number == extensions);
    found.map(|(_, details)| details).ok_or_else(|| forgotten(id))
}

/// Rows are kept longer than keys, so this is a bug.
fn forgotten(id: HoldId) -> Problem {
    Problem::internal(&format_args!("the views lack what was answered of hold {id}"))
}

/// A hold as its owner sees it. When its time is over its places may not have been given
/// back yet, but nobody should count on them.
fn body_of_row(service: &Service, row: &HoldRow) -> Result<HoldBody, Problem> {
    let status = match row.status {
        HoldStatus::Held if row.expires_at <= service.box_office().now() => HoldStatusBody::Expired,
        HoldStatus::Held => HoldStatusBody::Held,
        HoldStatus::Expired => HoldStatusBody::Expired,
        HoldStatus::Released => HoldStatusBody::Released,
        HoldStatus::Confirmed => HoldStatusBody::Confirmed,
    };
    let hold = Hold {
        seq: row.seq,
        user: row.user,
        quantity: row.quantity,
        made_at: row.made_at,
        expires_at: row.expires_at,
        // Not shown.
        extensions: 0,
    };
    HoldBody::of(row.event, &hold, status, &row.details)
}

async fn events_of(service: &Service, id: HoldId) -> Result<Vec<EventId>, Problem> {
    let events = service.box_office().events_of_hold(id).await;
    events.map_err(|error| of_storage(&error))
}

fn hold_of(receipt: &Receipt) -> Result<Hold, Problem> {
    match &receipt.reply {
        Reply::Hold(reply) => Ok(reply.hold),
        other => Err(Problem::internal(&format_args!("not a hold's reply: {other:?}"))),
    }
}
