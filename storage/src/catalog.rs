//! The catalog's documents: a projection of the events' facts.

use engine::{EventId, Timestamp, UserId};
use futures_util::future::BoxFuture;

use crate::error::StorageError;

/// An event's description and terms, as people read them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogEntry {
    /// Its id.
    pub id: EventId,
    /// Who may change it.
    pub organizer: UserId,
    /// Version of terms and words; 1 when created.
    pub version: u32,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Where it takes place.
    pub location: String,
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// The IANA zone its times are meant in.
    pub timezone: Option<String>,
    /// The price in cents of the installation's currency.
    pub price_cents: i64,
    /// Places in all.
    pub capacity: u32,
    /// Nothing is sold before.
    pub opens_at: Timestamp,
    /// Nothing is sold from here on.
    pub closes_at: Timestamp,
    /// Whether it is sold at all.
    pub is_active: bool,
    /// Whether people may wait.
    pub waitlist: bool,
    /// Most places of one booking.
    pub max_per_booking: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Whether it was cancelled: reads by people answer 404, booking lists still show it.
    pub deleted: bool,
}

/// What became of a document that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is in.
    Written,
    /// This version, or a later one, was there already.
    AlreadyThere,
    /// The version before it is missing.
    PredecessorMissing,
}

/// A key with which an event was created, remembered per organizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateKey {
    /// Whose key.
    pub organizer: UserId,
    /// Digest of the key.
    pub digest: [u8; 16],
    /// Digest of the canonical body.
    pub fingerprint: [u8; 8],
    /// The event it created, or is creating.
    pub event: EventId,
    /// Until when it is kept.
    pub keep_until: Timestamp,
}

/// The answer to a write to `/events`, kept so that a repeat of its key is told the
/// same, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Whose key.
    pub principal: UserId,
    /// Digest over (call, key).
    pub digest: [u8; 16],
    /// Digest of the canonical body.
    pub fingerprint: [u8; 8],
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// The `ETag`'s version.
    pub version: u32,
    /// Until when it is kept.
    pub keep_until: Timestamp,
}

/// Which events a list shows. Deleted ones never appear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogFilter {
    /// Part of the title, in any case.
    pub title: Option<String>,
    /// Part of the location, in any case.
    pub location: Option<String>,
    /// Only this organizer's.
    pub organizer: Option<UserId>,
}

/// The catalog's documents.
pub trait CatalogStore: Send + Sync {
    /// Store a version of a document if the stored one is its predecessor
    /// (`entry.version - 1`; none for version 1).
    fn put(&self, entry: CatalogEntry) -> BoxFuture<'_, Result<Stored, StorageError>>;

    /// One document, deleted or not.
    fn get(&self, id: EventId) -> BoxFuture<'_, Result<Option<CatalogEntry>, StorageError>>;

    /// These documents, deleted or not, in the same order.
    fn get_many(
        &self,
        ids: Vec<EventId>,
    ) -> BoxFuture<'_, Result<Vec<Option<CatalogEntry>>, StorageError>>;

    /// A page of documents in the order of (starts_at, id), without deleted ones.
    fn list(
        &self,
        filter: CatalogFilter,
        skip: usize,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<CatalogEntry>, StorageError>>;

    /// Remember a create key, or return the one that is there (and not past
    /// `keep_until` at `now`), durably.
    fn remember_key(
        &self,
        key: CreateKey,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<CreateKey, StorageError>>;

    /// Keep an answer, durably, unless one is there for (principal, digest).
    fn keep_answer(
        &self,
        answer: KeptAnswer,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<(), StorageError>>;

    /// The answer kept for a key, if it is not past `keep_until` at `now`.
    fn kept_answer(
        &self,
        principal: UserId,
        digest: [u8; 16],
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<KeptAnswer>, StorageError>>;
}
