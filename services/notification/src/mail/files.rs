//! Messages as files in a folder: where they go as long as no server is named.
//!
//! A file gets its name when it is complete, so that none is ever half; the same message
//! again is the same file. `settle` makes durable what was written since the last one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::mem;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::Timestamp;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use uuid::Uuid;

use super::letter::Sender;
use super::{Mail, Mailer, NotSent};

/// Files that may wait for `settle`; what comes on top is made durable at once.
const UNSETTLED: usize = 1_024;

/// What is written to see whether the folder takes anything, and how many bytes of it.
const TRIAL: &str = ".trial.part";
const TRIAL_BYTES: usize = 64 * 1024;

/// Writes messages into a folder.
pub(crate) struct Files {
    folder: Arc<Folder>,
    sender: Sender,
}

struct Folder {
    path: PathBuf,
    /// Names of files whose data may not be on the disk yet.
    unsettled: Mutex<Unsettled>,
}

#[derive(Default)]
struct Unsettled {
    files: Vec<PathBuf>,
    /// The folder itself, which has new names in it.
    folder: bool,
}

impl Files {
    /// Messages from the mailbox `from`, in the folder `dir`, which is made if need be.
    ///
    /// # Errors
    /// When it cannot be made, or `from` is not a mailbox.
    pub(crate) fn new(dir: &Path, from: &str) -> io::Result<Self> {
        let sender =
            Sender::parse(from).map_err(|why| io::Error::new(ErrorKind::InvalidInput, why))?;
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let folder = Folder { path: dir.to_owned(), unsettled: Mutex::default() };
        Ok(Self { folder: Arc::new(folder), sender })
    }
}

impl Mailer for Files {
    fn send(&self, mail: &Mail) -> BoxFuture<'_, Result<(), NotSent>> {
        let letter = self.sender.letter(mail);
        let name = file_name(mail.id, mail.created_at);
        Box::pin(async move {
            let letter = letter?;
            let folder = Arc::clone(&self.folder);
            let written = off_thread(move || folder.write(&name, &letter.bytes)).await;
            written.map_err(|error| NotSent::Down(format!("cannot write to the folder: {error}")))
        })
    }

    fn knock(&self) -> BoxFuture<'_, Result<(), NotSent>> {
        Box::pin(async move {
            let folder = Arc::clone(&self.folder);
            let there = off_thread(move || folder.try_out()).await;
            there.map_err(|error| NotSent::Down(format!("cannot write to the folder: {error}")))
        })
    }

    fn takes_twice(&self) -> bool {
        false
    }

    fn settle(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let folder = Arc::clone(&self.folder);
            let settled = off_thread(move || folder.settle()).await;
            settled.map_err(|error| format!("cannot make the folder's files durable: {error}"))
        })
    }
}

impl Folder {
    /// Writes as much as a message may have, and takes it away again.
    fn try_out(&self) -> io::Result<()> {
        let part = self.path.join(TRIAL);
        let written = write_part(&part, &vec![b'\n'; TRIAL_BYTES]);
        let removed = fs::remove_file(&part);
        written.and(removed)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = self.path.join(name);
        // Hidden, and always the same: what a crash leaves of it, the repeat takes over.
        let part = self.path.join(format!(".{name}.part"));
        let written = write_part(&part, bytes).and_then(|()| fs::rename(&part, &file));
        if let Err(error) = written {
            // On a full disk it takes the room that others need.
            let _ = fs::remove_file(&part);
            return Err(error);
        }
        self.remember(file)
    }

    fn remember(&self, file: PathBuf) -> io::Result<()> {
        let mut unsettled = self.unsettled.lock();
        unsettled.folder = true;
        if unsettled.files.len() < UNSETTLED {
            unsettled.files.push(file);
            return Ok(());
        }
        drop(unsettled);
        sync(&file)
    }

    fn settle(&self) -> io::Result<()> {
        // Taken out for good. After a failed sync the next one may say yes to the same data
        // although it is lost, so whoever asked has to write it again.
        let unsettled = mem::take(&mut *self.unsettled.lock());
        for file in &unsettled.files {
            sync(file)?;
        }
        if unsettled.folder { File::open(&self.path)?.sync_all() } else { Ok(()) }
    }
}

fn write_part(part: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(part)?;
    file.write_all(bytes)
}

fn sync(file: &Path) -> io::Result<()> {
    match File::open(file) {
        Ok(file) => file.sync_all(),
        // Somebody has read it and taken it away.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Sorts by time, and is the same for the same message.
fn file_name(id: [u8; 16], created_at: Timestamp) -> String {
    let millis = created_at.millis().clamp(0, jiff::Timestamp::MAX.as_millisecond());
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    format!("{}-{}.eml", time.strftime("%Y%m%dT%H%M%S.%3fZ"), Uuid::from_bytes(id).hyphenated())
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(io::Error::other(error)),
    }
}

#[cfg(test)]
mod tests;
