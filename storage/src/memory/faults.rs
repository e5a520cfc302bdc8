//! Commits that fail on purpose.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use parking_lot::Mutex;

use super::signal::Signal;

/// The switches of a [`super::MemoryStore`] that make commits fail; clones share them.
/// Faults are used up in the order they were asked for. They strike before any check
/// ([`Faults::lose_answers`] strikes after the commit is done).
#[derive(Debug, Clone, Default)]
pub struct Faults {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    planned: std::collections::VecDeque<Fault>,
    held: bool,
    waiting: usize,
    arrived: u64,
    failing_loads: usize,
    signal: Signal,
}

/// What happens to one commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    NotDone,
    Full,
    UnknownBefore,
    UnknownAfter,
}

impl Faults {
    /// The next `n` commits are refused, certainly not done.
    pub fn refuse_commits(&self, n: usize) {
        self.plan(Fault::NotDone, n);
    }

    /// The next `n` commits find the store full; certainly not done.
    pub fn fill_up(&self, n: usize) {
        self.plan(Fault::Full, n);
    }

    /// The next `n` commits have an unknown outcome and were *not* written.
    pub fn lose_commits(&self, n: usize) {
        self.plan(Fault::UnknownBefore, n);
    }

    /// The next `n` commits have an unknown outcome and *were* written.
    pub fn lose_answers(&self, n: usize) {
        self.plan(Fault::UnknownAfter, n);
    }

    /// The next `n` loads are refused.
    pub fn refuse_loads(&self, n: usize) {
        self.state.lock().failing_loads += n;
    }

    /// From now on commits wait at the door, before anything happens to them.
    pub fn hold_commits(&self) {
        self.state.lock().held = true;
    }

    /// Those that wait go on, and nobody waits any more.
    pub fn release_commits(&self) {
        let mut state = self.state.lock();
        state.held = false;
        state.signal.changed();
    }

    /// Commits that have arrived so far, whatever became of them.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.state.lock().arrived
    }

    /// Ready once at least `n` commits wait at the door.
    pub async fn held(&self, n: usize) {
        poll_fn(|cx| {
            let mut state = self.state.lock();
            if state.waiting >= n {
                return Poll::Ready(());
            }
            state.signal.wait(cx);
            Poll::Pending
        })
        .await;
    }

    fn plan(&self, fault: Fault, n: usize) {
        self.state.lock().planned.extend(std::iter::repeat_n(fault, n));
    }

    /// Through the door, with what is to happen to this commit.
    pub(super) async fn enter(&self) -> Option<Fault> {
        self.state.lock().arrived += 1;
        let mut place: Option<Place<'_>> = None;
        poll_fn(|cx| {
            let mut state = self.state.lock();
            if !state.held {
                return Poll::Ready(state.planned.pop_front());
            }
            if place.is_none() {
                state.waiting += 1;
                state.signal.changed();
                place = Some(Place(self));
            }
            state.signal.wait(cx);
            Poll::Pending
        })
        .await
    }

    /// Whether the load that asks is to fail.
    pub(super) fn strikes_load(&self) -> bool {
        let mut state = self.state.lock();
        let strikes = state.failing_loads > 0;
        state.failing_loads = state.failing_loads.saturating_sub(1);
        strikes
    }
}

/// A place at the door; left also when whoever waits there is dropped.
struct Place<'a>(&'a Faults);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.state.lock().waiting -= 1;
    }
}
