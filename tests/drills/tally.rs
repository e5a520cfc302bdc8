//! What is counted while the load runs.

use std::collections::BTreeMap;

use harness::history::{Moment, Outcome};
use uuid::Uuid;

use crate::world::Kind;

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was granted.
    Answered,
    /// It was refused by this code.
    Refused(String),
    /// A read without an answer, or it was never sent.
    Failed,
    /// A write of which nobody knows what became.
    Unknown,
}

impl End {
    /// How an outcome counts.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Answered(_) => Self::Answered,
            Outcome::Refused(refusal) => Self::Refused(refusal.code.clone()),
            Outcome::Unknown(_) => Self::Unknown,
        }
    }

    /// Whether the event's owner has decided: what is sold out is served.
    pub(crate) fn decided(&self) -> bool {
        matches!(self, Self::Answered | Self::Refused(_))
    }
}

/// An operation that has ended.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// What kind of operation.
    pub(crate) kind: Kind,
    /// At which event.
    pub(crate) event: Option<Uuid>,
    /// When it should have been sent.
    pub(crate) due: Moment,
    /// When its outcome was there.
    pub(crate) ended: Moment,
    /// How it ended.
    pub(crate) end: End,
}

/// All that was counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    samples: Vec<Sample>,
    errors: BTreeMap<String, usize>,
    error_times: Vec<Moment>,
}

impl Tally {
    /// An operation has ended.
    pub(crate) fn keep(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    /// A client saw an error.
    pub(crate) fn error(&mut self, code: &str, at: Moment) {
        *self.errors.entry(code.to_owned()).or_default() += 1;
        self.error_times.push(at);
    }

    /// Every operation.
    pub(crate) fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// Errors that clients saw, by code.
    pub(crate) fn errors(&self) -> &BTreeMap<String, usize> {
        &self.errors
    }

    /// How many errors clients saw between two moments.
    pub(crate) fn errors_between(&self, from: Moment, to: Moment) -> usize {
        self.error_times.iter().filter(|at| (from..to).contains(*at)).count()
    }

    /// Refusals by code.
    pub(crate) fn refusals(&self) -> BTreeMap<&str, usize> {
        let mut refusals = BTreeMap::new();
        for sample in &self.samples {
            if let End::Refused(code) = &sample.end {
                *refusals.entry(code.as_str()).or_default() += 1;
            }
        }
        refusals
    }

    /// How many operations ended so.
    pub(crate) fn count(&self, end: &End) -> usize {
        self.samples.iter().filter(|sample| sample.end == *end).count()
    }

    /// The latencies of one kind's operations that were decided, sorted.
    pub(crate) fn latencies(&self, kind: Kind) -> Vec<Moment> {
        let decided = |sample: &&Sample| sample.kind == kind && sample.end.decided();
        let mut latencies: Vec<Moment> = self
            .samples
            .iter()
            .filter(decided)
            .map(|sample| sample.ended.saturating_sub(sample.due))
            .collect();
        latencies.sort_unstable();
        latencies
    }
}
