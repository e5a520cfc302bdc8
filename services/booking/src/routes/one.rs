//! The booking of one person for one event.

use api::booking::BookingBody;
use api::extract::json_response;
use api::wire::Id;
use api::{Caller, IdempotencyKey, Path, Problem};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use engine::{BookingId, BookingReply, Command, EventId, UserId};

use super::bookings::booking_of;
use super::lists::named;
use crate::error::of_submit;
use crate::read::body_of_reply;
use crate::service::Service;

/// The call as idempotency keys know it.
const CANCEL: &str = "DELETE /bookings/user/event";

/// `GET /bookings/user/{user_id}/event/{event_id}`: the booking that is not cancelled, or
/// `null`.
pub(super) async fn read(
    State(service): State<Service>,
    caller: Caller,
    Path((user, event)): Path<(String, Id)>,
) -> Result<Response, Problem> {
    let (user, event) = (named(&caller, &user)?, EventId::from(event));
    let body = find(&service, user, event)
        .await?
        .map(|reply| body_of_reply(&service, event, &reply, caller.user));
    Ok(json_response(StatusCode::OK, &body))
}

/// `DELETE /bookings/user/{user_id}/event/{event_id}`. The address means the booking that
/// is not cancelled; so a second call by another key finds none: 404.
pub(super) async fn cancel(
    State(service): State<Service>,
    caller: Caller,
    key: IdempotencyKey,
    path: Result<Path<(String, Id)>, Problem>,
) -> Response {
    match cancelled(&service, &caller, &key, path).await {
        Ok((booking, replayed)) => key.answer(json_response(StatusCode::OK, &booking), replayed),
        Err(problem) => key.answer(problem.into_response(), false),
    }
}

async fn cancelled(
    service: &Service,
    caller: &Caller,
    key: &IdempotencyKey,
    path: Result<Path<(String, Id)>, Problem>,
) -> Result<(BookingBody, bool), Problem> {
    let Path((user, event)) = path?;
    let (user, event) = (named(caller, &user)?, EventId::from(event));
    let key = key.to_engine(caller.user, CANCEL, &[user.bytes(), event.bytes()].concat());
    let found = find(service, user, event).await?;
    // Without a booking the command is handed in all the same: the key may have been
    // answered before. Nothing has an id of zeros.
    let booking = found.map_or(BookingId([0; 16]), |reply| reply.booking.id(event));
    let receipt = service.submit(caller, event, key, Command::Cancel { booking }).await?;
    Ok((booking_of(event, &receipt.reply)?, receipt.replayed))
}

async fn find(
    service: &Service,
    user: UserId,
    event: EventId,
) -> Result<Option<BookingReply>, Problem> {
    let found = service.box_office().booking_of(event, user, service.deadline()).await;
    found.map_err(|error| of_submit(&error, event))
}
