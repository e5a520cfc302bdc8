//! Everything that can be tuned.

use std::time::Duration;

use engine::Limits;

/// Options of the actor system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The rules' bounds.
    pub limits: Limits,
    /// Most commands in flight for one event.
    pub in_flight_per_event: usize,
    /// Most commands in flight in this process.
    pub in_flight: usize,
    /// Most commands in flight of one principal.
    pub in_flight_per_principal: usize,
    /// Most events awake at a time. An awake event costs some 10 kB and its bookings.
    pub awake_events: usize,
    /// An event without a command for this long goes to sleep.
    pub idle_after: Duration,
    /// How long a batch whose outcome is unknown is repeated before its actor ends. A store
    /// that always answers is waited for instead.
    pub commit_deadline: Duration,
    /// Pause between two attempts of a batch whose outcome is unknown.
    pub commit_retry_pause: Duration,
    /// Pause before an actor that died is started again; doubles with each death in a row.
    pub restart_pause: Duration,
    /// The longest such pause.
    pub restart_pause_max: Duration,
    /// How often the durable deadlines are read.
    pub deadline_sweep: Duration,
    /// Most events woken by one reading of the deadlines.
    pub deadline_batch: usize,
    /// How long a hold that is over is kept in the views, for reads and for repeats of its
    /// calls; at least as long as a client's key, what is below counts as that.
    pub hold_memory: Duration,
    /// Most booking events committed but not yet in the views; above, new commands are
    /// refused. Each costs about 100 bytes of memory.
    pub tail_limit: usize,
    /// Most batches that the projector takes at a time.
    pub projector_batch: usize,
    /// How long the projector yields to waiting commits before it does one round all the
    /// same.
    pub projector_yield: Duration,
    /// A busy event's snapshot is taken when more booking events than this, and than half
    /// the inventory has rows, have come since the last. A snapshot is written beside the
    /// batches of all events and costs more than the replay it saves, until that takes
    /// about a tenth of a second.
    pub snapshot_every: u64,
    /// An event that goes to sleep takes a snapshot first when more booking events than
    /// this have come since the last.
    pub snapshot_before_sleep: u64,
    /// A start is refused when the newest stored time is this far ahead of the clock.
    pub clock_tolerance: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            in_flight_per_event: 4_096,
            in_flight: 16_384,
            in_flight_per_principal: 64,
            awake_events: 50_000,
            idle_after: Duration::from_secs(300),
            commit_deadline: Duration::from_secs(2),
            commit_retry_pause: Duration::from_millis(20),
            restart_pause: Duration::from_millis(20),
            restart_pause_max: Duration::from_secs(5),
            deadline_sweep: Duration::from_secs(1),
            deadline_batch: 1_024,
            hold_memory: Duration::from_secs(7 * 86_400),
            tail_limit: 1_200_000,
            projector_batch: 512,
            projector_yield: Duration::from_secs(5),
            snapshot_every: 100_000,
            snapshot_before_sleep: 2_000,
            clock_tolerance: Duration::from_secs(60),
        }
    }
}
