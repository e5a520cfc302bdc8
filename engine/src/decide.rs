//! The rules: one match from command to function.
//!
//! # Order of a decision
//!
//! 1. **Key.** Answered before with the same body: the same reply again, whatever has
//!    happened since, even if the event is cancelled. With another body: `KeyReused`. As
//!    many live keys as one may have: `TooManyKeys`.
//! 2. **Event.** Only an open event takes commands other than `Open`: `NoSuchEvent`.
//! 3. **Authorisation**, for what belongs to somebody. `Change` and `CancelEvent`:
//!    `NotOrganizer`. Somebody else's hold or booking does not exist: `NoSuchHold`,
//!    `NoSuchBooking`; only bookings may be cancelled by an admin.
//! 4. **What the person has.** `AlreadyBooked`, then the person's own hold: `Book` confirms
//!    it or says `HasHold`. So a repeated click is told what it got, not that sales have
//!    closed since.
//! 5. **When.** `SalesClosed` (inactive, or at or after `closes_at`), `NotYetOpen`.
//! 6. **How many.** `TooManySeats` for one booking, `ExceedsCapacity` of the event.
//! 7. **Room.** Places nobody waits for, whole, or the end of the queue, or `SoldOut`,
//!    `WaitlistFull`, `TooManyHolds`.
//!
//! # Choices
//!
//! * An open hold was placed in time: it may be changed, extended and confirmed until it
//!   ends, also after `closes_at` or while sales are inactive. Once it has ended it is
//!   only remembered, and confirming it is a sale: sales must be open, nobody may wait,
//!   and there must be room.
//! * `opens_at == closes_at` and `closes_at == ends_at` are allowed; the former sells
//!   nothing.
//! * Places of a hold whose time is over stay held until `RunDue` has ended it, and free
//!   places stay with the waitlist until `RunDue` has handed them out. The caller runs
//!   what is due before any other command; if it does not, people are served later, but
//!   never in another order.

mod cancel;
mod capacity;
mod confirm;
mod event;
mod expire;
mod hold;
mod keys;
mod sales;
mod waitlist;

use crate::booking_event::{BookingEvent, Entry};
use crate::command::{Command, Envelope, Principal, Terms};
use crate::decision::{Booking, Decision, Hold, Rejection, Reply};
use crate::inventory::{Inventory, Person, Phase, Row, Seq};
use crate::limits::Limits;
use crate::time::Timestamp;

/// Answer a command. Reads only; [`Inventory::apply`] the decision's entry to make it so.
///
/// The decision follows from the arguments alone: the same ones give the same answer,
/// everywhere and always.
///
/// # Errors
/// A [`Rejection`] if the rules say no. It changes nothing.
///
/// # Panics
/// If the envelope's time is before that of an earlier entry: the caller's clock must
/// never go backwards, and holds would live again if it did.
pub fn decide(
    inventory: &Inventory,
    envelope: &Envelope,
    limits: &Limits,
) -> Result<Decision, Rejection> {
    assert!(envelope.at >= inventory.last_time(), "time never goes backwards");
    // One look-up for keys, booking and hold: with many bookings it is what costs most.
    let person = inventory.person(envelope.principal.user);
    if let Some(reply) = keys::reply_to_repeat(inventory, envelope, person, limits)? {
        return Ok(Decision { entry: None, reply, replayed: true });
    }
    let case = Case::of(inventory, envelope, person, limits);
    let outcome = match (&envelope.command, &case) {
        (Command::Open { terms, words }, _) => {
            event::open(inventory, envelope, limits, terms, words)?
        }
        (Command::RunDue, None) => Outcome::nothing(Reply::Ran),
        (_, None) => return Err(Rejection::NoSuchEvent),
        (Command::Change { change, words, if_version }, Some(case)) => {
            capacity::change(case, change, words, *if_version)?
        }
        (Command::CancelEvent { if_version }, Some(case)) => event::cancel(case, *if_version)?,
        (Command::Book { quantity, join_waitlist }, Some(case)) => {
            sales::book(case, *quantity, *join_waitlist)?
        }
        (Command::Confirm { hold }, Some(case)) => confirm::confirm(case, *hold)?,
        (Command::Cancel { booking }, Some(case)) => cancel::cancel(case, *booking)?,
        (Command::PlaceHold { quantity, details }, Some(case)) => {
            hold::place(case, *quantity, details)?
        }
        (Command::ChangeHold { hold, details, extend }, Some(case)) => {
            hold::change(case, *hold, details.as_ref(), *extend)?
        }
        (Command::ReleaseHold { hold }, Some(case)) => hold::release(case, *hold)?,
        (Command::RunDue, Some(case)) => return Ok(expire::run_due(case, envelope)),
    };
    Ok(outcome.decided(envelope))
}

/// An open event and what is wanted of it.
struct Case<'a> {
    inventory: &'a Inventory,
    terms: &'a Terms,
    principal: Principal,
    /// What the principal has here.
    own: Option<&'a Row>,
    at: Timestamp,
    limits: &'a Limits,
}

impl<'a> Case<'a> {
    /// `None` unless the event is open.
    fn of(
        inventory: &'a Inventory,
        envelope: &Envelope,
        person: Person,
        limits: &'a Limits,
    ) -> Option<Self> {
        let terms = inventory.terms().filter(|_| inventory.phase() == Phase::Open)?;
        let own = inventory.row_of(person);
        Some(Self { inventory, terms, principal: envelope.principal, own, at: envelope.at, limits })
    }

    /// The principal's booking, confirmed or waiting.
    fn booking(&self) -> Option<Booking> {
        self.own.and_then(Row::booking)
    }

    /// The principal's open hold.
    fn hold(&self) -> Option<Hold> {
        self.own.and_then(Row::hold)
    }

    /// The seq that the first booking event of this decision will have.
    const fn next_seq(&self) -> Seq {
        next_seq(self.inventory)
    }
}

const fn next_seq(inventory: &Inventory) -> Seq {
    Seq(inventory.seq().0 + 1)
}

/// What a rule comes to.
struct Outcome {
    events: Vec<BookingEvent>,
    reply: Reply,
}

impl Outcome {
    const fn nothing(reply: Reply) -> Self {
        Self { events: Vec::new(), reply }
    }

    /// An accepted key is recorded even if nothing happened: a repeat must be told the
    /// same when the world has changed.
    fn decided(self, envelope: &Envelope) -> Decision {
        let Self { events, reply } = self;
        let answered = keys::answered(envelope, reply);
        let entry = (answered.is_some() || !events.is_empty()).then_some(Entry {
            at: envelope.at,
            answered,
            events,
        });
        Decision { entry, reply, replayed: false }
    }
}
