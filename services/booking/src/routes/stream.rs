//! How many places are left, as server-sent events: the state now, then each change.
//!
//! A task beside the answer waits for changes and hands one event at a time to the body.
//! While the client has not taken it, newer states replace one another and nothing piles
//! up; a client that takes nothing for long is told so at the end of what it has.

use std::convert::Infallible;

use actors::{CommittedState, Watch};
use api::headers::Peer;
use api::wire::Id;
use api::{Path, Problem};
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::response::Response;
use engine::{EventId, Phase};
use futures_util::stream::unfold;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::availability::body_of;
use crate::error::of_submit;
use crate::options::Options;
use crate::service::Service;
use crate::streams::OpenStream;

/// Keeps the connection from looking dead; clients skip it.
const HEARTBEAT: &str = ": still here\n\n";

/// Tells proxies of the nginx kind not to hold events back.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Why a stream ends, as its client is told.
const STOPPING: &str = "The server is stopping. Connect again.";
const CANCELLED: &str = "The event was cancelled.";
const TOO_SLOW: &str = "You read too slowly. Connect again.";

/// `GET /events/{event_id}/availability/stream`.
pub(super) async fn read(
    State(service): State<Service>,
    Path(event): Path<Id>,
    peer: Option<Extension<Peer>>,
) -> Result<Response, Problem> {
    let event = EventId::from(event);
    let address = peer.map(|Extension(Peer(address))| address);
    let open = service.streams().open(service.options(), event, address)?;
    let watch = service.box_office().watch(event).await;
    let watch = watch.map_err(|error| of_submit(&error, event))?;
    let watch = watch
        .filter(|watch| watch.state().is_some_and(|state| state.summary.phase == Phase::Open))
        .ok_or_else(|| Problem::not_found("event"))?;
    if watch.is_ended() {
        return Err(Problem::unavailable(&STOPPING));
    }
    let (frames, body) = mpsc::channel(1);
    let (farewell, last) = oneshot::channel();
    let options = service.options().clone();
    tokio::spawn(async move {
        let why = follow(&options, watch, &frames).await;
        drop(frames);
        // Behind what the client has not taken yet; nobody minds if it has left.
        let _ = farewell.send(why.map(closed));
    });
    let mut response = Response::new(body_of_stream(body, last, open));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(NO_BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

/// The frames, then the last one. The stream counts as open until its connection lets go
/// of the body.
fn body_of_stream(
    frames: mpsc::Receiver<Bytes>,
    last: oneshot::Receiver<Option<Bytes>>,
    open: OpenStream,
) -> Body {
    let parts = (frames, Some(last), open);
    Body::from_stream(unfold(parts, |(mut frames, mut last, open)| async move {
        let frame = match frames.recv().await {
            Some(frame) => frame,
            None => last.take()?.await.ok()??,
        };
        Some((Ok::<_, Infallible>(frame), (frames, last, open)))
    }))
}

/// Tell every state until there is a reason to end; `None` if the client has left.
async fn follow(
    options: &Options,
    mut watch: Watch,
    frames: &mpsc::Sender<Bytes>,
) -> Option<&'static str> {
    let mut state = watch.state()?;
    loop {
        if let Err(why) = send(options, &mut watch, frames, update(&state)).await {
            return why;
        }
        if state.summary.phase == Phase::Cancelled {
            return Some(CANCELLED);
        }
        let told = Instant::now();
        // Changes of the next moment are told together. A process that stops, or a client
        // that leaves, is not waited for.
        tokio::select! {
            () = sleep(options.stream_pause) => {}
            () = watch.ended() => return Some(STOPPING),
            () = frames.closed() => return None,
        }
        let mut heartbeat = told + options.stream_heartbeat;
        state = loop {
            tokio::select! {
                next = watch.next() => match next {
                    Some(next) => break next,
                    None => return Some(STOPPING),
                },
                () = frames.closed() => return None,
                () = sleep_until(heartbeat) => {}
            }
            if let Err(why) = send(options, &mut watch, frames, HEARTBEAT.into()).await {
                return why;
            }
            heartbeat = Instant::now() + options.stream_heartbeat;
        };
    }
}

/// Hand a frame to the body, once the client has taken the one before.
async fn send(
    options: &Options,
    watch: &mut Watch,
    frames: &mpsc::Sender<Bytes>,
    frame: Bytes,
) -> Result<(), Option<&'static str>> {
    tokio::select! {
        biased;
        sent = timeout(options.stream_stall, frames.send(frame)) => match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(None),
            Err(_) => Err(Some(TOO_SLOW)),
        },
        () = watch.ended() => Err(Some(STOPPING)),
    }
}

fn update(state: &CommittedState) -> Bytes {
    let body = body_of(&state.summary, state.seq);
    let json = serde_json::to_string(&body).unwrap_or_else(|_| "null".to_owned());
    format!("id: {}\nevent: availability\ndata: {json}\n\n", state.seq.0).into()
}

fn closed(why: &str) -> Bytes {
    format!("event: closed\ndata: {why}\n\n").into()
}
