//! The service: what the routes share.

use std::future::Future;
use std::sync::Arc;

use api::internal::CountsBody;
use api::wire::Id;
use api::{Clock, Entropy, Problem, Upstream, Verifier};
use axum::Router;
use axum::extract::FromRef;
use engine::{EventId, Timestamp};
use storage::{CatalogEntry, CatalogFilter, CatalogStore, MessageBus, StorageError};

use crate::availability::Availability;
use crate::options::Options;
use crate::projection;
use crate::render::event_body;
use crate::routes;

/// What the service is made of.
pub struct Parts {
    /// The documents.
    pub store: Arc<dyn CatalogStore>,
    /// The facts that complete them.
    pub bus: Arc<dyn MessageBus>,
    /// Booking's internal routes.
    pub booking: Upstream,
    /// Checks tokens.
    pub verifier: Arc<Verifier>,
    /// The time. It must be the one that booking's actors have, or ahead of it by no
    /// more than a booking takes to come: sales open at this clock's now.
    pub clock: Arc<dyn Clock>,
    /// Makes ids and the keys that clients do not send.
    pub entropy: Arc<dyn Entropy>,
}

/// The catalog service. Cheap to clone.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    options: Options,
    parts: Parts,
    availability: Availability,
}

/// Events as they are shown.
pub(crate) struct Shown {
    pub(crate) events: Vec<api::catalog::EventBody>,
    /// The counts are from then; `None` if they are live.
    pub(crate) as_of: Option<Timestamp>,
}

impl Service {
    /// A service over its stores and booking.
    #[must_use]
    pub fn new(options: Options, parts: Parts) -> Self {
        Self(Arc::new(Inner { options, parts, availability: Availability::default() }))
    }

    /// The public routes.
    pub fn router(&self) -> Router {
        routes::public(self.clone())
    }

    /// The routes for booking, never to be reachable from outside.
    pub fn internal_router(&self) -> Router {
        routes::internal(self.clone())
    }

    /// Follow the bus until `shutdown` resolves, and complete the documents.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let bus = Arc::clone(&self.0.parts.bus);
        let store = Arc::clone(&self.0.parts.store);
        projection::follow(bus, store, shutdown).await;
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    pub(crate) fn store(&self) -> &dyn CatalogStore {
        &*self.0.parts.store
    }

    pub(crate) fn booking(&self) -> &Upstream {
        &self.0.parts.booking
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.parts.clock.now()
    }

    pub(crate) fn new_event_id(&self) -> EventId {
        EventId(api::clock::uuid_v7(&*self.0.parts.clock, &*self.0.parts.entropy))
    }

    /// A document that people may see, or that may be changed.
    pub(crate) async fn living(&self, id: EventId) -> Result<Option<CatalogEntry>, StorageError> {
        Ok(self.store().get(id).await?.filter(|entry| !entry.deleted))
    }

    /// A page of documents, without deleted ones.
    pub(crate) async fn list(
        &self,
        filter: CatalogFilter,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<CatalogEntry>, StorageError> {
        self.store().list(filter, skip, limit).await
    }

    /// Documents as they are shown, with live counts. What booking says is cancelled is
    /// left out, be its document as old as it may.
    pub(crate) async fn show(&self, entries: &[CatalogEntry]) -> Result<Shown, Problem> {
        let now = self.now();
        let ids: Vec<Id> = entries.iter().map(|entry| Id::from(entry.id)).collect();
        let asked =
            self.0.availability.counts(&self.0.parts.booking, &self.0.options, &ids, now).await?;
        let events = entries
            .iter()
            .zip(&ids)
            .filter_map(|(entry, id)| {
                let counts = asked.of.get(id).copied().unwrap_or_else(|| nobody_yet(entry));
                (!counts.cancelled).then(|| event_body(entry, &counts, now))
            })
            .collect();
        Ok(Shown { events, as_of: asked.as_of })
    }
}

/// The counts of an event that booking does not know: nobody has booked.
fn nobody_yet(entry: &CatalogEntry) -> CountsBody {
    CountsBody {
        capacity: entry.capacity,
        booked: 0,
        held: 0,
        waitlisted: 0,
        waitlist_entries: 0,
        cancelled: entry.deleted,
        version: entry.version,
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
