//! A body to change an event, checked against what the event is now.

use api::Fields;
use api::catalog::READ_ONLY_FIELDS;
use engine::{Seats, TermsChange, Timestamp};
use storage::CatalogEntry;

use crate::fields::{
    CAPACITY, DESCRIPTION_CHARS, LOCATION_CHARS, MAX_PER_BOOKING, ZoneField, small, timezone, title,
};
use crate::times::Zone;
use api::words::Description;

/// Fields that may be changed but not be taken away.
const NOT_NULL: [&str; 13] = [
    "title",
    "name",
    "description",
    "location",
    "capacity",
    "price",
    "start_time",
    "end_time",
    "booking_opens_at",
    "booking_closes_at",
    "is_active",
    "waitlist",
    "max_per_booking",
];

/// Changes to an event; what is `None` stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) description: Description,
    pub(crate) change: TermsChange,
}

impl Edit {
    /// Asks for every field that may change and checks them, each by itself and together
    /// with what the event has now. What it returns means nothing until
    /// `fields.finish()` has found no error.
    pub(crate) fn read(fields: &mut Fields, entry: &CatalogEntry, now: Timestamp) -> Self {
        fields.ignore(READ_ONLY_FIELDS);
        fields.refuse_null(&NOT_NULL);
        let title = title(fields, Some(&entry.title));
        let description = fields.optional_text("description", DESCRIPTION_CHARS);
        let location = fields.optional_string("location", LOCATION_CHARS);
        let capacity = fields.optional_integer("capacity", CAPACITY).map(small);
        let price_cents = fields.optional_money("price").map(|money| money.0);
        let timezone = match timezone(fields) {
            ZoneField::Missing => None,
            ZoneField::Null => Some(None),
            ZoneField::Named(name) => Some(Some(name)),
        };
        let name = timezone.clone().unwrap_or_else(|| entry.timezone.clone());
        let zone = Zone::named(name.as_deref()).unwrap_or_else(Zone::utc);
        let times = Times::read(fields, &zone, entry, now);
        let max_per_booking = fields
            .optional_integer("max_per_booking", MAX_PER_BOOKING)
            .and_then(|count| Seats::new(small(count)));
        let starts_at = times.starts;
        Self {
            description: Description {
                title,
                description,
                location,
                starts_at,
                timezone,
                price_cents,
            },
            change: TermsChange {
                capacity,
                opens_at: times.opens,
                closes_at: times.closes,
                ends_at: times.ends,
                active: fields.optional_bool("is_active"),
                waitlist: fields.optional_bool("waitlist"),
                max_per_booking,
            },
        }
    }

    /// Whether the checks compared something with what the event has now: then it must
    /// still be that when the change is decided.
    pub(crate) const fn depends_on_the_rest(&self) -> bool {
        self.description.starts_at.is_some()
            || self.change.opens_at.is_some()
            || self.change.closes_at.is_some()
            || self.change.ends_at.is_some()
    }
}

struct Times {
    starts: Option<Timestamp>,
    ends: Option<Timestamp>,
    opens: Option<Timestamp>,
    closes: Option<Timestamp>,
}

impl Times {
    fn read(fields: &mut Fields, zone: &Zone, entry: &CatalogEntry, now: Timestamp) -> Self {
        let errors = fields.errors_so_far();
        let starts = zone.read(fields, "start_time");
        let ends = zone.read(fields, "end_time");
        let opens = zone.read(fields, "booking_opens_at");
        let mut closes = zone.read(fields, "booking_closes_at");
        // Sales that close when the event starts go on doing so when it is moved, also
        // when the old time comes back with the rest of the event.
        let moved = starts.filter(|&starts| starts != entry.starts_at);
        let untouched = closes.is_none_or(|closes| closes == entry.closes_at);
        if let Some(starts) = moved
            && untouched
            && entry.closes_at == entry.starts_at
        {
            closes = Some(starts);
        }
        let times = Self { starts, ends, opens, closes };
        if fields.errors_so_far() == errors {
            times.check(fields, entry, now);
        }
        times
    }

    fn check(&self, fields: &mut Fields, entry: &CatalogEntry, now: Timestamp) {
        let starts = self.starts.unwrap_or(entry.starts_at);
        let ends = self.ends.unwrap_or(entry.ends_at);
        let opens = self.opens.unwrap_or(entry.opens_at);
        let closes = self.closes.unwrap_or(entry.closes_at);
        if (self.starts.is_some() || self.ends.is_some()) && ends <= starts {
            let field = if self.ends.is_some() { "end_time" } else { "start_time" };
            fields.error(field, "must leave end_time after start_time");
        }
        // The old end of an event that is over may come back with the rest of it.
        if self.ends.is_some_and(|ends| ends != entry.ends_at && ends <= now) {
            fields.error("end_time", "must not be in the past");
        }
        if (self.closes.is_some() || self.ends.is_some()) && closes > ends {
            let field = if self.closes.is_some() { "booking_closes_at" } else { "end_time" };
            fields.error(field, "must leave booking_closes_at not after end_time");
        }
        if (self.closes.is_some() || self.opens.is_some()) && closes < opens {
            let field = if self.opens.is_some() { "booking_opens_at" } else { "booking_closes_at" };
            fields.error(field, "must leave booking_opens_at not after booking_closes_at");
        }
    }
}

#[cfg(test)]
mod tests {
    use api::clock::parse_rfc3339;
    use api::internal::CountsBody;
    use engine::{EventId, UserId};
    use serde_json::{Value, json};

    use super::*;
    use crate::render::event_body;

    fn at(text: &str) -> Timestamp {
        parse_rfc3339(text).unwrap()
    }

    fn entry() -> CatalogEntry {
        CatalogEntry {
            id: EventId([1; 16]),
            organizer: UserId([2; 16]),
            version: 3,
            title: "Fair".to_owned(),
            description: "A fair.".to_owned(),
            location: "Hall 1".to_owned(),
            starts_at: at("2027-05-01T10:00:00Z"),
            ends_at: at("2027-05-01T18:00:00Z"),
            timezone: Some("Europe/Berlin".to_owned()),
            price_cents: 1250,
            capacity: 100,
            opens_at: at("2027-01-01T00:00:00Z"),
            closes_at: at("2027-05-01T10:00:00Z"),
            is_active: true,
            waitlist: true,
            max_per_booking: 10,
            created_at: at("2027-01-01T00:00:00Z"),
            updated_at: at("2027-01-01T00:00:00Z"),
            deleted: false,
        }
    }

    fn read(body: Value) -> Result<Edit, Vec<String>> {
        let mut fields = Fields::of(body).unwrap();
        let edit = Edit::read(&mut fields, &entry(), at("2027-02-01T00:00:00Z"));
        let errors = |p: api::Problem| p.errors().iter().map(|e| e.field.to_string()).collect();
        fields.finish().map(|()| edit).map_err(errors)
    }

    #[test]
    fn only_what_is_sent_changes() {
        let edit = read(json!({"capacity": 120})).unwrap();
        assert_eq!(edit.description, Description::default());
        let change = TermsChange { capacity: Some(120), ..TermsChange::default() };
        assert_eq!(edit.change, change);
        assert!(!edit.depends_on_the_rest());
    }

    #[test]
    fn get_edit_put_works() {
        let counts = CountsBody {
            capacity: 100,
            booked: 1,
            held: 0,
            waitlisted: 0,
            waitlist_entries: 0,
            cancelled: false,
            version: 3,
        };
        let body = event_body(&entry(), &counts, at("2027-02-01T00:00:00Z"));
        let mut body = serde_json::to_value(body).unwrap();
        read(body.clone()).unwrap();
        body["title"] = json!("Great Fair");
        let edit = read(body.clone()).unwrap();
        assert_eq!(edit.description.title.as_deref(), Some("Great Fair"));
        // The default end of sales follows the start, though the old one came along.
        body["start_time"] = json!("2027-05-01T11:00:00Z");
        let edit = read(body).unwrap();
        assert_eq!(edit.change.closes_at, Some(at("2027-05-01T11:00:00Z")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, field) in [
            (json!({"title": null}), "title"),
            (json!({"capacity": null}), "capacity"),
            (json!({"capacity": 0}), "capacity"),
            (json!({"colour": "red"}), "colour"),
            (json!({"end_time": "2027-01-15T00:00:00Z"}), "end_time"),
            (json!({"end_time": "2027-05-01T10:00:00Z"}), "end_time"),
            (json!({"start_time": "2027-05-01T18:00:00Z"}), "start_time"),
            (json!({"booking_closes_at": "2027-05-02T00:00:00Z"}), "booking_closes_at"),
            (json!({"booking_opens_at": "2027-05-01T12:00:00Z"}), "booking_opens_at"),
            (json!({"is_active": "no"}), "is_active"),
            (json!({"timezone": "Nowhere"}), "timezone"),
        ] {
            let errors = read(body.clone()).unwrap_err();
            assert!(errors.iter().any(|error| error == field), "{body}: {errors:?}");
        }
    }

    #[test]
    fn the_zone_may_be_taken_away_and_reads_local_times() {
        assert_eq!(read(json!({"timezone": null})).unwrap().description.timezone, Some(None));
        let local = json!({"start_time": "2027-05-01T11:00:00"});
        let edit = read(local).unwrap();
        assert_eq!(edit.description.starts_at, Some(at("2027-05-01T09:00:00Z")), "Berlin");
        assert!(edit.depends_on_the_rest());
        let utc = json!({"start_time": "2027-05-01T11:00:00", "timezone": null});
        assert_eq!(read(utc).unwrap().description.starts_at, Some(at("2027-05-01T11:00:00Z")));
    }

    #[test]
    fn sales_that_close_at_the_start_move_with_it_others_stay() {
        let moved = read(json!({"start_time": "2027-05-01T12:00:00Z"})).unwrap();
        assert_eq!(moved.change.closes_at, Some(at("2027-05-01T12:00:00Z")));
        let both = json!({
            "start_time": "2027-05-01T12:00:00Z", "booking_closes_at": "2027-05-01T11:00:00Z"
        });
        assert_eq!(read(both).unwrap().change.closes_at, Some(at("2027-05-01T11:00:00Z")));
    }
}
