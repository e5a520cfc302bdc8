//! A notice's texts: what is told, and the template that tells it.

use engine::{BookingStatus, Cause, Seats, Timestamp, Was};
use jiff::tz::TimeZone;
use serde::Serialize;
use storage::notices::{EventNote, NoticeKind};

/// What a template may speak of. Everything is text that is ready to be shown; what has no
/// meaning for a kind is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Letter {
    /// The person's name.
    pub(crate) name: String,
    /// The event's title.
    pub(crate) title: String,
    /// Where it takes place.
    pub(crate) location: String,
    /// When, in its own time zone, which is named.
    pub(crate) when: String,
    /// Where the event is shown.
    pub(crate) url: String,
    /// `1 place`, `3 places`.
    pub(crate) places: String,
    /// Why something ended.
    pub(crate) reason: String,
    /// Whether what ended had places (and was not waiting).
    pub(crate) had_places: bool,
    /// Whether the person has places now (and is not waiting).
    pub(crate) has_places: bool,
    /// What is different now.
    pub(crate) changes: Vec<Change>,
    /// How long it is until the event starts: `24 hours`.
    pub(crate) until: String,
    /// The subject that an organizer wrote.
    pub(crate) subject: String,
    /// What an organizer wrote.
    pub(crate) message: String,
}

/// Something of an event that is different now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// What.
    pub(crate) what: &'static str,
    /// How it was.
    pub(crate) before: String,
    /// How it is.
    pub(crate) after: String,
}

impl Letter {
    /// A letter about an event, to be filled in.
    pub(crate) fn about(event: &EventNote, pages_url: &str) -> Self {
        let id = api::wire::Id::from(event.id);
        Self {
            title: event.title.clone(),
            location: event.location.clone(),
            when: when(event),
            url: format!("{}/?event={id}", pages_url.trim_end_matches('/')),
            ..Self::default()
        }
    }

    /// A letter as somebody may get one, for trying templates.
    pub(crate) fn example(kind: NoticeKind) -> Self {
        let change = Change { what: "Place", before: "Hall 1".into(), after: "Hall 2".into() };
        Self {
            name: "Ada".to_owned(),
            title: "Tea & Cake".to_owned(),
            location: "Bern".to_owned(),
            when: "Wednesday, 1 May 2030, 15:00 to 17:00 (Europe/Zurich)".to_owned(),
            url: "http://localhost:8501/?event=0198c0de-0000-7000-8000-0123456789ab".to_owned(),
            places: places(Seats::ONE),
            reason: "You cancelled it.".to_owned(),
            had_places: true,
            has_places: true,
            changes: if kind == NoticeKind::EventChanged { vec![change] } else { Vec::new() },
            until: "24 hours".to_owned(),
            subject: "Doors".to_owned(),
            message: "They open at two.".to_owned(),
        }
    }
}

/// So many places, in words.
pub(crate) fn places(quantity: Seats) -> String {
    match quantity.get() {
        1 => "1 place".to_owned(),
        n => format!("{n} places"),
    }
}

/// Why a booking ended, in words.
pub(crate) fn reason(was: Was, cause: Cause) -> &'static str {
    match (was, cause) {
        // By the person, or by an administrator for them.
        (_, Cause::User) => "It was cancelled on request.",
        (_, Cause::Expiry) => "Its time was over.",
        (_, Cause::Capacity) => "The event has fewer places than it needs now.",
    }
}

/// What people are told of a change: time, place and title. Empty if it is none of these.
pub(crate) fn changes(before: &EventNote, after: &EventNote) -> Vec<Change> {
    let times = (when(before), when(after));
    [
        ("Title", before.title.clone(), after.title.clone()),
        ("Time", times.0, times.1),
        ("Place", before.location.clone(), after.location.clone()),
    ]
    .into_iter()
    .filter(|(_, before, after)| before != after)
    .map(|(what, before, after)| Change { what, before, after })
    .collect()
}

/// A reminder's span in words: the largest unit that fits without a rest.
pub(crate) fn span(seconds: u32) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let fits = |unit: u32| seconds >= unit && seconds.is_multiple_of(unit);
    // One day is told in hours: it is a span, not a date.
    let (unit, name) = units
        .into_iter()
        .find(|&(unit, _)| fits(unit) && (unit, seconds) != (86_400, 86_400))
        .unwrap_or((1, "second"));
    match seconds / unit {
        1 => format!("1 {name}"),
        n => format!("{n} {name}s"),
    }
}

/// A time in words, as far as it matters for whoever sets out: hours, or minutes of the last
/// two.
pub(crate) fn about(millis: i64) -> String {
    let minutes = u32::try_from(millis / 60_000).unwrap_or(0).max(1);
    span(if minutes < 120 { minutes * 60 } else { minutes / 60 * 3_600 })
}

/// When an event takes place, in its own time zone, or in UTC if it has none.
pub(crate) fn when(event: &EventNote) -> String {
    let (zone, name) = match &event.timezone {
        Some(name) => match TimeZone::get(name) {
            Ok(zone) => (zone, name.as_str()),
            Err(_) => (TimeZone::UTC, "UTC"),
        },
        None => (TimeZone::UTC, "UTC"),
    };
    let local = |at: Timestamp| {
        // Dates are bounded where they come in, so none is beyond what can be written.
        let at = jiff::Timestamp::from_millisecond(at.millis()).unwrap_or(jiff::Timestamp::MAX);
        at.to_zoned_datetime(zone.clone())
    };
    let (start, end) = (local(event.starts_at), local(event.ends_at));
    let day = "%A, %-d %B %Y, %H:%M";
    let end_form = if start.date() == end.date() { "%H:%M" } else { day };
    format!("{} to {} ({name})", start.strftime(day), end.strftime(end_form))
}

/// Whether somebody with this status has places.
pub(crate) const fn has_places(status: BookingStatus) -> bool {
    matches!(status, BookingStatus::Confirmed)
}

#[cfg(test)]
mod tests {
    use engine::{EventId, UserId};

    use super::*;

    fn note() -> EventNote {
        EventNote {
            id: EventId([1; 16]),
            organizer: UserId([2; 16]),
            version: 1,
            title: "Tea".to_owned(),
            location: "Bern".to_owned(),
            // 2030-05-01T13:00:00Z, for two hours.
            starts_at: Timestamp::from_millis(1_903_870_800_000),
            ends_at: Timestamp::from_millis(1_903_878_000_000),
            timezone: Some("Europe/Zurich".to_owned()),
            cancelled: false,
        }
    }

    #[test]
    fn times_are_told_in_the_zone_of_the_event() {
        let mut event = note();
        assert_eq!(when(&event), "Wednesday, 1 May 2030, 15:00 to 17:00 (Europe/Zurich)");
        event.timezone = Some("Asia/Tokyo".to_owned());
        assert_eq!(
            when(&event),
            "Wednesday, 1 May 2030, 22:00 to Thursday, 2 May 2030, 00:00 (Asia/Tokyo)"
        );
        for unknown in [None, Some("Atlantis".to_owned())] {
            event.timezone = unknown;
            assert_eq!(when(&event), "Wednesday, 1 May 2030, 13:00 to 15:00 (UTC)");
        }
    }

    #[test]
    fn only_time_place_and_title_are_told() {
        let before = note();
        let mut after = EventNote { version: 2, organizer: UserId([3; 16]), ..note() };
        assert_eq!(changes(&before, &after), []);
        after.title = "Coffee".to_owned();
        after.timezone = None;
        let what: Vec<_> =
            changes(&before, &after).into_iter().map(|c| (c.what, c.after)).collect();
        let time = "Wednesday, 1 May 2030, 13:00 to 15:00 (UTC)".to_owned();
        assert_eq!(what, [("Title", "Coffee".to_owned()), ("Time", time)]);
    }

    #[test]
    fn spans_are_told_in_the_largest_unit() {
        for (seconds, text) in [
            (86_400, "24 hours"),
            (172_800, "2 days"),
            (3_600, "1 hour"),
            (5_400, "90 minutes"),
            (61, "61 seconds"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn a_rest_is_told_in_hours_and_near_its_end_in_minutes() {
        let minute = 60_000;
        for (millis, text) in [
            (20 * 60 * minute + 59 * minute, "20 hours"),
            (120 * minute, "2 hours"),
            (119 * minute, "119 minutes"),
            (60 * minute, "1 hour"),
            (90_000, "1 minute"),
            (5, "1 minute"),
            (-minute, "1 minute"),
        ] {
            assert_eq!(about(millis), text);
        }
    }
}
