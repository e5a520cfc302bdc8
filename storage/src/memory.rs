//! All ports in memory, for tests. Nothing survives the process.
//!
//! Each port is a struct with one lock, held only while its maps are read or written and
//! never across an await. [`Faults`] makes commits fail in the ways a real store has.

use std::sync::Arc;

use futures_util::future::{BoxFuture, ready};

use crate::Stores;
use crate::error::StorageError;
use crate::outbox::JournalWriter;

mod accounts;
mod bus;
mod catalog;
mod faults;
mod journal;
mod ledger;
mod members;
mod notices;
mod repair;
mod sessions;
mod signal;
mod views;

pub use accounts::MemoryAccounts;
pub use bus::MemoryBus;
pub use catalog::MemoryCatalog;
pub use faults::Faults;
pub use journal::MemoryJournal;
pub use ledger::MemoryLedger;
pub use members::MemoryMembers;
pub use notices::MemoryNotices;
pub use repair::MemoryRepair;
pub use sessions::MemorySessions;
pub use views::MemoryViews;

/// All ports in memory.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    ledger: Arc<MemoryLedger>,
    views: Arc<MemoryViews>,
    accounts: Arc<MemoryAccounts>,
    sessions: Arc<MemorySessions>,
    catalog: Arc<MemoryCatalog>,
    notices: Arc<MemoryNotices>,
    bus: Arc<MemoryBus>,
    /// Where it is apart from the ledger.
    journal: Option<Arc<MemoryJournal>>,
}

impl MemoryStore {
    /// An empty store with this many partitions, at least one. Its ledger is log, outbox and
    /// journal at once.
    #[must_use]
    pub fn new(partitions: u16) -> Self {
        Self::with(MemoryLedger::new(partitions), None)
    }

    /// The same with a journal apart from the outbox, which keeps the cursors and is trimmed
    /// as far as the journal has it: the shape of Redis and Cassandra.
    #[must_use]
    pub fn apart(partitions: u16) -> Self {
        Self::with(MemoryLedger::trimmed(partitions), Some(Arc::default()))
    }

    fn with(ledger: MemoryLedger, journal: Option<Arc<MemoryJournal>>) -> Self {
        Self {
            ledger: Arc::new(ledger),
            journal,
            views: Arc::default(),
            accounts: Arc::default(),
            sessions: Arc::default(),
            catalog: Arc::default(),
            notices: Arc::default(),
            bus: Arc::default(),
        }
    }

    /// The ports.
    #[must_use]
    pub fn stores(&self) -> Stores {
        Stores {
            commit: self.ledger.clone(),
            outbox: self.ledger.clone(),
            journal: match &self.journal {
                Some(journal) => journal.clone(),
                None => self.ledger.clone(),
            },
            journal_writer: self.journal.clone().map(|journal| journal as Arc<dyn JournalWriter>),
            views: self.views.clone(),
            accounts: self.accounts.clone(),
            sessions: self.sessions.clone(),
            catalog: self.catalog.clone(),
            notices: self.notices.clone(),
            bus: self.bus.clone(),
        }
    }

    /// The journal, where it is apart.
    #[must_use]
    pub fn journal(&self) -> Option<Arc<MemoryJournal>> {
        self.journal.clone()
    }

    /// What makes its commits fail.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.ledger.faults()
    }
}

/// An answer that is there already.
fn now<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, Result<T, StorageError>> {
    Box::pin(ready(Ok(value)))
}
