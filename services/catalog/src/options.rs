//! What can be set.

use std::time::Duration;

use engine::{Limits, Span};

/// Settings of the catalog service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long booking may take to answer a command or a question. Longer than
    /// booking's own deadline, so that it is booking that says what became of it.
    pub booking_patience: Duration,
    /// How long an answer waits for the document to follow its change.
    pub projection_patience: Duration,
    /// How long the answer to a client's key is kept.
    pub client_key_memory: Span,
    /// How long the answer to a key made by the gateway is kept.
    pub edge_key_memory: Span,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            booking_patience: Duration::from_secs(15),
            projection_patience: Duration::from_secs(1),
            client_key_memory: Limits::default().client_key_memory,
            edge_key_memory: Limits::default().edge_key_memory,
        }
    }
}
