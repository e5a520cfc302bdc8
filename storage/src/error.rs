//! Failures of a store, and the one question that is asked of them.

/// A store could not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StorageError {
    /// Nothing was written: the store said so before, or rolled back for certain.
    #[error("the store refused, nothing was written: {0}")]
    NotDone(String),
    /// The store is full; nothing was written.
    #[error("the store is full, nothing was written: {0}")]
    Full(String),
    /// The store cannot be reached or did not answer: it may have been written.
    #[error("the store did not answer, it may have been written: {0}")]
    Unknown(String),
    /// What is stored cannot be what we wrote.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// A unique value is taken; `field` names it.
    #[error("{field} is taken")]
    Taken {
        /// Which field's value is taken.
        field: &'static str,
    },
}

impl StorageError {
    /// Whether the failed call has certainly left no trace. If so: report, the state is
    /// untouched, go on. If not: repeat the same batch by its id until the deadline.
    #[must_use]
    pub const fn certainly_not_done(&self) -> bool {
        match self {
            Self::NotDone(_) | Self::Full(_) | Self::Taken { .. } => true,
            Self::Unknown(_) | Self::Damaged(_) => false,
        }
    }
}
