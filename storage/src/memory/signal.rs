//! Waking whoever waits for a state behind a lock.

use std::task::{Context, Waker};

/// Tasks that wait for a change of the state it lies beside, in the same lock: so no
/// change can pass between looking and waiting.
#[derive(Debug, Default)]
pub(super) struct Signal {
    wakers: Vec<Waker>,
}

impl Signal {
    /// Wake this task at the next change.
    pub(super) fn wait(&mut self, cx: &Context<'_>) {
        if !self.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.wakers.push(cx.waker().clone());
        }
    }

    /// Something changed: everybody looks again.
    pub(super) fn changed(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }
}
