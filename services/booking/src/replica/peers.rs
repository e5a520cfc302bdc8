//! The other replicas, asked over HTTP on their internal listeners.

use actors::protocol::suspicion::Pong;
use actors::{PeerError, Peers, TailAnswer, TailQuestion};
use api::internal::path_of;
use api::upstream::{Client, UpstreamError};
use api::wire::Id;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Request};
use engine::{EventId, Seq};
use futures_util::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use storage::{Epoch, PartitionId};

use super::POSITIONS;
use super::wire::{HintCall, PongBody, PositionsCall, TailsBody, TailsCall};

/// Most bytes of an answer: the tail of a busy event, wholly.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

type Answer<'a, T> = BoxFuture<'a, Result<T, PeerError>>;

/// The other replicas of an installation. Cheap to clone.
#[derive(Clone)]
pub struct HttpPeers {
    client: Client,
}

impl HttpPeers {
    /// Replicas that know this client's secret.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    async fn ask(
        &self,
        address: &str,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Bytes, PeerError> {
        let failed = |error: &dyn std::fmt::Display| PeerError::Failed(error.to_string());
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(CONTENT_TYPE, "application/json")
            .body(body.map_or_else(Body::empty, Body::from))
            .map_err(|error| failed(&error))?;
        let response = match self.client.call(address, request).await {
            Ok(response) => response,
            Err(UpstreamError::Refused) => return Err(PeerError::Refused),
            Err(error) => return Err(failed(&error)),
        };
        if !response.status().is_success() {
            return Err(failed(&format_args!("it answered {}", response.status())));
        }
        to_bytes(response.into_body(), ANSWER_BYTES).await.map_err(|error| failed(&error))
    }

    async fn post<T: DeserializeOwned>(
        &self,
        address: &str,
        path: &str,
        call: &impl Serialize,
    ) -> Result<T, PeerError> {
        let body =
            serde_json::to_vec(call).map_err(|error| PeerError::Failed(error.to_string()))?;
        read(&self.ask(address, Method::POST, path, Some(body)).await?)
    }

    /// Places in the queue of an event that is served there.
    pub(crate) async fn positions(
        &self,
        address: &str,
        event: EventId,
        seqs: &[Seq],
    ) -> Result<Vec<Option<u32>>, PeerError> {
        let call = PositionsCall { seqs: seqs.iter().map(|seq| seq.0).collect() };
        self.post(address, &path_of(POSITIONS, Id::from(event)), &call).await
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, PeerError> {
    serde_json::from_slice(body).map_err(|error| PeerError::Failed(error.to_string()))
}

impl Peers for HttpPeers {
    fn ping<'a>(&'a self, address: &'a str) -> Answer<'a, Pong> {
        Box::pin(async move {
            let ping = || self.ask(address, Method::GET, "/internal/ping", None);
            let body = match ping().await {
                // A connection that has broken says little; what a new one meets says much.
                Err(PeerError::Failed(_)) => ping().await?,
                answered => answered?,
            };
            let pong: PongBody = read(&body)?;
            pong.to_pong().ok_or_else(|| PeerError::Failed("not a pong".into()))
        })
    }

    fn hint<'a>(
        &'a self,
        address: &'a str,
        partition: PartitionId,
        epoch: Epoch,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            let call = HintCall { partition: partition.0, epoch: epoch.0 };
            let body = serde_json::to_vec(&call);
            let body = body.map_err(|error| PeerError::Failed(error.to_string()))?;
            self.ask(address, Method::POST, "/internal/hint", Some(body)).await.map(drop)
        })
    }

    fn tails<'a>(&'a self, address: &'a str, question: &'a TailQuestion) -> Answer<'a, TailAnswer> {
        Box::pin(async move {
            let call = TailsCall::from(question);
            let body: TailsBody = self.post(address, "/internal/tails", &call).await?;
            body.to_answer().ok_or_else(|| PeerError::Failed("not a tail".into()))
        })
    }
}
