//! `POST /notifications/send`: an organizer writes to the attendees of an event.

use api::extract::{JsonBytes, json_response, parse_json};
use api::internal::{IdsCall, SUMMARIES, SummaryBody};
use api::notification::{AUDIENCES, SendBody, SendRequest};
use api::wire::Id;
use api::{Caller, ErrorCode, Fields, IdempotencyKey, Problem, refusal};
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::{EventId, UserId};
use storage::notices::{Announced, Announcement, Audience};

use crate::error::of_storage;
use crate::service::Service;

/// The call as idempotency keys know it.
const CALL: &str = "POST /notifications/send";

/// Seconds after which somebody who wrote too often may try again.
const RETRY_AFTER_S: u32 = 3_600;

pub(super) async fn send(
    State(service): State<Service>,
    caller: Caller,
    key: IdempotencyKey,
    body: Result<JsonBytes, Problem>,
) -> Response {
    match sent(&service, &caller, &key, body).await {
        Ok((body, replayed)) => key.answer(json_response(StatusCode::ACCEPTED, &body), replayed),
        Err(problem) => key.answer(problem.into_response(), false),
    }
}

async fn sent(
    service: &Service,
    caller: &Caller,
    key: &IdempotencyKey,
    body: Result<JsonBytes, Problem>,
) -> Result<(SendBody, bool), Problem> {
    let wish: SendRequest = Fields::read(parse_json(&body?.0)?)?;
    let event = EventId::from(wish.event);
    let organizer = organizer(service, wish.event).await?;
    let organizer = organizer.ok_or_else(|| Problem::not_found("event"))?;
    if organizer != caller.user && !caller.is_admin() {
        return Err(Problem::new(
            ErrorCode::Forbidden,
            "Only the organizer of the event or an administrator may write to its attendees.",
        ));
    }
    let to = audience(wish.to);
    let used = key.to_engine(caller.user, CALL, &canonical(&wish));
    let shared = service.shared();
    let announcement = Announcement {
        id: shared.new_id(),
        event,
        sender: caller.user,
        to,
        recipients: 0,
        subject: wish.subject,
        message: wish.message,
        key: used.digest.0,
        fingerprint: used.fingerprint.0,
        created_at: shared.now(),
    };
    match shared.announce(announcement).await.map_err(of_storage)? {
        Announced::Stored(stored) => Ok((body_of(&stored), false)),
        Announced::Known(first) if first.fingerprint == used.fingerprint.0 => {
            Ok((body_of(&first), true))
        }
        Announced::Known(_) => Err(refusal::key_reused()),
        Announced::TooMany => {
            let most = shared.options.messages_per_day;
            let detail = format!("The attendees of an event get at most {most} messages a day.");
            Err(Problem::new(ErrorCode::TooManyMessages, detail).retry_after(RETRY_AFTER_S))
        }
    }
}

fn body_of(announcement: &Announcement) -> SendBody {
    let [confirmed, waitlisted, everyone] = AUDIENCES;
    let to = match announcement.to {
        Audience::Confirmed => confirmed,
        Audience::Waitlisted => waitlisted,
        Audience::Everyone => everyone,
    };
    SendBody {
        id: Id(announcement.id.0),
        event_id: Id::from(announcement.event),
        to: to.to_owned(),
        recipients: announcement.recipients,
        status: "queued".to_owned(),
    }
}

fn audience(to: &str) -> Audience {
    let [_, waitlisted, everyone] = AUDIENCES;
    match to {
        _ if to == waitlisted => Audience::Waitlisted,
        _ if to == everyone => Audience::Everyone,
        _ => Audience::Confirmed,
    }
}

/// The wish in a form that does not depend on how it was spelled.
fn canonical(wish: &SendRequest) -> Vec<u8> {
    let mut bytes = wish.event.0.to_vec();
    for text in [wish.to, &wish.subject, &wish.message] {
        bytes.extend((text.len() as u64).to_be_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes
}

/// Who organizes an event that takes place, as the catalog says.
async fn organizer(service: &Service, event: Id) -> Result<Option<UserId>, Problem> {
    let body = serde_json::to_vec(&IdsCall { ids: vec![event] });
    let request = Request::post(SUMMARIES)
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(body.map_err(|error| Problem::internal(&error))?))
        .map_err(|error| Problem::internal(&error))?;
    let answer = service.shared().parts.catalog.ask(request).await;
    let answer = answer.map_err(|error| error.into_problem())?;
    if answer.status != StatusCode::OK {
        return Err(Problem::unavailable(&format!("the catalog answered {}", answer.status)));
    }
    let found: Vec<Option<SummaryBody>> =
        serde_json::from_slice(&answer.body).map_err(|error| Problem::internal(&error))?;
    let living = found.into_iter().flatten().find(|summary| !summary.deleted);
    Ok(living.map(|summary| UserId::from(summary.organizer)))
}
