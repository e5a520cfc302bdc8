//! The laws by name. `apply` asserts the cheap ones at every step; here all of them are
//! checked at once, by walking everything: for tests and for what comes from a store.

use core::fmt;
use std::collections::HashSet;

use crate::inventory::{Counts, Inventory, Phase, Row, State};

/// A law that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenLaw {
    /// More places are booked and held than there are.
    Oversold,
    /// The sums are not those of the rows.
    SumsDiffer,
    /// A person has two of booking, hold and waiting entry, or an index does not lead to
    /// what the person has.
    OnePerPerson,
    /// The waitlist is not in the order of seq, or not who waits.
    WaitlistOrder,
    /// An open hold without its deadline, or a deadline without its hold.
    Deadlines,
    /// Something is newer than the inventory.
    Newer,
    /// An event that is not open has bookings, holds or waiting entries.
    NotOpen,
    /// A booking or hold is not found by its id.
    LostId,
}

impl fmt::Display for BrokenLaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Oversold => "more places booked and held than there are",
            Self::SumsDiffer => "the sums are not those of the rows",
            Self::OnePerPerson => "not one of booking, hold and waiting per person",
            Self::WaitlistOrder => "the waitlist is not who waits in the order of seq",
            Self::Deadlines => "not one deadline per open hold",
            Self::Newer => "something is newer than the inventory",
            Self::NotOpen => "an event that is not open has bookings",
            Self::LostId => "a booking or hold is not found by its id",
        })
    }
}

impl core::error::Error for BrokenLaw {}

/// Check every law. Costs a walk over all rows.
///
/// # Errors
/// The first law found broken.
pub fn check(inventory: &Inventory) -> Result<(), BrokenLaw> {
    never_oversold(inventory)?;
    sums_are_those_of_the_rows(inventory)?;
    one_per_person(inventory)?;
    waitlist_in_order(inventory)?;
    one_deadline_per_hold(inventory)?;
    nothing_newer(inventory)?;
    found_by_id(inventory)?;
    if inventory.phase() != Phase::Open && inventory.rows() != 0 {
        return Err(BrokenLaw::NotOpen);
    }
    Ok(())
}

const fn law(holds: bool, otherwise: BrokenLaw) -> Result<(), BrokenLaw> {
    if holds { Ok(()) } else { Err(otherwise) }
}

fn never_oversold(inventory: &Inventory) -> Result<(), BrokenLaw> {
    let Counts { booked, held, .. } = inventory.counts();
    let capacity = inventory.terms().map_or(0, |terms| terms.capacity);
    law(u64::from(booked) + u64::from(held) <= u64::from(capacity), BrokenLaw::Oversold)
}

fn sums_are_those_of_the_rows(inventory: &Inventory) -> Result<(), BrokenLaw> {
    let (mut booked, mut held, mut waitlisted, mut entries) = (0u64, 0u64, 0u64, 0u64);
    for row in inventory.all_rows() {
        let quantity = u64::from(row.quantity.get());
        match row.state {
            State::Confirmed => booked += quantity,
            State::Held => held += quantity,
            State::Waiting => {
                waitlisted += quantity;
                entries += 1;
            }
        }
    }
    let counts = inventory.counts();
    let same = (booked, held) == (u64::from(counts.booked), u64::from(counts.held))
        && (waitlisted, entries) == (counts.waitlisted, u64::from(counts.waitlist_entries));
    law(same, BrokenLaw::SumsDiffer)
}

fn one_per_person(inventory: &Inventory) -> Result<(), BrokenLaw> {
    let mut seen = HashSet::new();
    let with_keys = inventory.keys().map(|key| key.answered.principal);
    for row in inventory.all_rows() {
        let found =
            inventory.row_of(inventory.person(row.user)).is_some_and(|other| other.seq == row.seq);
        law(found && seen.insert(row.user), BrokenLaw::OnePerPerson)?;
    }
    seen.extend(with_keys);
    law(seen.len() == inventory.index_sizes().0, BrokenLaw::OnePerPerson)
}

fn waitlist_in_order(inventory: &Inventory) -> Result<(), BrokenLaw> {
    let waits = |row: &&Row| row.state == State::Waiting;
    let by_rows = inventory.all_rows().filter(waits).map(|row| row.seq);
    let same = by_rows.eq(inventory.waiting().map(|row| row.seq));
    let ordered = inventory.waiting().is_sorted_by(|a, b| a.seq < b.seq);
    let large = inventory.waiting().filter(|row| row.quantity.get() > 1).count();
    law(same && ordered && large == inventory.index_sizes().1, BrokenLaw::WaitlistOrder)
}

fn one_deadline_per_hold(inventory: &Inventory) -> Result<(), BrokenLaw> {
    let mut holds = 0;
    for row in inventory.all_rows().filter(|row| row.state == State::Held) {
        holds += 1;
        law(inventory.has_deadline(row), BrokenLaw::Deadlines)?;
    }
    law(holds == inventory.open_holds(), BrokenLaw::Deadlines)
}

fn nothing_newer(inventory: &Inventory) -> Result<(), BrokenLaw> {
    let (seq, time) = (inventory.seq(), inventory.last_time());
    let old = |row: &Row| {
        let changed = row.state == State::Held || row.time <= time;
        row.seq <= seq && row.made_at <= time && changed
    };
    let times = inventory.expired_holds().map(|hold| hold.ended_at);
    let times = times.chain(inventory.keys().map(|key| key.at));
    law(inventory.all_rows().all(old) && { times }.all(|at| at <= time), BrokenLaw::Newer)
}

fn found_by_id(inventory: &Inventory) -> Result<(), BrokenLaw> {
    let event = inventory.event();
    for row in inventory.all_rows() {
        let found = match (row.booking(), row.hold()) {
            (Some(booking), _) => inventory.booking(booking.id(event)) == Some(booking),
            (None, Some(hold)) => inventory.hold(hold.id(event)) == Some(hold),
            (None, None) => false,
        };
        law(found, BrokenLaw::LostId)?;
    }
    Ok(())
}
