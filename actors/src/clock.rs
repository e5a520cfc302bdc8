//! The only place where this crate learns the time.

use engine::Timestamp;

/// Process time: the wall clock at start plus a monotonic clock since, so it never goes
/// backwards while the process lives. Handed in by the process.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}
