//! Failures of actors and stores as Problems: the one place where it is decided what
//! the world is told of each.

use actors::{Crowd, SubmitError};
use api::problem::Elsewhere;
use api::{ErrorCode, Problem, refusal};
use engine::EventId;
use storage::StorageError;

/// A command to `event`, or a question about it, was not granted.
pub(crate) fn of_submit(error: &SubmitError, event: EventId) -> Problem {
    match error {
        SubmitError::Refused(rejection) => refusal::problem(rejection, event),
        SubmitError::Overloaded(Crowd::Principal) => Problem::new(
            ErrorCode::TooManyRequests,
            "You have too many requests under way. Wait for their answers.",
        )
        .retry_after(1),
        SubmitError::Overloaded(Crowd::Event) => Problem::new(
            ErrorCode::Overloaded,
            "Too many people want something of this event right now. Please try again.",
        )
        .retry_after(1),
        SubmitError::Overloaded(Crowd::Replica) => {
            Problem::new(ErrorCode::Overloaded, "Too much is going on. Please try again.")
                .retry_after(1)
        }
        SubmitError::Elsewhere(elsewhere) => Problem::new(
            ErrorCode::Unavailable,
            "This event is served by another replica right now. Please try again.",
        )
        .elsewhere(Elsewhere {
            partition: elsewhere.partition.0,
            address: elsewhere.address.clone(),
            epoch: elsewhere.epoch.0,
        })
        .retry_after(1),
        SubmitError::ProjectionBehind => Problem::new(
            ErrorCode::ProjectionBehind,
            "The lists have to catch up before anything new is taken. Please try again.",
        )
        .retry_after(2),
        SubmitError::Unavailable(cause) => Problem::unavailable(cause),
        SubmitError::Quarantined => Problem::internal(error),
        SubmitError::DeadlinePassed => Problem::new(
            ErrorCode::Timeout,
            "It took too long and was given up. Nothing was changed. Please try again.",
        )
        .retry_after(1),
        SubmitError::Unknown => Problem::new(
            ErrorCode::OutcomeUnknown,
            "It may or may not have happened. Repeat with the same Idempotency-Key.",
        )
        .retry_after(1),
    }
}

/// A store could not be read.
pub(crate) fn of_storage(error: &StorageError) -> Problem {
    match error {
        StorageError::Damaged(_) | StorageError::Taken { .. } => Problem::internal(error),
        StorageError::NotDone(_) | StorageError::Full(_) | StorageError::Unknown(_) => {
            Problem::unavailable(error)
        }
    }
}

/// Something was decided, but what the answer needs could not be read: a repeat by the same
/// key finds it.
pub(crate) fn of_decided(problem: Problem) -> Problem {
    match problem.code() {
        ErrorCode::Unavailable => Problem::new(
            ErrorCode::OutcomeUnknown,
            "It was done, but cannot be shown right now. Repeat with the same Idempotency-Key.",
        )
        .retry_after(1),
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use engine::Rejection;

    use super::*;

    #[test]
    fn each_failure_has_its_code() {
        let event = EventId::NIL;
        for (error, status, code) in [
            (SubmitError::Refused(Rejection::SalesClosed), 409, "sales_closed"),
            (SubmitError::Overloaded(Crowd::Principal), 429, "too_many_requests"),
            (SubmitError::Overloaded(Crowd::Event), 503, "overloaded"),
            (SubmitError::Overloaded(Crowd::Replica), 503, "overloaded"),
            (SubmitError::ProjectionBehind, 503, "projection_behind"),
            (SubmitError::Unavailable("disk x".into()), 503, "unavailable"),
            (SubmitError::Quarantined, 500, "internal"),
            (SubmitError::DeadlinePassed, 503, "timeout"),
            (SubmitError::Unknown, 503, "outcome_unknown"),
        ] {
            let problem = of_submit(&error, event);
            assert_eq!(problem.code().as_str(), code);
            assert_eq!(problem.code().status().as_u16(), status, "{code}");
            assert!(!problem.detail().contains("disk x"), "nothing internal leaks");
        }
    }
}
