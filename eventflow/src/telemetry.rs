//! What the process tells about itself: lines on stderr.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The crates that speak at the configured level; everything else is a library and
/// speaks from `warn` on.
const OURS: &[&str] = &[
    "eventflow",
    "gateway",
    "auth",
    "catalog",
    "notification",
    "booking",
    "api",
    "actors",
    "adapter_sqlite",
    "adapter_redis",
    "adapter_cassandra",
];

/// The driver of Cassandra advises against naming the keyspace once for all statements; with
/// one keyspace there is nothing to mistake.
const ADVICE: &str = "scylla::network::connection";

/// The levels that may be configured.
pub const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

/// Write to stderr from `level` on. A second call in the same process changes nothing.
pub fn start(level: &str) {
    let level = level.parse().unwrap_or(LevelFilter::INFO);
    let libraries = level.min(LevelFilter::WARN);
    let targets = Targets::new()
        .with_default(libraries)
        .with_target(ADVICE, level.min(LevelFilter::ERROR))
        .with_targets(OURS.iter().map(|target| (*target, level)));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // Nodes started in tests share the process with whoever was first.
    let _ = tracing_subscriber::registry().with(targets).with(lines).try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_that_may_be_configured_is_understood() {
        for level in LEVELS {
            assert!(level.parse::<LevelFilter>().is_ok(), "{level}");
        }
    }
}
