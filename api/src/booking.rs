//! Requests and answers of the booking service.

use axum::body::Bytes;
use engine::{BookingReply, BookingStatus, EventId, HoldId, Seats};
use serde::{Deserialize, Serialize};

use crate::catalog::EventStatus;
use crate::document::schemas::{
    ObjectBuilder, PartialSchema, Shape, ToSchema, any_of, at, boolean, fields, id, integer,
    or_null,
};
use crate::extract::parse_json;
use crate::fields::{Fields, FromFields};
use crate::problem::Problem;
use crate::wire::{Id, Money, Time};

mod hold;

pub use hold::{
    DETAILS_BYTES, Extension, HoldBody, HoldChangeRequest, HoldRequest, HoldStatusBody,
    OtherDetails,
};

/// Most places that one request may ask for. Above it no event can have room.
pub const QUANTITY_MAX: i64 = 1_000_000;

/// What `POST /bookings` wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookRequest {
    /// Places at an event.
    Book {
        /// Which event.
        event: EventId,
        /// How many; `None` is one, or as many as are held.
        quantity: Option<Seats>,
        /// Whether to wait when there is no room.
        join_waitlist: bool,
    },
    /// A hold as a booking.
    Confirm {
        /// Which hold.
        hold: HoldId,
    },
}

/// The shape of nearly every body, read without a tree of values in between.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LeanBook {
    event_id: Id,
    quantity: Option<u32>,
    join_waitlist: Option<bool>,
}

impl BookRequest {
    /// Reads a body.
    ///
    /// # Errors
    /// 400 if it is not JSON, 422 with everything that is wrong with it.
    pub fn from_body(body: &Bytes) -> Result<Self, Problem> {
        if let Some(request) = serde_json::from_slice(body).ok().as_ref().and_then(Self::lean) {
            return Ok(request);
        }
        // The slow road finds the same or says all that is wrong.
        Fields::read(parse_json(body)?)
    }

    fn lean(body: &LeanBook) -> Option<Self> {
        let quantity = match body.quantity {
            Some(count) if i64::from(count) > QUANTITY_MAX => return None,
            Some(count) => Some(Seats::new(count)?),
            None => None,
        };
        Some(Self::Book {
            event: EventId::from(body.event_id),
            quantity,
            join_waitlist: body.join_waitlist.unwrap_or(true),
        })
    }

    /// The request in a form that does not depend on how it was spelled, for its
    /// fingerprint. No quantity and one place are two different wishes for whoever
    /// holds places.
    #[must_use]
    pub fn canonical(&self) -> [u8; 22] {
        let mut bytes = [0; 22];
        match self {
            Self::Book { event, quantity, join_waitlist } => {
                bytes[0] = 1;
                bytes[1..17].copy_from_slice(&event.bytes());
                let count = quantity.map_or(0, Seats::get);
                bytes[17..21].copy_from_slice(&count.to_be_bytes());
                bytes[21] = u8::from(*join_waitlist);
            }
            Self::Confirm { hold } => {
                bytes[0] = 2;
                bytes[1..17].copy_from_slice(&hold.bytes());
            }
        }
        bytes
    }
}

impl FromFields for BookRequest {
    fn from_fields(fields: &mut Fields) -> Self {
        if let Some(hold) = fields.optional_id("hold_id") {
            for other in ["event_id", "quantity", "join_waitlist"] {
                if fields.take(other).is_some() {
                    fields.error(other, "must not be sent together with hold_id");
                }
            }
            return Self::Confirm { hold: HoldId::from(hold) };
        }
        let event = EventId::from(fields.id("event_id"));
        let quantity = fields.optional_integer("quantity", 1..=QUANTITY_MAX);
        let quantity = quantity.and_then(|count| u32::try_from(count).ok()).and_then(Seats::new);
        let join_waitlist = fields.optional_bool("join_waitlist").unwrap_or(true);
        Self::Book { event, quantity, join_waitlist }
    }
}

/// The body of [`BookRequest::Book`], for the document.
pub struct NewBooking;

impl PartialSchema for NewBooking {
    fn schema() -> Shape {
        let says = "Whether to wait when there is no room; `true` unless said otherwise.";
        fields()
            .property("event_id", id().description(Some("Which event.")))
            .property("quantity", or_null(quantity()))
            .property("join_waitlist", or_null(boolean()).description(Some(says)))
            .required("event_id")
            .into()
    }
}

impl ToSchema for NewBooking {}

/// The body of [`BookRequest::Confirm`], for the document.
pub struct ConfirmedHold;

impl PartialSchema for ConfirmedHold {
    fn schema() -> Shape {
        let says = "The hold that becomes a booking.";
        fields().property("hold_id", id().description(Some(says))).required("hold_id").into()
    }
}

impl ToSchema for ConfirmedHold {}

impl PartialSchema for BookRequest {
    fn schema() -> Shape {
        any_of([at::<NewBooking>(), at::<ConfirmedHold>()])
    }
}

/// How many places a request asks for.
fn quantity() -> ObjectBuilder {
    let says = "How many places: one unless said otherwise, or as many as are held.";
    integer(&(1..=QUANTITY_MAX)).description(Some(says))
}

/// What a booking is worth, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = BookingStatus)]
pub enum StatusBody {
    /// It has its places.
    Confirmed,
    /// It waits for them.
    Waitlisted,
    /// It is over.
    Cancelled,
}

impl From<BookingStatus> for StatusBody {
    fn from(status: BookingStatus) -> Self {
        match status {
            BookingStatus::Confirmed => Self::Confirmed,
            BookingStatus::Waitlisted => Self::Waitlisted,
            BookingStatus::Cancelled => Self::Cancelled,
        }
    }
}

/// The status that a `status=` in a query names.
#[must_use]
pub fn parse_status(text: &str) -> Option<BookingStatus> {
    match text {
        "confirmed" => Some(BookingStatus::Confirmed),
        "waitlisted" => Some(BookingStatus::Waitlisted),
        "cancelled" => Some(BookingStatus::Cancelled),
        _ => None,
    }
}

/// A booking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Booking)]
pub struct BookingBody {
    /// Its id.
    pub booking_id: Id,
    /// Its id once more.
    pub id: Id,
    /// Of which event.
    pub event_id: Id,
    /// Whose.
    pub user_id: Id,
    /// What it is worth.
    pub status: StatusBody,
    /// How many places.
    pub quantity: u32,
    /// When it was made.
    pub created_at: Time,
    /// When its status last changed.
    pub updated_at: Time,
    /// Its place in the queue, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub waitlist_position: Option<u32>,
    /// Its place in the event's history when it was made.
    pub seq: u64,
    /// What its owner shows at the door.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ticket_code: Option<String>,
}

impl BookingBody {
    /// The booking of a reply.
    #[must_use]
    pub fn of(event: EventId, reply: &BookingReply) -> Self {
        let booking = &reply.booking;
        let id = Id::from(booking.id(event));
        Self {
            booking_id: id,
            id,
            event_id: Id::from(event),
            user_id: Id::from(booking.user),
            status: StatusBody::from(booking.status),
            quantity: booking.quantity.get(),
            created_at: Time(booking.made_at),
            updated_at: Time(booking.changed_at),
            waitlist_position: reply.waitlist_position,
            seq: booking.seq.0,
            ticket_code: None,
        }
    }
}

/// A booking in a person's list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListedBooking {
    /// The booking.
    #[serde(flatten)]
    pub booking: BookingBody,
    /// What it is for; `null` while the catalog is down.
    #[schema(required)]
    pub event: Option<EventSummary>,
}

/// The main fields of an event, in a list of bookings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventSummary {
    /// Its id.
    pub id: Id,
    /// Its title.
    pub title: String,
    /// When it starts.
    pub start_time: Time,
    /// When it ends.
    pub end_time: Time,
    /// The IANA zone its times are meant in.
    #[schema(required)]
    pub timezone: Option<String>,
    /// Where it takes place.
    pub location: String,
    /// What a place costs.
    pub price: Money,
    /// How it stands.
    pub status: EventStatus,
}

/// How many places an event has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Availability)]
pub struct AvailabilityBody {
    /// Places in all.
    pub capacity: u32,
    /// Places of confirmed bookings.
    pub booked: u32,
    /// Places set aside.
    pub held: u32,
    /// Places neither booked nor held.
    pub free: u32,
    /// Places that a newcomer can book now: none while anybody waits.
    pub available: u32,
    /// Places that waiting entries wish for.
    pub waitlisted: u64,
    /// How many entries wait.
    pub waitlist_entries: u32,
    /// The event's history up to here is counted.
    pub as_of_seq: u64,
}

#[cfg(test)]
mod tests {
    use engine::{Booking, Seq, Timestamp, UserId};

    use super::*;

    const ID: &str = "0198c0de-0000-7000-8000-0123456789ab";

    fn read(body: &str) -> Result<BookRequest, Problem> {
        BookRequest::from_body(&Bytes::from(body.to_owned()))
    }

    fn book(quantity: Option<u32>, join_waitlist: bool) -> BookRequest {
        let event = EventId::from(crate::wire::parse_id(ID).unwrap());
        BookRequest::Book { event, quantity: quantity.and_then(Seats::new), join_waitlist }
    }

    #[test]
    fn bodies_are_read_by_either_road() {
        let with = |rest: &str| read(&format!(r#"{{"event_id":"{ID}"{rest}}}"#)).unwrap();
        assert_eq!(with(""), book(None, true));
        assert_eq!(with(r#","quantity":3,"join_waitlist":false"#), book(Some(3), false));
        assert_eq!(with(r#","quantity":null,"join_waitlist":null"#), book(None, true));
        // A whole double and a repeated field take the slow road.
        assert_eq!(with(r#","quantity":3.0"#), book(Some(3), true));
        assert_eq!(with(r#","quantity":2,"quantity":3"#), book(Some(3), true));
        let hold = read(&format!(r#"{{"hold_id":"{ID}"}}"#)).unwrap();
        assert!(matches!(hold, BookRequest::Confirm { .. }));
    }

    #[test]
    fn wrong_bodies_name_what_is_wrong() {
        for (body, field) in [
            ("{}".to_owned(), "event_id"),
            (r#"{"event_id":"17"}"#.to_owned(), "event_id"),
            (format!(r#"{{"event_id":"{ID}","quantity":0}}"#), "quantity"),
            (format!(r#"{{"event_id":"{ID}","quantity":-1}}"#), "quantity"),
            (format!(r#"{{"event_id":"{ID}","quantity":1000001}}"#), "quantity"),
            (format!(r#"{{"event_id":"{ID}","quantity":"2"}}"#), "quantity"),
            (format!(r#"{{"event_id":"{ID}","join_waitlist":"no"}}"#), "join_waitlist"),
            (format!(r#"{{"event_id":"{ID}","seats":[1]}}"#), "seats"),
            (format!(r#"{{"hold_id":"{ID}","quantity":1}}"#), "quantity"),
        ] {
            let problem = read(&body).unwrap_err();
            assert_eq!(problem.code().status(), 422, "{body}");
            assert_eq!(problem.errors()[0].field, field, "{body}");
        }
        assert_eq!(read("{").unwrap_err().code().status(), 400);
    }

    #[test]
    fn the_schemas_say_what_is_read() {
        use serde_json::{Value, json};

        use crate::document::probe::disagreements;

        let read = |body: Value| BookRequest::from_body(&Bytes::from(body.to_string())).map(drop);
        let booking = json!({"event_id": ID, "quantity": 2, "join_waitlist": true});
        assert_eq!(disagreements::<NewBooking>(&booking, read), Vec::<String>::new());
        let hold = json!({"hold_id": ID});
        let found = disagreements::<ConfirmedHold>(&hold, read);
        // Without one it is no confirmation but a booking that lacks its event.
        let other = ["hold_id = null is taken", "hold_id: whether it must be there"];
        assert_eq!(found, other);
    }

    #[test]
    fn the_canonical_form_tells_wishes_apart() {
        let all = [
            book(None, true),
            book(Some(1), true),
            book(Some(1), false),
            book(Some(256), true),
            BookRequest::Confirm { hold: HoldId(crate::wire::parse_id(ID).unwrap().0) },
        ];
        for (i, a) in all.iter().enumerate() {
            for b in &all[..i] {
                assert_ne!(a.canonical(), b.canonical());
            }
        }
    }

    #[test]
    fn a_booking_is_written_as_the_contract_says() {
        let booking = Booking {
            seq: Seq(7),
            user: UserId([2; 16]),
            quantity: Seats::ONE,
            status: BookingStatus::Waitlisted,
            made_at: Timestamp::from_millis(0),
            changed_at: Timestamp::from_millis(1),
        };
        let event = EventId([1; 16]);
        let body = BookingBody::of(event, &BookingReply { booking, waitlist_position: Some(4) });
        let id = booking.id(event);
        assert_eq!(
            serde_json::to_string(&body).unwrap(),
            format!(
                "{{\"booking_id\":\"{id}\",\"id\":\"{id}\",\"event_id\":\"{event}\",\
                 \"user_id\":\"02020202-0202-0202-0202-020202020202\",\"status\":\"waitlisted\",\
                 \"quantity\":1,\"created_at\":\"1970-01-01T00:00:00.000Z\",\
                 \"updated_at\":\"1970-01-01T00:00:00.001Z\",\"waitlist_position\":4,\"seq\":7}}"
            )
        );
    }
}
