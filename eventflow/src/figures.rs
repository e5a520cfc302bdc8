//! What the process counts: the recorder behind the facade that all parts speak to, and the
//! names of everything that is counted, once, with what it means.
//!
//! Labels have few values, known beforehand: parts, routes as templates, codes, files. Never
//! an id, a name or an address.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use gateway::Figures;
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::config;
use crate::listen::Server;

mod process;
mod sources;
mod table;

use sources::Source;

pub use table::{FIGURES, Figure, Kind};

/// What is looked up in memory.
type Quick = Arc<dyn Fn() + Send + Sync>;

/// The figures of one node: what its parts count, and what is looked up at its parts when
/// somebody asks. Cheap to clone: all clones are one.
#[derive(Clone)]
pub(crate) struct Board {
    recorder: &'static Recorder,
    quick: Arc<Mutex<Vec<Quick>>>,
    sources: Arc<Mutex<Vec<Arc<Source>>>>,
}

impl Board {
    /// One with what the system knows of the process. From now on is counted.
    pub(crate) fn new() -> Self {
        let recorder = Recorder::of_process();
        let board = Self { recorder, quick: Arc::default(), sources: Arc::default() };
        board.add("process", process::NAMES, async || {
            // Should it not run to its end, it tells nothing.
            let _ = tokio::task::spawn_blocking(process::set_gauges).await;
        });
        board
    }

    /// Look here too when somebody asks. These figures are left out when it takes too long.
    pub(crate) fn add<F>(
        &self,
        name: &'static str,
        figures: &'static [&'static str],
        look: impl Fn() -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let plain = |figure: &Figure| !matches!(figure.kind, Kind::Histogram(_));
        let known = |name| FIGURES.iter().any(|figure| figure.name == name && plain(figure));
        debug_assert!(figures.iter().all(|name| known(*name)), "{figures:?}");
        let source = Arc::new(Source::new(name, figures, look));
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).push(source);
    }

    /// The same where nothing is waited for.
    pub(crate) fn add_quick(&self, look: impl Fn() + Send + Sync + 'static) {
        self.quick.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(look));
    }

    /// Look there too for how many connections a listener has.
    pub(crate) fn add_connections(&self, listener: &'static str, server: &Server) {
        let (gauge, count) =
            (gauge!("eventflow_connections", "listener" => listener), server.connections());
        self.add_quick(move || gauge.set(count() as f64));
    }

    /// The figures for whoever may see them.
    pub(crate) fn figures(&self, config: &config::Server) -> Figures {
        let board = self.clone();
        let write = move || -> BoxFuture<'static, String> {
            let board = board.clone();
            Box::pin(async move { board.text().await })
        };
        Figures::new(write, &config.metrics_from)
    }

    /// All figures as of now.
    async fn text(&self) -> String {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let late = sources::look(sources.iter().map(Arc::as_ref)).await;
        // Last, as they are as of now.
        let quick = self.quick.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for look in quick {
            look();
        }
        let text = self.recorder.text();
        if late.is_empty() { text } else { sources::without(&text, &late) }
    }

    /// Look after what was recorded, until `shutdown` resolves.
    pub(crate) async fn keep_up(self, shutdown: impl Future<Output = ()>) {
        self.recorder.keep_up(shutdown).await;
    }
}

/// How often what was recorded is put into its buckets, if nobody asks for the figures. In
/// between it waits in memory.
const UPKEEP: Duration = Duration::from_secs(5);

static RECORDER: OnceLock<Recorder> = OnceLock::new();

/// Whoever counts in this process.
#[derive(Clone)]
pub struct Recorder(PrometheusHandle);

impl Recorder {
    /// The one of this process, which counts from the first call on. Whatever counts has to
    /// be made afterwards.
    #[must_use]
    pub fn of_process() -> &'static Self {
        RECORDER.get_or_init(|| {
            let mut builder = PrometheusBuilder::new();
            for figure in FIGURES {
                if let Kind::Histogram(buckets) = figure.kind {
                    let matcher = Matcher::Full(figure.name.to_owned());
                    builder = builder
                        .set_buckets_for_metric(matcher, buckets)
                        .expect("every histogram has buckets");
                }
            }
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            // Somebody else's recorder may be there already, in a test; then this one is empty.
            if metrics::set_global_recorder(recorder).is_ok() {
                describe();
            }
            gauge!("eventflow_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
            Self(handle)
        })
    }

    /// All figures that were told, as Prometheus reads them.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.render()
    }

    /// Put what was recorded into its buckets, again and again, until `shutdown` resolves.
    pub async fn keep_up(&self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                () = tokio::time::sleep(UPKEEP) => self.0.run_upkeep(),
            }
        }
    }
}

fn describe() {
    for figure in FIGURES {
        let unit = if figure.name.ends_with("_seconds") {
            Unit::Seconds
        } else if figure.name.ends_with("_bytes") {
            Unit::Bytes
        } else {
            Unit::Count
        };
        match figure.kind {
            Kind::Counter => describe_counter!(figure.name, unit, figure.means),
            Kind::Gauge => describe_gauge!(figure.name, unit, figure.means),
            Kind::Histogram(_) => describe_histogram!(figure.name, unit, figure.means),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_not_told_in_time_is_left_out_and_nothing_else() {
        let board = Board::new();
        let connections = gauge!("eventflow_connections", "listener" => "a test");
        board.add_quick(move || connections.set(7.0));
        let all = board.text().await;
        assert!(all.contains("eventflow_build_info{"), "{all}");
        board.add("stuck", &["eventflow_build_info"], std::future::pending);
        let rest = board.text().await;
        assert!(!rest.contains("eventflow_build_info"), "{rest}");
        assert!(rest.contains("eventflow_connections{listener=\"a test\"} 7"), "{rest}");
        if cfg!(target_os = "linux") {
            assert!(process::NAMES.iter().all(|name| rest.contains(name)), "{rest}");
        }
    }
}
