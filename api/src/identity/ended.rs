//! Sessions that were ended while tokens of them may still be out.

use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use engine::{Span, Timestamp};

use super::{LEEWAY_SECONDS, TOKEN_SECONDS};
use crate::wire::Id;

/// How many are added between two looks for those that nobody needs any more.
const SWEEP_EVERY: usize = 256;

/// For how long the end of a session must be known: no token of it is good after that.
pub const ENDED_MEMORY: Span = Span::seconds((TOKEN_SECONDS + 2 * LEEWAY_SECONDS) as u32);

/// The sessions that were ended lately. Each had a log-in of its own, whose password hash
/// bounds how many there can be.
#[derive(Default)]
pub struct EndedSessions {
    until: DashMap<Id, Timestamp>,
    // Kept beside the map, so that nothing is looked up while there are none.
    count: AtomicUsize,
    added: AtomicUsize,
}

impl EndedSessions {
    /// Tokens of this session, ended at `at`, are not good any more.
    pub fn add(&self, session: Id, at: Timestamp) {
        if self.until.insert(session, at.plus(ENDED_MEMORY)).is_none() {
            self.count.fetch_add(1, Ordering::Release);
        }
        if self.added.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.sweep(at);
        }
    }

    /// Whether no session was ended lately.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Whether a session was ended.
    #[must_use]
    pub fn contains(&self, session: Id) -> bool {
        self.count.load(Ordering::Acquire) > 0 && self.until.contains_key(&session)
    }

    fn sweep(&self, now: Timestamp) {
        let mut gone = 0;
        self.until.retain(|_, until| {
            let keep = now < *until;
            gone += usize::from(!keep);
            keep
        });
        self.count.fetch_sub(gone, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_known_as_long_as_a_token_may_live() {
        let ended = EndedSessions::default();
        let at = Timestamp::from_millis(1_000);
        assert!(!ended.contains(Id([1; 16])));
        ended.add(Id([1; 16]), at);
        ended.add(Id([1; 16]), at);
        assert!(ended.contains(Id([1; 16])));
        assert!(!ended.contains(Id([2; 16])));
        ended.sweep(at.plus(Span::seconds(TOKEN_SECONDS as u32)));
        assert!(ended.contains(Id([1; 16])), "a token may still be good");
        ended.sweep(at.plus(ENDED_MEMORY));
        assert!(!ended.contains(Id([1; 16])));
        assert_eq!(ended.count.load(Ordering::Relaxed), 0);
    }
}
