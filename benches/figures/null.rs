//! The server that does nothing: the same listener, a router, the token check, JSON in
//! and out, but no decision and no store. What a booking costs beyond it is what
//! EventFlow adds.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use api::booking::{BookRequest, BookingBody};
use api::extract::{JsonBytes, json_response};
use api::{Caller, Problem, Verifier};
use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use benches::people::Signer;
use engine::{Booking, BookingReply, BookingStatus, EventId, Seats, Seq, Timestamp};
use eventflow::clock::ProcessClock;
use eventflow::listen;
use tower::ServiceExt;

/// What the routes share.
#[derive(Clone)]
struct Shared {
    verifier: Arc<Verifier>,
    clock: ProcessClock,
}

impl FromRef<Shared> for Arc<Verifier> {
    fn from_ref(shared: &Shared) -> Self {
        Self::clone(&shared.verifier)
    }
}

impl FromRef<Shared> for ProcessClock {
    fn from_ref(shared: &Shared) -> Self {
        shared.clock
    }
}

/// Serves until SIGTERM, or until it is killed; takes the key from the folder `data`.
pub(crate) fn serve(data: &Path) -> Result<()> {
    let clock = ProcessClock::start();
    let public_key = Signer::of(data)?.public_key();
    let verifier = Arc::new(Verifier::new(&[public_key], Arc::new(clock)));
    let router = Router::new()
        .route("/bookings", get(list).post(book))
        .with_state(Shared { verifier, clock });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = listen::bind("127.0.0.1:0".parse()?).await?;
        let handler = move |request| {
            let answer = router.clone().oneshot(request);
            async move {
                match answer.await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
        };
        let server = listen::Server::start(listener, listen::Options::default(), handler)?;
        println!("null listens on http://{}", server.addr());
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        terminate.recv().await;
        server.stop().await;
        Ok(())
    })
}

/// As if the caller had booked nothing.
async fn list(_caller: Caller) -> Response {
    json_response(StatusCode::OK, &[(); 0])
}

/// As if there were always a place.
async fn book(
    State(clock): State<ProcessClock>,
    caller: Caller,
    JsonBytes(body): JsonBytes,
) -> Result<Response, Problem> {
    let event = match BookRequest::from_body(&body)? {
        BookRequest::Book { event, .. } => event,
        BookRequest::Confirm { .. } => EventId::NIL,
    };
    let now: Timestamp = clock.now();
    let booking = Booking {
        seq: Seq(1),
        user: caller.user,
        quantity: Seats::ONE,
        status: BookingStatus::Confirmed,
        made_at: now,
        changed_at: now,
    };
    let reply = BookingReply { booking, waitlist_position: None };
    Ok(json_response(StatusCode::CREATED, &BookingBody::of(event, &reply)))
}
