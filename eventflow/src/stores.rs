//! Opens the data folder.

use std::path::Path;
use std::sync::Arc;

use adapter_sqlite::{OpenError, Options, Sqlite};

use crate::config::Storage;

/// The exit code of a process whose data folder failed in such a way that nothing is
/// known of it any more.
pub const FATAL_EXIT: i32 = 3;

/// Take the folder and open its files, without holding up the async threads.
///
/// # Errors
///
/// If the folder cannot be used: a sentence for people.
pub async fn open(dir: &Path, options: &Storage) -> Result<Sqlite, OpenError> {
    let mut sqlite = Options::new(dir, Arc::new(|sentence: String| end_process(&sentence)));
    sqlite.readers = options.readers as usize;
    let opened = tokio::task::spawn_blocking(move || Sqlite::open(&sqlite)).await;
    opened.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
}

/// After a failed write nothing is known of what reached the disk, so nothing more may be
/// answered: the process ends at once. The next start reads what is there.
pub(crate) fn end_process(sentence: &str) {
    eprintln!("eventflow: {sentence}");
    std::process::exit(FATAL_EXIT);
}
