//! Failures of stores as Problems.

use api::Problem;
use storage::StorageError;

/// A store could not be read or written.
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(crate) fn of_storage(error: StorageError) -> Problem {
    match error {
        StorageError::Damaged(_) | StorageError::Taken { .. } => Problem::internal(&error),
        StorageError::NotDone(_) | StorageError::Full(_) | StorageError::Unknown(_) => {
            Problem::unavailable(&error)
        }
    }
}
