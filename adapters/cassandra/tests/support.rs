//! Keyspaces on the server that `EVENTFLOW_TEST_CASSANDRA_URL` names, each of its own and
//! taken away again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use adapter_cassandra::{Cassandra, Options};
use engine::{EventId, EventTag, Timestamp};
use futures_util::future::BoxFuture;
use storage::memory::MemoryStore;
use storage::{
    Batch, Claim, CommitOutcome, CommitStore, Epoch, Era, Head, Header, Holder, JournalWriter,
    Loaded, PartitionId, Position, SnapshotToKeep, StorageError, Stores, Validity,
};

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Partitions of the memory store beside it.
const PARTITIONS: u16 = 3;

/// Keyspaces made for one test.
#[derive(Default)]
pub(crate) struct Made(Mutex<Vec<Options>>);

impl Made {
    /// A new, empty keyspace.
    pub(crate) async fn cassandra(&self) -> Cassandra {
        #[allow(clippy::disallowed_methods, reason = "a test binary has no other door")]
        let url = std::env::var("EVENTFLOW_TEST_CASSANDRA_URL").expect(
            "EVENTFLOW_TEST_CASSANDRA_URL names a Cassandra: `cargo xtask servers up cassandra`",
        );
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let keyspace = format!("test_{}_{number}", std::process::id());
        let options = Options { keyspace, ..Options::of_url(&url).expect("an address") };
        self.0.lock().expect("unpoisoned").push(options.clone());
        Cassandra::migrate(&options).await.expect("a keyspace");
        Cassandra::migrate(&options).await.expect("which may be asked for twice");
        Cassandra::connect(&options).await.expect("a connection")
    }

    /// All ports, with Cassandra where Cassandra is used, from where nothing can be awaited.
    pub(crate) fn fresh(&self) -> Stores {
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let cassandra = self.cassandra().await;
                let memory = MemoryStore::new(PARTITIONS).stores();
                let journal = cassandra.journal();
                let commit = Journalled { inner: memory.clone(), journal: journal.clone() };
                Stores { commit: Arc::new(commit), journal, views: cassandra.views(), ..memory }
            })
        })
    }

    /// A journal of its own, from where nothing can be awaited.
    pub(crate) fn journal(&self) -> Arc<dyn JournalWriter> {
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async { self.cassandra().await.journal() })
        })
    }

    /// Take everything away again.
    pub(crate) async fn clear(self) {
        for options in self.0.into_inner().expect("unpoisoned") {
            Cassandra::drop_keyspace(&options).await.expect("gone");
        }
    }
}

/// A store whose batches are in the journal as soon as they are committed, as the suite of
/// the journal expects.
struct Journalled {
    inner: Stores,
    journal: Arc<dyn JournalWriter>,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

impl CommitStore for Journalled {
    fn commit(&self, batch: Batch) -> Answer<'_, CommitOutcome> {
        Box::pin(async move {
            let partition = self.inner.commit.partition_of(batch.event);
            let outcome = self.inner.commit.commit(batch).await?;
            if let CommitOutcome::Applied(Position(position)) = outcome {
                let before = Position(position - 1);
                let entries = self.inner.outbox.read(partition, before, 1).await?;
                let entries = entries.into_iter().map(Arc::new).collect();
                let conflict = self.journal.append(partition, Era(1), entries).await?;
                assert_eq!(conflict, None);
            }
            Ok(outcome)
        })
    }

    fn partitions(&self) -> u16 {
        self.inner.commit.partitions()
    }

    fn era(&self) -> Answer<'_, Era> {
        self.inner.commit.era()
    }

    fn epoch(&self, partition: PartitionId) -> Answer<'_, Epoch> {
        self.inner.commit.epoch(partition)
    }

    fn holders(&self) -> Answer<'_, Vec<Holder>> {
        self.inner.commit.holders()
    }

    fn claim<'a>(
        &'a self,
        partition: PartitionId,
        owner: &'a str,
        expected: Epoch,
        owner_is_gone: bool,
    ) -> Answer<'a, Claim> {
        self.inner.commit.claim(partition, owner, expected, owner_is_gone)
    }

    fn release(&self, partition: PartitionId, epoch: Epoch) -> Answer<'_, bool> {
        self.inner.commit.release(partition, epoch)
    }

    fn barrier(&self, partition: PartitionId) -> Answer<'_, ()> {
        self.inner.commit.barrier(partition)
    }

    fn newest_time(&self, partition: PartitionId) -> Answer<'_, Option<Timestamp>> {
        self.inner.commit.newest_time(partition)
    }

    fn load(&self, event: EventId) -> Answer<'_, Option<Loaded>> {
        self.inner.commit.load(event)
    }

    fn validate(&self, event: EventId, epoch: Epoch, head: Head) -> Answer<'_, Validity> {
        self.inner.commit.validate(event, epoch, head)
    }

    fn keep_snapshot(&self, snapshot: SnapshotToKeep) -> Answer<'_, bool> {
        self.inner.commit.keep_snapshot(snapshot)
    }

    fn headers(&self, events: Vec<EventId>) -> Answer<'_, Vec<Option<Header>>> {
        self.inner.commit.headers(events)
    }

    fn due(
        &self,
        partition: PartitionId,
        now: Timestamp,
        limit: usize,
    ) -> Answer<'_, Vec<EventId>> {
        self.inner.commit.due(partition, now, limit)
    }

    fn events_by_tag(&self, tag: EventTag) -> Answer<'_, Vec<EventId>> {
        self.inner.commit.events_by_tag(tag)
    }
}
