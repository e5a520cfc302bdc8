//! A refusal by the rules as a [`Problem`]: the one place where it is decided what the
//! world is told of each.

use engine::{BadTerms, EventId, Rejection};
use serde_json::Value;

use crate::booking::BookingBody;
use crate::clock::rfc3339;
use crate::problem::{ErrorCode, Problem};

/// What the client is told of a refusal at `event`.
#[must_use]
pub fn problem(rejection: &Rejection, event: EventId) -> Problem {
    match rejection {
        Rejection::NoSuchEvent => Problem::not_found("event"),
        Rejection::NoSuchBooking => Problem::not_found("booking"),
        Rejection::NoSuchHold => Problem::not_found("hold"),
        Rejection::AlreadyOpen => {
            Problem::new(ErrorCode::AlreadyExists, "An event with this id exists already.")
        }
        Rejection::NotOrganizer => Problem::new(
            ErrorCode::Forbidden,
            "Only the organizer of the event or an administrator may do this.",
        ),
        Rejection::VersionMismatch { current } => Problem::new(
            ErrorCode::PreconditionFailed,
            format!("The event has changed since: its version is {current} now."),
        )
        .with("version", *current),
        Rejection::AlreadyBooked { existing } => already_booked(event, existing),
        Rejection::HasHold { hold } => Problem::new(
            ErrorCode::HasHold,
            format!("You hold {} places here. Confirm or release that hold first.", hold.quantity),
        )
        .with("hold_id", hold.id(event).to_string())
        .with("quantity", hold.quantity.get())
        .with("expires_at", rfc3339(hold.expires_at)),
        Rejection::SoldOut { .. }
        | Rejection::WaitlistFull { .. }
        | Rejection::TooManyHolds { .. }
        | Rejection::NotYetOpen { .. }
        | Rejection::SalesClosed
        | Rejection::ExceedsCapacity { .. }
        | Rejection::TooManySeats { .. } => of_sales(rejection),
        Rejection::HoldExpired => Problem::new(
            ErrorCode::HoldExpired,
            "The hold has expired and its places are gone or awaited by others.",
        ),
        Rejection::NoMoreExtensions { extensions } => Problem::new(
            ErrorCode::NoMoreExtensions,
            format!("A hold can be extended {extensions} times, and this one has been."),
        )
        .with("extensions", *extensions),
        Rejection::CapacityBelowSold { booked, held } => Problem::new(
            ErrorCode::CapacityBelowSold,
            format!("{booked} places are booked and {held} are held: the capacity cannot be less."),
        )
        .with("booked", *booked)
        .with("held", *held),
        Rejection::BadTerms(bad) => bad_terms(*bad),
        Rejection::KeyReused => key_reused(),
        Rejection::TooManyKeys { limit } => Problem::new(
            ErrorCode::TooManyKeys,
            format!("At most {limit} of your idempotency keys are remembered for one event."),
        )
        .with("limit", *limit)
        .retry_after(60),
    }
}

/// The key was used before, with another body.
#[must_use]
pub fn key_reused() -> Problem {
    Problem::new(
        ErrorCode::KeyReused,
        "This Idempotency-Key was used before with another body. Use a new key.",
    )
}

fn of_sales(rejection: &Rejection) -> Problem {
    match *rejection {
        Rejection::SoldOut { available, waitlist_entries } => Problem::new(
            ErrorCode::SoldOut,
            if waitlist_entries > 0 {
                "There are no places left, and others are waiting."
            } else {
                "There are not enough places left."
            },
        )
        .with("available", available)
        .with("waitlist_entries", waitlist_entries),
        Rejection::WaitlistFull { entries } => {
            Problem::new(ErrorCode::WaitlistFull, "It is sold out, and the waitlist is full.")
                .with("available", 0)
                .with("waitlist_entries", entries)
        }
        Rejection::TooManyHolds { holds } => {
            Problem::new(ErrorCode::TooManyHolds, "Too many holds are open for this event.")
                .with("holds", holds)
                .retry_after(10)
        }
        Rejection::NotYetOpen { opens_at } => {
            let opens_at = rfc3339(opens_at);
            Problem::new(ErrorCode::NotYetOpen, format!("Sales open at {opens_at}."))
                .with("opens_at", opens_at)
        }
        Rejection::ExceedsCapacity { capacity } => Problem::new(
            ErrorCode::ExceedsCapacity,
            format!("The event has {capacity} places in all."),
        )
        .with("capacity", capacity),
        Rejection::TooManySeats { max_per_booking } => Problem::new(
            ErrorCode::TooManySeats,
            format!("One booking may have at most {max_per_booking} places here."),
        )
        .with("max_per_booking", max_per_booking.get()),
        _ => Problem::new(ErrorCode::SalesClosed, "Sales for this event are closed."),
    }
}

fn already_booked(event: EventId, existing: &engine::BookingReply) -> Problem {
    let body = serde_json::to_value(BookingBody::of(event, existing)).unwrap_or(Value::Null);
    let detail = if existing.waitlist_position.is_some() {
        "You are on the waitlist of this event already."
    } else {
        "You have a booking for this event already."
    };
    let problem = Problem::new(ErrorCode::AlreadyBooked, detail).with("booking", body);
    match existing.waitlist_position {
        Some(position) => problem.with("waitlist_position", position),
        None => problem,
    }
}

fn bad_terms(bad: BadTerms) -> Problem {
    let (field, detail) = match bad {
        BadTerms::Capacity => ("capacity", "is out of range"),
        BadTerms::Times => {
            ("booking_closes_at", "must be after booking_opens_at and not after end_time")
        }
        BadTerms::Words => ("description", "is too long together with the other texts"),
    };
    Problem::new(ErrorCode::ValidationFailed, format!("The field \"{field}\" {detail}."))
        .field(field, detail)
}

#[cfg(test)]
mod tests {
    use engine::{Booking, BookingReply, BookingStatus, Hold, Seats, Seq, Timestamp, UserId};
    use serde_json::json;

    use super::*;

    const EVENT: EventId = EventId([1; 16]);

    fn booking() -> BookingReply {
        let booking = Booking {
            seq: Seq(3),
            user: UserId([2; 16]),
            quantity: Seats::ONE,
            status: BookingStatus::Waitlisted,
            made_at: Timestamp::EPOCH,
            changed_at: Timestamp::EPOCH,
        };
        BookingReply { booking, waitlist_position: Some(5) }
    }

    fn hold() -> Hold {
        Hold {
            seq: Seq(4),
            user: UserId([2; 16]),
            quantity: Seats::ONE,
            made_at: Timestamp::EPOCH,
            expires_at: Timestamp::from_millis(1_000),
            extensions: 0,
        }
    }

    type Row = (Rejection, u16, &'static str, Value);

    /// Every rejection with its status, its code and its figures. A new rejection has to
    /// be added here, or `every_rejection_is_in_the_table` does not compile.
    fn table() -> Vec<Row> {
        let mut table = first_of_table();
        table.extend(rest_of_table());
        table
    }

    fn first_of_table() -> Vec<Row> {
        let hold_id = hold().id(EVENT).to_string();
        let body = serde_json::to_value(BookingBody::of(EVENT, &booking())).unwrap();
        vec![
            (Rejection::NoSuchEvent, 404, "not_found", json!({})),
            (Rejection::NoSuchBooking, 404, "not_found", json!({})),
            (Rejection::NoSuchHold, 404, "not_found", json!({})),
            (Rejection::AlreadyOpen, 409, "already_exists", json!({})),
            (Rejection::NotOrganizer, 403, "forbidden", json!({})),
            (
                Rejection::VersionMismatch { current: 3 },
                412,
                "precondition_failed",
                json!({"version": 3}),
            ),
            (
                Rejection::AlreadyBooked { existing: booking() },
                409,
                "already_booked",
                json!({"booking": body, "waitlist_position": 5}),
            ),
            (
                Rejection::HasHold { hold: hold() },
                409,
                "has_hold",
                json!({"hold_id": hold_id, "quantity": 1, "expires_at": "1970-01-01T00:00:01.000Z"}),
            ),
        ]
    }

    fn rest_of_table() -> Vec<Row> {
        vec![
            (
                Rejection::SoldOut { available: 0, waitlist_entries: 7 },
                409,
                "sold_out",
                json!({"available": 0, "waitlist_entries": 7}),
            ),
            (
                Rejection::WaitlistFull { entries: 9 },
                409,
                "waitlist_full",
                json!({"available": 0, "waitlist_entries": 9}),
            ),
            (Rejection::TooManyHolds { holds: 9 }, 409, "too_many_holds", json!({"holds": 9})),
            (
                Rejection::NotYetOpen { opens_at: Timestamp::EPOCH },
                409,
                "not_yet_open",
                json!({"opens_at": "1970-01-01T00:00:00.000Z"}),
            ),
            (Rejection::SalesClosed, 409, "sales_closed", json!({})),
            (
                Rejection::ExceedsCapacity { capacity: 4 },
                409,
                "exceeds_capacity",
                json!({"capacity": 4}),
            ),
            (
                Rejection::TooManySeats { max_per_booking: Seats::ONE },
                409,
                "too_many_seats",
                json!({"max_per_booking": 1}),
            ),
            (Rejection::HoldExpired, 409, "hold_expired", json!({})),
            (
                Rejection::NoMoreExtensions { extensions: 3 },
                409,
                "no_more_extensions",
                json!({"extensions": 3}),
            ),
            (
                Rejection::CapacityBelowSold { booked: 6, held: 2 },
                409,
                "capacity_below_sold",
                json!({"booked": 6, "held": 2}),
            ),
            (Rejection::BadTerms(BadTerms::Capacity), 422, "validation_failed", json!({})),
            (Rejection::BadTerms(BadTerms::Times), 422, "validation_failed", json!({})),
            (Rejection::BadTerms(BadTerms::Words), 422, "validation_failed", json!({})),
            (Rejection::KeyReused, 422, "key_reused", json!({})),
            (Rejection::TooManyKeys { limit: 64 }, 429, "too_many_keys", json!({"limit": 64})),
        ]
    }

    #[test]
    fn each_rejection_has_its_code_and_figures() {
        for (rejection, status, code, figures) in table() {
            let problem = problem(&rejection, EVENT);
            assert_eq!(problem.code().as_str(), code, "{rejection:?}");
            assert_eq!(problem.code().status().as_u16(), status, "{rejection:?}");
            assert!(problem.detail().ends_with('.'), "{rejection:?}");
            let written = serde_json::to_value(&problem).unwrap();
            let written = written.as_object().unwrap();
            let common = ["type", "title", "status", "detail", "code", "retryable", "errors"];
            let extra: serde_json::Map<_, _> = written
                .iter()
                .filter(|(name, _)| !common.contains(&name.as_str()))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            assert_eq!(Value::Object(extra), figures, "{rejection:?}");
        }
    }

    #[test]
    fn every_rejection_is_in_the_table() {
        let number = |rejection: &Rejection| match rejection {
            Rejection::NoSuchEvent => 0,
            Rejection::NoSuchBooking => 1,
            Rejection::NoSuchHold => 2,
            Rejection::AlreadyOpen => 3,
            Rejection::NotOrganizer => 4,
            Rejection::VersionMismatch { .. } => 5,
            Rejection::AlreadyBooked { .. } => 6,
            Rejection::HasHold { .. } => 7,
            Rejection::SoldOut { .. } => 8,
            Rejection::WaitlistFull { .. } => 9,
            Rejection::TooManyHolds { .. } => 10,
            Rejection::NotYetOpen { .. } => 11,
            Rejection::SalesClosed => 12,
            Rejection::ExceedsCapacity { .. } => 13,
            Rejection::TooManySeats { .. } => 14,
            Rejection::HoldExpired => 15,
            Rejection::NoMoreExtensions { .. } => 16,
            Rejection::CapacityBelowSold { .. } => 17,
            Rejection::BadTerms(BadTerms::Capacity) => 18,
            Rejection::BadTerms(BadTerms::Times) => 19,
            Rejection::BadTerms(BadTerms::Words) => 20,
            Rejection::KeyReused => 21,
            Rejection::TooManyKeys { .. } => 22,
        };
        let numbers: Vec<_> = table().iter().map(|(rejection, ..)| number(rejection)).collect();
        assert_eq!(numbers, (0..23).collect::<Vec<_>>());
    }
}
