//! What the answer of a store means for a batch and for its actor.

use storage::{CommitOutcome, Position, StorageError, Validity};

/// What to do after one attempt to commit a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is durable, at this place of the outbox: release its answers.
    Durable(Position),
    /// Nobody knows: repeat the same batch by its id.
    Repeat,
    /// The actor ends and its memory is dropped.
    End(Ending),
}

/// Why an actor's memory has to be dropped, and what its batch has become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The batch is certainly not there, the store says why. The stored state is as before.
    NotWritten(String),
    /// Nobody knows whether the batch is there.
    Unknown(String),
    /// The ownership is over, for good.
    Fenced {
        /// Whether an earlier attempt may have written it.
        perhaps_written: bool,
    },
    /// The history stands elsewhere than this actor believed.
    Diverged {
        /// Whether an earlier attempt may have written it.
        perhaps_written: bool,
    },
    /// The stored history is shorter than what is in memory: the partition closes.
    Behind,
    /// The store found the batch against the law: a bug of ours.
    Invalid,
}

impl Ending {
    /// Whether the batch may have been written: its callers are told *unknown*.
    #[must_use]
    pub const fn perhaps_written(&self) -> bool {
        match self {
            Self::NotWritten(_) | Self::Behind | Self::Invalid => false,
            Self::Unknown(_) => true,
            Self::Fenced { perhaps_written } | Self::Diverged { perhaps_written } => {
                *perhaps_written
            }
        }
    }
}

/// What a validation means for answers that wrote nothing: `None` lets them go.
#[must_use]
pub fn judge_validity(answer: Result<Validity, StorageError>) -> Option<Ending> {
    match answer {
        Ok(Validity::Current) => None,
        Ok(Validity::Ahead) => Some(Ending::Diverged { perhaps_written: false }),
        Ok(Validity::Behind) => Some(Ending::Behind),
        Ok(Validity::Fenced) => Some(Ending::Fenced { perhaps_written: false }),
        // They changed nothing, so nothing is unknown.
        Err(error) => Some(Ending::NotWritten(error.to_string())),
    }
}

/// The attempts to commit one batch, always the same one.
#[derive(Debug, Default)]
pub struct Attempts {
    perhaps_written: bool,
}

impl Attempts {
    /// What the answer to the latest attempt means. `overdue`: the commit deadline is over.
    pub fn judge(&mut self, answer: Result<CommitOutcome, StorageError>, overdue: bool) -> Verdict {
        let perhaps_written = self.perhaps_written;
        match answer {
            Ok(CommitOutcome::Applied(position) | CommitOutcome::AlreadyApplied(position)) => {
                Verdict::Durable(position)
            }
            Ok(CommitOutcome::Fenced) => Verdict::End(Ending::Fenced { perhaps_written }),
            Ok(CommitOutcome::Diverged) => Verdict::End(Ending::Diverged { perhaps_written }),
            Ok(CommitOutcome::Invalid) => Verdict::End(Ending::Invalid),
            // A certain "no" to a repeat says nothing of the attempts before it.
            Err(error) if error.certainly_not_done() && !perhaps_written => {
                Verdict::End(Ending::NotWritten(error.to_string()))
            }
            Err(error) => {
                self.perhaps_written = true;
                if overdue {
                    Verdict::End(Ending::Unknown(error.to_string()))
                } else {
                    Verdict::Repeat
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> Result<CommitOutcome, StorageError> {
        Err(StorageError::Unknown("reply lost".into()))
    }

    #[test]
    fn a_lost_reply_is_repeated_and_the_second_copy_is_a_success() {
        let mut attempts = Attempts::default();
        assert_eq!(attempts.judge(lost(), false), Verdict::Repeat);
        let again = Ok(CommitOutcome::AlreadyApplied(Position(7)));
        assert_eq!(attempts.judge(again, false), Verdict::Durable(Position(7)));
    }

    #[test]
    fn after_the_deadline_the_outcome_is_unknown() {
        let ending = match Attempts::default().judge(lost(), true) {
            Verdict::End(ending) => ending,
            other => panic!("{other:?}"),
        };
        assert!(ending.perhaps_written());
    }

    #[test]
    fn a_fence_after_a_lost_reply_does_not_prove_that_nothing_was_written() {
        let mut attempts = Attempts::default();
        assert_eq!(
            attempts.judge(Ok(CommitOutcome::Fenced), false),
            Verdict::End(Ending::Fenced { perhaps_written: false })
        );
        attempts.judge(lost(), false);
        assert_eq!(
            attempts.judge(Ok(CommitOutcome::Fenced), false),
            Verdict::End(Ending::Fenced { perhaps_written: true })
        );
    }

    #[test]
    fn a_certain_no_counts_only_at_the_first_attempt() {
        let full = || Err(StorageError::Full("disk".into()));
        let mut attempts = Attempts::default();
        assert!(matches!(attempts.judge(full(), false), Verdict::End(Ending::NotWritten(_))));
        attempts.judge(lost(), false);
        assert_eq!(attempts.judge(full(), false), Verdict::Repeat);
    }
}
