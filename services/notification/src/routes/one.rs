//! One notification: read, how it stands, sent again.

use api::extract::json_response;
use api::notification::{NotificationBody, ResentBody, StatusBody};
use api::wire::{Id, Time};
use api::{Caller, ErrorCode, Path, Problem};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use storage::notices::{Notice, NoticeId, NoticeStatus};

use crate::carrier::GIVEN_UP;
use crate::error::of_storage;
use crate::service::Service;

/// How all of them go, until there is another way.
const CHANNEL: &str = "email";

/// Most that failed and are put back into the queue by one call.
const RESENT: usize = 1_000;

/// Who reads, and what else there is to know.
pub(super) struct Reader {
    is_admin: bool,
    mail_is_down: bool,
}

impl Reader {
    pub(super) fn of(service: &Service, caller: &Caller) -> Self {
        Self { is_admin: caller.is_admin(), mail_is_down: service.mail_is_down() }
    }
}

/// A notice as its reader sees it.
pub(super) fn body_of(notice: Notice, reader: &Reader) -> NotificationBody {
    let id = Id(notice.id.0);
    let details = details(&notice, reader);
    NotificationBody {
        id,
        notification_id: id,
        kind: notice.kind.as_str().to_owned(),
        channel: CHANNEL.to_owned(),
        status: notice.status.as_str().to_owned(),
        subject: notice.subject,
        body: notice.text,
        event_id: Id::from(notice.event),
        booking_id: notice.booking.map(Id::from),
        created_at: Time(notice.created_at),
        sent_at: notice.sent_at.map(Time),
        attempts: notice.attempts,
        details,
    }
}

/// Why it stands so. What the mail server said, and where it is, is for administrators;
/// reasons of suppressed ones are ours.
fn details(notice: &Notice, reader: &Reader) -> Option<String> {
    let reason = notice.reason.as_deref();
    let text = match (notice.status, reason) {
        (NoticeStatus::Queued, None) if reader.mail_is_down => {
            "The mail server is away. It is tried again."
        }
        (_, None) => return None,
        (_, Some(reason)) if reader.is_admin => reason,
        (NoticeStatus::Queued, _) => "It could not be sent yet. It is tried again.",
        (NoticeStatus::Failed, Some(reason)) if reason.starts_with(GIVEN_UP) => {
            "It could not be sent, and is not tried any more."
        }
        (NoticeStatus::Failed, _) => "The mail server did not take it for this address.",
        (NoticeStatus::Sent | NoticeStatus::Suppressed, Some(reason)) => reason,
    };
    Some(text.to_owned())
}

/// A notification that the caller may see.
async fn seen(service: &Service, caller: &Caller, id: Id) -> Result<Notice, Problem> {
    let notice = service.shared().store().get(NoticeId(id.0)).await.map_err(of_storage)?;
    notice
        .filter(|notice| notice.user == caller.user || caller.is_admin())
        .ok_or_else(|| Problem::not_found("notification"))
}

/// `GET /notifications/{id}`.
pub(super) async fn read(
    State(service): State<Service>,
    caller: Caller,
    Path(id): Path<Id>,
) -> Result<Response, Problem> {
    let notice = seen(&service, &caller, id).await?;
    Ok(json_response(StatusCode::OK, &body_of(notice, &Reader::of(&service, &caller))))
}

/// `GET /notifications/status/{id}`.
pub(super) async fn status(
    State(service): State<Service>,
    caller: Caller,
    Path(id): Path<Id>,
) -> Result<Response, Problem> {
    let notice = seen(&service, &caller, id).await?;
    let body = StatusBody {
        notification_id: Id(notice.id.0),
        status: notice.status.as_str().to_owned(),
        details: details(&notice, &Reader::of(&service, &caller)),
    };
    Ok(json_response(StatusCode::OK, &body))
}

/// `POST /notifications/{id}/resend`. Its owner may have another try at one that failed; an
/// admin at any that was made to be sent.
pub(super) async fn resend(
    State(service): State<Service>,
    caller: Caller,
    Path(id): Path<Id>,
) -> Result<Response, Problem> {
    let notice = seen(&service, &caller, id).await?;
    let (shared, only_failed) = (service.shared(), !caller.is_admin());
    let queued = shared.store().requeue(notice.id, shared.now(), only_failed).await;
    let notice = queued.map_err(of_storage)?.ok_or_else(|| {
        let detail = if only_failed {
            "Only a notification that could not be sent can be sent again."
        } else {
            "It was one too many and was not made to be sent: there is nothing to send."
        };
        Problem::new(ErrorCode::NotFailed, detail)
    })?;
    shared.queued.notify_one();
    Ok(json_response(StatusCode::ACCEPTED, &body_of(notice, &Reader::of(&service, &caller))))
}

/// `POST /notifications/resend`: all that failed, some at a time.
pub(super) async fn resend_failed(
    State(service): State<Service>,
    caller: Caller,
) -> Result<Response, Problem> {
    only_admins(&caller)?;
    let shared = service.shared();
    let queued = shared.store().requeue_failed(shared.now(), RESENT).await.map_err(of_storage)?;
    shared.queued.notify_one();
    let body = ResentBody { queued, more: queued == RESENT };
    Ok(json_response(StatusCode::ACCEPTED, &body))
}

/// Everybody else gets 403.
pub(super) fn only_admins(caller: &Caller) -> Result<(), Problem> {
    if caller.is_admin() {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::Forbidden, "Only an administrator may do this."))
}
