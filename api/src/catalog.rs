//! Answers of the catalog service, and how an event's status is derived.

use engine::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::wire::{Id, Money, Time};

/// How an event stands. Derived at each read, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// Sales have not begun.
    NotYetOpen,
    /// Places can be booked.
    Open,
    /// No place can be booked now.
    SoldOut,
    /// Sales are over, or closed by the organizer.
    Closed,
    /// It is over.
    Ended,
    /// It was cancelled; seen in lists of bookings only.
    Cancelled,
}

/// What decides an event's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Nothing is sold before.
    pub opens_at: Timestamp,
    /// Nothing is sold from here on.
    pub closes_at: Timestamp,
    /// It is over from here on.
    pub ends_at: Timestamp,
    /// Whether it is sold at all.
    pub is_active: bool,
    /// Whether it was cancelled.
    pub cancelled: bool,
    /// Places that a newcomer can book.
    pub available: u32,
}

impl Standing {
    /// How the event stands at a moment. What is over for good comes before what may
    /// still change.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> EventStatus {
        if self.cancelled {
            EventStatus::Cancelled
        } else if now >= self.ends_at {
            EventStatus::Ended
        } else if now >= self.closes_at || !self.is_active {
            EventStatus::Closed
        } else if now < self.opens_at {
            EventStatus::NotYetOpen
        } else if self.available == 0 {
            EventStatus::SoldOut
        } else {
            EventStatus::Open
        }
    }
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Event)]
pub struct EventBody {
    /// Its id.
    pub id: Id,
    /// Its title.
    pub title: String,
    /// Its title once more.
    pub name: String,
    /// Its description.
    pub description: String,
    /// When it starts.
    pub start_time: Time,
    /// When it ends.
    pub end_time: Time,
    /// The IANA zone its times are meant in.
    #[schema(required)]
    pub timezone: Option<String>,
    /// Where it takes place.
    pub location: String,
    /// Places in all.
    pub capacity: u32,
    /// Places that a newcomer can book now.
    pub available: u32,
    /// Places of confirmed bookings.
    pub booked: u32,
    /// Places set aside.
    pub held: u32,
    /// Places that waiting entries wish for.
    pub waitlisted: u64,
    /// What a place costs.
    pub price: Money,
    /// Nothing is sold before.
    pub booking_opens_at: Time,
    /// Nothing is sold from here on.
    pub booking_closes_at: Time,
    /// Whether one may wait where places are short.
    pub waitlist: bool,
    /// Most places of one booking.
    pub max_per_booking: u32,
    /// Who may change it.
    pub organizer_id: Id,
    /// Whether it is sold at all.
    pub is_active: bool,
    /// How it stands.
    pub status: EventStatus,
    /// When it was created.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
    /// Version of terms and words.
    pub version: u32,
}

/// The fields of [`EventBody`] that a change ignores: whoever gets, edits and puts an
/// event sends them along.
pub const READ_ONLY_FIELDS: &[&str] = &[
    "id",
    "available",
    "booked",
    "held",
    "waitlisted",
    "organizer_id",
    "status",
    "created_at",
    "updated_at",
    "version",
];

/// The answer to `DELETE /events/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DeletedEvent)]
pub struct DeletedBody {
    /// The event's id.
    pub id: Id,
    /// A sentence for people.
    pub detail: String,
    /// How many bookings, confirmed or waiting, were cancelled with it.
    pub cancelled_bookings: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_follows_time_and_places() {
        let at = Timestamp::from_millis;
        let standing = Standing {
            opens_at: at(10),
            closes_at: at(20),
            ends_at: at(30),
            is_active: true,
            cancelled: false,
            available: 1,
        };
        for (now, status) in [
            (9, EventStatus::NotYetOpen),
            (10, EventStatus::Open),
            (19, EventStatus::Open),
            (20, EventStatus::Closed),
            (29, EventStatus::Closed),
            (30, EventStatus::Ended),
        ] {
            assert_eq!(standing.status(at(now)), status, "{now}");
        }
        let full = Standing { available: 0, ..standing };
        assert_eq!(full.status(at(9)), EventStatus::NotYetOpen);
        assert_eq!(full.status(at(10)), EventStatus::SoldOut);
        let closed = Standing { is_active: false, ..full };
        assert_eq!(closed.status(at(10)), EventStatus::Closed);
        assert_eq!(closed.status(at(30)), EventStatus::Ended);
        let cancelled = Standing { cancelled: true, ..standing };
        assert_eq!(cancelled.status(at(30)), EventStatus::Cancelled);
    }
}
