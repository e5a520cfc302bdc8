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
    /// A refresh token that is none, or whose session is over.
    #[error("not a refresh token of a session that lives")]
    BadRefreshToken,
    /// A refresh token that was used before; its session was ended for it.
    #[error("a refresh token that was used before")]
    SpentRefreshToken,
    /// The password until now does not fit.
    #[error("the current password is wrong")]
    WrongCurrentPassword,
    /// Too many attempts; after how many seconds another one is looked at.
    #[error("too many attempts")]
    TooManyAttempts(u32),
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
            Error::BadRefreshToken => Self::new(
                ErrorCode::Unauthorized,
                "The refresh token is not valid, or its session is over. Log in again.",
            ),
            Error::SpentRefreshToken => Self::new(
                ErrorCode::Unauthorized,
                "The refresh token was used before, so its session was ended. Log in again.",
            ),
            Error::WrongCurrentPassword => {
                Self::new(ErrorCode::ValidationFailed, "The current password is wrong.")
                    .field("current_password", "is wrong")
            }
            Error::TooManyAttempts(seconds) => Self::new(
                ErrorCode::TooManyRequests,
                format!("Too many attempts. Try again in {seconds} s."),
            )
            .retry_after(seconds),
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
