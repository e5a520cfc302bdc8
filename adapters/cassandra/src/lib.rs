//! The journal and the booking views in Cassandra or ScyllaDB.
//!
//! ```text
//! Cassandra ─ journal() ─▶ JournalWriter   every batch verbatim, by event and by place
//!           ─ views()   ─▶ BookingViews    lists and holds, always rebuildable
//! ```
//!
//! No lightweight transactions and no queues of tombstones: a row is never overwritten by
//! what is older, because every write carries (era, seq) as its timestamp, and nothing is
//! deleted. Reads and writes are `LOCAL_QUORUM`.
//!
//! Deliberately not here: what a commit is checked against, and cursors; those are Redis'.

use std::sync::Arc;
use std::time::Duration;

use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::Consistency;
use scylla::statement::prepared::PreparedStatement;
use storage::{BookingViews, JournalWriter, StorageError, WholeJournal};

mod error;
mod journal;
mod rows;
mod views;
mod whole;

use error::{not_done, unknown};

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How long a connection may take to come up.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How long schemas may take to agree.
const SCHEMA_LIMIT: Duration = Duration::from_secs(30);

/// Statements on their way at a time, of one call.
pub(crate) const AT_ONCE: usize = 64;

/// The schema, in order; every statement may be repeated.
const SCHEMA: [&str; 3] = [
    include_str!("../schema/0001_journal.cql"),
    include_str!("../schema/0002_views.cql"),
    include_str!("../schema/0003_eras.cql"),
];

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// Writes are synced before they are acknowledged: `commitlog_sync` `batch` or `group`.
    #[default]
    Synced,
    /// A crash of all replicas at once may take what was acknowledged within the last
    /// seconds. By name only.
    Periodic,
}

/// Where Cassandra is and how it is used.
#[derive(Debug, Clone)]
pub struct Options {
    /// `host:port` of some nodes.
    pub nodes: Vec<String>,
    /// The keyspace.
    pub keyspace: String,
    /// Copies of every row, when the keyspace is made.
    pub replication: u8,
    /// What is asked of the server.
    pub durability: Durability,
    /// How long a hold that is over is kept, in seconds.
    pub hold_memory: u32,
}

impl Options {
    /// The usual ones.
    #[must_use]
    pub fn new(nodes: Vec<String>) -> Self {
        Self {
            nodes,
            keyspace: "eventflow".to_owned(),
            replication: 1,
            durability: Durability::Synced,
            hold_memory: 7 * 86_400,
        }
    }

    /// Nodes and keyspace out of `cassandra://host:port,host:port/keyspace`; none if it is
    /// not such an address. The keyspace may be left out.
    #[must_use]
    pub fn of_url(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("cassandra://")?;
        let (nodes, keyspace) = rest.split_once('/').unwrap_or((rest, ""));
        let nodes = nodes.split(',').filter(|node| !node.is_empty());
        let nodes: Vec<String> = nodes.map(ToOwned::to_owned).collect();
        if nodes.is_empty() {
            return None;
        }
        let mut options = Self::new(nodes);
        if !keyspace.is_empty() {
            keyspace.clone_into(&mut options.keyspace);
        }
        Some(options)
    }
}

/// A keyspace with EventFlow's tables in it.
pub struct Cassandra {
    store: Arc<Store>,
}

/// What both ports share.
pub(crate) struct Store {
    session: Session,
    hold_memory: i32,
    journal: journal::Statements,
    views: views::Statements,
    /// Buckets of events that are known to be written down.
    buckets: views::KnownBuckets,
}

impl Cassandra {
    /// Connect to a keyspace that was made by [`Cassandra::migrate`].
    ///
    /// # Errors
    /// [`StorageError`] with a sentence: no server, no keyspace, or a server that would
    /// lose what it acknowledges.
    pub async fn connect(options: &Options) -> Result<Self, StorageError> {
        let session = session(options).await?;
        check_durability(&session, options.durability).await?;
        session.use_keyspace(&options.keyspace, false).await.map_err(|error| {
            not_done(format!("{error}; `eventflow migrate` makes the keyspace"))
        })?;
        let journal = journal::Statements::prepare(&session).await?;
        let views = views::Statements::prepare(&session).await?;
        let hold_memory = i32::try_from(options.hold_memory).unwrap_or(i32::MAX);
        let buckets = views::KnownBuckets::default();
        Ok(Self { store: Arc::new(Store { session, hold_memory, journal, views, buckets }) })
    }

    /// Make the keyspace and its tables, as far as they are missing.
    ///
    /// # Errors
    /// [`StorageError`] as for [`Cassandra::connect`].
    pub async fn migrate(options: &Options) -> Result<(), StorageError> {
        let session = session(options).await?;
        check_durability(&session, options.durability).await?;
        let (keyspace, copies) = (&options.keyspace, options.replication);
        if !keyspace.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(not_done("a keyspace has letters, digits and _ in its name"));
        }
        let make = format!(
            "CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = \
             {{'class': 'NetworkTopologyStrategy', 'replication_factor': {copies}}}"
        );
        session.query_unpaged(make, ()).await.map_err(unknown)?;
        session.use_keyspace(keyspace, false).await.map_err(unknown)?;
        for file in SCHEMA {
            for statement in statements(file) {
                session.query_unpaged(statement, ()).await.map_err(unknown)?;
            }
        }
        session.await_schema_agreement().await.map_err(unknown)?;
        Ok(())
    }

    /// Take the whole keyspace away. For tests.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn drop_keyspace(options: &Options) -> Result<(), StorageError> {
        let drop = format!("DROP KEYSPACE IF EXISTS {}", options.keyspace);
        session(options).await?.query_unpaged(drop, ()).await.map_err(unknown)?;
        Ok(())
    }

    /// The long-term record.
    #[must_use]
    pub fn journal(&self) -> Arc<dyn JournalWriter> {
        self.store.clone()
    }

    /// The journal for a recovery, which reads it whole: what is in it now, and what is
    /// appended to it through what is returned is not looked for.
    ///
    /// # Errors
    /// Those of the server.
    pub async fn whole_journal(&self) -> Result<Arc<dyn WholeJournal>, StorageError> {
        Ok(Arc::new(whole::Whole::look(self.store.clone()).await?))
    }

    /// Empty the lists, to be made anew from the journal.
    ///
    /// # Errors
    /// Those of the server. Some of the lists may be empty then, and others not.
    pub async fn clear_views(&self) -> Result<(), StorageError> {
        self.store.clear_views().await
    }

    /// Lists and holds.
    #[must_use]
    pub fn views(&self) -> Arc<dyn BookingViews> {
        self.store.clone()
    }
}

/// The statements of a file, without its comments.
fn statements(file: &str) -> Vec<String> {
    let code: Vec<&str> = file.lines().filter(|line| !line.starts_with("--")).collect();
    let code = code.join("\n");
    code.split(';').map(str::trim).filter(|one| !one.is_empty()).map(ToOwned::to_owned).collect()
}

async fn session(options: &Options) -> Result<Session, StorageError> {
    let profile = ExecutionProfile::builder()
        .consistency(Consistency::LocalQuorum)
        .request_timeout(Some(ANSWER_LIMIT))
        .build();
    SessionBuilder::new()
        .known_nodes(&options.nodes)
        .connection_timeout(CONNECT_LIMIT)
        .schema_agreement_timeout(SCHEMA_LIMIT)
        .default_execution_profile_handle(profile.into_handle())
        .build()
        .await
        .map_err(not_done)
}

/// Cassandra tells how it syncs. ScyllaDB has no such table; there `commitlog_sync` has to
/// be looked at by whoever runs it.
async fn check_durability(session: &Session, wanted: Durability) -> Result<(), StorageError> {
    let ask = "SELECT value FROM system_views.settings WHERE name = 'commitlog_sync'";
    let Ok(answer) = session.query_unpaged(ask, ()).await else {
        tracing::warn!("this server does not tell how it syncs: see that commitlog_sync is batch");
        return Ok(());
    };
    let rows = answer.into_rows_result().map_err(not_done)?;
    let found: Option<(Option<String>,)> = rows.maybe_first_row().map_err(not_done)?;
    let found = found.and_then(|(value,)| value).unwrap_or_default();
    if found == "periodic" && wanted == Durability::Synced {
        return Err(StorageError::NotDone(
            "Cassandra has commitlog_sync periodic, which acknowledges before it syncs: set it \
             to batch, or name the weaker level in the configuration"
                .into(),
        ));
    }
    Ok(())
}

/// A statement that may be repeated: everything here is.
pub(crate) async fn prepare(
    session: &Session,
    text: &str,
) -> Result<PreparedStatement, StorageError> {
    let mut prepared = session.prepare(text).await.map_err(not_done)?;
    prepared.set_is_idempotent(true);
    Ok(prepared)
}
