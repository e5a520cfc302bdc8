//! The service: what the routes share.

use std::sync::Arc;
use std::time::Duration;

use actors::{BoxOffice, FreshViews, Receipt, Request};
use api::{Caller, Entropy, Problem, Upstream, Verifier};
use axum::Router;
use axum::extract::FromRef;
use engine::{Command, EventId, Key};
use tokio::time::Instant;

use crate::error::of_submit;
use crate::meters::Meters;
use crate::options::{DEADLINE_MAX, Options};
use crate::replica::HttpPeers;
use crate::routes;
use crate::streams::Streams;
use crate::ticket::TicketCodes;

tokio::task_local! {
    /// When the request that is being served is to be refused, if its sender has said so.
    static DECIDE_BY: Instant;
}

/// Serve a request that is to be decided within this time.
pub(crate) async fn within<T>(left: Option<Duration>, serving: impl Future<Output = T>) -> T {
    match left {
        Some(left) => DECIDE_BY.scope(Instant::now() + left, serving).await,
        None => serving.await,
    }
}

/// What the service is made of.
pub struct Parts {
    /// Where commands are handed in.
    pub box_office: BoxOffice,
    /// Lists that miss nothing that was answered.
    pub fresh_views: FreshViews,
    /// The catalog's internal routes, for the events in lists.
    pub catalog: Upstream,
    /// Checks tokens.
    pub verifier: Arc<Verifier>,
    /// Makes the keys that clients do not send.
    pub entropy: Arc<dyn Entropy>,
    /// What ticket codes are computed with. It must be the same at every start.
    pub ticket_secret: [u8; 32],
    /// The way to other replicas; `None` in a process that owns everything.
    pub peers: Option<HttpPeers>,
}

/// The booking service. Cheap to clone.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    options: Options,
    parts: Parts,
    tickets: TicketCodes,
    streams: Arc<Streams>,
    meters: Meters,
}

impl Service {
    /// A service over a running actor system.
    #[must_use]
    pub fn new(options: Options, parts: Parts) -> Self {
        let tickets = TicketCodes::new(&parts.ticket_secret);
        let meters = Meters::new();
        Self(Arc::new(Inner { options, parts, tickets, streams: Arc::default(), meters }))
    }

    /// The public routes.
    pub fn router(&self) -> Router {
        routes::public(self.clone())
    }

    /// The routes for the catalog, never to be reachable from outside.
    pub fn internal_router(&self) -> Router {
        routes::internal(self.clone())
    }

    /// The same routes, to be joined with others.
    pub(crate) fn internal_routes(&self) -> Router {
        routes::internal_routes(self.clone())
    }

    pub(crate) fn peers(&self) -> Option<&HttpPeers> {
        self.0.parts.peers.as_ref()
    }

    pub(crate) fn box_office(&self) -> &BoxOffice {
        &self.0.parts.box_office
    }

    pub(crate) fn fresh_views(&self) -> &FreshViews {
        &self.0.parts.fresh_views
    }

    pub(crate) fn catalog(&self) -> &Upstream {
        &self.0.parts.catalog
    }

    pub(crate) fn tickets(&self) -> &TicketCodes {
        &self.0.tickets
    }

    pub(crate) fn streams(&self) -> &Arc<Streams> {
        &self.0.streams
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    /// Look up what is not counted as it happens, and tell whoever counts in this process.
    pub fn set_gauges(&self) {
        self.0.meters.set_streams(self.0.streams.len());
    }

    /// When a request that begins now is given up: not later than its sender wants.
    pub(crate) fn deadline(&self) -> Instant {
        let own = Instant::now() + self.0.options.deadline.min(DEADLINE_MAX);
        DECIDE_BY.try_with(|by| own.min(*by)).unwrap_or(own)
    }

    /// Hand in a command of a caller.
    pub(crate) async fn submit(
        &self,
        caller: &Caller,
        event: EventId,
        key: Key,
        command: Command,
    ) -> Result<Receipt, Problem> {
        let principal = caller.principal();
        let kind = command.name();
        let request = Request { principal, key, command, deadline: self.deadline() };
        let answer = self.box_office().submit(event, request).await;
        let answer = answer.map_err(|error| of_submit(&error, event));
        self.0.meters.count(kind, &answer);
        answer
    }
}

impl FromRef<Service> for Arc<Verifier> {
    fn from_ref(service: &Service) -> Self {
        Self::clone(&service.0.parts.verifier)
    }
}

impl FromRef<Service> for Arc<dyn Entropy> {
    fn from_ref(service: &Service) -> Self {
        Self::clone(&service.0.parts.entropy)
    }
}
