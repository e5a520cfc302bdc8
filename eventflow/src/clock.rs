//! The only place that reads the wall clock and the system's randomness.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use engine::Timestamp;

/// Process time: the wall clock at the start of the process plus a monotonic clock, so
/// that a jump of the wall clock moves no deadline.
#[derive(Clone, Copy, Debug)]
pub struct ProcessClock {
    wall_at_start: i64,
    start: Instant,
}

impl ProcessClock {
    /// A clock that reads the wall once, now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where the wall clock comes in")]
    pub fn start() -> Self {
        // A machine whose clock stands before 1970 is read as 1970; the check against the
        // newest stored time then stops the start with a sentence.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            wall_at_start: i64::try_from(wall.as_millis()).unwrap_or(i64::MAX),
            start: Instant::now(),
        }
    }

    /// A clock that goes on from this time, as somebody else's clock told it.
    #[must_use]
    pub fn from(told: Timestamp) -> Self {
        Self { wall_at_start: told.millis(), start: Instant::now() }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(self.wall_at_start.saturating_add(passed))
    }
}

impl api::Clock for ProcessClock {
    fn now(&self) -> Timestamp {
        Self::now(self)
    }
}

impl actors::Clock for ProcessClock {
    fn now(&self) -> Timestamp {
        Self::now(self)
    }
}

/// The system's source of randomness.
#[derive(Clone, Copy, Debug)]
pub struct SystemEntropy;

impl api::Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        // The system's source fails only where there is none at all, and then nothing
        // that needs a secret may go on.
        getrandom::fill(bytes).expect("the system has a source of randomness");
    }
}

#[cfg(test)]
mod tests {
    use api::Entropy;

    use super::*;

    #[test]
    fn process_time_starts_at_the_wall_and_never_goes_back() {
        let clock = ProcessClock::start();
        let first = clock.now();
        assert!(first.millis() > 1_700_000_000_000, "after 2023");
        assert!(clock.now() >= first);
    }

    #[test]
    fn randomness_differs() {
        let (mut a, mut b) = ([0; 16], [0; 16]);
        SystemEntropy.fill(&mut a);
        SystemEntropy.fill(&mut b);
        assert_ne!(a, b);
    }
}
