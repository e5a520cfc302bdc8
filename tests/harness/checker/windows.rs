//! When each decision can have come about: the journal's order, laid over real time.

use super::course::Course;
use super::effects::Effects;
use super::report::{Check, Report};
use crate::history::Moment;

/// For each decision of an event the time it cannot have been before, and after. Both
/// never fall along the journal. Place 0 is the time before the first decision.
#[derive(Debug)]
pub(super) struct Windows {
    from: Vec<Moment>,
    to: Vec<Moment>,
}

impl Windows {
    /// Lays the bounds of single decisions over each other. A decision whose call began
    /// after a call of a later decision had ended stands in the wrong place.
    pub(super) fn of(course: &Course, effects: &Effects, report: &mut Report) -> Self {
        let mut from = vec![0; course.states.len()];
        let mut to = vec![Moment::MAX; course.states.len()];
        for bound in effects.bounds.get(&course.event).into_iter().flatten() {
            let decision = bound.decision;
            from[decision] = bound.from.max(from[decision]);
            to[decision] = bound.to.min(to[decision]);
        }
        let mut latest = Moment::MAX;
        for decision in (1..to.len()).rev() {
            latest = to[decision].min(latest);
            if from[decision] > latest {
                report.add(Check::RealTime, || {
                    format!(
                        "event {}: decision {decision} was wanted only after a later one, or \
                         its own outcome, had been seen",
                        course.event
                    )
                });
            }
            to[decision] = latest;
        }
        let mut earliest = 0;
        for moment in &mut from {
            earliest = earliest.max(*moment);
            *moment = earliest;
        }
        Self { from, to }
    }

    /// The decisions that may have been the last one at some point between two moments:
    /// from the last that must have come about before `started`, to the last that can
    /// have come about by `ended`.
    pub(super) fn possible(&self, started: Moment, ended: Moment) -> (usize, usize) {
        let first = self.to[1..].partition_point(|moment| *moment < started);
        let last = self.from[1..].partition_point(|moment| *moment <= ended);
        // They cross only where the order of the journal is wrong, which has been told.
        (first, last.max(first))
    }
}
