//! A journal apart from the outbox, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{EventId, Seq};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::now;
use crate::commit::{Era, PartitionId, Position};
use crate::error::StorageError;
use crate::outbox::{Conflict, Journal, JournalWriter, OutboxEntry, WholeJournal};

/// A journal apart from the outbox, in memory.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    batches: BTreeMap<(PartitionId, Position), (Era, Arc<OutboxEntry>)>,
    newest_era: Option<Era>,
    down: bool,
}

impl MemoryJournal {
    /// From now on nothing can be written, or it can again.
    pub fn set_down(&self, down: bool) {
        self.state.lock().down = down;
    }

    /// How many batches it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.lock().batches.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn find(
        &self,
        limit: usize,
        wanted: impl Fn(PartitionId, &OutboxEntry) -> bool,
    ) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StorageError>> {
        let state = self.state.lock();
        let batches = state.batches.iter().filter(|((p, _), (_, b))| wanted(*p, b));
        now(batches.take(limit).map(|(_, (_, batch))| (**batch).clone()).collect())
    }
}

impl State {
    /// What stands in the place of this batch, if it is another one.
    fn conflict(&self, partition: PartitionId, era: Era, entry: &OutboxEntry) -> Option<Conflict> {
        let same_place = self.batches.get(&(partition, entry.position));
        let has_events = |entry: &OutboxEntry| entry.last_seq >= entry.first_seq;
        let same_seq = self.batches.values().find(|(other_era, other)| {
            *other_era >= era
                && other.event == entry.event
                && other.first_seq == entry.first_seq
                && other.chain != entry.chain
                && has_events(entry)
                && has_events(other)
        });
        let other = same_place
            .into_iter()
            .chain(same_seq)
            .map(|(_, o)| o)
            .find(|o| o.chain != entry.chain)?;
        Some(Conflict { event: other.event, first_seq: other.first_seq })
    }
}

impl Journal for MemoryJournal {
    fn history(
        &self,
        event: EventId,
        from: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StorageError>> {
        self.find(limit, |_, batch| {
            batch.event == event && (batch.first_seq >= from || batch.last_seq >= from)
        })
    }

    fn follow(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StorageError>> {
        self.find(limit, |home, batch| home == partition && batch.position > after)
    }
}

impl JournalWriter for MemoryJournal {
    fn append(
        &self,
        partition: PartitionId,
        era: Era,
        entries: Vec<Arc<OutboxEntry>>,
    ) -> BoxFuture<'_, Result<Option<Conflict>, StorageError>> {
        let mut state = self.state.lock();
        if state.down {
            let error = StorageError::NotDone("the journal is down, as it was to be".into());
            return Box::pin(std::future::ready(Err(error)));
        }
        for entry in entries {
            if let Some(conflict) = state.conflict(partition, era, &entry) {
                return now(Some(conflict));
            }
            state.batches.entry((partition, entry.position)).or_insert((era, entry));
        }
        now(None)
    }
}

impl WholeJournal for MemoryJournal {
    fn scan(
        &self,
        partition: PartitionId,
        after: Position,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<OutboxEntry>, StorageError>> {
        self.follow(partition, after, limit)
    }

    fn newest_era(&self) -> BoxFuture<'_, Result<Era, StorageError>> {
        now(self.state.lock().newest_era.unwrap_or(Era(1)))
    }

    fn begin_era(&self, era: Era) -> BoxFuture<'_, Result<(), StorageError>> {
        self.state.lock().newest_era = Some(era);
        now(())
    }
}
