//! What is counted of the files.

use std::path::Path;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use tokio::task::spawn_blocking;

use crate::Sqlite;
use crate::error::Meaning;
use crate::file::{APP, Kind, LEDGER, VIEWS};
use crate::readers::Readers;
use crate::writer::{Memory, Writer};

/// The files.
const FILES: [&Kind; 3] = [&LEDGER, &VIEWS, &APP];

const FILE_BYTES: &str = "eventflow_store_file_bytes";
const BUS_LAG: &str = "eventflow_bus_lag_messages";

/// What a writer counts of its transactions.
pub(crate) struct Meters {
    seconds: Histogram,
    works: Histogram,
    full: Counter,
    refused: Counter,
    fatal: Counter,
}

impl Meters {
    /// Those of the file of this name.
    pub(crate) fn new(file: &str) -> Self {
        let failures = |reason: &'static str| {
            counter!(
                "eventflow_store_failures_total",
                "file" => file.to_owned(), "reason" => reason
            )
        };
        Self {
            seconds: histogram!(
                "eventflow_store_transaction_duration_seconds", "file" => file.to_owned()
            ),
            works: histogram!("eventflow_store_transaction_works", "file" => file.to_owned()),
            full: failures("full"),
            refused: failures("refused"),
            fatal: failures("fatal"),
        }
    }

    /// A transaction with so many pieces of work is durable.
    pub(crate) fn wrote(&self, works: usize, took: Duration) {
        self.seconds.record(took);
        self.works.record(works as f64);
    }

    /// One failed.
    pub(crate) fn failed(&self, meaning: Meaning) {
        match meaning {
            Meaning::Full => self.full.increment(1),
            Meaning::Refused => self.refused.increment(1),
            Meaning::Fatal => self.fatal.increment(1),
        }
    }
}

/// What is looked up when somebody asks for the figures. Cheap to clone.
#[derive(Clone)]
pub struct Gauges {
    queues: Vec<Queue>,
    files: Vec<File>,
    app: Readers,
}

#[derive(Clone)]
struct Queue {
    waiting: std::sync::Arc<dyn Fn() -> usize + Send + Sync>,
    gauge: Gauge,
}

#[derive(Clone)]
struct File {
    paths: [std::path::PathBuf; 2],
    gauge: Gauge,
}

impl Gauges {
    pub(crate) fn of(sqlite: &Sqlite, dir: &Path) -> Self {
        let (ledger, views) = (&sqlite.ledger, &sqlite.views);
        let queues = vec![
            Queue::writer(&LEDGER, &ledger.writer),
            Queue::writer(&VIEWS, &views.writer),
            Queue::writer(&APP, &sqlite.app_writer),
            Queue::readers(&LEDGER, &ledger.readers),
            Queue::readers(&VIEWS, &views.readers),
            Queue::readers(&APP, &sqlite.app_readers),
        ];
        let files = FILES.map(|kind| File {
            paths: [dir.join(kind.name), dir.join(format!("{}-wal", kind.name))],
            gauge: gauge!(FILE_BYTES, "file" => kind.name),
        });
        Self { queues, files: files.to_vec(), app: sqlite.app_readers.clone() }
    }

    /// The figures that [`Gauges::set`] has to wait for.
    pub const WAITED_FOR: &[&str] = &[FILE_BYTES, BUS_LAG];

    /// Look it up, and tell whoever counts in this process.
    pub async fn set(&self) {
        for queue in &self.queues {
            queue.gauge.set((queue.waiting)() as f64);
        }
        let files = self.files.clone();
        // Should it not run to its end, it tells nothing new.
        let _ = spawn_blocking(move || files.iter().for_each(File::set)).await;
        // A store that cannot be read tells nothing new; others say that it cannot.
        let behind = self.app.call(crate::bus::behind).await;
        for (subscriber, messages) in behind.unwrap_or_default() {
            gauge!(BUS_LAG, "subscriber" => subscriber).set(messages as f64);
        }
    }
}

impl File {
    /// Look at the disk.
    fn set(&self) {
        // A log that is not there has no bytes.
        let sizes = self.paths.iter().filter_map(|path| std::fs::metadata(path).ok());
        self.gauge.set(sizes.map(|file| file.len() as f64).sum::<f64>());
    }
}

impl Queue {
    fn new(
        kind: &Kind,
        of: &'static str,
        waiting: impl Fn() -> usize + Send + Sync + 'static,
    ) -> Self {
        let gauge = gauge!("eventflow_store_queue_length", "file" => kind.name, "queue" => of);
        Self { waiting: std::sync::Arc::new(waiting), gauge }
    }

    fn writer<M: Memory>(kind: &Kind, writer: &Writer<M>) -> Self {
        let writer = writer.clone();
        Self::new(kind, "write", move || writer.waiting())
    }

    fn readers(kind: &Kind, readers: &Readers) -> Self {
        let readers = readers.clone();
        Self::new(kind, "read", move || readers.waiting())
    }
}
