//! Failures of the files: at the start as sentences for people, later as what is known of
//! the work they struck.

use std::path::PathBuf;

use rusqlite::ErrorCode;
use storage::StorageError;

/// Why a data folder cannot be used. Each is a sentence for whoever started the program.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made or written.
    #[error("the data folder {} is not writable: {reason}", folder.display())]
    NotWritable {
        /// Which folder.
        folder: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Another process has the folder.
    #[error("the data folder {} is in use by another process", folder.display())]
    InUse {
        /// Which folder.
        folder: PathBuf,
    },
    /// A file is not what was written.
    #[error("{} is damaged: {reason}", file.display())]
    Damaged {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of something else.
    #[error("{} belongs to another program; it was not touched", file.display())]
    Foreign {
        /// Which file.
        file: PathBuf,
    },
    /// A file of a later version of this program.
    #[error(
        "{} was written by a newer version of EventFlow (schema {found}, this version knows \
         {known}); it was not touched",
        file.display()
    )]
    Newer {
        /// Which file.
        file: PathBuf,
        /// Its schema's number.
        found: i64,
        /// The newest number that is known here.
        known: i64,
    },
    /// A file tells of more than the ledger has: one of them is an older copy.
    #[error(
        "{} is ahead of ledger.db (it has followed it to {cursor}, the ledger ends at {last}), \
         as after restoring an older copy: {repair}",
        file.display()
    )]
    Ahead {
        /// Which file.
        file: PathBuf,
        /// How far it has followed the ledger.
        cursor: u64,
        /// Where the ledger ends.
        last: u64,
        /// What repairs it.
        repair: &'static str,
    },
    /// A file cannot be read or written.
    #[error("{} cannot be used: {reason}", file.display())]
    Failed {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        reason: String,
    },
}

/// What a failed statement means for the transaction it was in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The disk is full; nothing is written once the rollback is confirmed.
    Full,
    /// Nothing is known any more of what reached the disk.
    Fatal,
    /// A fault of this one piece of work; nothing is written once it is rolled back.
    Refused,
}

pub(crate) fn meaning(error: &rusqlite::Error) -> Meaning {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Meaning::Full,
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NoLargeFileSupport
            | ErrorCode::PermissionDenied
            | ErrorCode::AuthorizationForStatementDenied,
        ) => Meaning::Fatal,
        _ => Meaning::Refused,
    }
}

/// A read that failed: it changed nothing, but what it met may be damage.
pub(crate) fn read_failed(error: &rusqlite::Error) -> StorageError {
    let damaged = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    ) || matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
    );
    if damaged {
        StorageError::Damaged(error.to_string())
    } else {
        StorageError::NotDone(format!("reading failed: {error}"))
    }
}
