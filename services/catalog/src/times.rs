//! Times as people write them: ISO 8601, with an offset or without.

use api::Fields;
use engine::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Longest text that is looked at as a time, in bytes.
const TEXT_BYTES: usize = 64;

/// Longest name of a time zone, in bytes.
pub(crate) const ZONE_BYTES: usize = 64;

/// 1970-01-01: no event here is older.
const EARLIEST: Timestamp = Timestamp::EPOCH;

/// 9998-12-31T23:59:59.999Z: a year of room before the calendar ends, so that every time
/// can be written in every zone.
const LATEST: Timestamp = Timestamp::from_millis(253_370_764_799_999);

/// The zone in which times without an offset are read.
pub(crate) struct Zone(TimeZone);

impl Zone {
    /// An IANA zone by its name, or UTC without one.
    pub(crate) fn named(name: Option<&str>) -> Option<Self> {
        match name {
            None => Some(Self(TimeZone::UTC)),
            // Only names: the database would take other things, e.g. paths in a folder.
            Some(name) if name.len() <= ZONE_BYTES && !name.contains("..") => {
                TimeZone::get(name).ok().map(Self)
            }
            Some(_) => None,
        }
    }

    /// UTC.
    pub(crate) const fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// A time field, if it is there.
    pub(crate) fn read(&self, fields: &mut Fields, name: &'static str) -> Option<Timestamp> {
        let value = fields.take(name)?;
        let Value::String(text) = value else {
            fields.error(name, "must be a time in ISO 8601 form, as a string");
            return Some(EARLIEST);
        };
        match self.parse(text.trim()) {
            Some(at) if (EARLIEST..=LATEST).contains(&at) => Some(at),
            Some(_) => {
                fields.error(name, "must be in the years 1970 to 9998");
                Some(EARLIEST)
            }
            None => {
                fields.error(name, "must be a time in ISO 8601 form, e.g. 2027-05-01T19:30:00Z");
                Some(EARLIEST)
            }
        }
    }

    /// A time with an offset, or one that is meant in this zone. A time that the clock of
    /// the zone skips or shows twice is read as its usual reading goes: the later and the
    /// earlier one.
    pub(crate) fn parse(&self, text: &str) -> Option<Timestamp> {
        // A zone in brackets may contradict the offset before it; nobody needs it here.
        if text.len() > TEXT_BYTES || text.contains('[') {
            return None;
        }
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Some(Timestamp::from_millis(at.as_millisecond()));
        }
        // What has an offset and still was no time must not be read without its offset.
        if has_offset(text) {
            return None;
        }
        let local: DateTime = text.parse().ok()?;
        let at = self.0.to_timestamp(local).ok()?;
        Some(Timestamp::from_millis(at.as_millisecond()))
    }
}

/// Whether the part after the date has an offset.
fn has_offset(text: &str) -> bool {
    let time = text.find(['T', 't', ' ']).map_or("", |start| &text[start..]);
    time.contains(['Z', 'z', '+', '-'])
}

#[cfg(test)]
mod tests {
    use api::clock::rfc3339;
    use serde_json::json;

    use super::*;

    fn read(zone: Option<&str>, text: &str) -> Option<String> {
        Zone::named(zone).unwrap().parse(text).map(rfc3339)
    }

    #[test]
    fn times_are_read_with_their_offset_or_in_the_zone() {
        for (zone, text, utc) in [
            (None, "2027-05-01T19:30:00Z", "2027-05-01T19:30:00.000Z"),
            (None, "2027-05-01T19:30:00.123456+02:00", "2027-05-01T17:30:00.123Z"),
            (None, "2027-05-01T19:30:00", "2027-05-01T19:30:00.000Z"),
            (None, "2027-05-01 19:30", "2027-05-01T19:30:00.000Z"),
            (None, "2027-05-01", "2027-05-01T00:00:00.000Z"),
            (Some("Europe/Berlin"), "2027-05-01T19:30:00", "2027-05-01T17:30:00.000Z"),
            (Some("Europe/Berlin"), "2027-12-01T19:30:00", "2027-12-01T18:30:00.000Z"),
            (Some("Europe/Berlin"), "2027-12-01T19:30:00Z", "2027-12-01T19:30:00.000Z"),
            // Skipped in spring, shown twice in autumn.
            (Some("Europe/Berlin"), "2027-03-28T02:30:00", "2027-03-28T01:30:00.000Z"),
            (Some("Europe/Berlin"), "2027-10-31T02:30:00", "2027-10-31T00:30:00.000Z"),
        ] {
            assert_eq!(read(zone, text).as_deref(), Some(utc), "{text} in {zone:?}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let long = format!("2027-05-01T19:30:00{}Z", ".0".repeat(40));
        for text in [
            "",
            "tomorrow",
            "1778000000",
            "2027-13-01T00:00:00Z",
            "2027-02-30T00:00:00",
            "2027-05-01T25:00:00Z",
            "2027-05-01T19:30:00+99:00",
            "2027-05-01T19:30:00+02:00[Europe/Berlin]",
            &long,
        ] {
            assert_eq!(read(None, text), None, "{text}");
        }
    }

    #[test]
    fn zones_are_iana_names() {
        for name in ["Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires"] {
            assert!(Zone::named(Some(name)).is_some(), "{name}");
        }
        for name in ["", "Europe/Nowhere", "../etc/passwd", "+02:00", &"x".repeat(100)] {
            assert!(Zone::named(Some(name)).is_none(), "{name}");
        }
    }

    #[test]
    fn years_are_bounded() {
        for (text, right) in [
            ("1969-12-31T23:59:59Z", false),
            ("1970-01-01T00:00:00Z", true),
            ("9998-12-31T23:59:59.999Z", true),
            ("9999-01-01T00:00:00Z", false),
            ("9999-12-31T23:59:59-20:00", false),
            ("-009999-01-02T00:00:00Z", false),
        ] {
            let mut fields = Fields::of(json!({"at": text})).unwrap();
            Zone::utc().read(&mut fields, "at");
            assert_eq!(fields.finish().is_ok(), right, "{text}");
        }
    }
}
