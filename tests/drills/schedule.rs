//! When operations are due: at a fixed rate from the beginning, whatever became of the
//! earlier ones. A server that stalls does not get fewer operations to be slow at.

use std::time::Duration;

/// Due times at a fixed rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    per_second: u32,
    operations: u64,
}

impl Schedule {
    /// So many a second for so many seconds.
    pub(crate) fn new(per_second: u32, seconds: u32) -> Self {
        Self { per_second, operations: u64::from(per_second) * u64::from(seconds) }
    }

    /// How many operations there are.
    pub(crate) fn operations(self) -> u64 {
        self.operations
    }

    /// When the operation with this number, from 0, is due after the beginning. Counted
    /// from the beginning each time, so that no rounding adds up.
    pub(crate) fn due(self, number: u64) -> Duration {
        let nanos = u128::from(number) * 1_000_000_000 / u128::from(self.per_second.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_times_do_not_drift() {
        let schedule = Schedule::new(300, 30);
        assert_eq!(schedule.operations(), 9_000);
        assert_eq!(schedule.due(0), Duration::ZERO);
        assert_eq!(schedule.due(1), Duration::from_nanos(3_333_333));
        // 300 thirds of 10 ms are a second, not 999.9999 ms.
        assert_eq!(schedule.due(300), Duration::from_secs(1));
        assert_eq!(schedule.due(9_000), Duration::from_secs(30));
    }

    #[test]
    fn due_times_never_fall() {
        let schedule = Schedule::new(7_777, 1);
        let due: Vec<_> = (0..schedule.operations()).map(|n| schedule.due(n)).collect();
        assert!(due.is_sorted());
        assert!(due.iter().all(|due| *due < Duration::from_secs(1)));
    }
}
