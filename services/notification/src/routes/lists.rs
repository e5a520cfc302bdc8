//! `GET /notifications`: a person's own, newest first.

use api::extract::{FromQuery, QueryFields, json_response};
use api::notification::NotificationBody;
use api::page::{cursor, encode_cursor, limit, next_link};
use api::{Caller, Problem, Query};
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use axum::http::header::LINK;
use axum::response::Response;
use storage::notices::{NoticeId, NoticeKind, NoticePage, NoticeStatus};

use super::one::{Reader, body_of};
use crate::error::of_storage;
use crate::service::Service;

/// Entries of a page when nothing else is asked for.
pub(crate) const LIMIT: usize = 50;

/// Most entries of a page.
pub(crate) const LIMIT_MAX: usize = 200;

/// Bytes of a cursor: the id of the last one seen.
pub(crate) const CURSOR_BYTES: usize = 16;

/// Which page is wanted.
pub(super) struct Page(NoticePage);

impl FromQuery for Page {
    fn from_query(query: &mut QueryFields) -> Result<Self, Problem> {
        let before = cursor::<CURSOR_BYTES>(query)?.map(NoticeId);
        let kind = query.text("kind").map(NoticeKind::parse);
        if kind == Some(None) {
            query.wrong("kind", "must be a kind of notification, like BookingConfirmed");
        }
        let status = query.text("status").map(NoticeStatus::parse);
        if status == Some(None) {
            query.wrong("status", "must be queued, sent, failed or suppressed");
        }
        let limit = limit(query, LIMIT, LIMIT_MAX);
        Ok(Self(NoticePage { before, kind: kind.flatten(), status: status.flatten(), limit }))
    }
}

pub(super) async fn own(
    State(service): State<Service>,
    caller: Caller,
    Query(Page(page)): Query<Page>,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    // One more than is shown tells whether there is a next page.
    let asked = NoticePage { limit: page.limit + 1, ..page };
    let mut notices =
        service.shared().store().list(caller.user, asked).await.map_err(of_storage)?;
    let more = notices.len() > page.limit;
    notices.truncate(page.limit);
    let last = notices.last().map(|notice| notice.id).filter(|_| more);
    let reader = Reader::of(&service, &caller);
    let list: Vec<NotificationBody> =
        notices.into_iter().map(|notice| body_of(notice, &reader)).collect();
    let mut response = json_response(StatusCode::OK, &list);
    let link = last.and_then(|id| next_link(&uri, "cursor", &encode_cursor(&id.0)));
    if let Some(link) = link {
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}
