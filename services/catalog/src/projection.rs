//! The document from the facts: at once by whoever changed the event, so that the
//! answer's reader sees it, and from the bus, which completes what is missing.

use std::collections::HashSet;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use engine::{BookingEvent, EventId, Seats, Terms, TermsChange, Timestamp, UserId};
use storage::bus::PLACES_CHANGED;
use storage::{
    CatalogEntry, CatalogStore, Delivery, MessageBus, Parked, StorageError, Stored, record,
};

use api::words::{Description, UnreadableWords};

/// Under this name the catalog reads the bus.
pub(crate) const SUBSCRIBER: &str = "catalog";

/// Most messages taken from the bus at a time.
const DELIVERIES: usize = 100;

/// How long to wait after a failure of bus or store, at first and at most.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// One fact about an event, as the catalog understands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) event: EventId,
    pub(crate) version: u32,
    pub(crate) at: Timestamp,
    pub(crate) what: What,
}

/// What a fact says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The event came into being.
    Opened { organizer: UserId, terms: Terms, words: Description },
    /// Terms, words or both changed.
    Changed { terms: TermsChange, words: Description },
    /// It was cancelled.
    Cancelled,
}

impl Fact {
    /// A booking event as a fact for the catalog; `None` if it is about places only.
    pub(crate) fn from_booking_event(
        event: EventId,
        at: Timestamp,
        fact: &BookingEvent,
    ) -> Result<Option<Self>, UnreadableWords> {
        let (version, what) = match fact {
            BookingEvent::EventOpened { organizer, terms, words } => {
                let words = Description::from_words(words)?;
                (1, What::Opened { organizer: *organizer, terms: terms.clone(), words })
            }
            BookingEvent::EventChanged { version, terms, words } => {
                let words = Description::from_words(words)?;
                (*version, What::Changed { terms: all_of(terms), words })
            }
            BookingEvent::EventCancelled { version, .. } => (*version, What::Cancelled),
            _ => return Ok(None),
        };
        Ok(Some(Self { event, version, at, what }))
    }

    /// The document after this fact, from the one before it.
    pub(crate) fn fold(&self, before: Option<CatalogEntry>) -> Option<CatalogEntry> {
        let mut entry = match (&self.what, before) {
            (What::Opened { organizer, terms, words }, None) => {
                let mut entry = blank(self.event, *organizer, self.at);
                set_terms(&mut entry, &all_of(terms));
                set_words(&mut entry, words);
                entry
            }
            (What::Changed { terms, words }, Some(mut entry)) => {
                set_terms(&mut entry, terms);
                set_words(&mut entry, words);
                entry
            }
            (What::Cancelled, Some(mut entry)) => {
                entry.deleted = true;
                entry
            }
            _ => return None,
        };
        entry.version = self.version;
        entry.updated_at = self.at;
        Some(entry)
    }
}

/// Write the document after a fact, if the one before it is there.
pub(crate) async fn apply(
    store: &dyn CatalogStore,
    fact: &Fact,
) -> Result<(Stored, Option<CatalogEntry>), StorageError> {
    let before = store.get(fact.event).await?;
    let stored = before.as_ref().map_or(0, |entry| entry.version);
    if stored >= fact.version {
        return Ok((Stored::AlreadyThere, before));
    }
    if stored + 1 != fact.version {
        return Ok((Stored::PredecessorMissing, None));
    }
    let Some(entry) = fact.fold(before) else {
        return Err(StorageError::Damaged(format!(
            "version {} of event {} does not follow from its document",
            fact.version, fact.event
        )));
    };
    let outcome = store.put(entry.clone()).await?;
    Ok((outcome, (outcome == Stored::Written).then_some(entry)))
}

/// Follow the bus until `shutdown` resolves. A failing bus or store is tried again with
/// growing pauses; a message that can never be taken is reported and parked, so that one
/// event cannot stop all others. `rebuild` makes its document anew.
pub(crate) async fn follow(
    bus: Arc<dyn MessageBus>,
    store: Arc<dyn CatalogStore>,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let mut pause = PAUSE_MIN;
    loop {
        let step = tokio::select! {
            () = &mut shutdown => return,
            step = take(&*bus, &*store) => step,
        };
        if let Err(error) = step {
            tracing::warn!(%error, "the catalog cannot follow the bus");
            tokio::select! {
                () = &mut shutdown => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(PAUSE_MAX);
        } else {
            pause = PAUSE_MIN;
        }
    }
}

/// Takes the next messages. Cut off at any await it loses nothing: what was not
/// acknowledged comes again, and what was applied is applied once.
async fn take(bus: &dyn MessageBus, store: &dyn CatalogStore) -> Result<(), StorageError> {
    let deliveries = bus.next(SUBSCRIBER, DELIVERIES).await?;
    let Some(last) = deliveries.last().map(|delivery| delivery.number) else { return Ok(()) };
    let mut reported = HashSet::new();
    // What people's places do is not in the catalog.
    for delivery in deliveries.iter().filter(|delivery| delivery.kind != PLACES_CHANGED) {
        if let Err(reason) = take_one(store, delivery).await? {
            // Everything after a message left behind misses its predecessor: once is enough.
            if reported.insert(delivery.event) {
                let (event, seq) = (delivery.event, delivery.seq.0);
                tracing::error!(%event, seq, reason, "a message the catalog cannot take is parked");
            }
            let (number, event) = (delivery.number, delivery.event);
            let (kind, body) = (delivery.kind.clone(), Arc::clone(&delivery.body));
            store.park(Parked { number, event, kind, reason, body }).await?;
        }
    }
    bus.acknowledge(SUBSCRIBER, last).await
}

/// The inner error is for good, the outer one may pass.
async fn take_one(
    store: &dyn CatalogStore,
    delivery: &Delivery,
) -> Result<Result<(), String>, StorageError> {
    let entries = match record::decode(&delivery.body) {
        Ok(entries) => entries,
        Err(error) => return Ok(Err(error.to_string())),
    };
    for entry in &entries {
        for booking_event in &entry.events {
            let fact = match Fact::from_booking_event(delivery.event, entry.at, booking_event) {
                Ok(Some(fact)) => fact,
                Ok(None) => continue,
                Err(error) => return Ok(Err(error.to_string())),
            };
            match apply(store, &fact).await {
                Ok((Stored::Written | Stored::AlreadyThere, _)) => {}
                Ok((Stored::PredecessorMissing, _)) => {
                    return Ok(Err(format!("version {} without the one before", fact.version)));
                }
                Err(StorageError::Damaged(cause)) => return Ok(Err(cause)),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(Ok(()))
}

fn all_of(terms: &Terms) -> TermsChange {
    TermsChange {
        capacity: Some(terms.capacity),
        opens_at: Some(terms.opens_at),
        closes_at: Some(terms.closes_at),
        ends_at: Some(terms.ends_at),
        active: Some(terms.active),
        waitlist: Some(terms.waitlist),
        max_per_booking: Some(terms.max_per_booking),
    }
}

fn blank(id: EventId, organizer: UserId, at: Timestamp) -> CatalogEntry {
    CatalogEntry {
        id,
        organizer,
        version: 0,
        title: String::new(),
        description: String::new(),
        location: String::new(),
        starts_at: at,
        ends_at: at,
        timezone: None,
        price_cents: 0,
        capacity: 0,
        opens_at: at,
        closes_at: at,
        is_active: true,
        waitlist: true,
        max_per_booking: 1,
        created_at: at,
        updated_at: at,
        deleted: false,
    }
}

fn set<T: Clone>(field: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        field.clone_from(value);
    }
}

fn set_terms(entry: &mut CatalogEntry, terms: &TermsChange) {
    set(&mut entry.capacity, terms.capacity.as_ref());
    set(&mut entry.opens_at, terms.opens_at.as_ref());
    set(&mut entry.closes_at, terms.closes_at.as_ref());
    set(&mut entry.ends_at, terms.ends_at.as_ref());
    set(&mut entry.is_active, terms.active.as_ref());
    set(&mut entry.waitlist, terms.waitlist.as_ref());
    set(&mut entry.max_per_booking, terms.max_per_booking.map(Seats::get).as_ref());
}

fn set_words(entry: &mut CatalogEntry, words: &Description) {
    set(&mut entry.title, words.title.as_ref());
    set(&mut entry.description, words.description.as_ref());
    set(&mut entry.location, words.location.as_ref());
    set(&mut entry.starts_at, words.starts_at.as_ref());
    set(&mut entry.timezone, words.timezone.as_ref());
    set(&mut entry.price_cents, words.price_cents.as_ref());
}

#[cfg(test)]
mod tests {
    use engine::{Entry, Seq, Words};
    use storage::memory::{MemoryBus, MemoryCatalog};
    use storage::{Epoch, Era, Message, PartitionId, Position};

    use super::*;

    const EVENT: EventId = EventId([1; 16]);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn terms(capacity: u32) -> Terms {
        Terms {
            capacity,
            opens_at: at(1),
            closes_at: at(2),
            ends_at: at(3),
            active: true,
            waitlist: true,
            max_per_booking: Seats::ONE,
        }
    }

    fn words(title: &str) -> Words {
        let description = Description { title: Some(title.into()), ..Description::default() };
        Words::new(description.to_text().as_bytes())
    }

    fn history() -> Vec<BookingEvent> {
        vec![
            BookingEvent::EventOpened {
                organizer: UserId([2; 16]),
                terms: terms(10),
                words: words("A"),
            },
            BookingEvent::EventChanged { version: 2, terms: terms(20), words: words("B") },
            BookingEvent::EventChanged {
                version: 3,
                terms: terms(30),
                words: Words::new(br#"{"v":1}"#),
            },
            BookingEvent::EventCancelled { version: 4, bookings: 0 },
        ]
    }

    fn message(seq: u64, fact: BookingEvent) -> Message {
        let entry = Entry { at: at(100 + seq as i64), answered: None, events: vec![fact] };
        Message {
            era: Era(0),
            epoch: Epoch(1),
            event: EVENT,
            seq: Seq(seq),
            kind: "EventChanged",
            body: record::encode(Seq(seq), &[entry]),
        }
    }

    fn fact(seq: u64, fact: &BookingEvent) -> Fact {
        Fact::from_booking_event(EVENT, at(100 + seq as i64), fact).unwrap().unwrap()
    }

    async fn publish(bus: &MemoryBus, facts: &[(u64, BookingEvent)]) {
        let messages = facts.iter().map(|(seq, fact)| message(*seq, fact.clone())).collect();
        bus.publish(PartitionId(0), messages, Position(1)).await.unwrap();
    }

    #[tokio::test]
    async fn the_bus_alone_builds_the_document() {
        let (bus, store) = (MemoryBus::default(), MemoryCatalog::default());
        let facts: Vec<_> = (1..).zip(history()).collect();
        publish(&bus, &facts[..3]).await;
        take(&bus, &store).await.unwrap();
        let entry = store.get(EVENT).await.unwrap().unwrap();
        assert_eq!((entry.version, entry.capacity, entry.title.as_str()), (3, 30, "B"));
        assert_eq!((entry.created_at, entry.updated_at), (at(101), at(103)));
        assert!(!entry.deleted);
        publish(&bus, &facts[3..]).await;
        take(&bus, &store).await.unwrap();
        let entry = store.get(EVENT).await.unwrap().unwrap();
        assert_eq!((entry.version, entry.deleted), (4, true));
    }

    #[tokio::test]
    async fn at_once_and_bus_in_any_order_end_alike() {
        let facts: Vec<_> = (1..).zip(history()).collect();
        for at_once in 0..16u8 {
            let (bus, store) = (MemoryBus::default(), MemoryCatalog::default());
            for (seq, what) in &facts {
                if at_once & (1 << (seq - 1)) != 0 {
                    // Whatever its outcome: the bus makes up for it.
                    apply(&store, &fact(*seq, what)).await.unwrap();
                }
            }
            publish(&bus, &facts).await;
            take(&bus, &store).await.unwrap();
            let entry = store.get(EVENT).await.unwrap().unwrap();
            assert_eq!((entry.version, entry.title.as_str()), (4, "B"), "{at_once:04b}");
            assert_eq!(entry.updated_at, at(104));
        }
    }

    #[tokio::test]
    async fn without_the_one_before_nothing_is_written() {
        let store = MemoryCatalog::default();
        let second = fact(2, &history()[1]);
        let outcome = apply(&store, &second).await.unwrap();
        assert_eq!(outcome, (Stored::PredecessorMissing, None));
        assert_eq!(store.get(EVENT).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_message_that_cannot_be_taken_does_not_stop_the_others() {
        let (bus, store) = (MemoryBus::default(), MemoryCatalog::default());
        let mut broken = message(1, history()[0].clone());
        broken.event = EventId([9; 16]);
        broken.body = Arc::from(&b"junk"[..]);
        bus.publish(PartitionId(0), vec![broken], Position(1)).await.unwrap();
        publish(&bus, &[(1, history()[0].clone())]).await;
        take(&bus, &store).await.unwrap();
        assert!(store.get(EVENT).await.unwrap().is_some());
    }
}
