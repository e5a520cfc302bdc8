//! The laws without the journal: for a system of which only the answers can be had.
//!
//! What the journal would say of the order is taken from the seqs in the answers and from
//! real time. Whatever these leave open counts in favour of the system, so that a finding
//! is always a fault; [`super::check`] sees more.

mod ending;
mod laws;
mod lives;
mod reads;
mod refusals;

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::Report;
use super::effects::{Attempt, attempts, homes};
use crate::history::{Call, Moment, Wish};
use crate::served::{Served, ServedEvent};

use lives::{Hold, Life};

/// What there is to judge by.
struct Scene<'a> {
    calls: &'a [Call],
    served: &'a Served,
    attempts: Vec<Attempt<'a>>,
    /// Where each booking's id leads.
    homes: HashMap<Uuid, (Uuid, u64)>,
    /// Every booking that was ever shown, by event and seq.
    lives: BTreeMap<(Uuid, u64), Life>,
    /// Every hold that was ever asked for and not refused.
    holds: Vec<Hold>,
    /// Just after the last call, when everything was read back.
    end: Moment,
}

/// Judges what can be judged without the journal.
#[must_use]
pub fn check_from_outside(calls: &[Call], served: &Served) -> Report {
    let mut report = Report::default();
    let end = calls.iter().map(|call| call.ended).max().unwrap_or(0) + 1;
    let homes = homes(calls, served, &mut report);
    let attempts = attempts(calls, &mut report);
    let lives = lives::gather(calls, served, &attempts, end, &mut report);
    let holds = lives::holds(&attempts);
    let mut scene = Scene { calls, served, attempts, homes, lives, holds, end };
    lives::match_keys(&mut scene, &mut report);
    laws::check(&scene, &mut report);
    reads::check(&scene, &mut report);
    refusals::check(&scene, &mut report);
    ending::check(&scene, &mut report);
    report
}

impl<'a> Scene<'a> {
    /// What was read back of an event.
    fn served_event(&self, event: Uuid) -> Option<&'a ServedEvent> {
        self.served.events.iter().find(|served| served.id == event)
    }

    /// The bookings of one event.
    fn lives_of(&self, event: Uuid) -> impl DoubleEndedIterator<Item = (u64, &Life)> {
        self.lives.range((event, 0)..=(event, u64::MAX)).map(|((_, seq), life)| (*seq, life))
    }

    /// Whether somebody may have changed the capacity: then bookings may have ended by a
    /// rule, and the greatest capacity counts.
    fn capacities(&self, event: Uuid) -> impl Iterator<Item = u64> {
        self.attempts.iter().filter_map(move |attempt| match attempt.wish {
            Wish::SetCapacity { event: other, capacity } if *other == event => {
                Some(u64::from(*capacity))
            }
            _ => None,
        })
    }

    /// The most places that an event can ever have had.
    fn most_places(&self, event: Uuid) -> Option<u64> {
        let served = self.served_event(event)?;
        Some(self.capacities(event).fold(u64::from(served.capacity), u64::max))
    }

    /// Whether somebody may have held places at an event.
    fn may_hold(&self, event: Uuid, user: Uuid) -> bool {
        self.holds.iter().any(|hold| (hold.event, hold.user) == (event, user))
    }
}
