//! Lists of bookings, of a person and of an event.

use api::booking::parse_status;
use api::extract::{FromQuery, QueryFields, json_response};
use api::page::{cursor, encode_cursor, limit, next_link};
use api::wire::{Id, parse_id};
use api::{Caller, ErrorCode, Path, Problem, Query};
use axum::extract::{OriginalUri, State};
use axum::http::header::LINK;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use engine::{BookingId, EventId, Phase, Timestamp, UserId};
use serde::Serialize;
use storage::{BookingRow, PageRequest, PageStart};

use crate::error::{of_storage, of_submit};
use crate::read;
use crate::service::Service;

/// Entries of a page when nothing else is asked for.
pub(crate) const LIMIT: usize = 100;

/// Most entries of a page.
pub(crate) const LIMIT_MAX: usize = 500;

/// Bytes of a cursor: time and id of the last row seen.
pub(crate) const CURSOR_BYTES: usize = 24;

/// Which page of a list is wanted.
pub(super) struct Page(PageRequest);

impl FromQuery for Page {
    fn from_query(query: &mut QueryFields) -> Result<Self, Problem> {
        let after = cursor::<CURSOR_BYTES>(query)?.map(|bytes| {
            let (mut at, mut id) = ([0; 8], [0; 16]);
            at.copy_from_slice(&bytes[..8]);
            id.copy_from_slice(&bytes[8..]);
            let made_at = Timestamp::from_millis(i64::from_be_bytes(at));
            PageStart { made_at, id: BookingId(id) }
        });
        let status = query.text("status").map(parse_status);
        if status == Some(None) {
            query.wrong("status", "must be confirmed, waitlisted or cancelled");
        }
        let limit = limit(query, LIMIT, LIMIT_MAX);
        Ok(Self(PageRequest { after, status: status.flatten(), limit }))
    }
}

impl Page {
    /// One row more than the page has, to know whether there is a next one.
    const fn asked(&self) -> PageRequest {
        PageRequest { limit: self.0.limit + 1, ..self.0 }
    }

    /// An answer with the page's entries and, if rows are left, the link to the next.
    fn answer<T: Serialize>(&self, uri: &Uri, more: Option<&BookingRow>, list: &[T]) -> Response {
        let mut response = json_response(StatusCode::OK, list);
        let link = more.and_then(|last| {
            let mut place = [0; CURSOR_BYTES];
            place[..8].copy_from_slice(&last.made_at.millis().to_be_bytes());
            place[8..].copy_from_slice(&last.id.bytes());
            next_link(uri, "cursor", &encode_cursor(&place))
        });
        if let Some(link) = link {
            response.headers_mut().insert(LINK, link);
        }
        response
    }

    /// Cuts the row too many off; the last row that stays, if there is a next page.
    fn cut(&self, rows: &mut Vec<BookingRow>) -> Option<BookingRow> {
        if rows.len() <= self.0.limit {
            return None;
        }
        rows.truncate(self.0.limit);
        rows.last().copied()
    }
}

/// `GET /bookings`.
pub(super) async fn own(
    State(service): State<Service>,
    caller: Caller,
    Query(page): Query<Page>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    list_of_user(&service, &caller, caller.user, &page, &uri).await
}

/// `GET /users/{user_id}/bookings` and `GET /bookings/user/{user_id}`.
pub(super) async fn of_user(
    State(service): State<Service>,
    caller: Caller,
    Path(user): Path<String>,
    page: Result<Query<Page>, Problem>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let user = named(&caller, &user)?;
    list_of_user(&service, &caller, user, &page?.0, &uri).await
}

/// The person that a path names, if the caller may look at what is theirs.
pub(super) fn named(caller: &Caller, user: &str) -> Result<UserId, Problem> {
    let user = match user {
        "me" => caller.user,
        text => parse_id(text).map(UserId::from).ok_or_else(|| Problem::not_found("user"))?,
    };
    if user != caller.user && !caller.is_admin() {
        return Err(Problem::new(ErrorCode::Forbidden, "This is another person's to see."));
    }
    Ok(user)
}

async fn list_of_user(
    service: &Service,
    caller: &Caller,
    user: UserId,
    page: &Page,
    uri: &Uri,
) -> Result<Response, Problem> {
    let rows = service.fresh_views().of_user(user, page.asked()).await;
    let mut rows = rows.map_err(|error| of_storage(&error))?;
    let more = page.cut(&mut rows);
    let bodies = read::bodies(service, &rows, caller.user).await;
    let listed = read::with_events(service, &rows, bodies).await;
    Ok(page.answer(uri, more.as_ref(), &listed))
}

/// `GET /events/{event_id}/bookings` and `GET /bookings/event/{event_id}`.
pub(super) async fn of_event(
    State(service): State<Service>,
    caller: Caller,
    Path(event): Path<Id>,
    page: Result<Query<Page>, Problem>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let event = EventId::from(event);
    let info = service.box_office().info(event, service.deadline()).await;
    let info = info.map_err(|error| of_submit(&error, event))?;
    let Some(info) = info.filter(|info| info.phase == Phase::Open) else {
        return Err(Problem::not_found("event"));
    };
    if info.organizer != caller.user && !caller.is_admin() {
        return Err(Problem::new(
            ErrorCode::Forbidden,
            "Only the organizer of the event or an administrator may see its bookings.",
        ));
    }
    let Query(page) = page?;
    let rows = service.fresh_views().of_event(event, page.asked()).await;
    let mut rows = rows.map_err(|error| of_storage(&error))?;
    let more = page.cut(&mut rows);
    let bodies = read::bodies(&service, &rows, caller.user).await;
    Ok(page.answer(&uri, more.as_ref(), &bodies))
}
