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
    /// Most streams of availability open at a time in this process; beyond, 503.
    pub streams: usize,
    /// Most of them for one event.
    pub streams_per_event: usize,
    /// Most of them from one address, where the listener tells it. Behind another proxy
    /// everybody has that one's.
    pub streams_per_address: usize,
    /// A stream without news sends a comment this often, so that nobody takes it for dead.
    pub stream_heartbeat: Duration,
    /// The least time between two updates of a stream; changes in between are told
    /// together, in the next one.
    pub stream_pause: Duration,
    /// A stream whose client takes nothing for this long, though there is something to
    /// take, is ended.
    pub stream_stall: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            streams: 5_000,
            streams_per_event: 2_000,
            streams_per_address: 1_000,
            stream_heartbeat: Duration::from_secs(15),
            stream_pause: Duration::from_millis(100),
            stream_stall: Duration::from_secs(10),
        }
    }
}
