//! What can be set.

use std::time::Duration;

/// Longest time that anybody may be made to wait for an answer.
pub(crate) const DEADLINE_MAX: Duration = Duration::from_secs(30);

/// Settings of the booking service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long a request may take before it is given up; at most 30 seconds,
    /// what is above counts as that.
    pub deadline: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(10) }
    }
}
