//! All ports in memory, for tests. Nothing survives the process.
//!
//! Each port is a struct with one lock, held only while its maps are read or written and
//! never across an await. [`Faults`] makes commits fail in the ways a real store has.

use std::sync::Arc;

use futures_util::future::{BoxFuture, ready};

use crate::Stores;
use crate::error::StorageError;

mod accounts;
mod bus;
mod catalog;
mod faults;
mod ledger;
mod sessions;
mod signal;
mod views;

pub use accounts::MemoryAccounts;
pub use bus::MemoryBus;
pub use catalog::MemoryCatalog;
pub use faults::Faults;
pub use ledger::MemoryLedger;
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
    bus: Arc<MemoryBus>,
}

impl MemoryStore {
    /// An empty store with this many partitions, at least one.
    #[must_use]
    pub fn new(partitions: u16) -> Self {
        Self {
            ledger: Arc::new(MemoryLedger::new(partitions)),
            views: Arc::default(),
            accounts: Arc::default(),
            sessions: Arc::default(),
            catalog: Arc::default(),
            bus: Arc::default(),
        }
    }

    /// The ports.
    #[must_use]
    pub fn stores(&self) -> Stores {
        Stores {
            commit: self.ledger.clone(),
            outbox: self.ledger.clone(),
            journal: self.ledger.clone(),
            views: self.views.clone(),
            accounts: self.accounts.clone(),
            sessions: self.sessions.clone(),
            catalog: self.catalog.clone(),
            bus: self.bus.clone(),
        }
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
