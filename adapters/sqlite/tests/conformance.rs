//! The SQLite adapter does what every adapter must do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use adapter_sqlite::{Options, Sqlite};
use storage::{Stores, conformance};
use tempfile::TempDir;

/// Folders, each with open stores, that live as long as their suite.
#[derive(Default)]
struct Folders(Mutex<Vec<(Sqlite, TempDir)>>);

impl Folders {
    fn fresh(&self) -> Stores {
        let dir = tempfile::tempdir().expect("a folder");
        let on_fatal = Arc::new(|sentence| panic!("fatal: {sentence}"));
        let sqlite = Sqlite::open(&Options::new(dir.path(), on_fatal)).expect("open");
        let stores = sqlite.stores();
        self.0.lock().expect("unpoisoned").push((sqlite, dir));
        stores
    }
}

/// Far more than the suite takes.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn commit() {
    let folders = Folders::default();
    conformance::commit::suite(&|| folders.fresh()).await;
}

#[tokio::test]
async fn commit_differential() {
    let folders = Folders::default();
    conformance::differential::suite(&|| folders.fresh()).await;
}

#[tokio::test]
async fn journal() {
    let folders = Folders::default();
    conformance::journal::suite(&|| folders.fresh()).await;
}

#[tokio::test]
async fn views() {
    let folders = Folders::default();
    conformance::views::suite(&|| folders.fresh()).await;
}

#[tokio::test]
async fn accounts() {
    let folders = Folders::default();
    conformance::accounts::suite(&|| folders.fresh()).await;
}

#[tokio::test]
async fn sessions() {
    let folders = Folders::default();
    conformance::sessions::suite(&|| folders.fresh()).await;
}

#[tokio::test]
async fn catalog() {
    let folders = Folders::default();
    conformance::catalog::suite(&|| folders.fresh()).await;
}

#[tokio::test]
async fn notices() {
    let folders = Folders::default();
    conformance::notices::suite(&|| folders.fresh()).await;
}

#[tokio::test]
async fn bus() {
    let folders = Folders::default();
    // Its failure may be that nobody is ever woken.
    let fresh = || folders.fresh();
    let suite = conformance::bus::suite(&fresh);
    tokio::time::timeout(PATIENCE, suite).await.expect("somebody waits for ever");
}
