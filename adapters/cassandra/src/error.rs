//! What Cassandra's errors mean. Every write here may be repeated, so the only question is
//! whether the caller may believe that nothing was written: it may not.

use std::fmt::Display;

use storage::StorageError;

/// A call that was sent, or may have been.
pub(crate) fn unknown(error: impl Display) -> StorageError {
    StorageError::Unknown(format!("Cassandra: {error}"))
}

/// Nothing was written.
pub(crate) fn not_done(error: impl Display) -> StorageError {
    StorageError::NotDone(format!("Cassandra: {error}"))
}

/// A row that we cannot have written.
pub(crate) fn damaged(what: &str) -> StorageError {
    StorageError::Damaged(format!("Cassandra has {what} that cannot be ours"))
}
