//! A counter with a bound: how many commands may be in flight somewhere.
//!
//! A mailbox has no bound of its own, so a permit is taken before anything is sent and
//! lives until the answer is out. Nobody ever waits for a permit: who finds none is
//! refused at once, which keeps an overload short.

use crate::sync::{Arc, AtomicUsize, Ordering};

/// A bounded number of permits. Cheap to clone: all clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Permits {
    used: Arc<AtomicUsize>,
    limit: usize,
}

/// One permit; given back when dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<AtomicUsize>);

impl Permits {
    /// `limit` permits, all free.
    pub(crate) fn new(limit: usize) -> Self {
        Self { used: Arc::new(AtomicUsize::new(0)), limit }
    }

    /// A permit, or `None` when all are out.
    pub(crate) fn try_acquire(&self) -> Option<Permit> {
        // Add first, look afterwards: two callers at the brink may both be refused, but
        // never are there more permits out than the limit allows to act.
        if self.used.fetch_add(1, Ordering::AcqRel) >= self.limit {
            self.used.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        Some(Permit(Arc::clone(&self.used)))
    }

    /// How many there are.
    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    /// How many are out.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let before = self.0.fetch_sub(1, Ordering::AcqRel);
        debug_assert!(before > 0, "a permit was given back twice");
    }
}
