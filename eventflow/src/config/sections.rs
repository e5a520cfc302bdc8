//! The sections: which setting becomes which option, and what it may be.

use std::path::PathBuf;

use axum::http::Uri;
use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::section::{kind, section, within};

/// A day, in milliseconds.
pub(super) const DAY_MS: u32 = 86_400_000;

/// Thirty days, in seconds.
pub(super) const MONTH_S: u32 = 30 * 86_400;

/// The longest that a request may take, in milliseconds: part of the protocol.
pub(super) const REQUEST_MS: u32 = 30_000;

section! {
    /// Where and how it listens.
    Server, "server", crate::listen::Options {
        max_connections_per_address: number max_connections_per_address in 1..=1_000_000;
        max_connections: number max_connections in 1..=1_000_000;
        idle_timeout_ms: millis idle_timeout in 100..=DAY_MS;
        max_head_bytes: number max_head_bytes in 8_192..=1_048_576;
        drain_timeout_ms: millis drain_timeout in 0..=600_000;
        @own listen: String = "127.0.0.1:8080".to_owned();
        @own metrics_from: Vec<String> = vec!["127.0.0.0/8".to_owned(), "::1".to_owned()];
        @own actors_drain_timeout_ms: u32 = 10_000, in 0..=600_000;
    }
}

section! {
    /// The gateway.
    Gateway, "gateway", gateway::Options {
        max_in_flight: number max_in_flight in 1..=1_000_000;
        trusted_proxies: texts trusted_proxies;
        max_body_bytes: number max_body_bytes in 1_024..=67_108_864;
        request_timeout_ms: millis request_timeout in 100..=REQUEST_MS;
        cors_origins: texts cors_origins;
        cors_max_age_s: seconds cors_max_age in 0..=86_400;
        @own rate_limit: RateLimit = RateLimit::default();
    }
}

section! {
    /// The auth service.
    Auth, "auth", auth::Options {
        hash_memory_kib: number hash_memory_kib in 8..=4_194_304;
        hash_passes: number hash_passes in 1..=100;
        hash_lanes: number hash_lanes in 1..=64;
        hash_queue: number hash_queue in 1..=100_000;
        session_idle_s: span session_idle in 600..=MONTH_S;
        session_life_s: span session_life in 600..=MONTH_S;
        sessions_per_account: number sessions_per_account in 1..=10_000;
        attempts_per_address: number attempts_per_address in 1..=1_000_000;
        attempts_per_account: number attempts_per_account in 1..=1_000_000;
        @own signing_key_file: PathBuf = PathBuf::new();
        @own hashes_at_once: u32 = 0, in 0..=1_024;
        @own password: Password = Password::default();
    }
}

section! {
    /// The booking service.
    Booking, "booking", booking::Options {
        deadline_ms: millis deadline in 100..=REQUEST_MS;
        streams: number streams in 0..=1_000_000;
        streams_per_event: number streams_per_event in 0..=1_000_000;
        streams_per_address: number streams_per_address in 0..=1_000_000;
        stream_heartbeat_ms: millis stream_heartbeat in 100..=600_000;
        stream_pause_ms: millis stream_pause in 1..=60_000;
        stream_stall_ms: millis stream_stall in 100..=600_000;
    }
}

section! {
    /// The catalog service.
    Catalog, "catalog", catalog::Options {
        booking_patience_ms: millis booking_patience in 100..=REQUEST_MS;
        projection_patience_ms: millis projection_patience in 0..=REQUEST_MS;
    }
}

section! {
    /// The actors that decide, and the projector behind them.
    Actors, "actors", actors::Options {
        in_flight_per_event: number in_flight_per_event in 1..=1_000_000;
        in_flight: number in_flight in 1..=1_000_000;
        in_flight_per_principal: number in_flight_per_principal in 1..=1_000_000;
        awake_events: number awake_events in 1..=10_000_000;
        idle_after_ms: millis idle_after in 100..=DAY_MS;
        commit_deadline_ms: millis commit_deadline in 100..=REQUEST_MS;
        commit_retry_pause_ms: millis commit_retry_pause in 1..=10_000;
        restart_pause_ms: millis restart_pause in 1..=60_000;
        restart_pause_max_ms: millis restart_pause_max in 1..=600_000;
        deadline_sweep_ms: millis deadline_sweep in 100..=60_000;
        deadline_batch: number deadline_batch in 1..=100_000;
        hold_memory_s: seconds hold_memory in 86_400..=MONTH_S;
        tail_limit: number tail_limit in 1_024..=100_000_000;
        projector_batch: number projector_batch in 1..=100_000;
        projector_yield_ms: millis projector_yield in 0..=60_000;
        snapshot_every: number snapshot_every in 100..=10_000_000;
        snapshot_before_sleep: number snapshot_before_sleep in 100..=10_000_000;
        clock_tolerance_ms: millis clock_tolerance in 1_000..=DAY_MS;
    }
}

section! {
    /// The bounds of the rules.
    Limits, "limits", engine::Limits {
        capacity: number capacity in 1..=10_000_000;
        waitlist_entries: number waitlist_entries in 0..=10_000_000;
        holds: number holds in 0..=10_000_000;
        hold_span_s: span hold_span in 1..=86_400;
        hold_extensions: number hold_extensions in 0..=255;
        expired_hold_memory_s: span expired_hold_memory in 0..=MONTH_S;
        expired_holds: number expired_holds in 0..=10_000_000;
        client_key_memory_s: span client_key_memory in 86_400..=MONTH_S;
        edge_key_memory_s: span edge_key_memory in 60..=MONTH_S;
        keys_per_principal: number keys_per_principal in 1..=100_000;
    }
}

/// How much one address and one person may ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateLimit {
    /// Whether there are such limits at all, those of log-ins among them.
    pub enabled: bool,
    /// Requests a second of one address.
    pub address_per_s: u32,
    /// Requests of one address at once.
    pub address_burst: u32,
    /// Requests a second of one person.
    pub user_per_s: u32,
    /// Requests of one person at once.
    pub user_burst: u32,
    /// Most buckets of each kind.
    pub buckets: u32,
}

impl Default for RateLimit {
    fn default() -> Self {
        let gateway::RateLimit { address_per_s, address_burst, user_per_s, user_burst, buckets } =
            gateway::RateLimit::default();
        Self { enabled: true, address_per_s, address_burst, user_per_s, user_burst, buckets }
    }
}

impl RateLimit {
    /// Whether every number is in its range.
    pub(super) fn in_range(&self) -> Result<(), ConfigError> {
        for (key, number) in [
            ("gateway.rate_limit.address_per_s", self.address_per_s),
            ("gateway.rate_limit.address_burst", self.address_burst),
            ("gateway.rate_limit.user_per_s", self.user_per_s),
            ("gateway.rate_limit.user_burst", self.user_burst),
            ("gateway.rate_limit.buckets", self.buckets),
        ] {
            within(key, number, 1..=10_000_000)?;
        }
        Ok(())
    }

    /// The limits, if there are any.
    fn options(&self) -> Option<gateway::RateLimit> {
        let Self { enabled, address_per_s, address_burst, user_per_s, user_burst, buckets } = *self;
        let limits =
            gateway::RateLimit { address_per_s, address_burst, user_per_s, user_burst, buckets };
        enabled.then_some(limits)
    }
}

/// Which passwords are taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Password {
    /// Whether the commonest are refused.
    pub refuse_common: bool,
}

impl Default for Password {
    fn default() -> Self {
        Self { refuse_common: auth::Options::default().refuse_common }
    }
}

/// Where the data lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// The data folder.
    pub dir: PathBuf,
}

impl Default for Data {
    fn default() -> Self {
        Self { dir: PathBuf::from("./data") }
    }
}

/// Where things are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Storage {
    /// Threads that read one of the three files.
    pub readers: u32,
    /// Where decisions are committed: the data folder, or a Redis.
    pub commits: String,
    /// Where the long-term record and the lists are: the data folder, or a Cassandra.
    pub journal: String,
    /// Copies of every row of the record.
    pub replication: u32,
    /// What is asked of the servers.
    pub durability: String,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            readers: 2,
            commits: FOLDER.to_owned(),
            journal: FOLDER.to_owned(),
            replication: 1,
            durability: "always".to_owned(),
        }
    }
}

/// The data folder, as a store.
pub(super) const FOLDER: &str = "sqlite:";

impl Storage {
    /// Whether every value is one that it can be.
    pub(super) fn in_range(&self) -> Result<(), ConfigError> {
        within("storage.readers", self.readers, 1..=64)?;
        within("storage.replication", self.replication, 1..=9)?;
        if self.commits != FOLDER && !self.commits.starts_with("redis://") {
            let expected = "\"sqlite:\" or an address like \"redis://host:6379/0\"";
            return Err(ConfigError::invalid("storage.commits", expected));
        }
        if self.journal != FOLDER && !self.journal.starts_with("cassandra://") {
            let expected = "\"sqlite:\" or an address like \"cassandra://host:9042/eventflow\"";
            return Err(ConfigError::invalid("storage.journal", expected));
        }
        if (self.commits == FOLDER) != (self.journal == FOLDER) {
            let expected = "on servers if `storage.commits` is, and in the data folder if it is";
            return Err(ConfigError::invalid("storage.journal", expected));
        }
        if !["always", "everysec"].contains(&self.durability.as_str()) {
            return Err(ConfigError::invalid("storage.durability", "\"always\" or \"everysec\""));
        }
        Ok(())
    }

    /// Whether everything is in the data folder.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        self.commits == FOLDER
    }
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// From which level on.
    pub level: String,
    /// How lines are written.
    pub format: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: "text".to_owned() }
    }
}

/// What is traced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// Where traces are sent; nowhere if it is empty.
    pub endpoint: String,
    /// Which share of the traces that begin here.
    pub sample_percent: u32,
}

impl Default for Trace {
    fn default() -> Self {
        Self { endpoint: String::new(), sample_percent: 100 }
    }
}

impl Trace {
    /// Whether every value is one that it can be.
    pub(super) fn in_range(&self) -> Result<(), ConfigError> {
        within("trace.sample_percent", self.sample_percent, 0..=100)?;
        let expected = if !cfg!(feature = "otlp") {
            "empty, as this program was built without traces: build it with --features otlp"
        } else {
            "an address like \"http://host:4318/v1/traces\""
        };
        let known = cfg!(feature = "otlp") && is_http(&self.endpoint);
        if self.endpoint.is_empty() || known {
            return Ok(());
        }
        Err(ConfigError::invalid("trace.endpoint", expected))
    }
}

/// Whether this is an address that something can be sent to in plain text: a host, maybe with a
/// port, and nothing that would not be looked at, such as a name and a password.
fn is_http(text: &str) -> bool {
    let Ok(address) = text.parse::<Uri>() else { return false };
    let Some(authority) = address.authority() else { return false };
    let (host, all) = (authority.host(), authority.as_str());
    let with_port = |port| format!("{host}:{port}") == all;
    let is_plain = host == all || authority.port_u16().is_some_and(with_port);
    address.scheme_str() == Some("http") && !host.is_empty() && is_plain
}

impl Server {
    /// The options of the listener.
    #[must_use]
    pub fn options(&self) -> crate::listen::Options {
        let mut options = crate::listen::Options::default();
        self.apply(&mut options);
        options
    }
}

impl Gateway {
    /// The options of the gateway.
    #[must_use]
    pub fn options(&self) -> gateway::Options {
        let mut options = gateway::Options::default();
        self.apply(&mut options);
        options.rate_limit = self.rate_limit.options();
        options
    }
}

impl Auth {
    /// The options of the auth service on a machine with this many cores, with or without
    /// limits of rates.
    #[must_use]
    pub fn options(&self, cores: usize, limited: bool) -> auth::Options {
        let mut options = auth::Options::default();
        self.apply(&mut options);
        options.refuse_common = self.password.refuse_common;
        options.limit_attempts = limited;
        // One core stays free for everything else, if there is another one.
        options.hashes_at_once = match self.hashes_at_once {
            0 => cores.saturating_sub(1).max(1),
            n => n as usize,
        };
        options
    }
}

impl Booking {
    /// The options of the booking service.
    #[must_use]
    pub fn options(&self) -> booking::Options {
        let mut options = booking::Options::default();
        self.apply(&mut options);
        options
    }
}

impl Catalog {
    /// The options of the catalog service, which keeps keys as long as booking does.
    #[must_use]
    pub fn options(&self, limits: &Limits) -> catalog::Options {
        let mut options = catalog::Options::default();
        self.apply(&mut options);
        options.client_key_memory = engine::Span::seconds(limits.client_key_memory_s);
        options.edge_key_memory = engine::Span::seconds(limits.edge_key_memory_s);
        options
    }
}

impl Actors {
    /// The options of the actor system under these bounds of the rules.
    #[must_use]
    pub fn options(&self, limits: &Limits) -> actors::Options {
        let mut options = actors::Options::default();
        self.apply(&mut options);
        limits.apply(&mut options.limits);
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_sent_to_an_address_that_is_one() {
        for right in ["http://collector:4318/v1/traces", "http://[::1]:4318/", "http://10.0.0.1"] {
            assert!(is_http(right), "{right}");
        }
        for wrong in [
            "http://collector:4318/v1/traces ",
            "http://",
            "http:///v1/traces",
            "http://:4318/v1/traces",
            "http://col lector/",
            "http://collector:port/",
            "http://collector:65536/",
            "http://me:secret@collector/",
            "https://collector/v1/traces",
            "collector:4318",
            "/v1/traces",
        ] {
            assert!(!is_http(wrong), "{wrong}");
            let trace = Trace { endpoint: wrong.to_owned(), ..Trace::default() };
            assert!(trace.in_range().is_err(), "{wrong}");
        }
    }
}
