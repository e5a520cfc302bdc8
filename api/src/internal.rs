//! What the faces ask each other. These routes are mounted apart from the public ones
//! and never reachable through the gateway; commands among them carry the caller's
//! token, which is checked again where they arrive.
//!
//! | route | at | body | answer |
//! | --- | --- | --- | --- |
//! | `POST /internal/events/{id}/open` | booking | [`OpenCall`] | [`EventAnswer`] |
//! | `POST /internal/events/{id}/change` | booking | [`ChangeCall`] | [`EventAnswer`] |
//! | `POST /internal/events/{id}/cancel` | booking | [`CancelCall`] | [`EventAnswer`] |
//! | `POST /internal/events/counts` | booking | [`IdsCall`] | [`CountsBody`]s or nulls, in order |
//! | `POST /internal/users/contacts` | auth | [`IdsCall`] | [`ContactBody`]s or nulls, in order |
//! | `POST /internal/events/summaries` | catalog | [`IdsCall`] | [`SummaryBody`]s or nulls, in order |

use engine::{Seats, Terms, TermsChange, Timestamp};
use serde::{Deserialize, Serialize};

use crate::wire::{Id, Money, Time};

/// Most ids of one batched call.
pub const IDS_PER_CALL: usize = 501;

/// Most bytes of an internal request's body: words, JSON inside JSON, in which a quote
/// takes two bytes, and the rest.
pub const BODY_BYTES: usize = 256 * 1024;

/// Where events are opened, changed or cancelled, and counted.
pub const OPEN: &str = "/internal/events/{id}/open";
/// See [`ChangeCall`].
pub const CHANGE: &str = "/internal/events/{id}/change";
/// See [`CancelCall`].
pub const CANCEL: &str = "/internal/events/{id}/cancel";
/// See [`CountsBody`].
pub const COUNTS: &str = "/internal/events/counts";
/// See [`ContactBody`].
pub const CONTACTS: &str = "/internal/users/contacts";
/// See [`SummaryBody`].
pub const SUMMARIES: &str = "/internal/events/summaries";

/// A route above for one event.
#[must_use]
pub fn path_of(route: &str, event: Id) -> String {
    route.replace("{id}", &event.to_string())
}

/// Bring an event into being.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCall {
    /// Its terms.
    pub terms: TermsBody,
    /// Its description, which booking carries without reading it.
    pub words: String,
    /// Digest of the client's canonical body: what was filled in since does not count.
    pub fingerprint: [u8; 8],
}

/// Change an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeCall {
    /// The terms to change.
    pub change: TermsChangeBody,
    /// The changed words.
    pub words: String,
    /// Refuse unless the event has this version.
    pub if_version: Option<u32>,
    /// Digest of the client's canonical body.
    pub fingerprint: [u8; 8],
}

/// Cancel an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelCall {
    /// Refuse unless the event has this version.
    pub if_version: Option<u32>,
    /// Digest of the client's canonical body.
    pub fingerprint: [u8; 8],
}

/// Ask about several events or people at once, at most [`IDS_PER_CALL`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdsCall {
    /// Which ones.
    pub ids: Vec<Id>,
}

/// An accepted command to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventAnswer {
    /// The version from now on.
    pub version: u32,
    /// When it was decided, in milliseconds since 1970.
    pub at: i64,
    /// How many bookings were cancelled with the event.
    pub cancelled_bookings: u32,
    /// Whether it was decided earlier, for the same key.
    pub replayed: bool,
}

/// An event's counts, from its stored header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountsBody {
    /// Places in all.
    pub capacity: u32,
    /// Places of confirmed bookings.
    pub booked: u32,
    /// Places set aside.
    pub held: u32,
    /// Places that waiting entries wish for.
    pub waitlisted: u64,
    /// How many entries wait.
    pub waitlist_entries: u32,
    /// Whether the event was cancelled.
    pub cancelled: bool,
    /// Version of terms and words.
    pub version: u32,
}

impl CountsBody {
    /// Places that a newcomer can book now: none while anybody waits.
    #[must_use]
    pub const fn available(&self) -> u32 {
        available(self.capacity, self.booked, self.held, self.waitlist_entries)
    }
}

/// Places that a newcomer can book now: none while anybody waits.
#[must_use]
pub const fn available(capacity: u32, booked: u32, held: u32, waitlist_entries: u32) -> u32 {
    if waitlist_entries > 0 { 0 } else { capacity.saturating_sub(booked).saturating_sub(held) }
}

/// How somebody is reached.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactBody {
    /// Who.
    pub id: Id,
    /// The name to call the person by.
    pub name: String,
    /// The address. Never logged.
    pub email: String,
    /// Whether the account may be used.
    pub is_active: bool,
}

/// The main fields of an event, deleted or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryBody {
    /// Its id.
    pub id: Id,
    /// Who may change it.
    pub organizer: Id,
    /// Its title.
    pub title: String,
    /// When it starts.
    pub start_time: Time,
    /// When it ends.
    pub end_time: Time,
    /// The IANA zone its times are meant in.
    pub timezone: Option<String>,
    /// Where it takes place.
    pub location: String,
    /// What a place costs.
    pub price: Money,
    /// Nothing is sold before.
    pub opens_at: Time,
    /// Nothing is sold from here on.
    pub closes_at: Time,
    /// Whether it is sold at all.
    pub is_active: bool,
    /// Whether it was cancelled.
    pub deleted: bool,
}

/// What can be sold, when, to whom; times in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermsBody {
    /// Places in all.
    pub capacity: u32,
    /// Nothing is sold before.
    pub opens_at: i64,
    /// Nothing is sold from here on.
    pub closes_at: i64,
    /// It is over from here on.
    pub ends_at: i64,
    /// Whether it is sold at all.
    pub active: bool,
    /// Whether people may wait.
    pub waitlist: bool,
    /// Most places of one booking, at least 1.
    pub max_per_booking: u32,
}

/// Changes of terms: `None` leaves a field as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermsChangeBody {
    /// See [`TermsBody::capacity`].
    pub capacity: Option<u32>,
    /// See [`TermsBody::opens_at`].
    pub opens_at: Option<i64>,
    /// See [`TermsBody::closes_at`].
    pub closes_at: Option<i64>,
    /// See [`TermsBody::ends_at`].
    pub ends_at: Option<i64>,
    /// See [`TermsBody::active`].
    pub active: Option<bool>,
    /// See [`TermsBody::waitlist`].
    pub waitlist: Option<bool>,
    /// See [`TermsBody::max_per_booking`].
    pub max_per_booking: Option<u32>,
}

impl From<&Terms> for TermsBody {
    fn from(terms: &Terms) -> Self {
        Self {
            capacity: terms.capacity,
            opens_at: terms.opens_at.millis(),
            closes_at: terms.closes_at.millis(),
            ends_at: terms.ends_at.millis(),
            active: terms.active,
            waitlist: terms.waitlist,
            max_per_booking: terms.max_per_booking.get(),
        }
    }
}

impl TermsBody {
    /// The terms as the engine knows them; `None` if a booking may have no place.
    #[must_use]
    pub fn to_engine(&self) -> Option<Terms> {
        Some(Terms {
            capacity: self.capacity,
            opens_at: Timestamp::from_millis(self.opens_at),
            closes_at: Timestamp::from_millis(self.closes_at),
            ends_at: Timestamp::from_millis(self.ends_at),
            active: self.active,
            waitlist: self.waitlist,
            max_per_booking: Seats::new(self.max_per_booking)?,
        })
    }
}

impl From<&TermsChange> for TermsChangeBody {
    fn from(change: &TermsChange) -> Self {
        Self {
            capacity: change.capacity,
            opens_at: change.opens_at.map(Timestamp::millis),
            closes_at: change.closes_at.map(Timestamp::millis),
            ends_at: change.ends_at.map(Timestamp::millis),
            active: change.active,
            waitlist: change.waitlist,
            max_per_booking: change.max_per_booking.map(Seats::get),
        }
    }
}

impl TermsChangeBody {
    /// The change as the engine knows it; `None` if a booking may have no place.
    #[must_use]
    pub fn to_engine(&self) -> Option<TermsChange> {
        let max_per_booking = match self.max_per_booking {
            Some(count) => Some(Seats::new(count)?),
            None => None,
        };
        Some(TermsChange {
            capacity: self.capacity,
            opens_at: self.opens_at.map(Timestamp::from_millis),
            closes_at: self.closes_at.map(Timestamp::from_millis),
            ends_at: self.ends_at.map(Timestamp::from_millis),
            active: self.active,
            waitlist: self.waitlist,
            max_per_booking,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_come_back_as_they_were() {
        let body = TermsBody {
            capacity: 5,
            opens_at: 1,
            closes_at: 2,
            ends_at: 3,
            active: false,
            waitlist: true,
            max_per_booking: 4,
        };
        assert_eq!(TermsBody::from(&body.to_engine().unwrap()), body);
        assert_eq!(TermsBody { max_per_booking: 0, ..body }.to_engine(), None);
        let change = TermsChangeBody {
            capacity: Some(5),
            ends_at: Some(3),
            active: Some(true),
            max_per_booking: Some(2),
            ..TermsChangeBody::default()
        };
        assert_eq!(TermsChangeBody::from(&change.to_engine().unwrap()), change);
    }

    #[test]
    fn nothing_is_available_while_somebody_waits() {
        assert_eq!(available(10, 3, 2, 0), 5);
        assert_eq!(available(10, 3, 2, 1), 0);
        assert_eq!(available(1, 3, 2, 0), 0);
    }

    #[test]
    fn routes_are_made_for_one_event() {
        let path = path_of(OPEN, Id([0; 16]));
        assert_eq!(path, "/internal/events/00000000-0000-0000-0000-000000000000/open");
    }
}
