//! The service: what the routes share.

use std::future::Future;
use std::sync::Arc;

use api::internal::CountsBody;
use api::wire::Id;
use api::{Clock, Entropy, Problem, Upstream, Verifier};
use axum::Router;
use axum::extract::FromRef;
use engine::{EventId, Timestamp};
use storage::{CatalogEntry, CatalogStore, MessageBus, Slice, SortValue, StorageError};

use crate::availability::Availability;
use crate::error::Refused;
use crate::listing::{LIMIT_MAX, Listing};
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

/// Most documents looked at for one page of those that have places.
const LOOKED_AT: usize = 1_000;

/// A page of a list.
pub(crate) struct Page {
    pub(crate) shown: Shown,
    /// Behind this document the next page begins, if there may be one.
    pub(crate) next: Option<(SortValue, EventId)>,
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

    /// Whether the store answers: no event has an id of zeros.
    pub(crate) async fn answers(&self) -> bool {
        self.store().get(EventId([0; 16])).await.is_ok()
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

    /// A page of a list. Whether an event has places only booking knows: then documents
    /// are looked at until there are enough that fit, or [`LOOKED_AT`] were looked at; the
    /// page is short then, and the next one goes on behind the last that was looked at.
    pub(crate) async fn page(&self, listing: &Listing) -> Result<Page, Refused> {
        let Some(has_seats) = listing.has_seats else { return self.plain_page(listing).await };
        let (limit, mut skip) = (listing.slice.limit, listing.slice.skip);
        let mut slice = Slice { skip: 0, limit: LIMIT_MAX, ..listing.slice.clone() };
        let mut shown = Shown { events: Vec::new(), as_of: None };
        let mut looked_at = 0;
        loop {
            let filter = listing.filter.clone();
            let entries = self.store().list(filter, listing.order, slice.clone()).await?;
            let all = self.show(&entries).await?;
            shown.as_of = match (shown.as_of, all.as_of) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
            let ended = entries.len() < slice.limit;
            for entry in entries {
                let place = (listing.order.by.value(&entry), entry.id);
                let event = all.events.iter().find(|event| event.id == Id::from(entry.id));
                slice.after = Some(place.clone());
                let Some(event) = event.filter(|event| (event.available > 0) == has_seats) else {
                    continue;
                };
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                shown.events.push(event.clone());
                if shown.events.len() == limit {
                    return Ok(Page { shown, next: Some(place) });
                }
            }
            looked_at += slice.limit;
            if ended || looked_at >= LOOKED_AT {
                return Ok(Page { shown, next: slice.after.filter(|_| !ended) });
            }
        }
    }

    async fn plain_page(&self, listing: &Listing) -> Result<Page, Refused> {
        // One more than is shown tells whether there is a next page.
        let limit = listing.slice.limit;
        let slice = Slice { limit: limit + 1, ..listing.slice.clone() };
        let mut entries = self.store().list(listing.filter.clone(), listing.order, slice).await?;
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().filter(|_| more);
        let next = next.map(|entry| (listing.order.by.value(entry), entry.id));
        Ok(Page { shown: self.show(&entries).await?, next })
    }

    /// A document whose event is no more: nobody has a place there.
    pub(crate) fn without_counts(&self, entry: &CatalogEntry) -> api::catalog::EventBody {
        event_body(entry, &nobody_yet(entry), self.now())
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
