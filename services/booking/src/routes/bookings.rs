//! Making, reading and cancelling a booking.

use api::booking::{BookRequest, BookingBody};
use api::extract::{JsonBytes, json_response};
use api::wire::Id;
use api::{Caller, ErrorCode, IdempotencyKey, Path, Problem};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use engine::{BookingId, BookingStatus, Command, EventId, HoldId, Key, Reply};
use storage::BookingRow;

use super::holds;
use crate::error::{of_storage, of_submit};
use crate::read::{body_of_reply, body_of_row};
use crate::service::Service;

/// The calls as idempotency keys know them.
const CREATE: &str = "POST /bookings";
const CANCEL: &str = "DELETE /bookings";

/// `POST /bookings`. Never asks the catalog.
pub(super) async fn create(
    State(service): State<Service>,
    caller: Caller,
    key: IdempotencyKey,
    body: Result<JsonBytes, Problem>,
) -> Response {
    match book(&service, &caller, &key, body).await {
        Ok((booking, replayed)) => {
            key.answer(json_response(StatusCode::CREATED, &booking), replayed)
        }
        Err(problem) => key.answer(problem.into_response(), false),
    }
}

async fn book(
    service: &Service,
    caller: &Caller,
    key: &IdempotencyKey,
    body: Result<JsonBytes, Problem>,
) -> Result<(BookingBody, bool), Problem> {
    let request = BookRequest::from_body(&body?.0)?;
    let key = key.to_engine(caller.user, CREATE, &request.canonical());
    match request {
        BookRequest::Book { event, quantity, join_waitlist } => {
            let command = Command::Book { quantity, join_waitlist };
            let receipt = service.submit(caller, event, key, command).await?;
            Ok((booking_of(event, &receipt.reply)?, receipt.replayed))
        }
        BookRequest::Confirm { hold } => confirm(service, caller, key, hold).await,
    }
}

async fn confirm(
    service: &Service,
    caller: &Caller,
    key: Key,
    hold: HoldId,
) -> Result<(BookingBody, bool), Problem> {
    let events = service.box_office().events_of_hold(hold).await;
    // Seldom more than one: ids of two events may share a tag.
    for event in events.map_err(|error| of_storage(&error))? {
        match service.submit(caller, event, key, Command::Confirm { hold }).await {
            Ok(receipt) => return Ok((booking_of(event, &receipt.reply)?, receipt.replayed)),
            Err(problem) if problem.code() == ErrorCode::NotFound => {}
            Err(problem) => return Err(problem),
        }
    }
    // Not there, or no longer: its row knows which.
    Err(holds::over(service, &holds::own_row(service, caller, hold).await?).await?)
}

/// `GET /bookings/{id}`.
pub(super) async fn read(
    State(service): State<Service>,
    caller: Caller,
    Path(id): Path<Id>,
) -> Result<Response, Problem> {
    let id = BookingId::from(id);
    let may_see = |user| user == caller.user || caller.is_admin();
    let deadline = service.deadline();
    for event in events_of(&service, id).await? {
        let found = service.box_office().booking(event, id, deadline).await;
        if let Some(reply) = found.map_err(|error| of_submit(&error, event))? {
            if !may_see(reply.booking.user) {
                break;
            }
            let body = body_of_reply(&service, event, &reply, caller.user);
            return Ok(json_response(StatusCode::OK, &body));
        }
    }
    // The actor knows living bookings only; a cancelled one is in the views.
    match row(&service, id).await? {
        Some(row) if may_see(row.user) => {
            let body = body_of_row(&service, &row, caller.user);
            Ok(json_response(StatusCode::OK, &body))
        }
        _ => Err(Problem::not_found("booking")),
    }
}

/// `DELETE /bookings/{id}`.
pub(super) async fn cancel(
    State(service): State<Service>,
    caller: Caller,
    key: IdempotencyKey,
    id: Result<Path<Id>, Problem>,
) -> Response {
    match cancelled(&service, &caller, &key, id).await {
        Ok((booking, replayed)) => key.answer(json_response(StatusCode::OK, &booking), replayed),
        Err(problem) => key.answer(problem.into_response(), false),
    }
}

async fn cancelled(
    service: &Service,
    caller: &Caller,
    key: &IdempotencyKey,
    id: Result<Path<Id>, Problem>,
) -> Result<(BookingBody, bool), Problem> {
    let booking = BookingId::from(id?.0);
    let key = key.to_engine(caller.user, CANCEL, &booking.bytes());
    for event in events_of(service, booking).await? {
        match service.submit(caller, event, key, Command::Cancel { booking }).await {
            Ok(receipt) => return Ok((booking_of(event, &receipt.reply)?, receipt.replayed)),
            // Not there, or no longer: the views know which.
            Err(problem) if problem.code() == ErrorCode::NotFound => {}
            Err(problem) => return Err(problem),
        }
    }
    // Cancelled before, by another key or together with its event: the same answer as
    // then, and nothing changes.
    match row(service, booking).await? {
        Some(row)
            if row.status == BookingStatus::Cancelled
                && (row.user == caller.user || caller.is_admin()) =>
        {
            Ok((body_of_row(service, &row, caller.user), false))
        }
        _ => Err(Problem::not_found("booking")),
    }
}

async fn events_of(service: &Service, id: BookingId) -> Result<Vec<EventId>, Problem> {
    let events = service.box_office().events_of_booking(id).await;
    events.map_err(|error| of_storage(&error))
}

async fn row(service: &Service, id: BookingId) -> Result<Option<BookingRow>, Problem> {
    service.fresh_views().booking(id).await.map_err(|error| of_storage(&error))
}

/// The booking that a command was told of.
pub(super) fn booking_of(event: EventId, reply: &Reply) -> Result<BookingBody, Problem> {
    match reply {
        Reply::Booking(reply) => Ok(BookingBody::of(event, reply)),
        other => Err(Problem::internal(&format_args!("not a booking's reply: {other:?}"))),
    }
}
