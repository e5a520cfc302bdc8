//! What the routes of this service say of themselves.

use api::ErrorCode::{
    AlreadyBooked, ExceedsCapacity, HasHold, HoldExpired, NoMoreExtensions, NotFound, NotYetOpen,
    SalesClosed, SoldOut, TooManyHolds, TooManySeats, WaitlistFull,
};
use api::booking::{
    AvailabilityBody, BookRequest, BookingBody, ConfirmedHold, EventSummary, Extension, HoldBody,
    HoldChangeRequest, HoldRequest, HoldStatusBody, ListedBooking, NewBooking, OtherDetails,
    StatusBody,
};
use api::catalog::EventStatus;
use api::document::schemas::{
    ObjectBuilder, PartialSchema, Shape, any_text, at, choice, cursor, id, id_or_me, integer, list,
    maybe, object,
};
use api::document::{Chapter, Operation};
use axum::http::Method;
use serde_json::json;

use crate::routes::{CURSOR_BYTES, LIMIT, LIMIT_MAX};

/// An id in examples.
const ID: &str = "0198c0de-0000-7000-8000-0123456789ab";

/// The chapters of this service.
#[must_use]
pub fn chapters() -> Vec<Chapter> {
    vec![bookings(), holds(), lists(), availability()]
}

fn bookings() -> Chapter {
    let booking_id = [("id", "$response.body#/id")];
    Chapter::new("Bookings", "Book, wait, cancel.")
        .schema::<NewBooking>()
        .schema::<ConfirmedHold>()
        .schema::<BookingBody>()
        .schema::<StatusBody>()
        .with(
            Operation::new(Method::POST, "/bookings", "createBooking", "Book, or wait")
                .says(
                    "Books places, or joins the waitlist when there are none left; or makes a \
                     booking of a hold. A quantity is placed whole or waits whole.",
                )
                .keyed()
                .takes(BookRequest::schema(), json!({"event_id": ID, "quantity": 2}))
                .answers(201, "`confirmed` or `waitlisted`.", at::<BookingBody>())
                .leads_to("getBooking", &booking_id)
                .leads_to("cancelBooking", &booking_id)
                .leads_to("getBookingForEvent", &one_for_event())
                .leads_to("cancelBookingForEvent", &one_for_event())
                .refuses(&[NotFound, SoldOut, NotYetOpen, SalesClosed, AlreadyBooked])
                .refuses(&[ExceedsCapacity, TooManySeats, HasHold, HoldExpired, WaitlistFull]),
        )
        .with(
            Operation::new(Method::GET, "/bookings/{id}", "getBooking", "One booking")
                .path("id", "The booking.", id())
                .answers(200, "The booking as it is now.", at::<BookingBody>())
                .leads_to("cancelBooking", &booking_id),
        )
        .with(
            Operation::new(Method::DELETE, "/bookings/{id}", "cancelBooking", "Cancel a booking")
                .says(
                    "Its places go to the waitlist in the same step. Again: the same answer, and \
                     nothing changes.",
                )
                .keyed()
                .path("id", "The booking.", id())
                .answers(200, "The booking, cancelled.", at::<BookingBody>())
                .leads_to("getBooking", &booking_id),
        )
        .with(
            for_event(Method::GET, "getBookingForEvent", "A person's booking for an event")
                .answers(200, "The booking that is not cancelled, or `null`.", booking_or_null()),
        )
        .with(
            for_event(Method::DELETE, "cancelBookingForEvent", "Cancel it by person and event")
                .keyed()
                .answers(200, "The booking, cancelled.", at::<BookingBody>()),
        )
}

const fn one_for_event() -> [(&'static str, &'static str); 2] {
    [("user_id", "$response.body#/user_id"), ("event_id", "$response.body#/event_id")]
}

fn booking_or_null() -> Shape {
    maybe(at::<BookingBody>())
}

fn for_event(method: Method, id_: &'static str, summary: &'static str) -> Operation {
    Operation::new(method, "/bookings/user/{user_id}/event/{event_id}", id_, summary)
        .path("user_id", "The person, or `me`.", id_or_me())
        .path("event_id", "The event.", id())
}

fn holds() -> Chapter {
    let hold_id = [("id", "$response.body#/id")];
    let one = |method, id_, summary| {
        Operation::new(method, "/bookings/holds/{id}", id_, summary).path("id", "The hold.", id())
    };
    Chapter::new("Holds", "Set places aside while a booking is being completed.")
        .schema::<HoldRequest>()
        .schema::<OtherDetails>()
        .schema::<Extension>()
        .schema::<HoldBody>()
        .schema::<HoldStatusBody>()
        .with(
            Operation::new(Method::POST, "/bookings/holds", "placeHold", "Set places aside")
                .says("Until `expires_at`. Holds do not wait: sold out is 409.")
                .keyed()
                .takes(
                    at::<HoldRequest>(),
                    json!({"event_id": ID, "quantity": 2, "details": {"seats": ["A1", "A2"]}}),
                )
                .answers(201, "The hold.", at::<HoldBody>())
                .leads_to("getHold", &hold_id)
                .leads_to("changeHold", &hold_id)
                .leads_to("releaseHold", &hold_id)
                .leads_to_with("createBooking", json!({"hold_id": "$response.body#/id"}))
                .refuses(&[NotFound, SoldOut, NotYetOpen, SalesClosed, AlreadyBooked])
                .refuses(&[ExceedsCapacity, TooManySeats, HasHold, TooManyHolds]),
        )
        .with(one(Method::GET, "getHold", "One's own hold").answers(
            200,
            "The hold as it is now.",
            at::<HoldBody>(),
        ))
        .with(
            one(Method::PATCH, "changeHold", "Change or extend a hold")
                .says("Other details, a full span from now, or both. Three extensions at most.")
                .keyed()
                .takes(HoldChangeRequest::schema(), json!({"extend": true}))
                .answers(200, "The hold as it is now.", at::<HoldBody>())
                .refuses(&[HoldExpired, NoMoreExtensions, AlreadyBooked]),
        )
        .with(
            one(Method::DELETE, "releaseHold", "Give a hold back")
                .says("Again: the same answer, and nothing changes.")
                .keyed()
                .answers(200, "The hold, released.", at::<HoldBody>())
                .refuses(&[HoldExpired, AlreadyBooked]),
        )
}

fn lists() -> Chapter {
    let paged = |operation: Operation| {
        let (default, most) = (LIMIT as i64, LIMIT_MAX as i64);
        let words = ["confirmed", "waitlisted", "cancelled"];
        operation
            .query("status", "Only those of this status.", choice(&words))
            .query("limit", "How many at most.", integer(&(1..=most)).default(Some(default.into())))
            .query("cursor", "Where the page begins; out of `Link`.", cursor(CURSOR_BYTES))
    };
    let of_person = |path, id_, summary| {
        let operation = Operation::new(Method::GET, path, id_, summary);
        paged(operation.path("user_id", "The person, or `me`.", id_or_me()))
            .answers(200, "A page of bookings, newest first.", list(at::<ListedBooking>()))
            .pages()
    };
    let of_event = |path, id_, summary| {
        let operation = Operation::new(Method::GET, path, id_, summary);
        paged(operation.path("event_id", "The event.", id()))
            .answers(200, "A page of bookings, newest first.", list(at::<BookingBody>()))
            .pages()
    };
    Chapter::new("Lists", "Bookings of a person and of an event, newest first, all statuses.")
        .schema::<ListedBooking>()
        .schema::<EventSummary>()
        .schema::<EventStatus>()
        .with(
            paged(Operation::new(
                Method::GET,
                "/bookings",
                "listOwnBookings",
                "One's own bookings",
            ))
            .answers(200, "A page of bookings, newest first.", list(at::<ListedBooking>()))
            .pages(),
        )
        .with(of_person("/bookings/user/{user_id}", "listBookingsOfUser", "A person's bookings"))
        .with(of_person(
            "/users/{user_id}/bookings",
            "listUserBookings",
            "A person's bookings, below the person",
        ))
        .with(of_event("/bookings/event/{event_id}", "listBookingsOfEvent", "An event's bookings"))
        .with(of_event(
            "/events/{event_id}/bookings",
            "listEventBookings",
            "An event's bookings, below the event",
        ))
}

/// One of the events of a stream. What is in `data` is the counts as JSON, or at the end a
/// sentence.
fn frame() -> ObjectBuilder {
    let data = any_text().description(Some("The counts as JSON; of the last one, a sentence."));
    object()
        .property("id", any_text().description(Some("`as_of_seq`.")))
        .property("event", choice(&["availability", "closed"]))
        .property("data", data)
        .required("event")
        .required("data")
}

fn availability() -> Chapter {
    let of = |path, id_, summary| {
        Operation::new(Method::GET, path, id_, summary).path("event_id", "The event.", id())
    };
    Chapter::new("Availability", "How many places an event has left.")
        .schema::<AvailabilityBody>()
        .with(
            of("/events/{event_id}/availability", "getAvailability", "How many places are left")
                .answers(200, "The counts.", at::<AvailabilityBody>()),
        )
        .with(
            of(
                "/events/{event_id}/availability/stream",
                "streamAvailability",
                "The same as server-sent events",
            )
            .says(
                "The state now, then each change (`event: availability`, the counts as `data:`, \
                 `id:` is `as_of_seq`); a comment now and then; at its end `event: closed` and a \
                 sentence.",
            )
            .answers_as(200, "The stream.", "text/event-stream", frame()),
        )
}
