//! The catalog in memory.

use std::collections::BTreeMap;

use engine::{EventId, Timestamp, UserId};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::now;
use crate::catalog::{
    CatalogEntry, CatalogFilter, CatalogStore, CreateKey, KeptAnswer, Order, Parked, SearchWords,
    Slice, Stored,
};
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
    parked: BTreeMap<u64, Parked>,
}

/// Whether `part`, if given, is in `whole`, in any case.
fn contains(whole: &str, part: Option<&String>) -> bool {
    part.is_none_or(|part| whole.to_lowercase().contains(&part.to_lowercase()))
}

fn fits(entry: &CatalogEntry, filter: &CatalogFilter) -> bool {
    !entry.deleted
        && contains(&entry.title, filter.title.as_ref())
        && contains(&entry.location, filter.location.as_ref())
        && filter.words.as_ref().is_none_or(|words| rank(entry, words).is_some())
        && filter.organizer.is_none_or(|organizer| entry.organizer == organizer)
        && filter.is_active.is_none_or(|active| entry.is_active == active)
        && filter.starts_after.is_none_or(|at| entry.starts_at >= at)
        && filter.starts_before.is_none_or(|at| entry.starts_at < at)
        && filter.min_price.is_none_or(|cents| entry.price_cents >= cents)
        && filter.max_price.is_none_or(|cents| entry.price_cents <= cents)
}

/// How well a document fits: each word counts by the best field that has it. `None` if one
/// of them is nowhere.
fn rank(entry: &CatalogEntry, wanted: &SearchWords) -> Option<u32> {
    let fields = [(10, &entry.title), (5, &entry.location), (1, &entry.description)];
    let fields = fields.map(|(weight, text)| {
        let words = text.to_lowercase();
        let words = words.split(|c: char| !c.is_alphanumeric()).map(str::to_owned);
        (weight, words.collect::<Vec<_>>())
    });
    let (last, others) = wanted.words().split_last()?;
    let best = |fits: &dyn Fn(&String) -> bool| {
        fields.iter().find(|(_, words)| words.iter().any(fits)).map(|(weight, _)| *weight)
    };
    let mut sum = best(&|word| word.starts_with(last.as_str()))?;
    for wanted in others {
        sum += best(&|word| word == wanted)?;
    }
    Some(sum)
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
        order: Order,
        slice: Slice,
    ) -> BoxFuture<'_, Result<Vec<CatalogEntry>, StorageError>> {
        let state = self.state.lock();
        let place = |entry: &CatalogEntry| (order.by.value(entry), entry.id);
        let mut found: Vec<_> = state
            .entries
            .values()
            .filter(|entry| fits(entry, &filter))
            .filter(|entry| match &slice.after {
                Some(after) if order.descending => place(entry) < *after,
                Some(after) => place(entry) > *after,
                None => true,
            })
            .collect();
        found.sort_by_cached_key(|entry| place(entry));
        if order.descending {
            found.reverse();
        }
        now(found.into_iter().skip(slice.skip).take(slice.limit).cloned().collect())
    }

    fn search(
        &self,
        words: SearchWords,
        skip: usize,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<CatalogEntry>, StorageError>> {
        let state = self.state.lock();
        let living = state.entries.values().filter(|entry| !entry.deleted);
        let mut found: Vec<_> = living
            .filter_map(|entry| Some((std::cmp::Reverse(rank(entry, &words)?), entry.id, entry)))
            .collect();
        found.sort_unstable_by_key(|(rank, id, _)| (*rank, *id));
        now(found.into_iter().skip(skip).take(limit).map(|(_, _, entry)| entry.clone()).collect())
    }

    fn all(
        &self,
        after: Option<EventId>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<CatalogEntry>, StorageError>> {
        let state = self.state.lock();
        let rest =
            state.entries.values().filter(|entry| after.is_none_or(|after| entry.id > after));
        now(rest.take(limit).cloned().collect())
    }

    fn replace(&self, entry: CatalogEntry) -> BoxFuture<'_, Result<(), StorageError>> {
        self.state.lock().entries.insert(entry.id, entry);
        now(())
    }

    fn park(&self, parked: Parked) -> BoxFuture<'_, Result<(), StorageError>> {
        self.state.lock().parked.entry(parked.number).or_insert(parked);
        now(())
    }

    fn parked(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Parked>, StorageError>> {
        now(self.state.lock().parked.values().take(limit).cloned().collect())
    }

    fn forget_key(
        &self,
        organizer: UserId,
        digest: [u8; 16],
    ) -> BoxFuture<'_, Result<(), StorageError>> {
        self.state.lock().keys.remove(&(organizer, digest));
        now(())
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
