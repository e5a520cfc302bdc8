//! What is counted here. Handles are made once: counting one thing costs an atomic addition.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use storage::PartitionId;

use crate::protocol::commit::Ending;
use crate::shared::Shared;

/// What became of batches, as figures call it.
const OUTCOMES: [&str; 7] =
    ["durable", "not_written", "unknown", "fenced", "diverged", "behind", "invalid"];

/// All counters and gauges of an actor system.
pub(crate) struct Meters {
    commit_seconds: Histogram,
    commits: [Counter; OUTCOMES.len()],
    batch_answers: Histogram,
    batch_bytes: Histogram,
    pub(crate) load_seconds: Histogram,
    pub(crate) deaths: Counter,
    pub(crate) projection_seconds: Histogram,
    pub(crate) projection_failures: Counter,
    gauges: Gauges,
}

/// What is looked up when somebody asks for the figures.
struct Gauges {
    awake: Gauge,
    watched: Gauge,
    commands: Gauge,
    commits: Gauge,
    waitlist: Gauge,
    tail_events: Gauge,
    tail_bytes: Gauge,
    outbox_batches: Gauge,
    outbox_seconds: Gauge,
    served: Gauge,
}

impl Meters {
    pub(crate) fn new() -> Self {
        let commits =
            OUTCOMES.map(|outcome| counter!("eventflow_commits_total", "outcome" => outcome));
        Self {
            commit_seconds: histogram!("eventflow_commit_duration_seconds"),
            commits,
            batch_answers: histogram!("eventflow_commit_batch_answers"),
            batch_bytes: histogram!("eventflow_commit_batch_bytes"),
            load_seconds: histogram!("eventflow_event_load_duration_seconds"),
            deaths: counter!("eventflow_actor_deaths_total"),
            projection_seconds: histogram!("eventflow_projection_duration_seconds"),
            projection_failures: counter!("eventflow_projection_failures_total"),
            gauges: Gauges {
                awake: gauge!("eventflow_events_awake"),
                watched: gauge!("eventflow_events_watched"),
                commands: gauge!("eventflow_commands_in_flight"),
                commits: gauge!("eventflow_commits_in_flight"),
                waitlist: gauge!("eventflow_waitlist_entries"),
                tail_events: gauge!("eventflow_tail_booking_events"),
                tail_bytes: gauge!("eventflow_tail_bytes"),
                outbox_batches: gauge!("eventflow_outbox_lag_batches"),
                outbox_seconds: gauge!("eventflow_outbox_lag_seconds"),
                served: gauge!("eventflow_partitions_served"),
            },
        }
    }

    /// A batch goes to the store, and so many answers with it.
    pub(crate) fn batch(&self, answers: usize, bytes: usize) {
        self.batch_answers.record(lossy(answers));
        self.batch_bytes.record(lossy(bytes));
    }

    /// The store has said what became of a batch: durable, or an end.
    pub(crate) fn committed(&self, took: Duration, ending: Option<&Ending>) {
        self.commit_seconds.record(took);
        let outcome = match ending {
            None => 0,
            Some(Ending::NotWritten(_)) => 1,
            Some(Ending::Unknown(_)) => 2,
            Some(Ending::Fenced { .. }) => 3,
            Some(Ending::Diverged { .. }) => 4,
            Some(Ending::Behind) => 5,
            Some(Ending::Invalid) => 6,
        };
        self.commits[outcome].increment(1);
    }
}

impl Shared {
    /// Look up what is not counted as it happens.
    pub(crate) fn set_gauges(&self) {
        let gauges = &self.meters.gauges;
        gauges.awake.set(lossy(self.directory.awake()));
        gauges.watched.set(lossy(self.watchers.len()));
        gauges.commands.set(lossy(self.admission.in_flight()));
        gauges.commits.set(lossy(self.commits.in_flight()));
        gauges.waitlist.set(self.directory.waiting() as f64);
        let (mut bytes, mut batches, mut oldest) = (0, 0, None);
        for partition in self.ownership.partitions() {
            let behind = self.tail.behind(partition);
            bytes += behind.bytes;
            batches += behind.batches;
            oldest = [oldest, behind.oldest].into_iter().flatten().min();
        }
        gauges.tail_events.set(lossy(self.lag()));
        gauges.tail_bytes.set(lossy(bytes));
        gauges.outbox_batches.set(lossy(batches));
        let now = self.clock.now().millis();
        let age = oldest.map_or(0, |oldest| now.saturating_sub(oldest.millis()).max(0));
        gauges.outbox_seconds.set(age as f64 / 1_000.0);
        let served: Vec<PartitionId> = self.ownership.served().collect();
        gauges.served.set(lossy(served.len()));
    }
}

/// Figures are floating-point numbers, exact up to 2^53.
fn lossy(count: usize) -> f64 {
    count as f64
}
