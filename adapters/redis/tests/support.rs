//! Stores on the server that `EVENTFLOW_TEST_REDIS_URL` names, each under a prefix of its
//! own that is taken away again.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use adapter_redis::{Options, Redis};
use engine::{EventId, Seq};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use storage::memory::MemoryStore;
use storage::{Journal, Outbox, OutboxEntry, PartitionId, Position, StorageError, Stores};

/// Few, as the suites look at all of them again and again.
pub(crate) const PARTITIONS: u16 = 4;

/// Keys deleted at a time.
const AT_ONCE: usize = 500;

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Where the server is.
pub(crate) fn url() -> String {
    #[allow(clippy::disallowed_methods, reason = "a test binary has no other door")]
    let url = std::env::var("EVENTFLOW_TEST_REDIS_URL");
    url.expect("EVENTFLOW_TEST_REDIS_URL names a Redis: `cargo xtask servers up redis` tells")
}

/// Stores made for one test.
#[derive(Default)]
pub(crate) struct Made(Mutex<Vec<String>>);

impl Made {
    /// Options for a new, empty store.
    pub(crate) fn options(&self) -> Options {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("test-{}-{number}:", std::process::id());
        self.0.lock().expect("unpoisoned").push(prefix.clone());
        Options { prefix, partitions: PARTITIONS, ..Options::new(&url(), number) }
    }

    /// A new, empty store.
    pub(crate) async fn redis(&self) -> Redis {
        let options = self.options();
        Redis::create(&options).await.expect("partitions");
        Redis::connect(&options).await.expect("a connection")
    }

    /// The same, from where nothing can be awaited.
    pub(crate) fn fresh(&self) -> Stores {
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async { stores(&self.redis().await) })
        })
    }

    /// Take everything away again.
    pub(crate) async fn clear(self) {
        let prefixes = self.0.into_inner().expect("unpoisoned");
        let mut connection = raw().await;
        for prefix in prefixes {
            let mut cursor = 0_u64;
            loop {
                let (next, keys): (u64, Vec<Vec<u8>>) = redis::cmd("SCAN")
                    .arg(cursor)
                    .arg("MATCH")
                    .arg(format!("{prefix}*"))
                    .arg("COUNT")
                    .arg(AT_ONCE)
                    .query_async(&mut connection)
                    .await
                    .expect("a scan");
                if !keys.is_empty() {
                    let mut unlink = redis::cmd("UNLINK");
                    unlink.arg(keys);
                    let () = unlink.query_async(&mut connection).await.expect("an unlink");
                }
                if next == 0 {
                    break;
                }
                cursor = next;
            }
        }
    }
}

/// A connection past the adapter.
pub(crate) async fn raw() -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(url()).expect("an address");
    client.get_multiplexed_async_connection().await.expect("a connection")
}

/// All ports, with Redis where Redis is used.
pub(crate) fn stores(redis: &Redis) -> Stores {
    let memory = MemoryStore::new(PARTITIONS).stores();
    let outbox = redis.outbox();
    let journal = Arc::new(OverOutbox(outbox.clone()));
    Stores { commit: redis.commit(), outbox, journal, ..memory }
}

/// A journal for the suites: an outbox that is never trimmed has everything.
struct OverOutbox(Arc<dyn Outbox>);

impl Journal for OverOutbox {
    fn history(
        &self,
        event: EventId,
        from: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StorageError>> {
        Box::pin(async move {
            let mut history = Vec::new();
            for partition in (0..PARTITIONS).map(PartitionId) {
                history.extend(self.0.read(partition, Position(0), usize::MAX).await?);
            }
            history.retain(|entry| {
                entry.event == event && (entry.first_seq >= from || entry.last_seq >= from)
            });
            history.truncate(limit);
            Ok(history)
        })
    }

    fn follow(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StorageError>> {
        self.0.read(partition, after, limit)
    }
}
