//! A few threads read a file, each over its own connection: reads never wait for a
//! commit, and never hold up the runtime's threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use storage::StorageError;
use tokio::sync::{mpsc, oneshot};

use crate::error::{OpenError, read_failed};
use crate::writer::Ended;

/// Most reads that wait; whoever comes then waits for a place.
const QUEUE: usize = 1_024;

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The door to the readers of a file.
#[derive(Clone)]
pub(crate) struct Readers {
    queue: mpsc::Sender<Option<Read>>,
}

impl Readers {
    /// Start a thread per connection.
    pub(crate) fn start(
        connections: Vec<Connection>,
        path: &Path,
    ) -> Result<(Self, Vec<Ended>), OpenError> {
        let (queue, waiting) = mpsc::channel::<Option<Read>>(QUEUE);
        let waiting = Arc::new(Mutex::new(waiting));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut all_ended = Vec::new();
        for connection in connections {
            let waiting = waiting.clone();
            let (ended, has_ended) = oneshot::channel();
            std::thread::Builder::new()
                .name(format!("{name} read"))
                .spawn(move || {
                    while let Some(read) = take(&waiting) {
                        // A panic costs the one read, whose caller is told, not the thread.
                        let _told = catch_unwind(AssertUnwindSafe(|| read(&connection)));
                    }
                    drop(connection);
                    let _nobody_waits = ended.send(());
                })
                .map_err(|error| OpenError::Failed {
                    file: path.to_owned(),
                    reason: error.to_string(),
                })?;
            all_ended.push(has_ended);
        }
        Ok((Self { queue }, all_ended))
    }

    /// Read. Statements of one call see the same state only within a transaction of
    /// their own; see [`consistently`].
    pub(crate) async fn call<T, F>(&self, read: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |connection| {
            if !reply.is_closed() {
                let _gone = reply.send(read(connection).map_err(|error| read_failed(&error)));
            }
        });
        if self.queue.send(Some(read)).await.is_err() {
            return Err(StorageError::NotDone("the store is closed".into()));
        }
        let lost = |_| Err(StorageError::NotDone("the reader ended without an answer".into()));
        answer.await.unwrap_or_else(lost)
    }

    /// How many reads wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Take no more reads; the threads end when what is queued is done.
    pub(crate) async fn close(&self) {
        // An error means that they are closed already.
        let _closed = self.queue.send(None).await;
    }
}

/// The next read. Whoever waits holds the lock and the others wait for it: one of them
/// is woken by a read, the next one by the lock.
fn take(waiting: &Mutex<mpsc::Receiver<Option<Read>>>) -> Option<Read> {
    // Nothing between locking and unlocking leaves the receiver half changed.
    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        match waiting.blocking_recv()? {
            Some(read) => return Some(read),
            None => waiting.close(),
        }
    }
}

/// Runs several statements on one state of the file.
pub(crate) fn consistently<T>(
    connection: &Connection,
    read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.unchecked_transaction()?;
    let value = read(&transaction)?;
    transaction.commit()?;
    Ok(value)
}
