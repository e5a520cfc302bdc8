//! Facts on their way to a bus that is elsewhere: beside the views, so that neither waits for
//! the other.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use storage::{Epoch, Message, PartitionId, Position, StorageError, Target};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::{advance, messages};
use crate::shared::Shared;

/// Most messages kept in memory for a bus that is slow; what is beyond is read again.
const QUEUE: usize = 1_024;

/// Pause before a bus that failed is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Most bytes published at a time, but for a single message.
const PIECE_BYTES: usize = 1024 * 1024;

/// How long one publication may take.
const PUBLISH_LIMIT: Duration = Duration::from_secs(5);

/// What the projector hands on.
#[derive(Default)]
pub(super) struct BusQueue {
    waiting: Mutex<Waiting>,
    added: Notify,
}

#[derive(Default)]
struct Waiting {
    messages: Vec<Message>,
    /// Everything up to here is in `messages`, or there are too many.
    upto: Position,
    overflowed: bool,
}

impl BusQueue {
    pub(super) fn add(&self, messages: Vec<Message>, upto: Position) {
        {
            let mut waiting = self.waiting.lock();
            waiting.upto = upto;
            if waiting.overflowed || waiting.messages.len() + messages.len() > QUEUE {
                waiting.overflowed = true;
                waiting.messages.clear();
            } else {
                waiting.messages.extend(messages);
            }
        }
        self.added.notify_one();
    }

    fn take(&self) -> Waiting {
        let mut waiting = self.waiting.lock();
        let upto = waiting.upto;
        std::mem::replace(&mut *waiting, Waiting { upto, ..Waiting::default() })
    }
}

/// Messages in pieces of bounded size, in order.
fn pieces(messages: Vec<Message>) -> impl Iterator<Item = Vec<Message>> {
    let mut messages = messages.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut piece = vec![messages.next()?];
        let mut bytes = piece[0].body.len();
        while let Some(next) = messages.next_if(|next| bytes + next.body.len() <= PIECE_BYTES) {
            bytes += next.body.len();
            piece.push(next);
        }
        Some(piece)
    })
}

/// Brings the messages of one partition to the bus, in order.
pub(super) struct BusFollower {
    shared: Arc<Shared>,
    partition: PartitionId,
    epoch: Epoch,
    queue: Arc<BusQueue>,
    /// Up to here the bus has everything.
    cursor: Position,
    /// Something after it may not be in the queue.
    behind: bool,
}

impl BusFollower {
    pub(super) fn new(
        shared: Arc<Shared>,
        partition: PartitionId,
        epoch: Epoch,
        queue: Arc<BusQueue>,
    ) -> Self {
        Self { shared, partition, epoch, queue, cursor: Position(0), behind: true }
    }

    /// Follow until told to stop; then once more, without patience.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        while let Err(error) = self.begin().await {
            tracing::debug!(partition = self.partition.0, %error, "the bus has to wait");
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = stop.changed() => return,
            }
        }
        loop {
            let stopping = *stop.borrow();
            if let Err(error) = self.round().await {
                // Once, not each second: it may be down for a day.
                if !std::mem::replace(&mut self.behind, true) {
                    tracing::warn!(partition = self.partition.0, %error, "the bus is behind");
                }
            }
            if stopping {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE), if self.behind => {}
                () = self.queue.added.notified(), if !self.behind => {}
                _ = stop.changed() => {}
            }
        }
    }

    async fn begin(&mut self) -> Result<(), StorageError> {
        let cursors = self.shared.stores.outbox.cursors();
        let cursors =
            cursors.ok_or_else(|| StorageError::NotDone("there are no cursors".into()))?;
        self.cursor = cursors.cursor(self.partition, Target::Bus).await?;
        let mut waiting = self.queue.waiting.lock();
        if waiting.upto == Position(0) {
            // What the views had when this began, the bus may lack.
            waiting.upto = self.shared.tail.viewed(self.partition);
        }
        Ok(())
    }

    async fn round(&mut self) -> Result<(), StorageError> {
        let Waiting { messages, upto, overflowed } = self.queue.take();
        if self.behind || overflowed {
            self.behind = true;
            self.catch_up(upto).await?;
            self.behind = false;
            return Ok(());
        }
        if upto > self.cursor {
            self.publish(messages, upto).await?;
        }
        Ok(())
    }

    /// Read again what lies between.
    async fn catch_up(&mut self, upto: Position) -> Result<(), StorageError> {
        while self.cursor < upto {
            let entries = self.shared.batches_after(self.partition, self.cursor).await?;
            let Some(end) = entries.last().map(|entry| entry.position) else { break };
            self.publish(messages(&self.shared, &entries)?, end).await?;
        }
        Ok(())
    }

    async fn publish(
        &mut self,
        messages: Vec<Message>,
        upto: Position,
    ) -> Result<(), StorageError> {
        let mut pieces = pieces(messages).peekable();
        while let Some(piece) = pieces.next() {
            // The cursor moves with the last piece.
            let upto = if pieces.peek().is_none() { upto } else { self.cursor };
            let publish = self.shared.stores.bus.publish(self.partition, piece, upto);
            timeout(PUBLISH_LIMIT, publish)
                .await
                .unwrap_or_else(|_| Err(StorageError::Unknown("no answer in time".into())))?;
        }
        advance(&self.shared, self.partition, self.epoch, Target::Bus, upto).await?;
        self.cursor = upto;
        Ok(())
    }
}
