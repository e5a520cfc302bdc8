//! How many places are left, from the stored header: wakes nobody.

use api::booking::AvailabilityBody;
use api::extract::json_response;
use api::internal::available;
use api::wire::Id;
use api::{Path, Problem};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use engine::{EventId, Phase, Seq};
use storage::Summary;

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
            Ok(json_response(StatusCode::OK, &body_of(&header.summary, header.head.seq)))
        }
        _ => Err(Problem::not_found("event")),
    }
}

/// The counts of an event as everybody sees them. Nothing can be had of a cancelled one.
pub(super) fn body_of(summary: &Summary, seq: Seq) -> AvailabilityBody {
    let (capacity, counts) = (summary.capacity, &summary.counts);
    let left = |waiting| match summary.phase {
        Phase::Open => available(capacity, counts.booked, counts.held, waiting),
        Phase::Unopened | Phase::Cancelled => 0,
    };
    AvailabilityBody {
        capacity,
        booked: counts.booked,
        held: counts.held,
        free: left(0),
        available: left(counts.waitlist_entries),
        waitlisted: counts.waitlisted,
        waitlist_entries: counts.waitlist_entries,
        as_of_seq: seq.0,
    }
}
