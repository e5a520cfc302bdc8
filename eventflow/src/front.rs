//! What the process with auth, catalog and bus tells booking replicas, on its internal
//! listener; and the replicas' side of it.
//!
//! | route | |
//! | --- | --- |
//! | `POST /internal/bus` | facts of one partition, in order; each is kept once |
//! | `GET /internal/bus/{partition}` | up to where they have come |
//! | `GET /internal/sessions/ended` | sessions that were ended lately |
//! | those of the catalog | see [`api::internal`] |

use std::sync::Arc;
use std::time::Duration;

use api::extract::{JsonBytes, json_response};
use api::identity::{ENDED_MEMORY, Verifier};
use api::upstream::{Answer, Client, Trust};
use api::wire::Id;
use api::{Clock, ErrorCode, Path, Problem, Upstream, trail};
use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use engine::{EventId, Seq, Timestamp};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use storage::{
    Delivery, Epoch, Era, Message, MessageBus, PartitionId, Position, SessionStore, StorageError,
    bus,
};

use crate::clock::ProcessClock;

/// Where facts are brought.
const BUS: &str = "/internal/bus";

/// Where the ends of sessions are told.
const ENDED: &str = "/internal/sessions/ended";

/// Most bytes of one delivery of facts.
const BUS_BYTES: usize = 32 * 1024 * 1024;

/// How often replicas ask which sessions were ended.
const FOLLOW_EVERY: Duration = Duration::from_secs(2);

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// The folder's ledger has one partition, which has a cursor in the same table: those of
/// replicas are counted from the next one on.
const FIRST: u16 = 1;

#[derive(Serialize, Deserialize)]
struct PublishCall {
    partition: u16,
    upto: u64,
    messages: Vec<MessageBody>,
}

#[derive(Serialize, Deserialize)]
struct MessageBody {
    era: u32,
    epoch: u64,
    event: Id,
    seq: u64,
    kind: String,
    /// In bytes, as they are stored.
    body: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct EndedBody {
    session: Id,
    /// Milliseconds since 1970.
    at: i64,
}

/// What the internal listener answers from.
#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) bus: Arc<dyn MessageBus>,
    pub(crate) sessions: Arc<dyn SessionStore>,
    pub(crate) clock: Arc<ProcessClock>,
}

impl Front {
    /// Everything that it answers, beside what the catalog does, to whoever is of this
    /// installation.
    pub(crate) fn router(self, catalog: Router, trust: Trust) -> Router {
        Router::new()
            .route(BUS, post(publish))
            .route("/internal/bus/{partition}", get(cursor))
            .route(ENDED, get(ended))
            .layer(DefaultBodyLimit::max(BUS_BYTES))
            .with_state(self)
            .fallback_service(catalog)
            .layer(middleware::from_fn_with_state(trust, known))
    }
}

/// Only processes of the same installation come in.
async fn known(State(trust): State<Trust>, request: Request, next: Next) -> Response {
    if trust.admits(&request) {
        return trail::followed(request, |request| next.run(request)).await;
    }
    let detail = "This listener is for the other processes of this installation.";
    Problem::new(ErrorCode::Unauthorized, detail).into_response()
}

fn of_storage(error: &StorageError) -> Problem {
    Problem::unavailable(error)
}

async fn publish(State(front): State<Front>, body: JsonBytes) -> Result<Response, Problem> {
    let unreadable = || Problem::new(ErrorCode::InvalidJson, "These facts cannot be read.");
    let call: PublishCall = serde_json::from_slice(&body.0).map_err(|_| unreadable())?;
    let messages = call.messages.into_iter().map(|message| {
        Some(Message {
            era: Era(message.era),
            epoch: Epoch(message.epoch),
            event: EventId::from(message.event),
            seq: Seq(message.seq),
            kind: bus::kind(&message.kind)?,
            body: message.body.into(),
        })
    });
    let messages: Vec<_> = messages.collect::<Option<_>>().ok_or_else(unreadable)?;
    let partition = call.partition.checked_add(FIRST).ok_or_else(unreadable)?;
    let published = front.bus.publish(PartitionId(partition), messages, Position(call.upto)).await;
    published.map_err(|error| of_storage(&error))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn cursor(
    State(front): State<Front>,
    Path(partition): Path<u16>,
) -> Result<Response, Problem> {
    let partition = partition.checked_add(FIRST).ok_or_else(|| Problem::not_found("partition"))?;
    let cursor = front.bus.cursor(PartitionId(partition)).await;
    Ok(json_response(StatusCode::OK, &cursor.map_err(|error| of_storage(&error))?.0))
}

async fn ended(State(front): State<Front>) -> Result<Response, Problem> {
    let memory = i64::from(ENDED_MEMORY.as_millis());
    let now = Clock::now(&*front.clock).millis();
    let since = Timestamp::from_millis(now.saturating_sub(memory));
    let ended = front.sessions.ended_since(since).await.map_err(|error| of_storage(&error))?;
    let ended: Vec<EndedBody> = ended
        .into_iter()
        .map(|ended| EndedBody { session: Id(ended.id.0), at: ended.at.millis() })
        .collect();
    Ok(json_response(StatusCode::OK, &ended))
}

/// The front, as a replica sees it. Cheap to clone.
#[derive(Clone)]
pub struct Remote {
    upstream: Upstream,
}

impl Remote {
    /// The front at this address.
    #[must_use]
    pub fn new(client: Client, address: &str) -> Self {
        Self { upstream: Upstream::Remote { client, address: Arc::from(address) } }
    }

    /// The way to its catalog.
    pub(crate) fn catalog(&self) -> Upstream {
        self.upstream.clone()
    }

    async fn ask(&self, request: Request<Body>) -> Result<Answer, StorageError> {
        let answer = tokio::time::timeout(ANSWER_LIMIT, self.upstream.ask(request))
            .await
            .map_err(|_| StorageError::Unknown("the front did not answer in time".into()))?
            .map_err(|error| StorageError::Unknown(error.to_string()))?;
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(StorageError::Unknown(format!("the front answered {}", answer.status)))
        }
    }

    /// Learn which sessions were ended lately.
    pub(crate) async fn learn_ended(&self, verifier: &Verifier) -> Result<(), StorageError> {
        let unreadable = |error: &dyn std::fmt::Display| StorageError::Unknown(error.to_string());
        let request = Request::get(ENDED).body(Body::empty()).map_err(|e| unreadable(&e))?;
        let answer = self.ask(request).await?;
        let ended: Vec<EndedBody> =
            serde_json::from_slice(&answer.body).map_err(|e| unreadable(&e))?;
        for EndedBody { session, at } in ended {
            verifier.ended_sessions().add(session, Timestamp::from_millis(at));
        }
        Ok(())
    }

    /// Follow the ends of sessions until `shutdown` resolves.
    pub(crate) async fn follow_ended(
        &self,
        verifier: &Verifier,
        shutdown: impl Future<Output = ()>,
    ) {
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                () = tokio::time::sleep(FOLLOW_EVERY) => {
                    if let Err(error) = self.learn_ended(verifier).await {
                        tracing::warn!(%error, "ended sessions cannot be read");
                    }
                }
            }
        }
    }
}

type Told<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

/// A replica only publishes; subscribers are where the bus is.
impl MessageBus for Remote {
    fn cursor(&self, partition: PartitionId) -> Told<'_, Position> {
        Box::pin(async move {
            let request = Request::get(format!("{BUS}/{}", partition.0)).body(Body::empty());
            let request = request.map_err(|error| StorageError::NotDone(error.to_string()))?;
            let answer = self.ask(request).await?;
            let position = serde_json::from_slice(&answer.body);
            Ok(Position(position.map_err(|error| StorageError::Unknown(error.to_string()))?))
        })
    }

    fn publish(
        &self,
        partition: PartitionId,
        messages: Vec<Message>,
        upto: Position,
    ) -> Told<'_, ()> {
        Box::pin(async move {
            let messages = messages.iter().map(|message| MessageBody {
                era: message.era.0,
                epoch: message.epoch.0,
                event: Id::from(message.event),
                seq: message.seq.0,
                kind: message.kind.to_owned(),
                body: message.body.to_vec(),
            });
            let call =
                PublishCall { partition: partition.0, upto: upto.0, messages: messages.collect() };
            let not_done = |error: &dyn std::fmt::Display| StorageError::NotDone(error.to_string());
            let body = serde_json::to_vec(&call).map_err(|error| not_done(&error))?;
            let request = Request::post(BUS)
                .header("content-type", "application/json")
                .body(Body::from(body))
                .map_err(|error| not_done(&error))?;
            self.ask(request).await.map(drop)
        })
    }

    fn next<'a>(&'a self, _: &'a str, _: usize) -> Told<'a, Vec<Delivery>> {
        Box::pin(async { Err(StorageError::NotDone("subscribers are where the bus is".into())) })
    }

    fn has_next<'a>(&'a self, _: &'a str) -> Told<'a, bool> {
        Box::pin(async { Err(StorageError::NotDone("subscribers are where the bus is".into())) })
    }

    fn acknowledge<'a>(&'a self, _: &'a str, _: u64) -> Told<'a, ()> {
        Box::pin(async { Err(StorageError::NotDone("subscribers are where the bus is".into())) })
    }
}
