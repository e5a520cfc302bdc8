//! What must be kept: ports, their stored form, and an adapter in memory.
//!
//! Deliberately not here: drivers, sockets, actors, HTTP.

use std::sync::Arc;

pub mod accounts;
pub mod bus;
pub mod catalog;
pub mod chain;
pub mod commit;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod error;
pub mod members;
pub mod memory;
pub mod notices;
pub mod outbox;
pub mod project;
pub mod record;
pub mod recovery;
pub mod sessions;
pub mod views;

pub use accounts::{Account, AccountChange, AccountStore, Role};
pub use bus::{Delivery, Message, MessageBus};
pub use catalog::{
    CatalogEntry, CatalogFilter, CatalogStore, CreateKey, KeptAnswer, Order, Parked, SearchWords,
    Slice, SortBy, SortValue, Stored,
};
pub use commit::{
    BATCH_BYTES, BATCH_ENTRIES, Batch, BatchId, Chain, Claim, CommitOutcome, CommitStore, Epoch,
    Era, Head, Header, Holder, Loaded, PartitionId, Position, SnapshotToKeep, Summary, Validity,
};
pub use error::StorageError;
pub use members::{Member, MemberState, Members};
pub use notices::NoticeStore;
pub use outbox::{
    Conflict, Cursors, Journal, JournalWriter, Outbox, OutboxEntry, Target, WholeJournal,
};
pub use sessions::{Ended, Rotated, Rotation, SecretDigest, Session, SessionId, SessionStore};
pub use views::{
    BookingRow, BookingViews, HoldChange, HoldRow, HoldStatus, HoldStep, PageRequest, PageStart,
    ViewChange,
};

/// The ports that deciding needs, and what follows from it.
#[derive(Clone)]
pub struct BookingStores {
    /// Durable decisions.
    pub commit: Arc<dyn CommitStore>,
    /// What was committed, in order.
    pub outbox: Arc<dyn Outbox>,
    /// The long-term record.
    pub journal: Arc<dyn Journal>,
    /// The same, if it is apart from the outbox and has to be written.
    pub journal_writer: Option<Arc<dyn JournalWriter>>,
    /// Booking lists, and holds with their details.
    pub views: Arc<dyn BookingViews>,
    /// Facts for others.
    pub bus: Arc<dyn MessageBus>,
}

impl Stores {
    /// Those that deciding needs.
    #[must_use]
    pub fn booking(&self) -> BookingStores {
        BookingStores {
            commit: Arc::clone(&self.commit),
            outbox: Arc::clone(&self.outbox),
            journal: Arc::clone(&self.journal),
            journal_writer: self.journal_writer.clone(),
            views: Arc::clone(&self.views),
            bus: Arc::clone(&self.bus),
        }
    }
}

/// All the ports of a process that has everything.
#[derive(Clone)]
pub struct Stores {
    /// Durable decisions.
    pub commit: Arc<dyn CommitStore>,
    /// What was committed, in order.
    pub outbox: Arc<dyn Outbox>,
    /// The long-term record.
    pub journal: Arc<dyn Journal>,
    /// The same, if it is apart from the outbox and has to be written.
    pub journal_writer: Option<Arc<dyn JournalWriter>>,
    /// Booking lists, and holds with their details.
    pub views: Arc<dyn BookingViews>,
    /// Who may log in.
    pub accounts: Arc<dyn AccountStore>,
    /// Who stays logged in.
    pub sessions: Arc<dyn SessionStore>,
    /// What events say of themselves.
    pub catalog: Arc<dyn CatalogStore>,
    /// What people are told.
    pub notices: Arc<dyn NoticeStore>,
    /// Facts for others.
    pub bus: Arc<dyn MessageBus>,
}
