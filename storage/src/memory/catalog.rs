//! The catalog in memory.

use std::collections::BTreeMap;

use engine::{EventId, Timestamp, UserId};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::now;
use crate::catalog::{CatalogEntry, CatalogFilter, CatalogStore, CreateKey, KeptAnswer, Stored};
use crate::error::StorageError;

/// The catalog in memory.
#[derive(Debug, Default)]
pub struct MemoryCatalog {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<EventId, CatalogEntry>,
    keys: BTreeMap<(UserId, [u8; 16]), CreateKey>,
    answers: BTreeMap<(UserId, [u8; 16]), KeptAnswer>,
}

/// Whether `part`, if given, is in `whole`, in any case.
fn contains(whole: &str, part: Option<&String>) -> bool {
    part.is_none_or(|part| whole.to_lowercase().contains(&part.to_lowercase()))
}

impl CatalogStore for MemoryCatalog {
    fn put(&self, entry: CatalogEntry) -> BoxFuture<'_, Result<Stored, StorageError>> {
        let mut state = self.state.lock();
        let stored = state.entries.get(&entry.id).map_or(0, |stored| stored.version);
        now(if stored >= entry.version {
            Stored::AlreadyThere
        } else if stored + 1 == entry.version {
            state.entries.insert(entry.id, entry);
            Stored::Written
        } else {
            Stored::PredecessorMissing
        })
    }

    fn get(&self, id: EventId) -> BoxFuture<'_, Result<Option<CatalogEntry>, StorageError>> {
        now(self.state.lock().entries.get(&id).cloned())
    }

    fn get_many(
        &self,
        ids: Vec<EventId>,
    ) -> BoxFuture<'_, Result<Vec<Option<CatalogEntry>>, StorageError>> {
        let state = self.state.lock();
        now(ids.iter().map(|id| state.entries.get(id).cloned()).collect())
    }

    fn list(
        &self,
        filter: CatalogFilter,
        skip: usize,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<CatalogEntry>, StorageError>> {
        let state = self.state.lock();
        let mut found: Vec<_> = state
            .entries
            .values()
            .filter(|entry| !entry.deleted)
            .filter(|entry| contains(&entry.title, filter.title.as_ref()))
            .filter(|entry| contains(&entry.location, filter.location.as_ref()))
            .filter(|entry| filter.organizer.is_none_or(|organizer| entry.organizer == organizer))
            .collect();
        found.sort_unstable_by_key(|entry| (entry.starts_at, entry.id));
        now(found.into_iter().skip(skip).take(limit).cloned().collect())
    }

    fn remember_key(
        &self,
        key: CreateKey,
        at: Timestamp,
    ) -> BoxFuture<'_, Result<CreateKey, StorageError>> {
        let mut state = self.state.lock();
        state.keys.retain(|_, stored| stored.keep_until >= at);
        now(state.keys.entry((key.organizer, key.digest)).or_insert(key).clone())
    }

    fn keep_answer(
        &self,
        answer: KeptAnswer,
        at: Timestamp,
    ) -> BoxFuture<'_, Result<(), StorageError>> {
        let mut state = self.state.lock();
        state.answers.retain(|_, stored| stored.keep_until >= at);
        state.answers.entry((answer.principal, answer.digest)).or_insert(answer);
        now(())
    }

    fn kept_answer(
        &self,
        principal: UserId,
        digest: [u8; 16],
        at: Timestamp,
    ) -> BoxFuture<'_, Result<Option<KeptAnswer>, StorageError>> {
        let state = self.state.lock();
        let answer = state.answers.get(&(principal, digest));
        now(answer.filter(|answer| answer.keep_until >= at).cloned())
    }
}
