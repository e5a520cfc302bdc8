//! What goes on beside the requests until the node ends: documents that follow the bus,
//! ended sessions, the health of others, notices.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

/// How long to wait before work that panicked is begun anew.
const PAUSE: Duration = Duration::from_secs(1);

/// Resolves when a follower is to end.
pub(super) type End = BoxFuture<'static, ()>;

/// All of them; they are aborted when this is dropped.
pub(super) struct Followers {
    tasks: JoinSet<()>,
    end: watch::Sender<bool>,
}

impl Followers {
    pub(super) fn new() -> Self {
        Self { tasks: JoinSet::new(), end: watch::channel(false).0 }
    }

    /// Have something done until the end that it is given. If a bug ends it before, that is
    /// told, and it is begun anew: a service that stopped following would serve on, and say
    /// less and less of what is true.
    pub(super) fn add<W>(
        &mut self,
        name: &'static str,
        work: impl Fn(End) -> W + Send + Sync + 'static,
    ) where
        W: Future<Output = ()> + Send + 'static,
    {
        let end = self.end.subscribe();
        self.tasks.spawn(async move {
            while AssertUnwindSafe(work(until(&end))).catch_unwind().await.is_err() {
                tracing::error!(name, "work in the background panicked; it is begun anew");
                tokio::select! {
                    () = until(&end) => return,
                    () = sleep(PAUSE) => {}
                }
            }
        });
    }

    /// Tell all of them to end, and wait for that until `deadline`.
    pub(super) async fn stop(mut self, deadline: Instant) {
        self.end.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout_at(deadline, all).await;
    }
}

fn until(end: &watch::Receiver<bool>) -> End {
    let mut end = end.clone();
    Box::pin(async move {
        // Its being dropped means the same: the node is gone.
        let _ = end.wait_for(|end| *end).await;
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bug_ends_none_of_them() {
        let mut followers = Followers::new();
        let (begun, mut begins) = mpsc::unbounded_channel();
        let (count, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let at_end = Arc::clone(&ended);
        followers.add("test", move |end| {
            let number = count.fetch_add(1, Ordering::Relaxed);
            let (begun, ended) = (begun.clone(), Arc::clone(&at_end));
            async move {
                begun.send(Instant::now()).unwrap();
                assert!(number >= 2, "a bug");
                end.await;
                ended.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut times = Vec::new();
        for _ in 0..3 {
            times.push(begins.recv().await.unwrap());
        }
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= PAUSE), "not at once: {times:?}");
        followers.stop(Instant::now() + PAUSE).await;
        assert_eq!(ended.load(Ordering::Relaxed), 1, "the third one came to its end");
        assert!(begins.recv().await.is_none(), "and none was begun after it");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_panics_again_and_again_ends_with_the_node() {
        let mut followers = Followers::new();
        followers.add("test", |_| async { panic!("a bug") });
        let begun = Instant::now();
        followers.stop(begun + 9 * PAUSE).await;
        assert!(begun.elapsed() <= PAUSE, "nobody waits for it");
    }
}
