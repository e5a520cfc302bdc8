//! The fields of an event that people write, and their bounds.

use std::ops::RangeInclusive;

use api::Fields;
use serde_json::Value;

use crate::times::Zone;

/// Length of a title, in characters.
pub(crate) const TITLE_CHARS: RangeInclusive<usize> = 1..=200;

/// Length of a description, in characters. With every character written as `\u0000`
/// and all other texts at their longest, the words still fit
/// [`engine::limits::WORDS_BYTES`].
pub(crate) const DESCRIPTION_CHARS: RangeInclusive<usize> = 0..=10_000;

/// Length of a location, in characters.
pub(crate) const LOCATION_CHARS: RangeInclusive<usize> = 1..=300;

/// Places of an event.
pub(crate) const CAPACITY: RangeInclusive<i64> = 1..=1_000_000;

/// Most places of one booking, as an event may set it.
pub(crate) const MAX_PER_BOOKING: RangeInclusive<i64> = 1..=1_000_000;

/// A number that its range keeps within 32 bits.
pub(crate) fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// The title, which may also come as `name`. `current` is the title it has: of two
/// different ones the one that differs from it is meant, because whoever gets an event,
/// edits one of the two and puts it back sends the other along.
pub(crate) fn title(fields: &mut Fields, current: Option<&str>) -> Option<String> {
    let title = fields.optional_string("title", TITLE_CHARS);
    let name = fields.optional_string("name", TITLE_CHARS);
    match (title, name) {
        (Some(title), Some(name)) if title != name => match current {
            Some(current) if current == title => Some(name),
            Some(current) if current == name => Some(title),
            _ => {
                fields.error("name", "is another word for title: the two must not differ");
                Some(title)
            }
        },
        (title, name) => title.or(name),
    }
}

/// The time zone: missing, taken away, or a name.
pub(crate) enum ZoneField {
    Missing,
    Null,
    Named(String),
}

/// The time zone and how times without an offset are to be read if it is missing.
pub(crate) fn timezone(fields: &mut Fields) -> ZoneField {
    if !fields.has("timezone") {
        return ZoneField::Missing;
    }
    match fields.take("timezone") {
        None => ZoneField::Null,
        Some(Value::String(name)) if Zone::named(Some(&name)).is_some() => ZoneField::Named(name),
        Some(_) => {
            fields.error("timezone", "must be the name of an IANA time zone, e.g. Europe/Berlin");
            ZoneField::Missing
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::limits::WORDS_BYTES;
    use serde_json::json;

    use super::*;
    use api::words::Description;

    #[test]
    fn the_longest_words_fit() {
        let longest = |chars: &RangeInclusive<usize>| Some("\u{1}".repeat(*chars.end()));
        let words = Description {
            title: longest(&TITLE_CHARS),
            description: longest(&DESCRIPTION_CHARS),
            location: longest(&LOCATION_CHARS),
            starts_at: Some(engine::Timestamp::from_millis(i64::MIN)),
            timezone: Some(Some("x".repeat(64))),
            price_cents: Some(i64::MIN),
        };
        assert!(words.to_text().len() <= WORDS_BYTES, "{}", words.to_text().len());
    }

    #[test]
    fn of_title_and_name_the_changed_one_is_meant() {
        let read = |value, current| {
            let mut fields = Fields::of(value).unwrap();
            let title = title(&mut fields, current);
            fields.finish().map(|()| title).ok()
        };
        let some = |text: &str| Some(Some(text.to_owned()));
        assert_eq!(read(json!({}), None), Some(None));
        assert_eq!(read(json!({"name": "a"}), None), some("a"));
        assert_eq!(read(json!({"title": "a", "name": "a"}), None), some("a"));
        assert_eq!(read(json!({"title": "a", "name": "b"}), None), None);
        assert_eq!(read(json!({"title": "a", "name": "b"}), Some("a")), some("b"));
        assert_eq!(read(json!({"title": "a", "name": "b"}), Some("b")), some("a"));
        assert_eq!(read(json!({"title": "a", "name": "b"}), Some("c")), None);
    }
}
