//! The stores of a cluster: which servers, by which drivers. The only place that knows whether
//! these were built in.

use std::sync::Arc;

use engine::Timestamp;
#[cfg(all(feature = "redis", feature = "cassandra"))]
use storage::recovery;
use storage::recovery::{Parts, RebuildReport};
use storage::{
    BookingViews, CommitStore, JournalWriter, Members, MessageBus, Outbox, StorageError,
};

use crate::config::Config;

/// What a booking replica keeps things in.
pub struct Servers {
    /// Durable decisions.
    pub commit: Arc<dyn CommitStore>,
    /// What was committed, in order.
    pub outbox: Arc<dyn Outbox>,
    /// Who is there.
    pub members: Arc<dyn Members>,
    /// The long-term record.
    pub journal: Arc<dyn JournalWriter>,
    /// Booking lists, and holds with their details.
    pub views: Arc<dyn BookingViews>,
    /// The servers' clock, when they were connected.
    pub now: Timestamp,
}

impl Servers {
    /// The stores of a replica whose facts go to this bus.
    #[must_use]
    pub fn booking_stores(&self, bus: Arc<dyn MessageBus>) -> storage::BookingStores {
        storage::BookingStores {
            commit: Arc::clone(&self.commit),
            outbox: Arc::clone(&self.outbox),
            journal: Arc::<dyn JournalWriter>::clone(&self.journal),
            journal_writer: Some(Arc::clone(&self.journal)),
            views: Arc::clone(&self.views),
            bus,
        }
    }
}

/// Connect to the servers that the settings name.
///
/// # Errors
/// A sentence: no server, one that would lose what it acknowledges, one without our data, or
/// a program that was built without its driver.
#[cfg(all(feature = "redis", feature = "cassandra"))]
pub async fn connect(config: &Config, incarnation: u64) -> Result<Servers, StorageError> {
    let redis = adapter_redis::Redis::connect(&redis_options(config, incarnation)).await?;
    let cassandra = adapter_cassandra::Cassandra::connect(&cassandra_options(config)?).await?;
    Ok(Servers {
        now: redis.time().await?,
        commit: redis.commit(),
        outbox: redis.outbox(),
        members: redis.members(),
        journal: cassandra.journal(),
        views: cassandra.views(),
    })
}

/// Make partitions, keyspace and tables, as far as they are missing.
///
/// # Errors
/// As [`connect`].
#[cfg(all(feature = "redis", feature = "cassandra"))]
pub async fn migrate(config: &Config) -> Result<(), StorageError> {
    adapter_cassandra::Cassandra::migrate(&cassandra_options(config)?).await?;
    adapter_redis::Redis::create(&redis_options(config, 0)).await
}

/// What a repair reads and writes; the store may have been emptied.
///
/// # Errors
/// As [`connect`].
#[cfg(all(feature = "redis", feature = "cassandra"))]
pub async fn repair(
    config: &Config,
    bus: Option<Arc<dyn MessageBus>>,
) -> Result<Parts, StorageError> {
    let repair = adapter_redis::Redis::repair(&redis_options(config, 0)).await?;
    let cassandra = adapter_cassandra::Cassandra::connect(&cassandra_options(config)?).await?;
    Ok(Parts { repair, journal: cassandra.whole_journal().await?, views: cassandra.views(), bus })
}

/// Make the lists anew out of the journal, or compare them. Nobody may serve.
///
/// # Errors
/// As [`connect`].
#[cfg(all(feature = "redis", feature = "cassandra"))]
pub async fn rebuild_views(config: &Config, check: bool) -> Result<RebuildReport, StorageError> {
    let redis = adapter_redis::Redis::connect(&redis_options(config, 0)).await?;
    let commit = redis.commit();
    let cassandra = adapter_cassandra::Cassandra::connect(&cassandra_options(config)?).await?;
    let (journal, views) = (cassandra.whole_journal().await?, cassandra.views());
    let (partitions, era) = (commit.partitions(), commit.era().await?);
    let clear = || cassandra.clear_views();
    recovery::rebuild_views(&*journal, &*views, partitions, era, clear, check).await
}

#[cfg(all(feature = "redis", feature = "cassandra"))]
pub(crate) fn redis_options(config: &Config, incarnation: u64) -> adapter_redis::Options {
    let mut options = adapter_redis::Options::new(&config.storage.commits, incarnation);
    if config.storage.durability == "everysec" {
        options.durability = adapter_redis::Durability::EverySecond;
    }
    options
}

#[cfg(all(feature = "redis", feature = "cassandra"))]
pub(crate) fn cassandra_options(
    config: &Config,
) -> Result<adapter_cassandra::Options, StorageError> {
    let options = adapter_cassandra::Options::of_url(&config.storage.journal);
    let mut options = options
        .ok_or_else(|| StorageError::NotDone("the address of Cassandra cannot be read".into()))?;
    options.replication = u8::try_from(config.storage.replication).unwrap_or(1);
    options.hold_memory = config.actors.hold_memory_s;
    if config.storage.durability == "everysec" {
        options.durability = adapter_cassandra::Durability::Periodic;
    }
    Ok(options)
}

#[cfg(not(all(feature = "redis", feature = "cassandra")))]
const WITHOUT: &str = "this program was built without the drivers of Redis and Cassandra: \
                       build it with --features full";

/// Connect to the servers that the settings name.
///
/// # Errors
/// This program has no drivers.
#[cfg(not(all(feature = "redis", feature = "cassandra")))]
#[expect(clippy::unused_async, reason = "the other build waits here")]
pub async fn connect(_: &Config, _: u64) -> Result<Servers, StorageError> {
    Err(StorageError::NotDone(WITHOUT.into()))
}

/// What a repair reads and writes; the store may have been emptied.
///
/// # Errors
/// This program has no drivers.
#[cfg(not(all(feature = "redis", feature = "cassandra")))]
#[expect(clippy::unused_async, reason = "the other build waits here")]
pub async fn repair(_: &Config, _: Option<Arc<dyn MessageBus>>) -> Result<Parts, StorageError> {
    Err(StorageError::NotDone(WITHOUT.into()))
}

/// Make the lists anew out of the journal, or compare them. Nobody may serve.
///
/// # Errors
/// This program has no drivers.
#[cfg(not(all(feature = "redis", feature = "cassandra")))]
#[expect(clippy::unused_async, reason = "the other build waits here")]
pub async fn rebuild_views(_: &Config, _: bool) -> Result<RebuildReport, StorageError> {
    Err(StorageError::NotDone(WITHOUT.into()))
}

/// Make partitions, keyspace and tables, as far as they are missing.
///
/// # Errors
/// This program has no drivers.
#[cfg(not(all(feature = "redis", feature = "cassandra")))]
#[expect(clippy::unused_async, reason = "the other build waits here")]
pub async fn migrate(_: &Config) -> Result<(), StorageError> {
    Err(StorageError::NotDone(WITHOUT.into()))
}
