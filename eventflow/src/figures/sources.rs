//! What is looked up when somebody asks for the figures: all of it at once, and each within
//! bounds, so that a disk that hangs takes its own figures away and no others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, Shared, join_all};
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// How long one look may take, and so all of them: much less than Prometheus waits, which is
/// ten seconds by default.
const LIMIT: Duration = Duration::from_secs(2);

/// A look, and whether it came to its end; for all who wait for it.
type Look = Shared<BoxFuture<'static, bool>>;

/// One place to look.
pub(super) struct Source {
    /// What it is called in lines.
    name: &'static str,
    /// The figures that are told there and nowhere else. Not those of a histogram.
    figures: &'static [&'static str],
    look: Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
    /// The last look, if it has not ended. There is one at most: where a disk
    /// hangs, each would hold a thread.
    under_way: Mutex<Option<(AbortHandle, Look)>>,
    late: AtomicBool,
}

impl Source {
    /// One that tells these figures.
    pub(super) fn new<F>(
        name: &'static str,
        figures: &'static [&'static str],
        look: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let look = Box::new(move || -> BoxFuture<'static, ()> { Box::pin(look()) });
        let (under_way, late) = (Mutex::default(), AtomicBool::new(false));
        Self { name, figures, look, under_way, late }
    }

    /// Whether its figures are told by now, in time.
    async fn tells(&self) -> bool {
        let told = timeout(LIMIT, self.told()).await.unwrap_or(false);
        // Once when it begins, and not each time that somebody asks.
        if !self.late.swap(!told, Ordering::AcqRel) && !told {
            tracing::warn!(source = self.name, "figures are not told in time and left out");
        }
        told
    }

    /// Whoever asks meanwhile waits for the same look.
    fn told(&self) -> Look {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        // What was begun long ago and has ended since told of long ago.
        if let Some((_, look)) = under_way.as_ref().filter(|(task, _)| !task.is_finished()) {
            return look.clone();
        }
        let task = tokio::spawn((self.look)());
        let handle = task.abort_handle();
        let look = async move { task.await.is_ok() }.boxed().shared();
        *under_way = Some((handle, look.clone()));
        look
    }
}

/// Look everywhere. Returned are the figures that were not told in time.
pub(super) async fn look(sources: impl Iterator<Item = &Source>) -> Vec<&'static str> {
    let looks = sources.map(async |source| if source.tells().await { &[] } else { source.figures });
    join_all(looks).await.concat()
}

/// A text in the format of Prometheus without these figures: what was told of them before is
/// not so any more.
pub(super) fn without(text: &str, figures: &[&str]) -> String {
    let of = |line: &str| {
        let line = line.strip_prefix("# HELP ").or(line.strip_prefix("# TYPE ")).unwrap_or(line);
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        figures.contains(&name)
    };
    text.split_inclusive('\n').filter(|line| !of(line)).collect()
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_meanwhile_waits_for_the_same_look() {
        let looks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&looks);
        let source = Source::new("slow", &["a"], move || {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(LIMIT * 9 / 10)
        });
        let second = async {
            tokio::time::sleep(LIMIT / 2).await;
            source.tells().await
        };
        assert_eq!(tokio::join!(source.tells(), second), (true, true));
        assert_eq!(looks.load(Ordering::Relaxed), 1);
        assert!(source.tells().await, "and the next one looks anew");
        assert_eq!(looks.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_told_in_time_is_known_and_takes_no_longer_than_one() {
        let sources = [
            Source::new("one", &["a", "b"], pending),
            Source::new("two", &["c"], async || {}),
            Source::new("three", &["d"], pending),
            Source::new("four", &["e"], async || panic!("on purpose")),
        ];
        let late = timeout(LIMIT * 3 / 2, look(sources.iter())).await;
        assert_eq!(late.expect("they are made at once"), ["a", "b", "d", "e"]);
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_one_look_at_a_place_at_a_time() {
        let (begun, goes_on) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let source = {
            let (begun, goes_on) = (Arc::clone(&begun), Arc::clone(&goes_on));
            Source::new("disk", &["a"], move || {
                begun.fetch_add(1, Ordering::SeqCst);
                let goes_on = Arc::clone(&goes_on);
                async move { goes_on.notified().await }
            })
        };
        assert!(!timeout(LIMIT * 2, source.tells()).await.expect("in time"));
        assert_eq!(tokio::join!(source.tells(), source.tells()), (false, false));
        assert_eq!(begun.load(Ordering::SeqCst), 1, "it hangs still");
        goes_on.notify_one();
        assert!(source.tells().await, "it has gone on");
        goes_on.notify_one();
        assert!(source.tells().await);
        assert_eq!(begun.load(Ordering::SeqCst), 2, "what is told is as of now");
    }

    #[test]
    fn figures_are_taken_out_whole_and_alone() {
        let one = "# HELP a What it is.\n# TYPE a gauge\na{x=\"b c\"} 1\na{x=\"d\"} 2\n\n";
        let other = "# HELP a_b a\n# TYPE a_b gauge\na_b 1\n";
        assert_eq!(without(&format!("{one}{other}"), &["a"]), format!("\n{other}"));
        assert_eq!(without(&format!("{one}{other}"), &["a_b"]), one);
    }
}
