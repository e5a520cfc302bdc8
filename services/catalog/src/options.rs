//! What can be set.

use std::time::Duration;

/// Settings of the catalog service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long booking may take to answer a command or a question. Longer than
    /// booking's own deadline, so that it is booking that says what became of it.
    pub booking_patience: Duration,
    /// How long an answer waits for the document to follow its change.
    pub projection_patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            booking_patience: Duration::from_secs(15),
            projection_patience: Duration::from_secs(1),
        }
    }
}
