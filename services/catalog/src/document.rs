//! What the routes of this service say of themselves.

use std::borrow::Cow;

use api::ErrorCode::{AlreadyExists, CapacityBelowSold, CatalogBehind};
use api::catalog::{DeletedBody, EventBody, EventStatus, READ_ONLY_FIELDS};
use api::document::schemas::{
    ObjectBuilder, PartialSchema, Shape, ToSchema, any_of, anything, at, boolean, choice, fields,
    formatted, id, integer, line, list, long_cursor, money, or_null, string, text, time, words,
};
use api::document::{Chapter, Operation};
use api::page::SKIP_MAX;
use axum::http::Method;
use serde_json::{Value, json};

use crate::draft::DEFAULT_MAX_PER_BOOKING;
use crate::fields::{CAPACITY, DESCRIPTION_CHARS, LOCATION_CHARS, MAX_PER_BOOKING, TITLE_CHARS};
use crate::listing::{FILTER_CHARS, LIMIT, LIMIT_MAX, SORTS};
use crate::times::ZONE_BYTES;

/// The chapters of this service.
#[must_use]
pub fn chapters() -> Vec<Chapter> {
    let event_id = [("id", "$response.body#/id")];
    let of_event = [("event_id", "$response.body#/id")];
    let chapter = Chapter::new("Events", "Find, create, change and cancel events.")
        .schema::<NewEvent>()
        .schema::<NewEventByName>()
        .schema::<EventChange>()
        .schema::<EventBody>()
        .schema::<EventStatus>()
        .schema::<DeletedBody>()
        .with(list_events())
        .with(search_events())
        .with(
            Operation::new(Method::POST, "/events", "createEvent", "Create an event")
                .says("Whoever creates an event is its organizer.")
                .keyed()
                .takes(any_of([at::<NewEvent>(), at::<NewEventByName>()]), example("title"))
                .answers(201, "The event.", at::<EventBody>())
                .etag()
                .leads_to("getEvent", &event_id)
                .leads_to("changeEvent", &event_id)
                .leads_to("putEvent", &event_id)
                .leads_to("deleteEvent", &event_id)
                .leads_to("getAvailability", &of_event)
                .leads_to("listEventBookings", &of_event)
                .leads_to("listBookingsOfEvent", &of_event)
                .leads_to_with("createBooking", json!({"event_id": "$response.body#/id"}))
                .leads_to_with("placeHold", json!({"event_id": "$response.body#/id"}))
                .refuses(&[AlreadyExists, CatalogBehind]),
        )
        .with(
            Operation::new(Method::GET, "/events/{id}", "getEvent", "One event")
                .path("id", "The event.", id())
                .answers(200, "The event with its live counts.", at::<EventBody>())
                .etag()
                .counts(),
        )
        .with(change(Method::PUT, "putEvent", "Change an event (PUT)"))
        .with(change(Method::PATCH, "changeEvent", "Change an event"))
        .with(
            Operation::new(Method::DELETE, "/events/{id}", "deleteEvent", "Cancel an event")
                .says("Cancels its bookings too. People still see them in their lists.")
                .keyed()
                .if_match()
                .path("id", "The event.", id())
                .answers(200, "It is cancelled.", at::<DeletedBody>())
                .refuses(&[CatalogBehind]),
        );
    vec![chapter]
}

fn change(method: Method, id_: &'static str, summary: &'static str) -> Operation {
    let example = json!({"capacity": 120, "location": "Hall 2"});
    Operation::new(method, "/events/{id}", id_, summary)
        .says(
            "What is not named stays as it is; what cannot be changed means nothing here, so an \
             event that was read may be edited and put back. Places that are added go to the \
             waitlist first.",
        )
        .keyed()
        .if_match()
        .path("id", "The event.", id())
        .takes(at::<EventChange>(), example)
        .answers(200, "The event as it is now.", at::<EventBody>())
        .etag()
        .leads_to("getEvent", &[("id", "$response.body#/id")])
        .refuses(&[CapacityBelowSold, CatalogBehind])
}

fn paged(operation: Operation) -> Operation {
    let (default, most, skip) = (LIMIT as i64, LIMIT_MAX as i64, SKIP_MAX as i64);
    let limit = integer(&(1..=most)).default(Some(default.into()));
    operation.query("limit", "How many at most.", limit).query(
        "skip",
        "How many to leave out, for simple clients.",
        integer(&(0..=skip)).default(Some(json!(0))),
    )
}

fn list_events() -> Operation {
    let part = || string(&(0..=FILTER_CHARS));
    let operation = Operation::new(Method::GET, "/events", "listEvents", "Find events")
        .says("Cancelled events never appear, past ones do: `starts_after` hides them.")
        .query("title", "A part of the title, in any case.", part())
        .query("name", "Another word for `title`.", part())
        .query("location", "A part of the location, in any case.", part())
        .query(
            "q",
            "Words of title, description or location; the last one may be a beginning.",
            words(FILTER_CHARS),
        )
        .query("organizer_id", "Who organizes it.", id())
        .query("is_active", "Whether it is sold at all.", boolean())
        .query("has_seats", "Whether a newcomer can book a place now.", boolean())
        .query("starts_after", "Not before this moment.", time())
        .query("starts_before", "Before this moment.", time())
        .query("min_price", "Not cheaper.", money())
        .query("max_price", "Not dearer.", money())
        .query(
            "sort",
            "The order; after a `-`, backwards.",
            choice(&SORTS).default(Some(json!("start_time"))),
        );
    paged(operation)
        .query("cursor", "Where the page begins; out of `Link`.", long_cursor())
        .answers(200, "A page of events.", list(at::<EventBody>()))
        .pages()
        .counts()
}

fn search_events() -> Operation {
    let operation =
        Operation::new(Method::GET, "/events/search", "searchEvents", "Find events by words")
            .says("The best match first.")
            .query("query", "Words; the last one may be a beginning.", words(FILTER_CHARS))
            .needed();
    paged(operation).answers(200, "A page of events.", list(at::<EventBody>())).pages().counts()
}

/// A body that creates an event.
struct NewEvent;

/// The same, with the title as `name`.
struct NewEventByName;

/// A body that changes an event.
struct EventChange;

impl PartialSchema for NewEvent {
    fn schema() -> Shape {
        new_event("title", "name").into()
    }
}

impl ToSchema for NewEvent {}

impl PartialSchema for NewEventByName {
    fn schema() -> Shape {
        new_event("name", "title").into()
    }
}

impl ToSchema for NewEventByName {}

fn new_event(title: &str, alias: &str) -> ObjectBuilder {
    let words = "Another word for the title: the two must not differ.";
    let active = boolean().default(Some(json!(true)));
    let event = fields()
        .property(title, line(&TITLE_CHARS))
        .property("description", text(&DESCRIPTION_CHARS))
        .property("start_time", when("When it starts."))
        .property("end_time", when("When it ends: after its start, and not in the past."))
        .property("timezone", zone())
        .property("location", line(&LOCATION_CHARS))
        .property("capacity", integer(&CAPACITY).description(Some("Places in all.")))
        .property("price", money().description(Some("What a place costs.")))
        .property("booking_opens_at", or_null(when("When sales begin; now, unless said.")))
        .property(
            "booking_closes_at",
            or_null(when("When sales end; at the start, unless said; at the latest at the end.")),
        )
        .property("waitlist", or_null(active.description(Some("Whether one may wait."))))
        .property(
            "max_per_booking",
            or_null(
                integer(&MAX_PER_BOOKING)
                    .default(Some(json!(DEFAULT_MAX_PER_BOOKING)))
                    .description(Some("Most places of one booking.")),
            ),
        )
        .property(alias, or_null(line(&TITLE_CHARS).description(Some(words))));
    [title, "description", "start_time", "end_time", "location", "capacity", "price"]
        .into_iter()
        .fold(event, ObjectBuilder::required)
}

/// A time. One without an offset is read too: in UTC, or in the event's zone.
fn when(says: &str) -> ObjectBuilder {
    let more = "ISO 8601; without an offset it is read in `timezone`, or as UTC. From 1970 to \
                9998.";
    time().description(Some(format!("{says} {more}")))
}

fn zone() -> ObjectBuilder {
    let says = "The IANA zone its times are meant in, e.g. `Europe/Berlin`.";
    or_null(formatted(string(&(1..=ZONE_BYTES)), "iana-time-zone").description(Some(says)))
}

impl PartialSchema for EventChange {
    fn schema() -> Shape {
        let name = "Another word for the title: of two different ones the new one counts.";
        let change = fields()
            .property("title", line(&TITLE_CHARS))
            .property("name", line(&TITLE_CHARS).description(Some(name)))
            .property("description", text(&DESCRIPTION_CHARS))
            .property("start_time", when("When it starts."))
            .property("end_time", when("When it ends."))
            .property("timezone", zone())
            .property("location", line(&LOCATION_CHARS))
            .property("capacity", integer(&CAPACITY).description(Some("Not below what is sold.")))
            .property("price", money())
            .property("booking_opens_at", when("When sales begin."))
            .property("booking_closes_at", when("When sales end."))
            .property("is_active", boolean().description(Some("`false` closes sales.")))
            .property("waitlist", boolean())
            .property("max_per_booking", integer(&MAX_PER_BOOKING));
        READ_ONLY_FIELDS
            .iter()
            .fold(change, |change, name| {
                change.property(*name, anything().description(Some("Means nothing here.")))
            })
            .into()
    }
}

impl ToSchema for EventChange {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("EventChange")
    }
}

/// A body that creates an event, with its title under this name.
fn example(title: &str) -> Value {
    json!({
        title: "Tea",
        "description": "Green and black",
        "start_time": "2030-05-01T15:00:00+02:00",
        "end_time": "2030-05-01T17:00:00+02:00",
        "timezone": "Europe/Zurich",
        "location": "Bern",
        "capacity": 40,
        "price": 4.5,
    })
}

#[cfg(test)]
mod tests {
    use api::Fields;
    use api::document::probe::disagreements;
    use engine::{EventId, Timestamp, UserId};
    use storage::CatalogEntry;

    use super::*;
    use crate::draft::Draft;
    use crate::edit::Edit;

    /// 2027-01-01.
    const NOW: Timestamp = Timestamp::from_millis(1_798_761_600_000);

    fn whole(title: &str) -> Value {
        let mut whole = example(title);
        whole["booking_opens_at"] = json!("2030-01-01T00:00:00Z");
        whole["booking_closes_at"] = json!("2030-05-01T12:00:00Z");
        whole["waitlist"] = json!(true);
        whole["max_per_booking"] = json!(4);
        whole
    }

    #[test]
    fn the_schemas_of_a_new_event_say_what_is_read() {
        let read = |body| {
            let mut fields = Fields::of(body)?;
            Draft::read(&mut fields, NOW);
            fields.finish()
        };
        // Two titles at once must not differ, which no schema says.
        let about_both = |found: &str| !found.starts_with("name = \"b") && found != BY_TITLE;
        let mut found = disagreements::<NewEvent>(&whole("title"), read);
        found.retain(|one| about_both(one));
        assert_eq!(found, Vec::<String>::new());
        let mut found = disagreements::<NewEventByName>(&whole("name"), read);
        // What is wrong with the name is said of the name; that it is missing, of the title.
        found.retain(|one| about_both(one) && one != BY_NAME && one != "name = null is taken");
        assert_eq!(found, Vec::<String>::new());
    }

    const BY_TITLE: &str = "title = null is taken";
    const BY_NAME: &str = "name: whether it must be there";

    #[test]
    fn the_schema_of_a_change_says_what_is_read() {
        let entry = CatalogEntry {
            id: EventId([1; 16]),
            organizer: UserId([2; 16]),
            version: 1,
            title: "Tea".to_owned(),
            description: String::new(),
            location: "Bern".to_owned(),
            starts_at: Timestamp::from_millis(1_800_000_000_000),
            ends_at: Timestamp::from_millis(1_800_003_600_000),
            timezone: None,
            price_cents: 0,
            capacity: 40,
            opens_at: NOW,
            closes_at: Timestamp::from_millis(1_800_000_000_000),
            is_active: true,
            waitlist: true,
            max_per_booking: 10,
            created_at: NOW,
            updated_at: NOW,
            deleted: false,
        };
        let mut body = whole("title");
        body["is_active"] = json!(true);
        body["name"] = json!("Tea");
        let found = disagreements::<EventChange>(&body, |body| {
            let mut fields = Fields::of(body)?;
            Edit::read(&mut fields, &entry, NOW);
            fields.finish()
        });
        assert_eq!(found, Vec::<String>::new());
    }
}
