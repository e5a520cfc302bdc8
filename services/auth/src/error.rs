//! What can go wrong in the auth service, and how the world sees it.

use std::fmt::Display;

use api::{ErrorCode, Problem};
use storage::StorageError;

/// Seconds after which somebody who found the hashing queue full may try again.
const RETRY_BUSY_SECONDS: u32 = 2;

/// Why a call to the service was not granted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name or the address is taken; the field is named.
    #[error("{0} is taken")]
    Taken(&'static str),
    /// The password is too weak; what is wrong with it.
    #[error("the password {0}")]
    WeakPassword(&'static str),
    /// Name and password do not fit, or the account may not log in.
    #[error("wrong user name or password")]
    WrongCredentials,
    /// The token is good, the account is gone or closed.
    #[error("the account is gone or closed")]
    NoAccount,
    /// Too many passwords wait to be hashed.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// A password could not be hashed or a token not be signed.
    #[error("{0}")]
    Internal(String),
    /// The accounts cannot be reached.
    #[error("accounts: {0}")]
    Storage(StorageError),
}

impl Error {
    /// Hashing failed for a reason that isn't the password.
    pub(crate) fn hashing(cause: &dyn Display) -> Self {
        Self::Internal(format!("password hashing: {cause}"))
    }
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Taken { field } => Self::Taken(field),
            other => Self::Storage(other),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Taken(field) => {
                let what = if field == "email" { "e-mail address" } else { "user name" };
                Self::new(ErrorCode::Taken, format!("This {what} is taken."))
                    .field(field, "is taken")
            }
            Error::WeakPassword(detail) => {
                Self::new(ErrorCode::ValidationFailed, "The password is not strong enough.")
                    .field("password", detail)
            }
            Error::WrongCredentials => {
                Self::new(ErrorCode::InvalidCredentials, "User name or password is wrong.")
            }
            Error::NoAccount => {
                Self::new(ErrorCode::Unauthorized, "The account of this token cannot be used.")
            }
            Error::Busy => Self::new(ErrorCode::Overloaded, "Too many people log in right now.")
                .retry_after(RETRY_BUSY_SECONDS),
            Error::Storage(error @ StorageError::Damaged(_)) => Self::internal(&error),
            Error::Storage(error) => Self::unavailable(&error),
            error @ Error::Internal(_) => Self::internal(&error),
        }
    }
}
