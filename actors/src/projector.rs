//! Outbox → journal, views and bus: at least once, in order, each effect once. The journal,
//! where it is apart, comes first: what it has, the outbox need not keep.
//!
//! The views are written in bulk and yield to commits; a bounded lag is the price, and
//! the tail hides it from readers.

use std::sync::Arc;
use std::time::Duration;

use storage::{
    Conflict, Message, OutboxEntry, PartitionId, Position, StorageError, Target, ViewChange,
    project, record,
};
use tokio::sync::watch;

use crate::shared::Shared;

/// Pause after a projection failed, before the same batches are tried again.
const FAILURE_PAUSE: Duration = Duration::from_millis(500);

/// Without a commit for this long, the projector takes its turn.
const CALM: Duration = Duration::from_millis(5);

/// The bus cursor is moved without a message at the latest after this many positions: it
/// costs a synced write, and reading that much again after a restart costs less.
const BUS_STRIDE: u64 = 50_000;

/// The projector of one partition.
pub(crate) struct Projector {
    shared: Arc<Shared>,
    partition: PartitionId,
    /// Up to here the bus has everything, durably; the messages of later positions are there
    /// too, or there are none.
    bus_cursor: Position,
    /// Up to here the journal has everything; counts only where it is apart.
    journalled: Position,
}

/// A batch of outbox entries, projected.
struct Projected {
    changes: Vec<ViewChange>,
    messages: Vec<Message>,
    upto: Position,
}

impl Projector {
    /// Bring views and bus so far that the rest fits into the tail, and put the rest there.
    /// Ends before anything is served.
    pub(crate) async fn prepare(
        shared: &Arc<Shared>,
        partition: PartitionId,
    ) -> Result<Self, StorageError> {
        let bus_cursor = shared.stores.bus.cursor(partition).await?;
        let journalled = match shared.stores.outbox.cursors() {
            Some(cursors) => cursors.cursor(partition, Target::Journal).await?,
            None => Position(0),
        };
        let mut projector = Self { shared: Arc::clone(shared), partition, bus_cursor, journalled };
        let last = shared.stores.outbox.last(partition).await?;
        let views = shared.viewed(partition).await?;
        shared.tail.begin(partition, views);
        projector.catch_bus_up(views.min(last)).await?;
        let mut at = views;
        let room = shared.options.tail_limit / 2;
        loop {
            let entries = projector.read(at).await?;
            let Some(end) = entries.last().map(|entry| entry.position) else { break };
            at = end;
            for entry in entries {
                shared.tail.push(partition, entry);
            }
            while shared.tail.len(partition) > room {
                projector.project_once().await?;
            }
        }
        Ok(projector)
    }

    async fn read(&self, after: Position) -> Result<Vec<OutboxEntry>, StorageError> {
        self.shared.batches_after(self.partition, after).await
    }

    /// The bus may stand behind the views: what lies between is read again from the outbox.
    /// What it has already is not doubled.
    async fn catch_bus_up(&mut self, views: Position) -> Result<(), StorageError> {
        let mut at = self.bus_cursor;
        while at < views {
            let entries = self.read(at).await?;
            let Some(end) = entries.last().map(|entry| entry.position) else { break };
            let entries: Vec<_> = entries.into_iter().map(Arc::new).collect();
            let messages = self.project(&entries)?.messages;
            if !messages.is_empty() || end >= views {
                self.publish(messages, end).await?;
                self.bus_cursor = end;
            }
            at = end;
        }
        Ok(())
    }

    /// Follow the tail until told to stop; then finish what is there.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let stopping = *stop.borrow();
            if !stopping {
                self.yield_to_commits().await;
            }
            match self.project_once().await {
                Ok(true) => {}
                Ok(false) if stopping => {
                    return;
                }
                Ok(false) => {
                    tokio::select! {
                        () = self.shared.tail.pushed(self.partition) => {}
                        _ = stop.changed() => {}
                        () = tokio::time::sleep(FAILURE_PAUSE), if self.has_gap() => {
                            self.fill_gap().await;
                        }
                    }
                }
                Err(error) => {
                    tracing::error!(partition = self.partition.0, %error, "a projection failed");
                    if stopping {
                        return;
                    }
                    tokio::time::sleep(FAILURE_PAUSE).await;
                }
            }
        }
    }

    /// Whether something is in the tail behind a position that is not.
    fn has_gap(&self) -> bool {
        self.shared.tail.len(self.partition) > 0
    }

    /// A gap that lasts is a batch that landed and that nobody here was told of.
    async fn fill_gap(&self) {
        if let Err(error) = self.shared.follow_outbox(self.partition).await {
            tracing::error!(partition = self.partition.0, %error, "the outbox cannot be read");
        }
    }

    async fn yield_to_commits(&self) {
        if !self.shared.tail.is_pressing(self.partition) {
            let patience = self.shared.options.projector_yield;
            let _ = tokio::time::timeout(patience, self.shared.commits.calm(CALM)).await;
        }
    }

    /// One round; `false` if there was nothing to do.
    async fn project_once(&mut self) -> Result<bool, StorageError> {
        let limit = self.shared.options.projector_batch;
        let entries = self.shared.tail.ready(self.partition, limit);
        if entries.is_empty() {
            return Ok(false);
        }
        self.keep_in_journal(&entries).await?;
        let Projected { changes, messages, upto } = self.project(&entries)?;
        let ahead = upto.0.saturating_sub(self.bus_cursor.0);
        if ahead > 0 && (!messages.is_empty() || ahead >= BUS_STRIDE) {
            self.publish(messages, upto).await?;
            self.bus_cursor = upto;
        }
        self.shared.stores.views.apply(self.partition, self.shared.era, changes, upto).await?;
        self.advance(Target::Views, upto).await?;
        self.shared.tail.projected(self.partition, upto);
        Ok(true)
    }

    /// The journal first, and never with a gap: where it finds another batch in the place of
    /// one, the history has gone wrong, and nothing more of it is served.
    async fn keep_in_journal(&mut self, entries: &[Arc<OutboxEntry>]) -> Result<(), StorageError> {
        let Some(journal) = &self.shared.stores.journal_writer else { return Ok(()) };
        let fresh = entries.iter().filter(|entry| entry.position > self.journalled);
        let fresh: Vec<_> = fresh.cloned().collect();
        let Some(upto) = fresh.last().map(|entry| entry.position) else { return Ok(()) };
        if let Some(conflict) = journal.append(self.partition, self.shared.era, fresh).await? {
            let ownership = &self.shared.ownership;
            ownership.close(self.partition, ownership.epoch(self.partition));
            let Conflict { event, first_seq } = conflict;
            tracing::error!(%event, seq = first_seq.0, "the journal has another batch: closed");
            return Err(StorageError::Damaged(format!(
                "the journal has another batch of {event} at seq {}",
                first_seq.0
            )));
        }
        self.advance(Target::Journal, upto).await?;
        self.journalled = upto;
        Ok(())
    }

    /// Move a cursor that is kept beside the outbox.
    async fn advance(&self, target: Target, upto: Position) -> Result<(), StorageError> {
        let Some(cursors) = self.shared.stores.outbox.cursors() else { return Ok(()) };
        let ownership = &self.shared.ownership;
        let epoch = ownership.epoch(self.partition);
        if cursors.advance(self.partition, epoch, target, upto).await? {
            return Ok(());
        }
        ownership.close(self.partition, epoch);
        Err(StorageError::NotDone("the ownership is over".into()))
    }

    fn project(&self, entries: &[Arc<OutboxEntry>]) -> Result<Projected, StorageError> {
        let mut projected =
            Projected { changes: Vec::new(), messages: Vec::new(), upto: Position(0) };
        for entry in entries {
            let decided = record::decode(&entry.blob)?;
            projected.changes.extend(project::view_changes(entry.event, &decided, entry.first_seq));
            projected.messages.extend(project::bus_messages(
                self.shared.era,
                entry.epoch,
                entry.event,
                &decided,
                entry.first_seq,
            ));
            projected.upto = entry.position;
        }
        Ok(projected)
    }

    async fn publish(&self, messages: Vec<Message>, upto: Position) -> Result<(), StorageError> {
        self.shared.stores.bus.publish(self.partition, messages, upto).await
    }
}
