//! What is counted of notices. Each series is looked up in the recorder once.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use storage::notices::{NoticeKind, NoticeStatus};

/// How a notice may end.
const OUTCOMES: [NoticeStatus; 3] =
    [NoticeStatus::Sent, NoticeStatus::Failed, NoticeStatus::Suppressed];

/// What is counted here.
pub(crate) struct Meters {
    /// By kind, then by outcome. All are there from the beginning: an alert on growth does not
    /// see what a series had when it was first seen.
    ended: Vec<[Counter; OUTCOMES.len()]>,
    hand_over: Histogram,
    queued: Gauge,
    failed: Gauge,
}

impl Meters {
    pub(crate) fn new() -> Self {
        let waiting =
            |status: NoticeStatus| gauge!("eventflow_notifications", "status" => status.as_str());
        Self {
            ended: NoticeKind::ALL
                .iter()
                .map(|kind| OUTCOMES.map(|end| ended(*kind, end)))
                .collect(),
            hand_over: histogram!("eventflow_mail_seconds"),
            queued: waiting(NoticeStatus::Queued),
            failed: waiting(NoticeStatus::Failed),
        }
    }

    /// A notice of this kind has come to this end.
    pub(crate) fn count(&self, kind: NoticeKind, outcome: NoticeStatus) {
        let Some(place) = OUTCOMES.iter().position(|known| *known == outcome) else { return };
        if let Some(counted) = self.ended.get(kind as usize) {
            counted[place].increment(1);
        }
    }

    /// A hand-over, whatever came of it, took so long.
    pub(crate) fn handed_over(&self, took: Duration) {
        self.hand_over.record(took.as_secs_f64());
    }

    /// So many are queued, and so many have failed.
    pub(crate) fn set_waiting(&self, queued: u64, failed: u64) {
        self.queued.set(queued as f64);
        self.failed.set(failed as f64);
    }
}

fn ended(kind: NoticeKind, outcome: NoticeStatus) -> Counter {
    counter!(
        "eventflow_notifications_total",
        "kind" => kind.as_str(), "outcome" => outcome.as_str()
    )
}
