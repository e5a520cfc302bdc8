//! Every change of an event is one command to its actor; the document follows from the
//! fact, at once.

use api::catalog::DeletedBody;
use api::internal::{
    CANCEL, CHANGE, CancelCall, ChangeCall, EventAnswer, OPEN, OpenCall, TermsBody,
    TermsChangeBody, path_of,
};
use api::upstream::Answer;
use api::wire::Id;
use api::{ErrorCode, Fields, Problem, refusal};
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Request, StatusCode};
use engine::{EventId, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use storage::{CatalogEntry, CreateKey, Stored};
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::draft::Draft;
use crate::edit::Edit;
use crate::error::Refused;
use crate::keys::{Accepted, Use, Writer};
use crate::projection::{Fact, What, apply};
use crate::service::Service;

/// The call of a create as idempotency keys know it.
const CREATE_CALL: &str = "POST /events";

/// How often a change is checked anew because the event changed meanwhile.
const ATTEMPTS: usize = 4;

/// How long between two looks for a document that is to follow.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What `If-Match` said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// Nothing, or `*`, which every event that is there fits.
    Any,
    /// One of these versions; what is no version of ours fits nothing.
    OneOf(Vec<u32>),
}

impl IfMatch {
    /// The one version to be refused without, given the one that the document has.
    fn version(&self, current: u32) -> Option<u32> {
        match self {
            Self::Any => None,
            Self::OneOf(versions) if versions.contains(&current) => Some(current),
            // Versions begin with 1: none fits what none can have.
            Self::OneOf(versions) => Some(versions.first().copied().unwrap_or(0)),
        }
    }
}

/// `POST /events`.
pub(crate) async fn create(
    service: &Service,
    writer: &Writer,
    body: Value,
) -> Result<Accepted, Refused> {
    let now = service.now();
    let usage = writer.usage(CREATE_CALL, &body);
    if let Some(kept) = writer.kept(service.store(), usage, now).await? {
        return Ok(kept);
    }
    let mut fields = Fields::of(body)?;
    let draft = Draft::read(&mut fields, now);
    fields.finish()?;

    // Remembered before anything is opened: a repeat opens the same event, or finds it
    // open, whatever became of the first try.
    let remembered = CreateKey {
        organizer: writer.caller.user,
        digest: usage.digest,
        fingerprint: usage.fingerprint,
        event: service.new_event_id(),
        keep_until: writer.keep_until(service.options(), now),
    };
    let remembered = service.store().remember_key(remembered, now).await?;
    if remembered.fingerprint != usage.fingerprint {
        return Err(refusal::key_reused().into());
    }
    let event = remembered.event;
    let call = OpenCall {
        terms: TermsBody::from(&draft.terms),
        words: draft.description.to_text(),
        fingerprint: usage.fingerprint,
    };
    let answer = command(service, writer, OPEN, event, &call).await?;
    if answer.status.is_client_error() {
        // Nothing came of it, so nothing is remembered: the key is free for another body.
        // (When this fails, the body that was refused is the only one that it may have.)
        let forgotten = service.store().forget_key(writer.caller.user, usage.digest).await;
        if let Err(error) = forgotten {
            tracing::warn!(%error, "a key of a refused event could not be forgotten");
        }
    }
    let answer = accepted(answer)?;
    let organizer = writer.caller.user;
    let what = What::Opened { organizer, terms: draft.terms, words: draft.description };
    let entry = follow(service, event, &answer, what).await?;
    finish(service, writer, usage, StatusCode::CREATED, entry, answer.replayed).await
}

/// `PUT` and `PATCH /events/{id}`.
pub(crate) async fn change(
    service: &Service,
    writer: &Writer,
    event: EventId,
    if_match: &IfMatch,
    body: Value,
) -> Result<Accepted, Refused> {
    let usage = writer.usage(&format!("PATCH /events/{event}"), &body);
    if let Some(kept) = writer.kept(service.store(), usage, service.now()).await? {
        return Ok(kept);
    }
    for _ in 0..ATTEMPTS {
        let entry = editable(service, writer, event).await?;
        let mut fields = Fields::of(body.clone())?;
        let edit = Edit::read(&mut fields, &entry, service.now());
        fields.finish()?;
        // Checks that looked at the rest of the event hold for this version of it only.
        let guard = edit.depends_on_the_rest().then_some(entry.version);
        let call = ChangeCall {
            change: TermsChangeBody::from(&edit.change),
            words: edit.description.to_text(),
            if_version: if_match.version(entry.version).or(guard),
            fingerprint: usage.fingerprint,
        };
        let answer = command(service, writer, CHANGE, event, &call).await?;
        let overtaken = answer.status == StatusCode::PRECONDITION_FAILED;
        if overtaken && *if_match == IfMatch::Any {
            await_version(service, event, entry.version + 1).await?;
            continue;
        }
        let answer = accepted(answer)?;
        let what = What::Changed { terms: edit.change, words: edit.description };
        let entry = follow(service, event, &answer, what).await?;
        return finish(service, writer, usage, StatusCode::OK, entry, answer.replayed).await;
    }
    let detail = "The event is being changed by others all the time. Please try again.";
    Err(Problem::new(ErrorCode::Unavailable, detail).retry_after(1).into())
}

/// `DELETE /events/{id}`.
pub(crate) async fn delete(
    service: &Service,
    writer: &Writer,
    event: EventId,
    if_match: &IfMatch,
) -> Result<Accepted, Refused> {
    let usage = writer.usage(&format!("DELETE /events/{event}"), &json!({}));
    if let Some(kept) = writer.kept(service.store(), usage, service.now()).await? {
        return Ok(kept);
    }
    // A document that is deleted already may stand for a deletion whose answer was lost:
    // booking knows by the key, and says 404 to everybody else.
    let current = service.store().get(event).await?.map_or(0, |entry| entry.version);
    let if_version = if_match.version(current);
    let call = CancelCall { if_version, fingerprint: usage.fingerprint };
    let answer = accepted(command(service, writer, CANCEL, event, &call).await?)?;
    // Durable, and every read asks booking first whether the event is cancelled: so this
    // answer need not wait for the document.
    let fact = fact(event, &answer, What::Cancelled);
    if let Err(error) = apply(service.store(), &fact).await {
        tracing::warn!(%event, %error, "a document was not marked as deleted; the bus will do it");
    }
    let body = DeletedBody {
        id: Id::from(event),
        detail: "The event is cancelled, and its bookings with it.".to_owned(),
        cancelled_bookings: answer.cancelled_bookings,
    };
    let accepted = Accepted {
        status: StatusCode::OK,
        body: serde_json::to_vec(&body).map_err(|error| Problem::internal(&error))?,
        version: answer.version,
        replayed: answer.replayed,
    };
    writer.keep(service, usage, accepted).await
}

/// The document of an event that this caller may change.
async fn editable(
    service: &Service,
    writer: &Writer,
    event: EventId,
) -> Result<CatalogEntry, Refused> {
    let Some(entry) = service.living(event).await? else {
        return Err(Problem::not_found("event").into());
    };
    // Said here already, so that nobody learns by trial what somebody else's event would
    // accept; booking decides all the same.
    if entry.organizer != writer.caller.user && !writer.caller.is_admin() {
        let refused = engine::Rejection::NotOrganizer;
        return Err(refusal::problem(&refused, event).into());
    }
    Ok(entry)
}

/// Hand a command to booking, in the caller's name and with the caller's key.
async fn command<T: Serialize>(
    service: &Service,
    writer: &Writer,
    route: &str,
    event: EventId,
    call: &T,
) -> Result<Answer, Refused> {
    let body = serde_json::to_vec(call).map_err(|error| Problem::internal(&error))?;
    let mut request = Request::post(path_of(route, Id::from(event)))
        .header(CONTENT_TYPE, "application/json")
        .header(AUTHORIZATION, writer.credentials.0.clone())
        .body(Body::from(body))
        .map_err(|error| Problem::internal(&error))?;
    writer.key.forward(request.headers_mut());
    match timeout(service.options().booking_patience, service.booking().ask(request)).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Problem::new(
            ErrorCode::OutcomeUnknown,
            "It may or may not have happened. Repeat with the same Idempotency-Key.",
        )
        .retry_after(1)
        .into()),
    }
}

/// What booking said of a command it accepted; else its problem, passed on.
fn accepted(answer: Answer) -> Result<EventAnswer, Refused> {
    if answer.status != StatusCode::OK {
        return Err(answer.into());
    }
    Ok(serde_json::from_slice(&answer.body).map_err(|error| Problem::internal(&error))?)
}

fn fact(event: EventId, answer: &EventAnswer, what: What) -> Fact {
    Fact { event, version: answer.version, at: Timestamp::from_millis(answer.at), what }
}

/// Bring the document to the version that a command made, and return it.
async fn follow(
    service: &Service,
    event: EventId,
    answer: &EventAnswer,
    what: What,
) -> Result<CatalogEntry, Refused> {
    // What was decided earlier may have been decided from other defaults than this
    // repeat has filled in: only the bus knows the fact.
    if answer.replayed {
        return await_version(service, event, answer.version).await;
    }
    let fact = fact(event, answer, what);
    let deadline = Instant::now() + service.options().projection_patience;
    loop {
        match apply(service.store(), &fact).await? {
            (Stored::Written | Stored::AlreadyThere, Some(entry)) => return Ok(entry),
            // Written by the bus between our look and our write, or a predecessor is
            // missing: look again.
            _ if Instant::now() < deadline => sleep(LOOK_AGAIN).await,
            _ => return Err(behind().into()),
        }
    }
}

/// Wait until the document has at least a version.
async fn await_version(
    service: &Service,
    event: EventId,
    version: u32,
) -> Result<CatalogEntry, Refused> {
    let deadline = Instant::now() + service.options().projection_patience;
    loop {
        match service.store().get(event).await? {
            Some(entry) if entry.version >= version => return Ok(entry),
            _ if Instant::now() < deadline => sleep(LOOK_AGAIN).await,
            _ => return Err(behind().into()),
        }
    }
}

fn behind() -> Problem {
    Problem::new(
        ErrorCode::CatalogBehind,
        "The change is done, but cannot be shown yet. Repeat with the same Idempotency-Key.",
    )
    .retry_after(1)
}

/// Show the event as it is now, and keep that answer.
async fn finish(
    service: &Service,
    writer: &Writer,
    usage: Use,
    status: StatusCode,
    entry: CatalogEntry,
    replayed: bool,
) -> Result<Accepted, Refused> {
    let version = entry.version;
    // The change is durable: whatever fails from here on, it must not be told otherwise.
    let shown = service.show(std::slice::from_ref(&entry)).await.map_err(|_| behind())?;
    let event = match shown.events.into_iter().next() {
        Some(event) => event,
        // Deleted meanwhile by somebody else; what was asked for happened all the same.
        None => service.without_counts(&entry),
    };
    let body = serde_json::to_vec(&event).map_err(|error| Problem::internal(&error))?;
    let accepted = Accepted { status, body, version, replayed };
    writer.keep(service, usage, accepted).await
}
