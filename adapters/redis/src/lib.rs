//! Commits, outbox, cursors and members in Redis: what lets any replica take an event over.
//!
//! ```text
//! Redis ─ commit()  ─▶ CommitStore   commits on connections of their own (`link`)
//!       ─ outbox()  ─▶ Outbox, Cursors
//!       ─ members() ─▶ Members
//!       ─ repair()  ─▶ Repair        when it came back shorter, or empty
//! ```
//!
//! Everything that has to happen in one stroke is a function of `schema/eventflow.lua`,
//! loaded whenever a connection is made. A server that would lose what it acknowledges is
//! refused, at each connection anew. A store that was emptied is not taken for a new one:
//! only [`Redis::create`] makes partitions.
//!
//! Deliberately not here: the journal and the lists, which are Cassandra's.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use storage::recovery::Repair;
use storage::{CommitStore, Era, Members, Outbox, PartitionId, StorageError};

mod claims;
mod commit;
mod durability;
mod error;
mod header;
mod keys;
mod link;
mod load;
mod members;
mod outbox;
mod repair;
mod snapshots;

pub use durability::Durability;

use keys::Keys;
use link::Link;
use repair::Repairs;

/// Connections that carry commits. An event keeps to one of them.
const COMMIT_LINKS: usize = 4;

/// Where Redis is and how it is used.
#[derive(Debug, Clone)]
pub struct Options {
    /// `redis://host:port/db`, with `user:password@` if need be.
    pub url: String,
    /// In front of every key. Empty but for tests that share a server.
    pub prefix: String,
    /// How many partitions there are: fixed for the life of the data, at most 1,024.
    pub partitions: u16,
    /// What is asked of the server.
    pub durability: Durability,
    /// Random, other at each start: names what nobody else names.
    pub incarnation: u64,
}

impl Options {
    /// The usual ones.
    #[must_use]
    pub fn new(url: &str, incarnation: u64) -> Self {
        Self {
            url: url.to_owned(),
            prefix: String::new(),
            partitions: engine::PARTITIONS,
            durability: Durability::Always,
            incarnation,
        }
    }
}

/// A Redis with EventFlow's partitions in it.
pub struct Redis {
    store: Arc<Store>,
}

/// What all ports share.
pub(crate) struct Store {
    keys: Keys,
    partitions: u16,
    era: Era,
    /// Commits and snapshots.
    commits: Vec<Link>,
    /// Everything else: what waits there keeps no commit from its turn.
    reads: Link,
    incarnation: u64,
    /// Names given to snapshots.
    names: AtomicU64,
}

impl Redis {
    /// Connect to a store that has been made by [`Redis::create`].
    ///
    /// # Errors
    /// [`StorageError`] with a sentence: no server, one that would lose what it
    /// acknowledges, or one without our partitions.
    pub async fn connect(options: &Options) -> Result<Self, StorageError> {
        let mut store = Store::new(options)?;
        store.era = store.read_era().await?;
        Ok(Self { store: Arc::new(store) })
    }

    /// Make the partitions in an empty store, in the first era. What is there already stays
    /// as it is.
    ///
    /// # Errors
    /// [`StorageError`] as for [`Redis::connect`].
    pub async fn create(options: &Options) -> Result<(), StorageError> {
        Store::new(options)?.create(Era(1)).await
    }

    /// The server's clock: what a replica's time begins with, so that all of them agree.
    ///
    /// # Errors
    /// [`StorageError`]: it did not answer.
    pub async fn time(&self) -> Result<engine::Timestamp, StorageError> {
        let told: (i64, i64) = self.store.reads.ask(&redis::cmd("TIME")).await?;
        Ok(engine::Timestamp::from_millis(told.0 * 1_000 + told.1 / 1_000))
    }

    /// The store for a recovery. It may have been emptied; nothing may serve from it.
    ///
    /// # Errors
    /// [`StorageError`] with a sentence: no server, or one that would lose what it
    /// acknowledges.
    pub async fn repair(options: &Options) -> Result<Arc<dyn Repair>, StorageError> {
        Ok(Arc::new(Repairs::begin(Store::new(options)?).await?))
    }

    /// Claims, loads, commits.
    #[must_use]
    pub fn commit(&self) -> Arc<dyn CommitStore> {
        self.store.clone()
    }

    /// What was committed, in order, and the cursors of those who follow.
    #[must_use]
    pub fn outbox(&self) -> Arc<dyn Outbox> {
        self.store.clone()
    }

    /// Who is there.
    #[must_use]
    pub fn members(&self) -> Arc<dyn Members> {
        self.store.clone()
    }
}

impl Store {
    fn new(options: &Options) -> Result<Self, StorageError> {
        if options.partitions == 0 || options.partitions > engine::PARTITIONS {
            let most = engine::PARTITIONS;
            return Err(StorageError::NotDone(format!("partitions: from 1 to {most}")));
        }
        let client = redis::Client::open(options.url.as_str())
            // Not the error's own words: they may repeat the password.
            .map_err(|_| StorageError::NotDone("the address of Redis cannot be read".into()))?;
        let link = || Link::new(client.clone(), options.durability);
        Ok(Self {
            keys: Keys::new(&options.prefix),
            partitions: options.partitions,
            era: Era(0),
            commits: (0..COMMIT_LINKS).map(|_| link()).collect(),
            reads: link(),
            incarnation: options.incarnation,
            names: AtomicU64::new(0),
        })
    }

    fn all(&self) -> impl Iterator<Item = PartitionId> + use<> {
        (0..self.partitions).map(PartitionId)
    }
}
