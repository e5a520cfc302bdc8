//! The message bus: facts for other services, at least once, in order per event.

use std::sync::Arc;

use engine::{EventId, Seq};
use futures_util::future::BoxFuture;

use crate::commit::{Epoch, Era, PartitionId, Position};
use crate::error::StorageError;

/// A fact on its way to whoever subscribed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The history it is from; with event and seq its identity.
    pub era: Era,
    /// The ownership under which it was decided.
    pub epoch: Epoch,
    /// The event it is about.
    pub event: EventId,
    /// The first booking event it carries.
    pub seq: Seq,
    /// What happened, e.g. `EventChanged`.
    pub kind: &'static str,
    /// What happened in stored form ([`crate::record`]): one booking event, or for
    /// [`PLACES_CHANGED`] all that follow each other in a batch.
    pub body: Arc<[u8]>,
}

/// A message handed to a subscriber, to be acknowledged by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its place on the bus.
    pub number: u64,
    /// The history it is from.
    pub era: Era,
    /// The event it is about.
    pub event: EventId,
    /// The first booking event it carries.
    pub seq: Seq,
    /// What happened.
    pub kind: String,
    /// What happened in stored form.
    pub body: Arc<[u8]>,
}

/// Publishing moves a cursor in the transaction of the effect; subscribers read in
/// order and acknowledge up to a number.
pub trait MessageBus: Send + Sync {
    /// The position up to which a partition's facts are on the bus.
    fn cursor(&self, partition: PartitionId) -> BoxFuture<'_, Result<Position, StorageError>>;

    /// Publish in order and move the cursor to `upto`, in one stroke. A message that is
    /// there already (era, event, seq) is not doubled.
    fn publish(
        &self,
        partition: PartitionId,
        messages: Vec<Message>,
        upto: Position,
    ) -> BoxFuture<'_, Result<(), StorageError>>;

    /// The next unacknowledged messages for a subscriber, in order, at most `limit`;
    /// waits until there is one.
    fn next<'a>(
        &'a self,
        subscriber: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Delivery>, StorageError>>;

    /// Whether [`Self::next`] would not wait.
    fn has_next<'a>(&'a self, subscriber: &'a str) -> BoxFuture<'a, Result<bool, StorageError>>;

    /// Everything up to and including `number` is done for this subscriber.
    fn acknowledge<'a>(
        &'a self,
        subscriber: &'a str,
        number: u64,
    ) -> BoxFuture<'a, Result<(), StorageError>>;
}

/// The kind of a message that says who got places, waits for them or lost them: all such
/// facts that follow each other in a batch. One message for many, because a sale makes
/// thousands a second.
pub const PLACES_CHANGED: &str = "PlacesChanged";

/// All kinds of messages.
const KINDS: [&str; 4] = ["EventOpened", "EventChanged", "EventCancelled", PLACES_CHANGED];

/// The kind of this name, if there is one.
#[must_use]
pub fn kind(name: &str) -> Option<&'static str> {
    KINDS.into_iter().find(|kind| *kind == name)
}
