//! One thread writes a file, and takes all that has been queued into one transaction.
//!
//! Each piece of work makes its checks before its first write, so a refused one leaves
//! nothing in the transaction that it shares with its neighbours. All are answered after
//! the one synced commit. While it runs the next ones queue up: the slower the disk, the
//! larger the groups, without a timer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::Connection;
use storage::StorageError;
use tokio::sync::{mpsc, oneshot};

use crate::error::{Meaning, OpenError, meaning};
use crate::meters::Meters;

/// Told once, with a sentence, when nothing is known any more of what reached the disk:
/// the process is to end.
pub type OnFatal = Arc<dyn Fn(String) + Send + Sync>;

/// Most pieces of work that wait for a writer; whoever comes then waits for a place.
pub(crate) const QUEUE: usize = 1_024;

/// Most pieces of work of one transaction.
const GROUP: usize = 512;

/// A transaction takes no more work once it has this many bytes.
const GROUP_BYTES: usize = 4 * 1024 * 1024;

/// What a writer remembers of its file between transactions.
pub(crate) trait Memory: Send + 'static {
    /// A transaction was rolled back: learn again from the file.
    fn forget(&mut self, connection: &Connection) -> rusqlite::Result<()>;
}

impl Memory for () {
    fn forget(&mut self, _: &Connection) -> rusqlite::Result<()> {
        Ok(())
    }
}

/// A piece of work whose caller waits.
trait Work<M>: Send {
    fn bytes(&self) -> usize;
    fn run(&mut self, connection: &Connection, memory: &mut M) -> rusqlite::Result<()>;
    fn answer(self: Box<Self>, committed: Result<(), StorageError>);
}

struct Call<F, T> {
    bytes: usize,
    run: Option<F>,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, StorageError>>,
}

impl<M, T, F> Work<M> for Call<F, T>
where
    F: FnOnce(&Connection, &mut M) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn run(&mut self, connection: &Connection, memory: &mut M) -> rusqlite::Result<()> {
        if let Some(run) = self.run.take() {
            self.result = Some(run(connection, memory)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StorageError>) {
        let Self { result, reply, .. } = *self;
        let lost = || StorageError::Unknown("the writer lost a result".into());
        let answer = committed.and_then(|()| result.ok_or_else(lost));
        // A caller that has gone away does not want to know.
        let _gone = reply.send(answer);
    }
}

enum Message<M> {
    Work(Box<dyn Work<M>>),
    /// The checkpointer has copied what it could: copy the rest while nobody writes, so
    /// that the log begins anew instead of growing for ever.
    FinishCheckpoint,
    Close,
}

/// The door to a writer thread.
pub(crate) struct Writer<M> {
    queue: mpsc::Sender<Message<M>>,
}

impl<M> Clone for Writer<M> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

/// Resolves when a thread has ended and closed its file.
pub(crate) type Ended = oneshot::Receiver<()>;

impl<M: Memory> Writer<M> {
    /// Start the thread. `path` names the file in sentences; `checkpoint_bytes` is how
    /// much is written before the log is copied into the file.
    pub(crate) fn start(
        connection: Connection,
        checkpointer: Connection,
        memory: M,
        path: &Path,
        checkpoint_bytes: usize,
        on_fatal: OnFatal,
    ) -> Result<(Self, Ended), OpenError> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let (wake, woken) = mpsc::channel(1);
        let (ended, has_ended) = oneshot::channel();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let failed = |error: std::io::Error| OpenError::Failed {
            file: path.to_owned(),
            reason: error.to_string(),
        };
        let file = Arc::<str>::from(path.display().to_string());
        let copier = Copier {
            connection: checkpointer,
            woken,
            writer: queue.downgrade(),
            file: file.clone(),
            on_fatal: on_fatal.clone(),
        };
        let copying = std::thread::Builder::new()
            .name(format!("{name} copy"))
            .spawn(move || copier.run())
            .map_err(failed)?;
        let thread = Thread {
            meters: Meters::new(&name),
            connection,
            memory,
            waiting,
            next: None,
            file,
            on_fatal,
            dead: None,
            copier: Some(wake),
            uncopied: 0,
            checkpoint_bytes,
        };
        std::thread::Builder::new()
            .name(name)
            .spawn(move || {
                thread.run(copying);
                let _nobody_waits = ended.send(());
            })
            .map_err(failed)?;
        Ok((Self { queue }, has_ended))
    }

    /// Do `run` in a transaction and answer when it is durable. `run` must make its checks
    /// before its first write; `bytes` is roughly what it writes.
    pub(crate) async fn call<T, F>(&self, bytes: usize, run: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &mut M) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let call = Call { bytes, run: Some(run), result: None, reply };
        if self.queue.send(Message::Work(Box::new(call))).await.is_err() {
            return Err(StorageError::NotDone("the store is closed".into()));
        }
        let lost = |_| Err(StorageError::Unknown("the writer ended without an answer".into()));
        answer.await.unwrap_or_else(lost)
    }

    /// How many pieces of work wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Take no more work; end when what is queued is done.
    pub(crate) async fn close(&self) {
        // An error means that it is closed already.
        let _closed = self.queue.send(Message::Close).await;
    }
}

struct Thread<M> {
    meters: Meters,
    connection: Connection,
    memory: M,
    waiting: mpsc::Receiver<Message<M>>,
    /// Taken from the queue but not part of the group before it.
    next: Option<Message<M>>,
    file: Arc<str>,
    on_fatal: OnFatal,
    /// Why nothing is known any more. From then on every answer is this.
    dead: Option<StorageError>,
    copier: Option<mpsc::Sender<()>>,
    /// Bytes written since the last checkpoint was asked for.
    uncopied: usize,
    checkpoint_bytes: usize,
}

impl<M: Memory> Thread<M> {
    fn run(mut self, copying: std::thread::JoinHandle<()>) {
        while let Some(message) = self.next.take().or_else(|| self.waiting.blocking_recv()) {
            match message {
                Message::Work(first) => self.transact(first),
                Message::FinishCheckpoint => self.checkpoint("PASSIVE"),
                Message::Close => self.waiting.close(),
            }
        }
        self.copier = None;
        // Its panic has been told by the panic hook; there is nothing to add.
        let _panicked = copying.join();
        self.checkpoint("TRUNCATE");
    }

    /// One transaction with all that waits, as far as its bounds allow.
    fn transact(&mut self, first: Box<dyn Work<M>>) {
        let mut bytes = first.bytes();
        let mut group = vec![first];
        while group.len() < GROUP && bytes < GROUP_BYTES {
            match self.waiting.try_recv() {
                Ok(Message::Work(work)) => {
                    bytes += work.bytes();
                    group.push(work);
                }
                Ok(other) => {
                    self.next = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        let begun = Instant::now();
        let works = group.len();
        let result = match &self.dead {
            Some(error) => Err(error.clone()),
            None => self.attempt(&mut group),
        };
        if result.is_ok() {
            self.meters.wrote(works, begun.elapsed());
        }
        for work in group {
            work.answer(result.clone());
        }
        if result.is_ok() {
            self.wrote(bytes);
        }
    }

    fn attempt(&mut self, group: &mut [Box<dyn Work<M>>]) -> Result<(), StorageError> {
        let (connection, memory) = (&self.connection, &mut self.memory);
        let attempt = catch_unwind(AssertUnwindSafe(|| {
            execute(connection, "BEGIN IMMEDIATE")?;
            group.iter_mut().try_for_each(|work| work.run(connection, memory))?;
            execute(connection, "COMMIT")
        }));
        match attempt {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.failed(&error)),
            Err(_) => Err(self.die("a bug struck while it was being written")),
        }
    }

    /// What is known after a failed transaction: nothing is written if the rollback is
    /// confirmed and the error was not one of the disk itself.
    fn failed(&mut self, error: &rusqlite::Error) -> StorageError {
        let meaning = meaning(error);
        self.meters.failed(meaning);
        if meaning == Meaning::Fatal {
            return self.die(&error.to_string());
        }
        if !self.connection.is_autocommit()
            && let Err(rollback) = execute(&self.connection, "ROLLBACK")
        {
            return self.die(&format!("{error}, and then {rollback}"));
        }
        if let Err(forget) = self.memory.forget(&self.connection) {
            return self.die(&format!("{error}, and then {forget}"));
        }
        let sentence = format!("{}: {error}", self.file);
        tracing::warn!(file = %self.file, %error, "a transaction was rolled back");
        match meaning {
            Meaning::Full => StorageError::Full(sentence),
            Meaning::Refused | Meaning::Fatal => StorageError::NotDone(sentence),
        }
    }

    fn die(&mut self, reason: &str) -> StorageError {
        let sentence =
            format!("{} failed, and what reached the disk is not known: {reason}", self.file);
        let error = StorageError::Unknown(sentence.clone());
        self.dead = Some(error.clone());
        (self.on_fatal)(sentence);
        error
    }

    fn wrote(&mut self, bytes: usize) {
        self.uncopied += bytes;
        if self.uncopied >= self.checkpoint_bytes
            && let Some(copier) = &self.copier
        {
            // A full channel means that it has been told and has not begun yet.
            let _told = copier.try_send(());
            self.uncopied = 0;
        }
    }

    fn checkpoint(&mut self, mode: &str) {
        if self.dead.is_none()
            && let Err(error) = checkpoint(&self.connection, mode)
        {
            self.die(&format!("its checkpoint: {error}"));
        }
    }
}

/// The thread that copies the log into the file beside the writer, so that sales do not
/// wait for it.
struct Copier<M> {
    connection: Connection,
    woken: mpsc::Receiver<()>,
    writer: mpsc::WeakSender<Message<M>>,
    file: Arc<str>,
    on_fatal: OnFatal,
}

impl<M> Copier<M> {
    fn run(mut self) {
        while self.woken.blocking_recv().is_some() {
            if let Err(error) = checkpoint(&self.connection, "PASSIVE") {
                let file = &self.file;
                (self.on_fatal)(format!("{file} failed: its checkpoint: {error}"));
                return;
            }
            if let Some(writer) = self.writer.upgrade() {
                // A full queue means that the writer is busy; the next one will do.
                let _told = writer.try_send(Message::FinishCheckpoint);
            }
        }
    }
}

/// Copies the log into the file. A reader in its way is no error: the rest is copied the
/// next time. Neither is a full disk: the log still has everything.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<()> {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    let done = connection.prepare_cached(&sql)?.query_row([], |_| Ok(()));
    match done {
        Err(error) if meaning(&error) == Meaning::Fatal => Err(error),
        Err(error) => {
            tracing::warn!(%error, "a checkpoint was put off");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

#[cfg(test)]
mod tests;
