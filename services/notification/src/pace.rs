//! How much of the time background work may take, and that it outlives its own faults. Making
//! and sending thousands of notices costs what as many bookings cost; on a machine with few
//! cores the one would slow the other.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use storage::StorageError;

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

/// A piece of work whose panic is a failure like others: it is told, and tried again. Each
/// piece can be repeated, and what it leaves half done is only in memory.
pub(crate) async fn outlived<T>(
    work: impl Future<Output = Result<T, StorageError>>,
) -> Result<T, StorageError> {
    // Boxed: it is large, and whoever waits for it would have to make room for it twice.
    AssertUnwindSafe(Box::pin(work)).catch_unwind().await.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        let cause = text.unwrap_or_else(|| "of unknown cause".to_owned());
        tracing::error!(cause, "making or sending notices panicked");
        Err(StorageError::Unknown("a panic".into()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_failure_like_others() {
        assert!(matches!(outlived(async { Ok(1) }).await, Ok(1)));
        let failed = outlived(async { Err::<(), _>(StorageError::NotDone("busy".into())) });
        assert!(matches!(failed.await, Err(StorageError::NotDone(_))));
        let panicked = outlived(async { if true { panic!("a bug") } else { Ok(()) } });
        assert!(matches!(panicked.await, Err(StorageError::Unknown(_))));
    }

    #[test]
    fn a_pause_leaves_work_its_share() {
        let worked = Duration::from_millis(10);
        for (share, pause) in [(100, 0), (50, 10), (25, 30), (10, 90), (0, 990)] {
            assert_eq!(Pace::new(share).pause(worked), Duration::from_millis(pause), "{share}");
        }
        assert_eq!(Pace::new(1).pause(Duration::from_secs(9)), PAUSE_MAX);
    }
}
