//! What lists need besides rows: places in the queue from the actors, the events from
//! the catalog, ticket codes for owners.

use std::collections::HashMap;
use std::time::Duration;

use actors::{POSITIONS, SubmitError};
use api::Problem;
use api::booking::{BookingBody, EventSummary, ListedBooking, StatusBody};
use api::catalog::Standing;
use api::internal::{IdsCall, SUMMARIES, SummaryBody, available};
use api::wire::{Id, Time};
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use engine::{BookingReply, BookingStatus, EventId, Phase, Seq, UserId};
use futures_util::stream::{self, StreamExt};
use storage::{BookingRow, Header};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::error::of_storage;
use crate::service::Service;

/// Most events asked at a time for places in their queues: each may have to be woken.
const POSITION_CALLS: usize = 16;

/// How long a list waits for places in a queue: as long as for the tails of the same owners.
const POSITIONS_LIMIT: Duration = Duration::from_millis(2_500);

/// Pause before places are asked for a second time; it doubles with each.
const POSITIONS_PAUSE: Duration = Duration::from_millis(20);

/// The longest such pause.
const POSITIONS_LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// A row as its reader sees it: the ticket code is its owner's alone.
pub(crate) fn body_of_row(service: &Service, row: &BookingRow, reader: UserId) -> BookingBody {
    let id = Id::from(row.id);
    let shows_code = row.user == reader && row.status == BookingStatus::Confirmed;
    BookingBody {
        booking_id: id,
        id,
        event_id: Id::from(row.event),
        user_id: Id::from(row.user),
        status: StatusBody::from(row.status),
        quantity: row.quantity.get(),
        created_at: Time(row.made_at),
        updated_at: Time(row.changed_at),
        waitlist_position: None,
        seq: row.seq.0,
        ticket_code: shows_code.then(|| service.tickets().code(row.id)),
    }
}

/// What an actor tells of a booking, as its reader sees it.
pub(crate) fn body_of_reply(
    service: &Service,
    event: EventId,
    reply: &BookingReply,
    reader: UserId,
) -> BookingBody {
    let booking = &reply.booking;
    let shows_code = booking.user == reader && booking.status == BookingStatus::Confirmed;
    let mut body = BookingBody::of(event, reply);
    body.ticket_code = shows_code.then(|| service.tickets().code(booking.id(event)));
    body
}

/// Rows as their reader sees them, with places in the queue. A list goes on without
/// those places when an actor cannot tell them in time.
pub(crate) async fn bodies(
    service: &Service,
    rows: &[BookingRow],
    reader: UserId,
) -> Vec<BookingBody> {
    let mut bodies: Vec<_> = rows.iter().map(|row| body_of_row(service, row, reader)).collect();
    let mut waiting: HashMap<EventId, Vec<(usize, Seq)>> = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        if row.status == BookingStatus::Waitlisted {
            waiting.entry(row.event).or_default().push((index, row.seq));
        }
    }
    let by = service.deadline().min(Instant::now() + POSITIONS_LIMIT);
    let calls = waiting.into_iter().map(|(event, entries)| async move {
        // A page has fewer rows than one call may ask for.
        debug_assert!(entries.len() <= POSITIONS);
        let seqs = entries.iter().map(|(_, seq)| *seq).collect();
        let answer = positions(service, event, seqs, by).await;
        (event, entries, answer)
    });
    let mut answers = stream::iter(calls).buffer_unordered(POSITION_CALLS);
    while let Some((event, entries, answer)) = answers.next().await {
        match answer {
            Ok(positions) => {
                for ((index, _), position) in entries.into_iter().zip(positions) {
                    bodies[index].waitlist_position = position;
                }
            }
            Err(error) => tracing::warn!(%event, %error, "no places in the queue for a list"),
        }
    }
    drop(answers);
    bodies
}

/// Places in the queue of one event, wherever it is served: asked again while its owner is
/// changing, but not after `by`.
async fn positions(
    service: &Service,
    event: EventId,
    seqs: Vec<Seq>,
    by: Instant,
) -> Result<Vec<Option<u32>>, String> {
    let asked = || positions_once(service, event, seqs.clone(), by);
    match repeated(by, asked).await {
        Ok(found) => Ok(found),
        Err(Untold::NotNow(why) | Untold::Never(why)) => Err(why),
    }
}

/// Why places in a queue were not told.
#[derive(Debug, PartialEq, Eq)]
enum Untold {
    /// Whoever was asked has died, or serves the event no more: somebody else soon will.
    NotNow(String),
    /// Asking again would change nothing.
    Never(String),
}

async fn positions_once(
    service: &Service,
    event: EventId,
    seqs: Vec<Seq>,
    by: Instant,
) -> Result<Vec<Option<u32>>, Untold> {
    let own = service.box_office().positions(event, seqs.clone(), by).await;
    match (own, service.peers()) {
        (Ok(found), _) => Ok(found),
        (Err(SubmitError::Elsewhere(owner)), Some(peers)) => {
            let answer = timeout_at(by, peers.positions(&owner.address, event, &seqs)).await;
            let answer = answer.map_err(|_| Untold::Never("no answer in time".to_owned()))?;
            let mut found = answer.map_err(|error| Untold::NotNow(error.to_string()))?;
            found.resize(seqs.len(), None);
            Ok(found)
        }
        // In an installation of many this is an event on its way from one to another.
        (Err(error @ SubmitError::Unavailable(_)), Some(_)) => {
            Err(Untold::NotNow(error.to_string()))
        }
        (Err(error), _) => Err(Untold::Never(error.to_string())),
    }
}

/// Ask until somebody tells, or there is no time for another question.
async fn repeated<T, F: Future<Output = Result<T, Untold>>>(
    by: Instant,
    mut asked: impl FnMut() -> F,
) -> Result<T, Untold> {
    let mut pause = POSITIONS_PAUSE;
    loop {
        let told = asked().await;
        let again = Instant::now() + pause;
        if !matches!(told, Err(Untold::NotNow(_))) || again >= by {
            return told;
        }
        sleep_until(again).await;
        pause = (pause * 2).min(POSITIONS_LONGEST_PAUSE);
    }
}

/// Bookings with their events, from the catalog in one call; with `null` when it is
/// down, because a person's bookings must be seen all the same.
pub(crate) async fn with_events(
    service: &Service,
    rows: &[BookingRow],
    bodies: Vec<BookingBody>,
) -> Vec<ListedBooking> {
    let mut events: Vec<EventId> = rows.iter().map(|row| row.event).collect();
    events.sort_unstable();
    events.dedup();
    let summaries = match summaries(service, &events).await {
        Ok(summaries) => summaries,
        Err(cause) => {
            tracing::warn!(%cause, "a list of bookings goes on without its events");
            HashMap::new()
        }
    };
    bodies
        .into_iter()
        .map(|booking| {
            let event = summaries.get(&booking.event_id).cloned();
            ListedBooking { booking, event }
        })
        .collect()
}

async fn summaries(
    service: &Service,
    events: &[EventId],
) -> Result<HashMap<Id, EventSummary>, String> {
    if events.is_empty() {
        return Ok(HashMap::new());
    }
    let ids = events.iter().copied().map(Id::from).collect();
    let body = serde_json::to_vec(&IdsCall { ids }).map_err(|error| error.to_string())?;
    let request = Request::post(SUMMARIES)
        .header(CONTENT_TYPE, "application/json")
        .body(Body::from(body))
        .map_err(|error| error.to_string())?;
    let answer = timeout_at(service.deadline(), service.catalog().ask(request))
        .await
        .map_err(|_| "the catalog took too long".to_owned())?
        .map_err(|error| error.to_string())?;
    if answer.status != StatusCode::OK {
        return Err(format!("the catalog answered {}", answer.status));
    }
    let found: Vec<Option<SummaryBody>> =
        serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
    let headers = headers(service, events).await.map_err(|problem| problem.detail().to_owned())?;
    let now = service.box_office().now();
    Ok(found
        .into_iter()
        .flatten()
        .map(|summary| {
            let header = headers.get(&EventId::from(summary.id));
            (summary.id, summary_with_status(summary, header, now))
        })
        .collect())
}

async fn headers(
    service: &Service,
    events: &[EventId],
) -> Result<HashMap<EventId, Header>, Problem> {
    let headers = service.box_office().headers(events.to_vec()).await;
    let headers = headers.map_err(|error| of_storage(&error))?;
    Ok(headers.into_iter().flatten().map(|header| (header.event, header)).collect())
}

fn summary_with_status(
    summary: SummaryBody,
    header: Option<&Header>,
    now: engine::Timestamp,
) -> EventSummary {
    let places = header.map(|header| &header.summary);
    let standing = Standing {
        opens_at: summary.opens_at.0,
        closes_at: summary.closes_at.0,
        ends_at: summary.end_time.0,
        is_active: summary.is_active,
        // The header knows first: it is written in the commit itself.
        cancelled: summary.deleted || places.is_some_and(|s| s.phase == Phase::Cancelled),
        available: places.map_or(0, |s| {
            available(s.capacity, s.counts.booked, s.counts.held, s.counts.waitlist_entries)
        }),
    };
    EventSummary {
        status: standing.status(now),
        id: summary.id,
        title: summary.title,
        start_time: summary.start_time,
        end_time: summary.end_time,
        timezone: summary.timezone,
        location: summary.location,
        price: summary.price,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers in turn, the last one for ever; and how many were asked for.
    async fn asked(answers: &[Result<u32, Untold>]) -> (Result<u32, Untold>, usize) {
        let mut count = 0;
        let by = Instant::now() + POSITIONS_LIMIT;
        let told = repeated(by, || {
            let answer = match &answers[count.min(answers.len() - 1)] {
                Ok(found) => Ok(*found),
                Err(Untold::NotNow(why)) => Err(Untold::NotNow(why.clone())),
                Err(Untold::Never(why)) => Err(Untold::Never(why.clone())),
            };
            count += 1;
            async move { answer }
        });
        (told.await, count)
    }

    fn not_now() -> Untold {
        Untold::NotNow("its connection was lost".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_asked_for_again_while_their_owner_changes() {
        let told = asked(&[Err(not_now()), Err(not_now()), Ok(3)]).await;
        assert_eq!(told, (Ok(3), 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_does_not_wait_for_an_owner_for_ever() {
        let begun = Instant::now();
        let (told, count) = asked(&[Err(not_now())]).await;
        assert_eq!(told, Err(not_now()));
        assert!(begun.elapsed() <= POSITIONS_LIMIT, "it waited {:?}", begun.elapsed());
        assert!(count > 10, "asked {count} times only");
    }

    #[tokio::test(start_paused = true)]
    async fn what_asking_again_cannot_change_is_asked_once() {
        let never = || Untold::Never("overloaded".to_owned());
        assert_eq!(asked(&[Err(never()), Ok(1)]).await, (Err(never()), 1));
    }
}
