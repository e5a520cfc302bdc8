//! Every interleaving of the permits and of one event's place in the directory.
//!
//! The two source files are compiled into this test with the model checker's locks and
//! counters in place of the real ones: what is checked is what runs.
#![allow(dead_code, unreachable_pub, missing_docs)]

use loom::thread;

mod sync {
    pub(crate) use loom::sync::Arc;
    pub(crate) use loom::sync::atomic::{AtomicUsize, Ordering};

    /// A lock with the signature of the one used in production.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().expect("no thread panics while it holds the lock")
        }
    }
}

#[path = "../src/permits.rs"]
mod permits;
#[path = "../src/slot.rs"]
mod slot;

use permits::Permits;
use slot::{Entered, Slot, Waiter};
use sync::{Arc, AtomicUsize, Ordering};

/// A waiter that counts its wake-up.
#[derive(Debug)]
struct Bell(Arc<AtomicUsize>);

impl Waiter for Bell {
    type Failure = ();
    fn wake(self, _: Result<(), ()>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// An actor that knows whether it is alive, and the count of those that are.
#[derive(Clone, Debug)]
struct Being {
    alive: Arc<AtomicUsize>,
}

fn model(f: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

#[test]
fn never_more_permits_than_the_limit_and_none_leaks() {
    model(|| {
        let permits = Permits::new(1);
        let acting = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (permits, acting) = (permits.clone(), Arc::clone(&acting));
                thread::spawn(move || {
                    if let Some(permit) = permits.try_acquire() {
                        assert_eq!(acting.fetch_add(1, Ordering::AcqRel), 0, "two at once");
                        acting.fetch_sub(1, Ordering::AcqRel);
                        drop(permit);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("joins");
        }
        assert_eq!(permits.used(), 0, "a permit leaked");
        assert!(permits.try_acquire().is_some(), "the bound shrank");
    });
}

/// What a caller does: enter; start if it must; use what it finds.
fn call(slot: &Slot<Being, Bell>, alive: &Arc<AtomicUsize>, bell: &Arc<AtomicUsize>) -> usize {
    let mut waits = 0;
    // Two rounds are enough here: after a start somebody is awake or has just retired.
    for _ in 0..3 {
        match slot.enter(|| Bell(Arc::clone(bell))) {
            Entered::Found(being, permit) => {
                assert_eq!(being.alive.load(Ordering::Acquire), 1, "sent to a sleeper");
                drop(permit);
                return waits;
            }
            Entered::MustStart(generation) => {
                waits += 1;
                assert_eq!(alive.fetch_add(1, Ordering::AcqRel), 0, "two actors of one event");
                slot.started(generation, Being { alive: Arc::clone(alive) });
            }
            Entered::Wait => {
                waits += 1;
                // The bell rings later; here the caller just leaves.
                return waits;
            }
            Entered::Full => return waits,
        }
    }
    waits
}

#[test]
fn one_actor_per_event_and_every_waiter_is_woken() {
    model(|| {
        let slot = Arc::new(Slot::<Being, Bell>::new(4));
        let alive = Arc::new(AtomicUsize::new(0));
        let bell = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (slot, alive, bell) =
                    (Arc::clone(&slot), Arc::clone(&alive), Arc::clone(&bell));
                thread::spawn(move || call(&slot, &alive, &bell))
            })
            .collect();
        let waits: usize = threads.into_iter().map(|t| t.join().expect("joins")).sum();
        assert_eq!(bell.load(Ordering::Acquire), waits, "a wake-up was lost");
        assert_eq!(alive.load(Ordering::Acquire), 1);
    });
}

#[test]
fn nobody_is_sent_to_a_sleeper() {
    model(|| {
        let slot = Arc::new(Slot::<Being, Bell>::new(4));
        let alive = Arc::new(AtomicUsize::new(0));
        let bell = Arc::new(AtomicUsize::new(0));
        call(&slot, &alive, &bell);
        let sleeper = {
            let (slot, alive) = (Arc::clone(&slot), Arc::clone(&alive));
            thread::spawn(move || {
                if slot.retire(1) {
                    // It is nobody's from here on, and says so.
                    assert_eq!(alive.fetch_sub(1, Ordering::AcqRel), 1);
                    true
                } else {
                    false
                }
            })
        };
        match slot.enter(|| Bell(Arc::clone(&bell))) {
            Entered::Found(being, permit) => {
                assert_eq!(being.alive.load(Ordering::Acquire), 1, "sent to a sleeper");
                drop(permit);
                sleeper.join().expect("joins");
            }
            Entered::MustStart(generation) => {
                assert!(sleeper.join().expect("joins"), "started beside a living one");
                assert_eq!(alive.fetch_add(1, Ordering::AcqRel), 0, "two actors of one event");
                slot.started(generation, Being { alive });
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_death_wakes_who_waits_for_the_successor() {
    model(|| {
        let slot = Arc::new(Slot::<Being, Bell>::new(4));
        let alive = Arc::new(AtomicUsize::new(0));
        let bell = Arc::new(AtomicUsize::new(0));
        call(&slot, &alive, &bell);
        bell.store(0, Ordering::Release);
        let supervisor = {
            let (slot, alive) = (Arc::clone(&slot), Arc::clone(&alive));
            thread::spawn(move || {
                alive.fetch_sub(1, Ordering::AcqRel);
                let next = slot.crashed(1).expect("it was awake");
                assert_eq!(alive.fetch_add(1, Ordering::AcqRel), 0);
                slot.started(next, Being { alive });
            })
        };
        let waited = match slot.enter(|| Bell(Arc::clone(&bell))) {
            Entered::Wait => 1,
            Entered::Found(..) => 0,
            other => panic!("{other:?}"),
        };
        supervisor.join().expect("joins");
        assert_eq!(bell.load(Ordering::Acquire), waited, "a wake-up was lost");
    });
}
