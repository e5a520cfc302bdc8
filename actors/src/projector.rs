//! Outbox → journal, views and bus: at least once, in order, each effect once. The journal,
//! where it is apart, comes first: what it has, the outbox need not keep.
//!
//! The views are written in bulk and yield to commits; a bounded lag is the price, and
//! the tail hides it from readers.

use std::sync::Arc;
use std::time::Duration;

use storage::{
    Conflict, Epoch, Message, OutboxEntry, PartitionId, Position, StorageError, Target, ViewChange,
    project, record,
};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::shared::Shared;
use crate::steward;

mod bus;

use bus::{BusFollower, BusQueue};

/// Pause after a projection failed, before the same batches are tried again.
const FAILURE_PAUSE: Duration = Duration::from_millis(500);

/// Without a commit for this long, the projector takes its turn.
const CALM: Duration = Duration::from_millis(5);

/// How long a partition without anything to project is left alone after it was taken over,
/// and how much longer each next one.
const CALM_AFTER_TAKEOVER: Duration = Duration::from_secs(1);

/// See [`CALM_AFTER_TAKEOVER`].
const TURN: Duration = Duration::from_millis(2);

/// The bus cursor is moved without a message at the latest after this many positions, where
/// the bus keeps it: it costs a synced write, and reading that much again after a restart
/// costs less.
const BUS_STRIDE: u64 = 50_000;

/// The projector of one partition.
pub(crate) struct Projector {
    shared: Arc<Shared>,
    partition: PartitionId,
    /// The ownership under which it works.
    epoch: Epoch,
    bus: Bus,
    /// Up to here the journal has everything; counts only where it is apart.
    journalled: Position,
}

/// How facts come to the bus.
enum Bus {
    /// It keeps its cursor in the transaction of the effect, in this process. Up to here it
    /// has everything, durably; the messages of later positions are there too, or there are
    /// none.
    Here(Position),
    /// It is elsewhere and may be down for long: somebody follows beside the views.
    Elsewhere(Arc<BusQueue>),
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
        epoch: Epoch,
    ) -> Result<Self, StorageError> {
        let mut projector = Self::new(shared, partition, epoch).await?;
        let last = shared.stores.outbox.last(partition).await?;
        let views = shared.viewed(partition).await?;
        shared.tail.begin(partition, epoch, views);
        projector.catch_bus_up(views.min(last)).await?;
        let mut at = views;
        let room = shared.options.tail_limit / 2;
        loop {
            let entries = projector.read(at).await?;
            let Some(end) = entries.last().map(|entry| entry.position) else { break };
            at = end;
            for entry in entries {
                shared.tail.push(partition, epoch, entry);
            }
            while shared.tail.len(partition) > room {
                projector.project_once().await?;
            }
        }
        Ok(projector)
    }

    async fn new(
        shared: &Arc<Shared>,
        partition: PartitionId,
        epoch: Epoch,
    ) -> Result<Self, StorageError> {
        let (bus, journalled) = match shared.stores.outbox.cursors() {
            None => (Bus::Here(shared.stores.bus.cursor(partition).await?), Position(0)),
            Some(cursors) => {
                let journalled = cursors.cursor(partition, Target::Journal).await?;
                (Bus::Elsewhere(Arc::default()), journalled)
            }
        };
        Ok(Self { shared: Arc::clone(shared), partition, epoch, bus, journalled })
    }

    /// Follow a partition whose tail is there already, until the ownership is over.
    pub(crate) async fn follow(shared: Arc<Shared>, partition: PartitionId, epoch: Epoch) {
        // A takeover is of many partitions at once, and most have nothing to project: those
        // wait their turn until everything is served.
        if shared.tail.len(partition) == 0 {
            let turn = CALM_AFTER_TAKEOVER + TURN * u32::from(partition.0);
            tokio::select! {
                () = shared.tail.pushed(partition) => {}
                () = tokio::time::sleep(turn) => {}
            }
        }
        // Its stores may be down: what is committed waits in the tail meanwhile.
        let projector = loop {
            let made = async {
                let _turn = shared.projecting.acquire().await;
                let projector = Self::new(&shared, partition, epoch).await?;
                projector.compare_with_journal().await.map(|()| projector)
            };
            match made.await {
                Ok(projector) => break projector,
                Err(error) => {
                    tracing::debug!(partition = partition.0, %error, "a projection has to wait");
                    tokio::time::sleep(FAILURE_PAUSE).await;
                }
            }
        };
        let (_stop, stopped) = watch::channel(false);
        projector.run(stopped).await;
    }

    /// A journal that is ahead of the outbox knows something that the store has lost.
    async fn compare_with_journal(&self) -> Result<(), StorageError> {
        let stores = &self.shared.stores;
        if stores.journal_writer.is_none() {
            return Ok(());
        }
        let last = stores.outbox.last(self.partition).await?;
        if stores.journal.follow(self.partition, last, 1).await?.is_empty() {
            return Ok(());
        }
        // Between the two readings somebody else may have gone on; the store knows, and closes
        // nothing that is not under this ownership any more.
        let why = "the journal is ahead of the store";
        steward::close(&self.shared, self.partition, self.epoch, why);
        Err(StorageError::Damaged(why.into()))
    }

    async fn read(&self, after: Position) -> Result<Vec<OutboxEntry>, StorageError> {
        self.shared.batches_after(self.partition, after).await
    }

    /// The bus may stand behind the views: what lies between is read again from the outbox.
    /// What it has already is not doubled.
    async fn catch_bus_up(&mut self, views: Position) -> Result<(), StorageError> {
        let Bus::Here(mut cursor) = self.bus else { return Ok(()) };
        let mut at = cursor;
        while at < views {
            let entries = self.read(at).await?;
            let Some(end) = entries.last().map(|entry| entry.position) else { break };
            let messages = messages(&self.shared, &entries)?;
            if !messages.is_empty() || end >= views {
                self.shared.stores.bus.publish(self.partition, messages, end).await?;
                cursor = end;
            }
            at = end;
        }
        self.bus = Bus::Here(cursor);
        Ok(())
    }

    /// Follow the tail until told to stop; then finish what is there.
    pub(crate) async fn run(self, stop: watch::Receiver<bool>) {
        match &self.bus {
            Bus::Here(_) => self.run_views(stop).await,
            Bus::Elsewhere(queue) => {
                let (shared, queue) = (Arc::clone(&self.shared), Arc::clone(queue));
                let follower = BusFollower::new(shared, self.partition, self.epoch, queue);
                // The views end first, so that the follower gets to know the last of them.
                let (end, ended) = watch::channel(false);
                let views = async {
                    self.run_views(stop).await;
                    end.send_replace(true);
                };
                tokio::join!(views, follower.run(ended));
            }
        }
    }

    async fn run_views(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            let stopping = *stop.borrow();
            if !stopping {
                self.yield_to_commits().await;
            }
            match self.project_in_turn().await {
                Ok(true) => {}
                Ok(false) if stopping => return,
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
                    self.shared.meters.projection_failures.increment(1);
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

    /// One round, when it is this partition's turn.
    async fn project_in_turn(&mut self) -> Result<bool, StorageError> {
        if self.shared.tail.ready(self.partition, 1).is_empty() {
            return Ok(false);
        }
        let shared = Arc::clone(&self.shared);
        let Ok(_turn) = shared.projecting.acquire().await else { return Ok(false) };
        self.project_once().await
    }

    /// One round; `false` if there was nothing to do.
    async fn project_once(&mut self) -> Result<bool, StorageError> {
        let limit = self.shared.options.projector_batch;
        let entries = self.shared.tail.ready(self.partition, limit);
        if entries.is_empty() {
            return Ok(false);
        }
        let begun = Instant::now();
        self.keep_in_journal(&entries).await?;
        let Projected { changes, messages, upto } = self.project(&entries)?;
        let messages = self.publish_here(messages, upto).await?;
        self.shared.stores.views.apply(self.partition, self.shared.era(), changes, upto).await?;
        self.advance(Target::Views, upto).await?;
        // Last, as it cuts the outbox: until the views have them too, entries are found there
        // even while the journal is down.
        self.advance(Target::Journal, upto).await?;
        if let Bus::Elsewhere(queue) = &self.bus {
            queue.add(messages, upto);
        }
        self.shared.tail.projected(self.partition, self.epoch, upto);
        self.shared.meters.projection_seconds.record(begun.elapsed());
        Ok(true)
    }

    /// The journal first, and never with a gap: where it finds another batch in the place of
    /// one, the history has gone wrong, and nothing more of it is served.
    async fn keep_in_journal(&mut self, entries: &[Arc<OutboxEntry>]) -> Result<(), StorageError> {
        let Some(journal) = &self.shared.stores.journal_writer else { return Ok(()) };
        let fresh = entries.iter().filter(|entry| entry.position > self.journalled);
        let fresh: Vec<_> = fresh.cloned().collect();
        let Some(upto) = fresh.last().map(|entry| entry.position) else { return Ok(()) };
        if let Some(conflict) = journal.append(self.partition, self.shared.era(), fresh).await? {
            let Conflict { event, first_seq } = conflict;
            let why = "the journal has another batch";
            tracing::error!(%event, seq = first_seq.0, "the journal has another batch: closed");
            steward::close(&self.shared, self.partition, self.epoch, why);
            return Err(StorageError::Damaged(format!(
                "the journal has another batch of {event} at seq {}",
                first_seq.0
            )));
        }
        self.journalled = upto;
        Ok(())
    }

    /// Move a cursor that is kept beside the outbox.
    async fn advance(&self, target: Target, upto: Position) -> Result<(), StorageError> {
        advance(&self.shared, self.partition, self.epoch, target, upto).await
    }

    fn project(&self, entries: &[Arc<OutboxEntry>]) -> Result<Projected, StorageError> {
        let mut projected =
            Projected { changes: Vec::new(), messages: Vec::new(), upto: Position(0) };
        for entry in entries {
            let decided = record::decode(&entry.blob)?;
            projected.changes.extend(project::view_changes(entry.event, &decided, entry.first_seq));
            projected.messages.extend(project::bus_messages(
                self.shared.era(),
                entry.epoch,
                entry.event,
                &decided,
                entry.first_seq,
            ));
            projected.upto = entry.position;
        }
        Ok(projected)
    }

    /// Publish on a bus in this process, before the views; gives back what is to go to one
    /// elsewhere.
    async fn publish_here(
        &mut self,
        messages: Vec<Message>,
        upto: Position,
    ) -> Result<Vec<Message>, StorageError> {
        let Bus::Here(cursor) = self.bus else { return Ok(messages) };
        let ahead = upto.0.saturating_sub(cursor.0);
        if ahead > 0 && (!messages.is_empty() || ahead >= BUS_STRIDE) {
            self.shared.stores.bus.publish(self.partition, messages, upto).await?;
            self.bus = Bus::Here(upto);
        }
        Ok(Vec::new())
    }
}

/// Move a cursor that is kept beside the outbox.
async fn advance(
    shared: &Arc<Shared>,
    partition: PartitionId,
    epoch: Epoch,
    target: Target,
    upto: Position,
) -> Result<(), StorageError> {
    let Some(cursors) = shared.stores.outbox.cursors() else { return Ok(()) };
    if cursors.advance(partition, epoch, target, upto).await? {
        return Ok(());
    }
    steward::fenced(shared, partition, epoch);
    Err(StorageError::NotDone("the ownership is over".into()))
}

/// The messages that follow from batches.
fn messages(shared: &Shared, entries: &[OutboxEntry]) -> Result<Vec<Message>, StorageError> {
    let mut messages = Vec::new();
    for entry in entries {
        let decided = record::decode(&entry.blob)?;
        let (era, seq) = (shared.era(), entry.first_seq);
        messages.extend(project::bus_messages(era, entry.epoch, entry.event, &decided, seq));
    }
    Ok(messages)
}
