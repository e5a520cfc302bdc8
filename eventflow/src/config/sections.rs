//! The sections: which setting becomes which option, and what it may be.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::notification::Smtp;

/// How an option is written as a setting: one module per kind, with the setting's type
/// and the way there and back. Numbers are at most `u32::MAX`: the check of ranges comes
/// before the way back.
mod kind {
    pub(super) mod number {
        pub(crate) type Value = u32;
        pub(crate) fn setting<T: TryInto<u32>>(option: T) -> Value {
            option.try_into().unwrap_or(u32::MAX)
        }
        pub(crate) fn option<T: TryFrom<u32> + Default>(setting: &Value) -> T {
            T::try_from(*setting).unwrap_or_default()
        }
    }

    pub(super) mod millis {
        use std::time::Duration;
        pub(crate) type Value = u32;
        pub(crate) fn setting(option: Duration) -> Value {
            u32::try_from(option.as_millis()).unwrap_or(u32::MAX)
        }
        pub(crate) fn option(setting: &Value) -> Duration {
            Duration::from_millis(u64::from(*setting))
        }
    }

    pub(super) mod seconds {
        use std::time::Duration;
        pub(crate) type Value = u32;
        pub(crate) fn setting(option: Duration) -> Value {
            u32::try_from(option.as_secs()).unwrap_or(u32::MAX)
        }
        pub(crate) fn option(setting: &Value) -> Duration {
            Duration::from_secs(u64::from(*setting))
        }
    }

    pub(super) mod span {
        use engine::Span;
        pub(crate) type Value = u32;
        pub(crate) fn setting(option: Span) -> Value {
            option.as_millis() / 1_000
        }
        pub(crate) fn option(setting: &Value) -> Span {
            Span::seconds(*setting)
        }
    }

    pub(super) mod text {
        pub(crate) type Value = String;
        pub(crate) fn setting(option: String) -> Value {
            option
        }
        pub(crate) fn option(setting: &Value) -> String {
            setting.clone()
        }
    }

    pub(super) mod spans {
        use crate::config::notification::{spans_option, spans_setting};
        pub(crate) type Value = Vec<String>;
        pub(crate) fn setting(option: Vec<u32>) -> Value {
            spans_setting(option)
        }
        pub(crate) fn option(setting: &Value) -> Vec<u32> {
            spans_option(setting)
        }
    }

    pub(super) mod texts {
        pub(crate) type Value = Vec<String>;
        pub(crate) fn setting(option: Vec<String>) -> Value {
            option
        }
        pub(crate) fn option(setting: &Value) -> Vec<String> {
            setting.clone()
        }
    }
}

/// Declares a section over an `Options` struct, one line per setting: name, kind, option,
/// range. `@own` settings have no option behind them: name, type, default, range.
macro_rules! section {
    (
        $(#[$doc:meta])* $name:ident, $prefix:literal, $options:ty {
            $($field:ident: $kind:ident $option:ident $(in $range:expr)?;)*
            $(@own $own:ident: $own_type:ty = $own_default:expr $(, in $own_range:expr)?;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "config/eventflow.toml documents every setting")]
        pub struct $name {
            $(pub $field: kind::$kind::Value,)*
            $(pub $own: $own_type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                let options = <$options>::default();
                Self {
                    $($field: kind::$kind::setting(options.$option),)*
                    $($own: $own_default,)*
                }
            }
        }

        impl $name {
            /// Whether every number is in its range.
            pub(super) fn in_range(&self) -> Result<(), ConfigError> {
                $($(within(concat!($prefix, ".", stringify!($field)), self.$field, $range)?;)?)*
                $($(within(concat!($prefix, ".", stringify!($own)), self.$own, $own_range)?;)?)*
                Ok(())
            }

            /// Put every setting of this section into the options behind it.
            pub(super) fn apply(&self, options: &mut $options) {
                $(options.$option = kind::$kind::option(&self.$field);)*
            }
        }
    };
}

pub(super) fn within(
    key: &str,
    number: u32,
    range: std::ops::RangeInclusive<u32>,
) -> Result<(), ConfigError> {
    if range.contains(&number) {
        return Ok(());
    }
    let expected = format!("a whole number from {} to {}", range.start(), range.end());
    Err(ConfigError::invalid(key, expected))
}

/// A day, in milliseconds.
const DAY_MS: u32 = 86_400_000;

/// Thirty days, in seconds.
const MONTH_S: u32 = 30 * 86_400;

/// Ten years, in seconds.
const YEARS_S: u32 = 3_650 * 86_400;

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
    /// The notification service.
    Notification, "notification", notification::Options {
        from: text from;
        pages_url: text pages_url;
        reminders: spans reminders_s;
        retry_ms: millis retry in 100..=DAY_MS;
        retry_max_ms: millis retry_max in 100..=DAY_MS;
        give_up_s: seconds give_up in 60..=MONTH_S;
        keep_s: seconds keep in 86_400..=YEARS_S;
        messages_per_day: number messages_per_day in 0..=1_000;
        notices_per_day: number notices_per_day in 0..=1_000_000;
        share_percent: number share_percent in 1..=100;
        @own mail_dir: PathBuf = PathBuf::new();
        @own smtp: Smtp = Smtp::default();
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
        let known = cfg!(feature = "otlp") && self.endpoint.starts_with("http://");
        if self.endpoint.is_empty() || known {
            return Ok(());
        }
        Err(ConfigError::invalid("trace.endpoint", expected))
    }
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
