//! What Redis' refusals and silences mean.

use redis::{ErrorKind, RedisError, ServerErrorKind};
use storage::StorageError;

/// Codes of replies that Redis gives before it does anything.
const REFUSED: &[&str] = &[
    "READONLY",
    "MISCONF",
    "NOREPLICAS",
    "LOADING",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "NOPERM",
    "NOAUTH",
];

/// What an error means for a call that was sent.
pub(crate) fn of_sent(error: &RedisError) -> StorageError {
    let text = error.to_string();
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::ReadOnly)
        | ErrorKind::Server(ServerErrorKind::MasterDown | ServerErrorKind::ClusterDown)
        | ErrorKind::Server(ServerErrorKind::NoPerm)
        | ErrorKind::AuthenticationFailed => StorageError::NotDone(text),
        _ if error.code() == Some("OOM") => StorageError::Full(text),
        _ if error.code().is_some_and(|code| REFUSED.contains(&code)) => {
            StorageError::NotDone(text)
        }
        // Our functions look first and write afterwards: what they refuse is not done.
        _ if error.code() == Some("MALFORMED") => StorageError::NotDone(text),
        _ if text.contains("Function not found") => {
            StorageError::NotDone("the store has lost our functions".into())
        }
        _ => StorageError::Unknown(text),
    }
}

/// A connection could not be made: nothing was sent.
pub(crate) fn not_sent(error: &RedisError) -> StorageError {
    StorageError::NotDone(format!("Redis cannot be reached: {error}"))
}

/// A reply that our own functions and keys cannot give.
pub(crate) fn damaged(what: &str) -> StorageError {
    StorageError::Damaged(format!("Redis gave a reply that cannot be ours: {what}"))
}
