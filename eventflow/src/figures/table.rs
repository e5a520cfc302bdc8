//! Everything that is counted. `docs/metrics.md` has the same table; a test compares them.

/// One name and what stands behind it.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// Its name.
    pub name: &'static str,
    /// What kind of number it is.
    pub kind: Kind,
    /// What tells its series apart.
    pub labels: &'static [&'static str],
    /// What it says.
    pub means: &'static str,
}

/// What kind of number a figure is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How many were how large, by these upper bounds.
    Histogram(&'static [f64]),
}

impl Kind {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// For what people wait for.
const REQUEST: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// For what a disk or a store is waited for.
const STORE: &[f64] =
    &[0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// For how many go together.
const CROWD: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0];

/// For sizes, from 256 bytes to 4 MiB.
const BYTES: &[f64] =
    &[256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262_144.0, 1_048_576.0, 4_194_304.0];

/// For mail.
const MAIL: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    means: &'static str,
) -> Figure {
    Figure { name, kind: Kind::Counter, labels, means }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], means: &'static str) -> Figure {
    Figure { name, kind: Kind::Gauge, labels, means }
}

const fn histogram(
    name: &'static str,
    buckets: &'static [f64],
    labels: &'static [&'static str],
    means: &'static str,
) -> Figure {
    Figure { name, kind: Kind::Histogram(buckets), labels, means }
}

/// All figures, by part.
pub const FIGURES: &[Figure] = &[
    // The gateway.
    counter(
        "eventflow_http_requests_total",
        &["route", "method", "status"],
        "Requests answered by the gateway, by the template of their path",
    ),
    histogram(
        "eventflow_http_request_duration_seconds",
        REQUEST,
        &["route", "method"],
        "Time from a request's head to the head of its answer",
    ),
    gauge("eventflow_http_requests_in_flight", &[], "Requests under way in the gateway"),
    gauge(
        "eventflow_part_ready",
        &["part"],
        "Whether a part behind the gateway works: 1 or 0, as /readyz says",
    ),
    gauge("eventflow_connections", &["listener"], "Open connections of a listener"),
    // Booking.
    counter(
        "eventflow_commands_total",
        &["command", "outcome"],
        "Commands by what became of them: a state, or the code of the refusal",
    ),
    gauge("eventflow_commands_in_flight", &[], "Commands and questions the actors have in hand"),
    gauge("eventflow_streams_open", &[], "Open streams of availability"),
    gauge("eventflow_waitlist_entries", &[], "Waiting entries of all events awake here"),
    // Actors.
    gauge("eventflow_events_awake", &[], "Events whose actor is awake"),
    gauge("eventflow_events_watched", &[], "Events that streams watch"),
    gauge("eventflow_partitions_served", &[], "Parts of all events that are served here"),
    counter("eventflow_actor_deaths_total", &[], "Actors that died and were started again"),
    histogram(
        "eventflow_event_load_duration_seconds",
        STORE,
        &[],
        "Time to bring an event back into memory",
    ),
    counter("eventflow_commits_total", &["outcome"], "Batches by what the store made of them"),
    histogram(
        "eventflow_commit_duration_seconds",
        STORE,
        &[],
        "Time from sending a batch until it is durable or given up",
    ),
    gauge("eventflow_commits_in_flight", &[], "Batches on their way to the store"),
    histogram("eventflow_commit_batch_answers", CROWD, &[], "Answers that wait for one batch"),
    histogram("eventflow_commit_batch_bytes", BYTES, &[], "Size of a batch"),
    // What follows from commits.
    gauge("eventflow_outbox_lag_batches", &[], "Batches committed here and not yet in the lists"),
    gauge("eventflow_outbox_lag_seconds", &[], "Age of the oldest of them"),
    gauge("eventflow_tail_booking_events", &[], "Booking events kept in memory for the lists"),
    gauge("eventflow_tail_bytes", &[], "Their bytes"),
    histogram(
        "eventflow_projection_duration_seconds",
        STORE,
        &[],
        "Time to bring some batches into the lists",
    ),
    counter("eventflow_projection_failures_total", &[], "Projections that failed and are repeated"),
    gauge(
        "eventflow_bus_lag_messages",
        &["subscriber"],
        "Facts on the bus that a subscriber has not taken",
    ),
    // The data folder.
    histogram(
        "eventflow_store_transaction_duration_seconds",
        STORE,
        &["file"],
        "Time of one transaction, the sync with it",
    ),
    histogram(
        "eventflow_store_transaction_works",
        CROWD,
        &["file"],
        "Pieces of work that share one transaction",
    ),
    counter(
        "eventflow_store_failures_total",
        &["file", "reason"],
        "Transactions that were not written: the disk is full, refused, or fatal",
    ),
    gauge("eventflow_store_queue_length", &["file", "queue"], "Reads or writes that wait"),
    gauge("eventflow_store_file_bytes", &["file"], "Size of a file with its log"),
    // Notification.
    gauge("eventflow_notifications", &["status"], "Notifications that wait to be sent"),
    counter(
        "eventflow_notifications_total",
        &["kind", "outcome"],
        "Notifications that were sent, failed for good, or were suppressed",
    ),
    histogram("eventflow_mail_seconds", MAIL, &[], "Time to hand one mail over"),
    // The process.
    gauge("eventflow_build_info", &["version"], "Always 1"),
    gauge("process_start_time_seconds", &[], "When the process started, since 1970"),
    counter("process_cpu_seconds_total", &[], "Processor time used"),
    gauge("process_resident_memory_bytes", &[], "Memory in use"),
    gauge("process_open_fds", &[], "Open files and sockets"),
    gauge("process_max_fds", &[], "Most of them that the system allows"),
];
