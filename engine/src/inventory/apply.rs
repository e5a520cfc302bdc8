//! Writing: the only way an inventory changes.
//!
//! A booking event that breaks a law cannot have been decided by this engine from this
//! inventory. There is no sensible way on, so it is a panic and the caller's memory of
//! the event has to be thrown away.

use super::{Deadlines, ExpiredHolds, Inventory, Phase, Row, SeqList, Slab, State};
use super::{Seq, Waitlist};
use crate::booking_event::{BookingEvent, BookingRef, Cause, Entry, HoldRef, Was};
use crate::command::Terms;
use crate::id::{EventId, UserId};
use crate::seats::Seats;
use crate::snapshot::{ExpiredHold, RememberedKey, Snapshot};
use crate::time::Timestamp;

impl Inventory {
    /// Take over an entry: one just decided from this very state, or the next one of the
    /// stored history. Both take this way, so a restart cannot behave differently.
    ///
    /// # Panics
    /// If the entry breaks a law (for example more places booked than there are): it was
    /// not decided from this state, or there is a bug.
    pub fn apply(&mut self, entry: &Entry) {
        self.last_time = self.last_time.max(entry.at);
        for event in &entry.events {
            self.seq.0 += 1;
            self.apply_event(event, entry.at);
            let capacity = self.terms.as_ref().map_or(0, |terms| terms.capacity);
            assert!(
                u64::from(self.counts.booked) + u64::from(self.counts.held) <= u64::from(capacity),
                "never oversold: {:?} of {capacity}",
                self.counts
            );
        }
        self.answered.prune(entry.at, &self.memory, &mut self.people);
        self.expired.prune(entry.at, &self.memory);
        if let Some(answered) = &entry.answered {
            self.answered.remember(answered, entry.at, &mut self.people);
        }
    }

    fn apply_event(&mut self, event: &BookingEvent, at: Timestamp) {
        let opening = matches!(event, BookingEvent::EventOpened { .. });
        let expected = if opening { Phase::Unopened } else { Phase::Open };
        assert_eq!(self.phase, expected, "opened once, cancelled once");
        match event {
            BookingEvent::EventOpened { organizer, terms, .. } => {
                self.phase = Phase::Open;
                self.organizer = Some(*organizer);
                self.set_terms(1, terms);
            }
            BookingEvent::EventChanged { version, terms, .. } => self.set_terms(*version, terms),
            BookingEvent::EventCancelled { version, .. } => self.end(*version),
            BookingEvent::BookingConfirmed { user, quantity, hold } => {
                if let Some(hold) = hold {
                    self.take_hold(hold);
                }
                self.insert(self.new_row(*user, *quantity, State::Confirmed, at, at));
            }
            BookingEvent::BookingWaitlisted { user, quantity } => {
                self.insert(self.new_row(*user, *quantity, State::Waiting, at, at));
            }
            BookingEvent::BookingPromoted { booking } => self.promote(booking, at),
            BookingEvent::BookingCancelled { booking, was, .. } => {
                let row = self.remove(booking.user, booking.seq);
                let state = match was {
                    Was::Confirmed => State::Confirmed,
                    Was::Waitlisted => State::Waiting,
                };
                assert_eq!(row.state, state, "cancelled as what it was");
            }
            BookingEvent::HoldPlaced { user, quantity, expires_at, .. } => {
                self.insert(self.new_row(*user, *quantity, State::Held, at, *expires_at));
            }
            BookingEvent::HoldChanged { hold, expires_at, extensions, .. } => {
                self.move_deadline(hold, *expires_at, *extensions);
            }
            BookingEvent::HoldEnded { hold, cause } => {
                let row = self.remove(hold.user, hold.seq);
                assert_eq!(row.state, State::Held, "a hold ended that was open");
                if *cause == Cause::Expiry {
                    let expired = ExpiredHold { hold: *hold, ended_at: at };
                    self.expired.remember(expired, self.memory.expired_holds);
                }
            }
        }
    }

    fn set_terms(&mut self, version: u32, terms: &Terms) {
        assert_eq!(version, self.version + 1, "versions follow one another");
        self.version = version;
        self.terms = Some(terms.clone());
    }

    /// The event is cancelled, and everything in it.
    fn end(&mut self, version: u32) {
        assert_eq!(version, self.version + 1, "versions follow one another");
        self.version = version;
        self.phase = Phase::Cancelled;
        self.counts = super::Counts::default();
        self.rows = Slab::new();
        self.by_seq = SeqList::default();
        self.waitlist = Waitlist::default();
        self.deadlines = Deadlines::default();
        self.expired = ExpiredHolds::default();
        self.people.clear_rows();
    }

    const fn new_row(
        &self,
        user: UserId,
        quantity: Seats,
        state: State,
        at: Timestamp,
        time: Timestamp,
    ) -> Row {
        Row { seq: self.seq, user, made_at: at, time, quantity, state, extensions: 0 }
    }

    fn insert(&mut self, row: Row) {
        let place = self.rows.insert(row);
        self.by_seq.push_back(row.seq, place);
        self.people.set_row(row.user, place);
        self.count_in(&row, place);
    }

    fn count_in(&mut self, row: &Row, place: u32) {
        let quantity = row.quantity.get();
        match row.state {
            State::Confirmed => self.counts.booked += quantity,
            State::Held => {
                self.counts.held += quantity;
                self.deadlines.insert(row.time, row.seq, place);
            }
            State::Waiting => {
                self.counts.waitlisted += u64::from(quantity);
                self.counts.waitlist_entries += 1;
                self.waitlist.join(row.seq, place, row.quantity);
            }
        }
    }

    fn count_out(&mut self, row: &Row) {
        let quantity = row.quantity.get();
        match row.state {
            State::Confirmed => self.counts.booked -= quantity,
            State::Held => {
                self.counts.held -= quantity;
                self.deadlines.remove(row.time, row.seq);
            }
            State::Waiting => {
                self.counts.waitlisted -= u64::from(quantity);
                self.counts.waitlist_entries -= 1;
                self.waitlist.leave(row.seq, row.quantity);
            }
        }
    }

    /// Take a person's row out, which was made at `seq`.
    fn remove(&mut self, user: UserId, seq: Seq) -> Row {
        let place = self.place_of(user, seq);
        let row = self.rows.remove(place);
        self.by_seq.remove(seq);
        self.people.clear_row(user);
        self.count_out(&row);
        row
    }

    fn place_of(&self, user: UserId, seq: Seq) -> u32 {
        let place = self.people.get(user).row;
        assert_ne!(place, super::NONE, "{user} has something at this event");
        assert_eq!(self.rows.get(place).seq, seq, "what {user} has is what is meant");
        place
    }

    /// A hold becomes a booking: an open one ends, an expired one is no longer remembered.
    fn take_hold(&mut self, hold: &HoldRef) {
        if self.row_of(self.person(hold.user)).is_some_and(|row| row.seq == hold.seq) {
            let row = self.remove(hold.user, hold.seq);
            assert_eq!(row.state, State::Held, "only a hold can be confirmed");
        } else {
            self.expired.take(hold);
        }
    }

    fn promote(&mut self, booking: &BookingRef, at: Timestamp) {
        let head = self.waitlist.front();
        let (seq, place) = head.expect("who is promoted waits");
        let waiting = *self.rows.get(place);
        assert_eq!(seq, booking.seq, "first come, first served");
        assert_eq!(waiting.user, booking.user, "a booking stays with its person");
        let confirmed = Row { state: State::Confirmed, time: at, ..waiting };
        self.count_out(&waiting);
        *self.rows.get_mut(place) = confirmed;
        self.count_in(&confirmed, place);
    }

    fn move_deadline(&mut self, hold: &HoldRef, expires_at: Timestamp, extensions: u8) {
        let place = self.place_of(hold.user, hold.seq);
        let row = self.rows.get_mut(place);
        assert_eq!(row.state, State::Held, "only a hold has an end");
        let before = std::mem::replace(&mut row.time, expires_at);
        row.extensions = extensions;
        self.deadlines.remove(before, hold.seq);
        self.deadlines.insert(expires_at, hold.seq, place);
    }
}

/// Building an inventory out of stored parts, which [`Inventory::restore`] has checked.
impl Inventory {
    pub(crate) fn of_parts(event: EventId, head: &Snapshot) -> Self {
        let mut inventory = Self::new(event);
        inventory.seq = head.seq;
        inventory.phase = head.phase;
        inventory.version = head.version;
        inventory.organizer = head.organizer;
        inventory.terms.clone_from(&head.terms);
        inventory.last_time = head.last_time;
        inventory
    }

    /// Put back a row; in the order of seq, one per person.
    pub(crate) fn put_back(&mut self, row: Row) {
        self.insert(row);
    }

    pub(crate) fn put_back_expired(&mut self, hold: ExpiredHold) {
        self.expired.remember(hold, u32::MAX);
    }

    pub(crate) fn put_back_key(&mut self, key: &RememberedKey) {
        self.answered.remember(&key.answered, key.at, &mut self.people);
    }

    pub(crate) fn has_row(&self, user: UserId) -> bool {
        self.row_of(self.person(user)).is_some()
    }
}
