//! What the process tells about itself: lines on stderr, and traces to wherever they are
//! wanted.

use std::io::IsTerminal;

use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::Config;

#[cfg(feature = "otlp")]
mod traces;

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

/// How lines may be written.
pub const FORMATS: &[&str] = &["text", "json"];

/// What goes on as long as the process tells anything.
#[must_use]
pub struct Telemetry {
    #[cfg(feature = "otlp")]
    traces: Option<traces::Traces>,
}

impl Telemetry {
    /// Send what is left of the traces, within bounds. The runtime has to be there still.
    pub fn end(self) {
        #[cfg(feature = "otlp")]
        if let Some(traces) = self.traces {
            traces.end();
        }
    }
}

/// Write to stderr from the configured level on, and trace if that is wanted; traces are sent
/// on this runtime. A second call in the same process changes nothing.
pub fn start(config: &Config, runtime: &Handle) -> Telemetry {
    let targets = targets(&config.log.level);
    #[cfg(feature = "otlp")]
    if !config.trace.endpoint.is_empty() {
        let (traces, layer) = traces::start(config, runtime);
        // Spans that nobody wants to read are traced all the same.
        let ours = OURS.iter().map(|target| (*target, LevelFilter::DEBUG));
        let ours = Targets::new().with_targets(ours);
        let lines = lines(&config.log.format).with_filter(targets);
        let all = tracing_subscriber::registry().with(lines).with(layer.with_filter(ours));
        let started = all.try_init().is_ok();
        return Telemetry { traces: started.then_some(traces) };
    }
    // Traces only are sent on it.
    let _ = runtime;
    // Nodes started in tests share the process with whoever was first.
    let all = tracing_subscriber::registry().with(targets).with(lines(&config.log.format));
    let _ = all.try_init();
    Telemetry {
        #[cfg(feature = "otlp")]
        traces: None,
    }
}

/// Which lines are written.
fn targets(level: &str) -> Targets {
    let level = level.parse().unwrap_or(LevelFilter::INFO);
    let libraries = level.min(LevelFilter::WARN);
    Targets::new()
        .with_default(libraries)
        .with_target(ADVICE, level.min(LevelFilter::ERROR))
        .with_targets(OURS.iter().map(|target| (*target, level)))
}

/// How they are written.
fn lines<S>(format: &str) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        // One object a line; the spans, outermost first, with all that is known of them.
        "json" => lines.json().flatten_event(true).with_current_span(false).boxed(),
        _ => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use axum::http::{HeaderMap, HeaderValue, Method, Uri};

    use super::*;

    /// Lines that are kept.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The line about a request `r-1` when something is broken.
    fn line(level: &str, method: &str, path: &str) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false);
        let lines = lines.with_writer(move || writer.clone());
        let all = tracing_subscriber::registry().with(targets(level)).with(lines);
        let (method, uri) = (method.parse::<Method>().unwrap(), path.parse::<Uri>().unwrap());
        tracing::subscriber::with_default(all, || {
            let id = HeaderValue::from_static("r-1");
            let span = api::trail::span(&id, (&method, &uri, &HeaderMap::new()));
            span.in_scope(|| tracing::error!("broken"));
        });
        let text = kept.0.lock().unwrap().clone();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_line_about_a_request_has_its_id_whatever_is_left_out() {
        for level in LEVELS.iter().filter(|level| **level != "off") {
            let line = line(level, "GET", "/x");
            assert!(line.contains("broken") && line.contains("r-1"), "{level}: {line}");
        }
    }

    #[test]
    fn a_line_is_short_whatever_is_asked_for() {
        let line = line("info", &"BREW".repeat(1_000), &format!("/{}", "a".repeat(30_000)));
        assert!(line.contains("r-1") && line.len() < 1_000, "{line}");
        assert!(line.contains("method=other") && line.contains("aa\u{2026}"), "{line}");
    }

    #[test]
    fn every_level_that_may_be_configured_is_understood() {
        for level in LEVELS {
            assert!(level.parse::<LevelFilter>().is_ok(), "{level}");
        }
    }
}
