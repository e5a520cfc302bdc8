//! What a booking replica is to other processes of its installation: its internal listener's
//! routes, and the passing on of requests that have landed at the wrong replica.
//!
//! ```text
//! peers    the other replicas, asked over HTTP
//! forward  a request for an event that another replica owns is passed on
//! wire     pings and tails as they are written
//! ```
//!
//! | route | who asks | |
//! | --- | --- | --- |
//! | `GET /readyz`, `/health`, `/livez` | whoever balances; without the secret | |
//! | every public route, those of [`api::internal`] | gateway, catalog | passed on if need be |
//! | `GET /internal/ping`, `POST /internal/hint`, `POST /internal/tails` | replicas | |
//! | `POST /internal/events/{id}/positions` | replicas | places in a queue |
//! | `GET /internal/status`, `/internal/owner/{id}`, `/internal/tail/{partition}` | operators | |
//!
//! All but the first need the installation's secret.

use api::extract::{JsonBytes, json_response};
use api::headers::{CLIENT_ADDRESS, CLOCK, Peer, client_address};

use actors::Steward;
use api::upstream::{Client, Trust};
use api::wire::Id;
use api::{ErrorCode, Path, Problem, health, trail};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use engine::{EventId, Seq};
use serde::Serialize;
use storage::{Epoch, MemberState, PartitionId};

use crate::error::{of_storage, of_submit};
use crate::service::Service;

mod forward;
mod peers;
mod wire;

pub use peers::HttpPeers;
use wire::{HintCall, PositionsCall, TailsCall};
pub use wire::{TailEntry, read_tail};

/// Most bytes of a question of another replica: a place of each partition.
const QUESTION_BYTES: usize = 256 * 1024;

/// A store that has not answered for this long makes a replica unready, in milliseconds.
const STORE_PATIENCE: u64 = 3_000;

/// Places in a queue that one event's owner is asked for.
pub(crate) const POSITIONS: &str = "/internal/events/{id}/positions";

/// A booking replica's face to its installation. Cheap to clone.
#[derive(Clone)]
pub struct Replica {
    service: Service,
    steward: Steward,
    client: Client,
}

/// What is told of a replica.
#[derive(Serialize)]
struct StatusBody {
    node: String,
    incarnation: String,
    state: &'static str,
    era: u32,
    /// Partitions served here.
    partitions: usize,
    /// Partitions on their way to or from here.
    preparing: usize,
    /// Partitions closed for repair.
    broken: usize,
    highest_epoch: u64,
    awake: usize,
    /// Booking events committed here and not yet in the lists.
    lag: usize,
    members: usize,
    store_age_ms: u64,
}

#[derive(Serialize)]
struct OwnerBody {
    node: String,
    epoch: u64,
}

impl Replica {
    /// The face of this service, which runs as one replica among others.
    #[must_use]
    pub const fn new(service: Service, steward: Steward, client: Client) -> Self {
        Self { service, steward, client }
    }

    /// Everything that its internal listener answers.
    pub fn router(&self) -> Router {
        let served = self.service.router().merge(self.service.internal_routes());
        let passed_on = middleware::from_fn_with_state(self.clone(), forward::forward);
        let own = Router::new()
            .route("/internal/ping", get(ping))
            .route("/internal/hint", post(hint))
            .route("/internal/tails", post(tails))
            .route(POSITIONS, post(positions))
            .route("/internal/status", get(status))
            .route("/internal/owner/{id}", get(owner))
            .route("/internal/tail/{partition}", get(tail))
            .layer(DefaultBodyLimit::max(QUESTION_BYTES))
            .with_state(self.clone());
        let trust = self.client.trust().clone();
        let known = middleware::from_fn_with_state(trust, known);
        own.fallback_service(served.layer(passed_on)).layer(known).merge(self.health())
    }

    fn health(&self) -> Router {
        Router::new()
            .route("/readyz", get(ready))
            .route("/health", get(ready))
            .route("/livez", get(async || health::answer(true)))
            .with_state(self.clone())
    }
}

/// Only processes of the same installation come in.
async fn known(State(trust): State<Trust>, mut request: Request, next: Next) -> Response {
    if !trust.admits(&request) {
        let detail = "This listener is for the other processes of this installation.";
        return Problem::new(ErrorCode::Unauthorized, detail).into_response();
    }
    // Whose request it is, the gateway knows.
    if let Some(address) = client_address(request.headers()) {
        request.extensions_mut().insert(Peer(address));
    }
    request.headers_mut().remove(CLIENT_ADDRESS);
    trail::followed(request, |request| next.run(request)).await
}

async fn ready(State(replica): State<Replica>) -> Response {
    let mut response = readiness(&replica);
    let now = replica.service.box_office().now().millis();
    response.headers_mut().insert(CLOCK, HeaderValue::from(now));
    response
}

fn readiness(replica: &Replica) -> Response {
    let status = replica.steward.status();
    let store = if status.store_age > STORE_PATIENCE { health::FAILING } else { health::OK };
    let (whole, booking) = match status.state {
        MemberState::Starting => ("starting", "starting"),
        MemberState::Draining => ("draining", "draining"),
        // Without its store it decides nothing.
        MemberState::Ready => (store, health::OK),
    };
    let code = if whole == health::OK { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let parts = serde_json::json!({ "booking": booking, "store": store });
    json_response(code, &serde_json::json!({ "status": whole, "parts": parts }))
}

async fn ping(State(replica): State<Replica>) -> Response {
    json_response(StatusCode::OK, &wire::PongBody::from(replica.steward.pong()))
}

async fn hint(State(replica): State<Replica>, body: JsonBytes) -> Result<Response, Problem> {
    let HintCall { partition, epoch } = wire::parsed(&body.0)?;
    replica.steward.hinted(PartitionId(partition), Epoch(epoch));
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn tails(State(replica): State<Replica>, body: JsonBytes) -> Result<Response, Problem> {
    let question: TailsCall = wire::parsed(&body.0)?;
    let answer = replica.service.fresh_views().tails(&question.to_question()).await;
    let answer = answer.map_err(|error| of_storage(&error))?;
    Ok(json_response(StatusCode::OK, &wire::TailsBody::from(answer)))
}

async fn positions(
    State(replica): State<Replica>,
    Path(event): Path<Id>,
    body: JsonBytes,
) -> Result<Response, Problem> {
    let PositionsCall { seqs } = wire::parsed(&body.0)?;
    let (event, service) = (EventId::from(event), &replica.service);
    let seqs = seqs.into_iter().map(Seq).collect();
    let found = service.box_office().positions(event, seqs, service.deadline()).await;
    Ok(json_response(StatusCode::OK, &found.map_err(|error| of_submit(&error, event))?))
}

async fn status(State(replica): State<Replica>) -> Response {
    let status = replica.steward.status();
    let body = StatusBody {
        node: status.replica.node.to_string(),
        incarnation: format!("{:016x}", status.replica.incarnation),
        state: wire::state(status.state),
        era: status.era,
        partitions: status.open,
        preparing: status.moving,
        broken: status.broken,
        highest_epoch: status.highest_epoch.0,
        awake: status.awake,
        lag: status.lag,
        members: status.members,
        store_age_ms: status.store_age,
    };
    json_response(StatusCode::OK, &body)
}

async fn owner(State(replica): State<Replica>, Path(event): Path<Id>) -> Result<Response, Problem> {
    let epoch = replica.steward.serves(EventId::from(event));
    let epoch = epoch.ok_or_else(|| Problem::not_found("event here"))?;
    let node = replica.steward.node().to_owned();
    Ok(json_response(StatusCode::OK, &OwnerBody { node, epoch: epoch.0 }))
}

async fn tail(
    State(replica): State<Replica>,
    Path(partition): Path<u16>,
) -> Result<Response, Problem> {
    let entries = replica.steward.tail_of(PartitionId(partition));
    let entries: Vec<_> = entries.iter().map(|entry| TailEntry::from(&**entry)).collect();
    Ok(json_response(StatusCode::OK, &entries))
}
