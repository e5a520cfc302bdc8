//! What a route answers when it does not answer what was wanted.

use api::Problem;
use api::upstream::{Answer, UpstreamError};
use axum::response::{IntoResponse, Response};
use storage::StorageError;

/// A response that is no success: a problem of our own, or booking's, passed on as it
/// came. Boxed, because a response is large.
#[derive(Debug)]
pub(crate) struct Refused(Box<Response>);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        *self.0
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem.into_response()))
    }
}

impl From<Answer> for Refused {
    fn from(answer: Answer) -> Self {
        Self(Box::new(answer.into_response()))
    }
}

impl From<UpstreamError> for Refused {
    fn from(error: UpstreamError) -> Self {
        error.into_problem().into()
    }
}

impl From<StorageError> for Refused {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Damaged(_) | StorageError::Taken { .. } => Problem::internal(&error),
            StorageError::NotDone(_) | StorageError::Full(_) | StorageError::Unknown(_) => {
                Problem::unavailable(&error)
            }
        }
        .into()
    }
}
