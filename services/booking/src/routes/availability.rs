//! How many places are left, from the stored header: wakes nobody.

use api::booking::AvailabilityBody;
use api::extract::json_response;
use api::internal::available;
use api::wire::Id;
use api::{Path, Problem};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use engine::{EventId, Phase};
use storage::Header;

use crate::error::of_storage;
use crate::service::Service;

/// `GET /events/{id}/availability`.
pub(super) async fn read(
    State(service): State<Service>,
    Path(event): Path<Id>,
) -> Result<Response, Problem> {
    let headers = service.box_office().headers(vec![EventId::from(event)]).await;
    let mut headers = headers.map_err(|error| of_storage(&error))?;
    match headers.pop().flatten() {
        Some(header) if header.summary.phase == Phase::Open => {
            Ok(json_response(StatusCode::OK, &body(&header)))
        }
        _ => Err(Problem::not_found("event")),
    }
}

fn body(header: &Header) -> AvailabilityBody {
    let capacity = header.summary.capacity;
    let counts = &header.summary.counts;
    AvailabilityBody {
        capacity,
        booked: counts.booked,
        held: counts.held,
        free: available(capacity, counts.booked, counts.held, 0),
        available: available(capacity, counts.booked, counts.held, counts.waitlist_entries),
        waitlisted: counts.waitlisted,
        waitlist_entries: counts.waitlist_entries,
        as_of_seq: header.head.seq.0,
    }
}
