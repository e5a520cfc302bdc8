//! A body to create an event, checked.

use api::Fields;
use engine::{Seats, Terms, Timestamp};

use crate::fields::{
    CAPACITY, DESCRIPTION_CHARS, LOCATION_CHARS, MAX_PER_BOOKING, ZoneField, small, timezone, title,
};
use crate::times::Zone;
use api::words::Description;

/// Most places of one booking where nothing else is said.
pub(crate) const DEFAULT_MAX_PER_BOOKING: i64 = 10;

/// An event to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) description: Description,
    pub(crate) terms: Terms,
}

impl Draft {
    /// Asks for every field and checks them, each by itself and together. What it
    /// returns means nothing until `fields.finish()` has found no error.
    pub(crate) fn read(fields: &mut Fields, now: Timestamp) -> Self {
        let title = title(fields, None).unwrap_or_else(|| fields.missing("title"));
        let description = fields.text("description", DESCRIPTION_CHARS);
        let location = fields.string("location", LOCATION_CHARS);
        let capacity = small(fields.integer("capacity", CAPACITY));
        let price = fields
            .optional_money("price")
            .map_or_else(|| fields.missing::<i64>("price"), |money| money.0);
        let timezone = match timezone(fields) {
            ZoneField::Named(name) => Some(name),
            ZoneField::Missing | ZoneField::Null => None,
        };
        let zone = Zone::named(timezone.as_deref()).unwrap_or_else(Zone::utc);
        let times = Times::read(fields, &zone, now);
        let waitlist = fields.optional_bool("waitlist").unwrap_or(true);
        let max_per_booking = fields
            .optional_integer("max_per_booking", MAX_PER_BOOKING)
            .unwrap_or(DEFAULT_MAX_PER_BOOKING);
        Self {
            description: Description {
                title: Some(title),
                description: Some(description),
                location: Some(location),
                starts_at: Some(times.starts),
                timezone: timezone.map(Some),
                price_cents: Some(price),
            },
            terms: Terms {
                capacity,
                opens_at: times.opens,
                closes_at: times.closes,
                ends_at: times.ends,
                active: true,
                waitlist,
                max_per_booking: Seats::new(small(max_per_booking)).unwrap_or(Seats::ONE),
            },
        }
    }
}

struct Times {
    starts: Timestamp,
    ends: Timestamp,
    opens: Timestamp,
    closes: Timestamp,
}

impl Times {
    fn read(fields: &mut Fields, zone: &Zone, now: Timestamp) -> Self {
        let errors = fields.errors_so_far();
        let starts = zone.read(fields, "start_time");
        let ends = zone.read(fields, "end_time");
        let opens = zone.read(fields, "booking_opens_at");
        let closes = zone.read(fields, "booking_closes_at");
        if starts.is_none() {
            fields.missing::<i64>("start_time");
        }
        if ends.is_none() {
            fields.missing::<i64>("end_time");
        }
        let (starts, ends) = (starts.unwrap_or_default(), ends.unwrap_or_default());
        if fields.errors_so_far() > errors {
            return Self { starts, ends, opens: starts, closes: starts };
        }
        if ends <= starts {
            fields.error("end_time", "must be after start_time");
        }
        if ends <= now {
            fields.error("end_time", "must not be in the past");
        }
        let given_closes = closes.is_some();
        let closes = closes.unwrap_or(starts);
        // Of an event that has begun already nothing is sold, unless it is said until
        // when: its sales then opened no later than they closed.
        let given_opens = opens.is_some();
        let opens = opens.unwrap_or(if given_closes { now } else { now.min(closes) });
        if closes > ends {
            fields.error("booking_closes_at", "must not be after end_time");
        }
        if closes < opens {
            if given_opens && !given_closes {
                fields.error("booking_opens_at", "must not be after start_time, when sales close");
            } else {
                fields.error("booking_closes_at", "must not be before booking_opens_at");
            }
        }
        Self { starts, ends, opens, closes }
    }
}

#[cfg(test)]
mod tests {
    use api::clock::parse_rfc3339;
    use serde_json::{Value, json};

    use super::*;

    fn at(text: &str) -> Timestamp {
        parse_rfc3339(text).unwrap()
    }

    fn now() -> Timestamp {
        at("2027-01-01T00:00:00Z")
    }

    fn body() -> Value {
        json!({
            "title": "Fair", "description": "A fair.", "location": "Hall 1",
            "start_time": "2027-05-01T10:00:00Z", "end_time": "2027-05-01T18:00:00Z",
            "capacity": 100, "price": 12.5,
        })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut body = body();
        body[name] = value;
        body
    }

    fn read(body: Value) -> Result<Draft, Vec<String>> {
        let mut fields = Fields::of(body).unwrap();
        let draft = Draft::read(&mut fields, now());
        let errors = |p: api::Problem| p.errors().iter().map(|e| e.field.to_string()).collect();
        fields.finish().map(|()| draft).map_err(errors)
    }

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let draft = read(body()).unwrap();
        let terms = &draft.terms;
        assert_eq!(terms.opens_at, now());
        assert_eq!(terms.closes_at, at("2027-05-01T10:00:00Z"));
        assert_eq!(terms.ends_at, at("2027-05-01T18:00:00Z"));
        assert!(terms.active && terms.waitlist);
        assert_eq!((terms.capacity, terms.max_per_booking.get()), (100, 10));
        assert_eq!(draft.description.price_cents, Some(1250));
        assert_eq!(draft.description.timezone, None);
    }

    #[test]
    fn every_missing_field_is_named() {
        let missing = read(json!({})).unwrap_err();
        let required =
            ["title", "description", "location", "capacity", "price", "start_time", "end_time"];
        assert_eq!(missing, required);
        assert_eq!(read(with("title", json!(null))).unwrap_err(), ["title"]);
    }

    #[test]
    fn each_field_has_its_bounds() {
        for (name, value) in [
            ("title", json!("")),
            ("title", json!("x".repeat(201))),
            ("title", json!(1)),
            ("description", json!("x".repeat(10_001))),
            ("location", json!("x".repeat(301))),
            ("capacity", json!(0)),
            ("capacity", json!(1_000_001)),
            ("capacity", json!("100")),
            ("price", json!(-1)),
            ("price", json!(1.001)),
            ("price", json!("1")),
            ("timezone", json!("Mars/Olympus")),
            ("timezone", json!(1)),
            ("start_time", json!("soon")),
            ("end_time", json!(1_800_000_000)),
            ("end_time", json!("2027-05-01T10:00:00Z")),
            ("waitlist", json!("yes")),
            ("max_per_booking", json!(0)),
            ("booking_closes_at", json!("2027-05-01T18:00:01Z")),
            ("booking_closes_at", json!("2026-12-31T00:00:00Z")),
            ("booking_opens_at", json!("2027-05-01T10:00:01Z")),
            ("is_active", json!(true)),
            ("id", json!("x")),
            ("colour", json!("red")),
        ] {
            assert_eq!(read(with(name, value.clone())).unwrap_err(), [name], "{name} = {value}");
        }
    }

    #[test]
    fn an_event_that_is_over_cannot_be_created_one_under_way_can() {
        let mut past = body();
        past["start_time"] = json!("2026-05-01T10:00:00Z");
        past["end_time"] = json!("2026-05-01T18:00:00Z");
        assert_eq!(read(past.clone()).unwrap_err(), ["end_time"]);
        past["end_time"] = json!("2027-05-01T18:00:00Z");
        let terms = read(past.clone()).unwrap().terms;
        assert_eq!(terms.opens_at, terms.closes_at, "its sales are over");
        past["booking_closes_at"] = json!("2027-05-01T18:00:00Z");
        assert_eq!(read(past).unwrap().terms.opens_at, now());
    }

    #[test]
    fn times_without_an_offset_are_meant_in_the_zone() {
        let mut local = with("timezone", json!("America/New_York"));
        local["start_time"] = json!("2027-05-01T10:00:00");
        local["end_time"] = json!("2027-05-01T20:00:00Z");
        let draft = read(local).unwrap();
        assert_eq!(draft.description.starts_at, Some(at("2027-05-01T14:00:00Z")));
        assert_eq!(draft.terms.ends_at, at("2027-05-01T20:00:00Z"));
        assert_eq!(draft.description.timezone, Some(Some("America/New_York".to_owned())));
    }

    #[test]
    fn name_is_another_word_for_title() {
        let mut named = with("name", json!("Fair"));
        assert!(read(named.clone()).is_ok());
        named.as_object_mut().unwrap().remove("title");
        assert_eq!(read(named).unwrap().description.title.as_deref(), Some("Fair"));
        assert_eq!(read(with("name", json!("Other"))).unwrap_err(), ["name"]);
    }
}
