//! For how long an event gave no answer.
//!
//! Two measures, because each misleads alone. The *gap* between two answers is long where
//! nobody asked; the *wait* from when something was due to the next answer that anybody
//! got at that event is not, but it says nothing of a stretch without operations.

use harness::history::Moment;

/// What is known of one event's answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    /// When each operation was due.
    due: Vec<Moment>,
    /// When each answer was complete.
    answered: Vec<Moment>,
}

impl Answers {
    /// Of these times, in any order.
    pub(crate) fn new(mut due: Vec<Moment>, mut answered: Vec<Moment>) -> Self {
        due.sort_unstable();
        answered.sort_unstable();
        Self { due, answered }
    }

    /// Whether nobody ever asked.
    pub(crate) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    /// The longest time without an answer between two moments. Both ends count as
    /// answers, or an event that never answers again would have no gap at all.
    pub(crate) fn longest_gap(&self, from: Moment, to: Moment) -> Moment {
        let first = self.answered.partition_point(|moment| *moment < from);
        let last = self.answered.partition_point(|moment| *moment <= to);
        let mut before = from;
        let mut longest = 0;
        for moment in self.answered[first..last].iter().copied().chain([to]) {
            longest = longest.max(moment.saturating_sub(before));
            before = moment;
        }
        longest
    }

    /// The longest time from when something was due, between two moments, to the next
    /// answer; to `end` where none came any more.
    pub(crate) fn longest_wait(&self, from: Moment, to: Moment, end: Moment) -> Moment {
        let first = self.due.partition_point(|moment| *moment < from);
        let last = self.due.partition_point(|moment| *moment <= to);
        let wait = |due: &Moment| {
            let next = self.answered.partition_point(|moment| moment < due);
            self.answered.get(next).copied().unwrap_or(end.max(*due)) - due
        };
        self.due[first..last.max(first)].iter().map(wait).max().unwrap_or(0)
    }
}

/// Median and greatest of some figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Longest {
    /// The one in the middle.
    pub(crate) median: Moment,
    /// The greatest.
    pub(crate) greatest: Moment,
}

impl Longest {
    /// Of these figures; zeros if there are none.
    pub(crate) fn of(mut figures: Vec<Moment>) -> Self {
        figures.sort_unstable();
        let at = |rank: usize| figures.get(rank).copied().unwrap_or_default();
        Self { median: at(figures.len() / 2), greatest: at(figures.len().saturating_sub(1)) }
    }
}

/// The figure that `percent` of the sorted ones do not exceed; 0 of none.
pub(crate) fn percentile(sorted: &[Moment], percent: u64) -> Moment {
    let rank = (sorted.len() as u64 * percent).div_ceil(100);
    let place = usize::try_from(rank.saturating_sub(1)).unwrap_or(usize::MAX);
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_is_found_wherever_it_is() {
        let answers = Answers::new(vec![1], vec![70, 20, 10, 40]);
        assert_eq!(answers.longest_gap(0, 80), 30);
        assert_eq!(answers.longest_gap(0, 45), 20);
        // At the ends.
        assert_eq!(answers.longest_gap(0, 200), 130);
        assert_eq!(Answers::new(vec![1], vec![90]).longest_gap(0, 100), 90);
    }

    #[test]
    fn an_event_that_never_answers_is_one_gap() {
        assert_eq!(Answers::new(vec![5], Vec::new()).longest_gap(10, 50), 40);
    }

    #[test]
    fn a_gap_is_cut_to_what_is_looked_at() {
        let answers = Answers::new(vec![1], vec![10, 100]);
        assert_eq!(answers.longest_gap(30, 80), 50);
        assert_eq!(answers.longest_gap(0, 20), 10);
    }

    #[test]
    fn nobody_waits_where_nobody_asked() {
        let answers = Answers::new(vec![10, 100], vec![12, 105]);
        assert_eq!(answers.longest_gap(0, 110), 93);
        assert_eq!(answers.longest_wait(0, 110, 200), 5);
        assert_eq!(answers.longest_wait(0, 50, 200), 2);
        assert_eq!(answers.longest_wait(20, 50, 200), 0);
    }

    #[test]
    fn whoever_was_never_answered_waits_until_the_end() {
        assert_eq!(Answers::new(vec![10, 50], vec![12]).longest_wait(0, 60, 200), 150);
    }

    #[test]
    fn an_answer_to_somebody_else_ends_a_wait() {
        // Due at 10 and 11; the later one was answered first.
        assert_eq!(Answers::new(vec![10, 11], vec![15, 400]).longest_wait(0, 20, 500), 5);
    }

    #[test]
    fn percentiles_are_ranks() {
        let sorted: Vec<Moment> = (1..=200).collect();
        assert_eq!(percentile(&sorted, 50), 100);
        assert_eq!(percentile(&sorted, 99), 198);
        assert_eq!(percentile(&sorted, 100), 200);
        assert_eq!(percentile(&[], 99), 0);
        assert_eq!(percentile(&[7], 1), 7);
        assert_eq!(Longest::of(vec![3, 1, 2]), Longest { median: 2, greatest: 3 });
        assert_eq!(Longest::of(Vec::new()), Longest::default());
    }
}
