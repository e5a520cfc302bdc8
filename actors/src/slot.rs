//! One event's place in the directory: asleep, starting or awake.
//!
//! Three promises, model-checked in `tests/loom.rs`: at most one actor per event is
//! awake; who waits for a start is always woken; an actor goes to sleep only while
//! nobody has a permit for it, so no command is ever sent to a sleeper.

use crate::permits::{Permit, Permits};
use crate::sync::Mutex;

/// Somebody who waits for a start to end. After the wake-up it looks again.
pub(crate) trait Waiter {
    /// Why a start failed.
    type Failure: Clone;

    /// The start has ended, well or not.
    fn wake(self, outcome: Result<(), Self::Failure>);
}

/// The place. `H` is the handle of an awake actor, `W` somebody who waits for one.
#[derive(Debug)]
pub(crate) struct Slot<H, W> {
    permits: Permits,
    state: Mutex<State<H, W>>,
}

#[derive(Debug)]
enum State<H, W> {
    /// Nobody is here; the last actor was of this generation.
    Asleep { generation: u64 },
    /// Somebody starts an actor of this generation, others wait for it.
    Starting { generation: u64, waiters: Vec<W> },
    /// The actor is here.
    Awake { generation: u64, handle: H },
}

/// What somebody who wants the actor finds.
#[derive(Debug)]
pub(crate) enum Entered<H> {
    /// The actor, which stays awake as long as the permit lives.
    Found(H, Permit),
    /// Nobody: the caller has to start the actor of this generation, and then say so by
    /// [`Slot::started`] or [`Slot::failed`]. Its waiter is noted.
    MustStart(u64),
    /// Somebody is starting it; the waiter is noted.
    Wait,
    /// All permits of this event are out.
    Full,
}

impl<H: Clone, W: Waiter> Slot<H, W> {
    /// An empty place for an actor that takes at most `limit` commands at a time.
    pub(crate) fn new(limit: usize) -> Self {
        Self { permits: Permits::new(limit), state: Mutex::new(State::Asleep { generation: 0 }) }
    }

    /// Look for the actor. `waiter` is only asked for when there is something to wait for.
    pub(crate) fn enter(&self, waiter: impl FnOnce() -> W) -> Entered<H> {
        let mut state = self.state.lock();
        match &mut *state {
            // The permit is taken under the lock: `retire` looks at the count under the
            // same lock, so an actor that was found cannot fall asleep any more.
            State::Awake { handle, .. } => match self.permits.try_acquire() {
                Some(permit) => Entered::Found(handle.clone(), permit),
                None => Entered::Full,
            },
            // Who waits counts like who is in flight: each holds a permit of the process.
            State::Starting { waiters, .. } if waiters.len() >= self.permits.limit() => {
                Entered::Full
            }
            State::Starting { waiters, .. } => {
                waiters.push(waiter());
                Entered::Wait
            }
            State::Asleep { generation } => {
                let generation = *generation + 1;
                *state = State::Starting { generation, waiters: vec![waiter()] };
                Entered::MustStart(generation)
            }
        }
    }

    /// The actor of this generation is awake.
    pub(crate) fn started(&self, generation: u64, handle: H) {
        self.end_start(generation, &Ok(()), State::Awake { generation, handle });
    }

    /// The start of this generation failed; the next who enters tries again.
    pub(crate) fn failed(&self, generation: u64, failure: W::Failure) {
        self.end_start(generation, &Err(failure), State::Asleep { generation });
    }

    fn end_start(&self, mine: u64, outcome: &Result<(), W::Failure>, next: State<H, W>) {
        let waiters = {
            let mut state = self.state.lock();
            match &mut *state {
                State::Starting { generation, waiters } if *generation == mine => {
                    let waiters = std::mem::take(waiters);
                    *state = next;
                    waiters
                }
                _ => unreachable!("only its starter ends a start"),
            }
        };
        for waiter in waiters {
            waiter.wake(outcome.clone());
        }
    }

    /// The actor of this generation wants to sleep. `true` if it may: nobody has a permit,
    /// and from now on nobody will be sent to it.
    pub(crate) fn retire(&self, mine: u64) -> bool {
        let mut state = self.state.lock();
        match &*state {
            State::Awake { generation, .. } if *generation == mine && self.permits.used() == 0 => {
                *state = State::Asleep { generation: mine };
                true
            }
            _ => false,
        }
    }

    /// The actor of this generation died. `Some(next)` if the caller has to start the next
    /// one; until it has, everybody else waits. `None` if it was asleep already.
    pub(crate) fn crashed(&self, mine: u64) -> Option<u64> {
        let mut state = self.state.lock();
        match &*state {
            State::Awake { generation, .. } if *generation == mine => {
                *state = State::Starting { generation: mine + 1, waiters: Vec::new() };
                Some(mine + 1)
            }
            _ => None,
        }
    }

    /// Whether somebody waits for an answer of the actor.
    pub(crate) fn is_busy(&self) -> bool {
        self.permits.used() > 0
    }

    /// Whether nobody is here and nobody is on the way.
    pub(crate) fn is_asleep(&self) -> bool {
        matches!(&*self.state.lock(), State::Asleep { .. })
    }

    /// The handle, if the actor is awake. Takes no permit: for messages that may be lost.
    pub(crate) fn awake(&self) -> Option<H> {
        match &*self.state.lock() {
            State::Awake { handle, .. } => Some(handle.clone()),
            _ => None,
        }
    }
}
