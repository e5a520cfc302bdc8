//! What was found, by the name of the check that found it.

use std::collections::BTreeMap;
use std::fmt;

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// Something was answered, or shown, and is not there later.
    Lost,
    /// Somebody has two of {booking, waiting entry, hold} at one event.
    Duplicates,
    /// More places gone than there are.
    Oversold,
    /// Somebody was passed in the queue, or free places did not go to its head.
    QueueOrder,
    /// A key that did more than one thing, or was answered in two ways.
    KeysWithTwoEffects,
    /// A read that does not show what its reader had been answered before.
    MissedReads,
    /// A read that does not show what somebody else had been answered before.
    StaleReads,
    /// The journal has gaps, falling epochs, or a chain that does not verify.
    Sequence,
    /// The journal has something before what had ended when it began.
    RealTime,
    /// An answer that the journal does not explain.
    Answers,
    /// A refusal that no moment between its begin and end explains.
    Refusals,
    /// Something happened that nobody wanted.
    Unasked,
    /// What is served, or stored as sums, is not what the journal replays to.
    Replay,
}

impl Check {
    /// All checks.
    pub const ALL: [Self; 13] = [
        Self::Lost,
        Self::Duplicates,
        Self::Oversold,
        Self::QueueOrder,
        Self::KeysWithTwoEffects,
        Self::MissedReads,
        Self::StaleReads,
        Self::Sequence,
        Self::RealTime,
        Self::Answers,
        Self::Refusals,
        Self::Unasked,
        Self::Replay,
    ];

    /// The name by which a failure is reported.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Duplicates => "duplicates",
            Self::Oversold => "oversold",
            Self::QueueOrder => "queue_order",
            Self::KeysWithTwoEffects => "keys_with_two_effects",
            Self::MissedReads => "missed_reads",
            Self::StaleReads => "stale_reads",
            Self::Sequence => "sequence",
            Self::RealTime => "real_time",
            Self::Answers => "answers",
            Self::Refusals => "refusals",
            Self::Unasked => "unasked",
            Self::Replay => "replay",
        }
    }

    /// What is counted, for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Duplicates => "duplicates",
            Self::Oversold => "oversold",
            Self::QueueOrder => "queue order errors",
            Self::KeysWithTwoEffects => "keys with two effects",
            Self::MissedReads => "reads that miss an own answered write",
            Self::StaleReads => "reads that miss another's answered write",
            Self::Sequence => "gaps, falling epochs, broken chains",
            Self::RealTime => "decisions out of real time",
            Self::Answers => "answers that the journal doesn't explain",
            Self::Refusals => "refusals that no moment explains",
            Self::Unasked => "effects that nobody asked for",
            Self::Replay => "differences between journal and what is served",
        }
    }
}

/// Most sentences kept per check; the rest is only counted.
const SENTENCES: usize = 5;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    found: BTreeMap<Check, Found>,
}

#[derive(Clone, Debug, Default)]
struct Found {
    count: usize,
    sentences: Vec<String>,
}

impl Report {
    /// Adds something found.
    pub fn add(&mut self, check: Check, sentence: impl FnOnce() -> String) {
        let found = self.found.entry(check).or_default();
        found.count += 1;
        if found.sentences.len() < SENTENCES {
            found.sentences.push(sentence());
        }
    }

    /// How often a check found something.
    #[must_use]
    pub fn count(&self, check: Check) -> usize {
        self.found.get(&check).map_or(0, |found| found.count)
    }

    /// The checks that found something.
    #[must_use]
    pub fn failed(&self) -> Vec<Check> {
        self.found.keys().copied().collect()
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// A line for each failure kept, which begins with `FAILED` and the check's name.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (check, found) in &self.found {
            let name = check.name();
            lines.extend(found.sentences.iter().map(|said| format!("FAILED {name}: {said}")));
            if found.count > found.sentences.len() {
                let more = found.count - found.sentences.len();
                lines.push(format!("FAILED {name}: and {more} more"));
            }
        }
        lines
    }
}

impl fmt::Display for Report {
    /// A line per check, then [`Self::failures`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in Check::ALL.into_iter().filter(|check| *check != Check::Replay) {
            writeln!(f, "  {:<48} {:>7}", check.title(), self.count(check))?;
        }
        let replays = if self.count(Check::Replay) == 0 { "yes" } else { "NO" };
        writeln!(f, "  {:<48} {replays:>7}", "journal replays to what is served")?;
        self.failures().iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
