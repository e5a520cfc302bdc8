//! Event → actor. Places of events that sleep and have nothing to remember are forgotten.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use engine::{CommandId, EventId};
use parking_lot::Mutex;
use ractor::ActorRef;
use storage::{Head, PartitionId};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error::SubmitError;
use crate::event_actor::Message;
use crate::slot::{Slot, Waiter};

/// A death is forgotten when none has followed it for this long.
const DEATH_MEMORY: Duration = Duration::from_secs(60);

/// Most commands suspected at a time per event; the oldest suspicion is dropped first.
const SUSPECTS: usize = 64;

/// How often a command may make its actor panic before it is quarantined.
const PANICS: u8 = 2;

/// Somebody who waits for an actor to start.
pub(crate) struct StartWaiter(pub(crate) oneshot::Sender<Result<(), SubmitError>>);

impl Waiter for StartWaiter {
    type Failure = SubmitError;

    fn wake(self, outcome: Result<(), SubmitError>) {
        // Who stopped waiting does not mind.
        let _ = self.0.send(outcome);
    }
}

/// One event's place.
pub(crate) struct Place {
    pub(crate) event: EventId,
    pub(crate) slot: Slot<ActorRef<Message>, StartWaiter>,
    /// Held by a committer at work and by a load: one follows the other.
    pub(crate) lane: tokio::sync::Mutex<()>,
    suspicious: AtomicBool,
    /// Entries of the waitlist as committed last, for the figures.
    waiting: AtomicU32,
    memory: Mutex<Memory>,
}

/// What outlives an actor.
#[derive(Default)]
struct Memory {
    /// The last head that answers were released upon.
    acknowledged: Option<Head>,
    /// Commands that made an actor panic, and how often.
    suspects: Vec<(CommandId, u8)>,
    deaths: u32,
    last_death: Option<Instant>,
}

impl Place {
    fn new(event: EventId, permits: usize) -> Self {
        Self {
            event,
            slot: Slot::new(permits),
            lane: tokio::sync::Mutex::new(()),
            suspicious: AtomicBool::new(false),
            waiting: AtomicU32::new(0),
            memory: Mutex::default(),
        }
    }

    /// Answers are released upon this head.
    pub(crate) fn acknowledged(&self, head: Head) {
        self.memory.lock().acknowledged = Some(head);
    }

    /// So many entries wait.
    pub(crate) fn waits(&self, entries: u32) {
        self.waiting.store(entries, Ordering::Relaxed);
    }

    /// Somebody else has owned the event meanwhile: that its history goes on from what was
    /// answered here is for the store to say, which had been told before that owner began.
    pub(crate) fn forget_answered(&self) {
        self.memory.lock().acknowledged = None;
    }

    /// The last head that answers were released upon: every later load must contain it.
    pub(crate) fn last_acknowledged(&self) -> Option<Head> {
        self.memory.lock().acknowledged
    }

    /// This command made the actor panic.
    pub(crate) fn suspect(&self, command: CommandId) {
        let mut memory = self.memory.lock();
        match memory.suspects.iter_mut().find(|(id, _)| *id == command) {
            Some((_, panics)) => *panics = panics.saturating_add(1),
            None => {
                if memory.suspects.len() == SUSPECTS {
                    memory.suspects.remove(0);
                }
                memory.suspects.push((command, 1));
            }
        }
        self.suspicious.store(true, Ordering::Release);
    }

    /// Whether this command made its actor panic too often to be tried again.
    pub(crate) fn is_quarantined(&self, command: CommandId) -> bool {
        self.suspicious.load(Ordering::Acquire)
            && self.memory.lock().suspects.iter().any(|(id, n)| *id == command && *n >= PANICS)
    }

    /// Whether an actor of this place has died, as far as anybody remembers.
    pub(crate) fn has_died(&self) -> bool {
        self.memory.lock().deaths > 0
    }

    /// An actor died: how many have, in a row.
    pub(crate) fn died(&self) -> u32 {
        let mut memory = self.memory.lock();
        let now = Instant::now();
        if memory.last_death.is_none_or(|last| now - last > DEATH_MEMORY) {
            memory.deaths = 0;
        }
        memory.deaths = memory.deaths.saturating_add(1);
        memory.last_death = Some(now);
        memory.deaths
    }
}

/// All places.
pub(crate) struct Directory {
    places: DashMap<EventId, Arc<Place>>,
    permits_per_event: usize,
    awake: AtomicUsize,
}

impl Directory {
    pub(crate) fn new(permits_per_event: usize) -> Self {
        Self { places: DashMap::new(), permits_per_event, awake: AtomicUsize::new(0) }
    }

    /// The place of an event, made if need be.
    pub(crate) fn place(&self, event: EventId) -> Arc<Place> {
        if let Some(place) = self.places.get(&event) {
            return Arc::clone(&place);
        }
        let make = || Arc::new(Place::new(event, self.permits_per_event));
        Arc::clone(&self.places.entry(event).or_insert_with(make))
    }

    /// Forget a place, if its event sleeps and nobody else looks at it. Whoever wants it
    /// later makes a new one: the check happens under the map's own lock, which everybody
    /// needs to get at the place.
    pub(crate) fn forget(&self, event: EventId) {
        self.places.remove_if(&event, |_, place| {
            Arc::strong_count(place) == 1
                && place.slot.is_asleep()
                && !place.suspicious.load(Ordering::Acquire)
        });
    }

    /// Forget all such places: those too that somebody still looked at when their actor
    /// left.
    pub(crate) fn forget_sleepers(&self) {
        self.places.retain(|_, place| {
            Arc::strong_count(place) > 1
                || !place.slot.is_asleep()
                || place.suspicious.load(Ordering::Acquire)
        });
    }

    /// End the actors of some events; what they have not answered is left open.
    pub(crate) fn end(&self, of: impl Fn(EventId) -> bool) {
        for place in &self.places {
            if of(place.event)
                && let Some(actor) = place.slot.awake()
            {
                actor.stop(None);
            }
        }
    }

    /// The partitions in which somebody waits for an answer.
    pub(crate) fn busy(
        &self,
        partition_of: impl Fn(EventId) -> PartitionId,
    ) -> HashSet<PartitionId> {
        let busy = self.places.iter().filter(|place| place.slot.is_busy());
        busy.map(|place| partition_of(place.event)).collect()
    }

    /// Forget what was answered: the store was repaired, and who lost what was told.
    pub(crate) fn forget_acknowledged(&self) {
        for place in &self.places {
            place.memory.lock().acknowledged = None;
        }
    }

    /// How many places there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// All awake actors.
    pub(crate) fn awake_actors(&self) -> Vec<ActorRef<Message>> {
        self.places.iter().filter_map(|place| place.slot.awake()).collect()
    }

    /// How many entries the waitlists of all events have that are awake.
    pub(crate) fn waiting(&self) -> u64 {
        let awake = self.places.iter().filter(|place| !place.slot.is_asleep());
        awake.map(|place| u64::from(place.waiting.load(Ordering::Relaxed))).sum()
    }

    /// How many actors live.
    pub(crate) fn awake(&self) -> usize {
        self.awake.load(Ordering::Acquire)
    }

    pub(crate) fn woke(&self) {
        self.awake.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn slept(&self) {
        self.awake.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::Entered;

    #[test]
    fn who_waits_for_a_start_is_bounded_like_who_is_in_flight() {
        let slot: Slot<(), StartWaiter> = Slot::new(2);
        let waiter = || StartWaiter(oneshot::channel().0);
        assert!(matches!(slot.enter(waiter), Entered::MustStart(1)));
        assert!(matches!(slot.enter(waiter), Entered::Wait));
        assert!(matches!(slot.enter(waiter), Entered::Full));
        slot.started(1, ());
        assert!(matches!(slot.enter(waiter), Entered::Found((), _)));
    }

    #[test]
    fn only_a_place_that_nobody_looks_at_is_forgotten() {
        let directory = Directory::new(4);
        let event = EventId([1; 16]);
        let looked_at = directory.place(event);
        directory.forget_sleepers();
        assert_eq!(directory.len(), 1);
        drop(looked_at);
        directory.forget_sleepers();
        assert_eq!(directory.len(), 0);
    }
}
