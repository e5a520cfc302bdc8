//! Whoever watches an event is told of each commit: the latest state replaces the one
//! before, so nothing piles up however slowly somebody listens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use engine::{EventId, Seq};
use storage::Summary;
use tokio::sync::watch;

use crate::shared::Shared;

/// The committed state of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommittedState {
    /// How far its history is counted.
    pub seq: Seq,
    /// The sums there.
    pub summary: Summary,
}

/// The events that are watched.
pub(crate) struct Watchers {
    events: DashMap<EventId, watch::Sender<Option<CommittedState>>>,
    /// How many watches there are: a commit looks no further while nobody watches.
    count: AtomicUsize,
    ended: watch::Sender<bool>,
}

impl Default for Watchers {
    fn default() -> Self {
        let ended = watch::Sender::new(false);
        Self { events: DashMap::new(), count: AtomicUsize::new(0), ended }
    }
}

impl Watchers {
    /// Listen to an event. What was committed before is not told.
    pub(crate) fn watch(&self, shared: &Arc<Shared>, event: EventId) -> Watch {
        self.count.fetch_add(1, Ordering::AcqRel);
        // Subscribed under the map's lock, so that nobody forgets the event in between.
        let latest = match self.events.entry(event) {
            Entry::Occupied(entry) => entry.get().subscribe(),
            Entry::Vacant(entry) => entry.insert(watch::Sender::new(None)).subscribe(),
        };
        let ended = self.ended.subscribe();
        Watch { shared: Arc::clone(shared), event, latest: Some(latest), ended, told: None }
    }

    /// A batch of the event is durable.
    pub(crate) fn publish(&self, event: EventId, state: impl FnOnce() -> CommittedState) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let Some(sender) = self.events.get(&event) else { return };
        let state = state();
        sender.send_if_modified(|latest| {
            // Of a dead actor's last batch one may hear after its successor's first.
            let newer = latest.is_none_or(|latest| latest.seq < state.seq);
            if newer {
                *latest = Some(state);
            }
            newer
        });
    }

    /// Every watch ends, those to come as well.
    pub(crate) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// The watches of some events end: their commits are made elsewhere from now on.
    pub(crate) fn end_of(&self, of: impl Fn(EventId) -> bool) {
        if self.count.load(Ordering::Acquire) > 0 {
            // Without its sender a watch sees the end.
            self.events.retain(|event, _| !of(*event));
        }
    }

    fn left(&self, event: EventId) {
        self.count.fetch_sub(1, Ordering::AcqRel);
        self.events.remove_if(&event, |_, sender| sender.receiver_count() == 0);
    }

    /// How many events are watched.
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }
}

/// A watch of one event; its end forgets it.
pub struct Watch {
    shared: Arc<Shared>,
    event: EventId,
    /// Always there until it is dropped.
    latest: Option<watch::Receiver<Option<CommittedState>>>,
    ended: watch::Receiver<bool>,
    told: Option<CommittedState>,
}

impl Watch {
    /// What the store has of the event. A commit may have been told meanwhile.
    pub(crate) fn begin(&mut self, stored: CommittedState) {
        let latest = self.latest.as_ref().and_then(|latest| *latest.borrow());
        self.told = Some(latest.filter(|latest| latest.seq > stored.seq).unwrap_or(stored));
    }

    /// The state when it was last looked at.
    #[must_use]
    pub fn state(&self) -> Option<CommittedState> {
        self.told
    }

    /// The next newer state; those in between are left out. `None` when the process stops.
    pub async fn next(&mut self) -> Option<CommittedState> {
        let latest = self.latest.as_mut()?;
        let told = self.told.map(|told| told.seq);
        let newer = async {
            let newer = latest.wait_for(|latest| latest.map(|latest| latest.seq) > told).await;
            newer.ok().and_then(|latest| *latest)
        };
        let next = tokio::select! {
            biased;
            _ = self.ended.wait_for(|ended| *ended) => None,
            next = newer => next,
        };
        if next.is_some() {
            self.told = next;
        }
        next
    }

    /// Wait until the process stops.
    pub async fn ended(&mut self) {
        // An error means that the system is gone, which is as good.
        let _ = self.ended.wait_for(|ended| *ended).await;
    }

    /// Whether the process stops.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        *self.ended.borrow()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // First off the channel, then out of the map, if nobody else is on it.
        self.latest = None;
        self.shared.watchers.left(self.event);
    }
}
