//! Guards taken away, one at a time: the simulator has to notice each.

/// A guard that is missing in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// The store takes batches of every ownership.
    NoEpoch,
    /// The store takes batches upon any head, and knows none again.
    NoSequence,
    /// A new owner serves what its store has not synced yet.
    NoBarrier,
    /// Answers leave when their batch is sent.
    AnswerBeforeCommit,
    /// Refusals, replays and reads leave without asking whether the memory still stands.
    AnswerWithoutValidation,
    /// A list is given although tails are missing.
    ListWithoutCoverage,
    /// A list takes the tail of whoever says that it is the owner.
    ListWithoutEpochCheck,
    /// A list takes the tail of an owner that has not heard yet of what it wrote.
    ListWithoutNewest,
    /// A new owner serves before it has read the outbox.
    ServeBeforeTail,
    /// What landed behind an owner's back is looked for neither after an unknown outcome nor
    /// when the holders are read.
    NobodyFollows,
}

impl Mutant {
    /// All of them.
    pub(crate) const ALL: [Self; 10] = [
        Self::NoEpoch,
        Self::NoSequence,
        Self::NoBarrier,
        Self::AnswerBeforeCommit,
        Self::AnswerWithoutValidation,
        Self::ListWithoutCoverage,
        Self::ListWithoutEpochCheck,
        Self::ListWithoutNewest,
        Self::ServeBeforeTail,
        Self::NobodyFollows,
    ];

    /// A seed that has noticed it before: tried first, so that the test is quick as long as
    /// the world stays as it is.
    pub(crate) fn noticed_before(self) -> u64 {
        match self {
            Self::NoEpoch => 41,
            Self::NoBarrier => 1771,
            Self::AnswerWithoutValidation => 36,
            Self::ListWithoutEpochCheck => 2202,
            Self::ListWithoutNewest => 310,
            Self::NobodyFollows => 956,
            _ => 1,
        }
    }
}
