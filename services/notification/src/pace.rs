//! How much of the time background work may take. Making and sending thousands of notices
//! costs what as many bookings cost; on a machine with few cores the one would slow the other.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Longest pause after one piece of work, however long that took.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Work that is followed by a pause in proportion.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    share_percent: u32,
}

impl Pace {
    /// Work takes this share of the time, from 1 to 100.
    pub(crate) fn new(share_percent: u32) -> Self {
        Self { share_percent: share_percent.clamp(1, 100) }
    }

    /// The pause that belongs to a piece of work that took so long.
    fn pause(self, worked: Duration) -> Duration {
        (worked * (100 - self.share_percent) / self.share_percent).min(PAUSE_MAX)
    }

    /// Pause for a piece of work that began then.
    pub(crate) async fn rest(self, began: Instant) {
        let pause = self.pause(began.elapsed());
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_leaves_work_its_share() {
        let worked = Duration::from_millis(10);
        for (share, pause) in [(100, 0), (50, 10), (25, 30), (10, 90), (0, 990)] {
            assert_eq!(Pace::new(share).pause(worked), Duration::from_millis(pause), "{share}");
        }
        assert_eq!(Pace::new(1).pause(Duration::from_secs(9)), PAUSE_MAX);
    }
}
