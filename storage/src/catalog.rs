//! The catalog's documents: a projection of the events' facts.

use std::sync::Arc;

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
    /// Words in title, location or description, each of them anywhere.
    pub words: Option<SearchWords>,
    /// Only this organizer's.
    pub organizer: Option<UserId>,
    /// Only those that are sold, or that are not.
    pub is_active: Option<bool>,
    /// Only those that start then or later.
    pub starts_after: Option<Timestamp>,
    /// Only those that start earlier.
    pub starts_before: Option<Timestamp>,
    /// Only those at this price or above, in cents.
    pub min_price: Option<i64>,
    /// Only those at this price or below, in cents.
    pub max_price: Option<i64>,
}

/// Most words of a search; what comes after means nothing.
pub const SEARCH_WORDS: usize = 16;

/// The words of a search: letters and digits, at least one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchWords(Vec<String>);

impl SearchWords {
    /// The words in what somebody typed, without anything that could mean something else;
    /// `None` if there is none.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let words: Vec<String> = text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .take(SEARCH_WORDS)
            .map(str::to_lowercase)
            .collect();
        (!words.is_empty()).then_some(Self(words))
    }

    /// Each word; what is searched for must have all of them, and of the last one at least
    /// its beginning.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.0
    }
}

/// What a list is sorted by; equals follow each other by id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SortBy {
    /// The start.
    #[default]
    Start,
    /// The creation.
    Creation,
    /// The price.
    Price,
    /// The title, in lower case.
    Title,
}

/// The order of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Order {
    /// What counts.
    pub by: SortBy,
    /// The greatest first, ids included.
    pub descending: bool,
}

/// What a document is sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortValue {
    /// Milliseconds or cents.
    Number(i64),
    /// A title in lower case.
    Text(String),
}

impl SortBy {
    /// What counts of this document.
    #[must_use]
    pub fn value(self, entry: &CatalogEntry) -> SortValue {
        match self {
            Self::Start => SortValue::Number(entry.starts_at.millis()),
            Self::Creation => SortValue::Number(entry.created_at.millis()),
            Self::Price => SortValue::Number(entry.price_cents),
            Self::Title => SortValue::Text(entry.title.to_lowercase()),
        }
    }
}

/// Which part of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// What follows this place, a document's value and id; from the beginning without.
    pub after: Option<(SortValue, EventId)>,
    /// From there so many are left out.
    pub skip: usize,
    /// So many at most.
    pub limit: usize,
}

/// A fact that the catalog could not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Its number on the bus.
    pub number: u64,
    /// The event it is about.
    pub event: EventId,
    /// What happened.
    pub kind: String,
    /// Why it could not be taken.
    pub reason: String,
    /// The fact in stored form.
    pub body: Arc<[u8]>,
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

    /// A part of the list of documents, in an order, without deleted ones.
    fn list(
        &self,
        filter: CatalogFilter,
        order: Order,
        slice: Slice,
    ) -> BoxFuture<'_, Result<Vec<CatalogEntry>, StorageError>>;

    /// Documents that have all of these words, best match first: a word in the title counts
    /// more than one in the location, and that more than one in the description.
    fn search(
        &self,
        words: SearchWords,
        skip: usize,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<CatalogEntry>, StorageError>>;

    /// All documents in the order of their ids, deleted ones too, after this one.
    fn all(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<CatalogEntry>, StorageError>>;

    /// Write a document whatever is stored, for one that is made anew.
    fn replace(&self, entry: CatalogEntry) -> BoxFuture<'_, Result<(), StorageError>>;

    /// Keep a fact that could not be taken, once.
    fn park(&self, parked: Parked) -> BoxFuture<'_, Result<(), StorageError>>;

    /// The facts that could not be taken, in the order of the bus, at most `limit`.
    fn parked(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Parked>, StorageError>>;

    /// Forget a create key that came to nothing.
    fn forget_key(
        &self,
        organizer: UserId,
        digest: [u8; 16],
    ) -> BoxFuture<'_, Result<(), StorageError>>;

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
