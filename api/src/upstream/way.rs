//! Which partition a request is about, as far as it can be told without asking anybody: the
//! id in its path, or the one in its small body. A wrong guess costs a hop, nothing else.

use engine::{BookingId, EventId, EventTag, HoldId};
use http::Method;
use serde::Deserialize;

use crate::internal::{COUNTS, SUMMARIES};
use crate::wire::parse_id;

/// What is looked for in a body.
#[derive(Deserialize)]
struct Peek<'a> {
    event_id: Option<&'a str>,
    hold_id: Option<&'a str>,
}

/// The partition, if the request is about one event.
pub(super) fn partition(method: &Method, path: &str, body: &[u8]) -> Option<u16> {
    let mut segments = path.strip_prefix('/')?.split('/');
    let first = segments.next()?;
    let rest: [Option<&str>; 4] = std::array::from_fn(|_| segments.next());
    match (first, rest) {
        ("events", [Some(event), ..])
        | ("internal", [Some("events"), Some(event), ..])
        | ("bookings", [Some("event"), Some(event), ..])
        | ("bookings", [Some("user"), Some(_), Some("event"), Some(event)]) => of_event(event),
        ("bookings", [None, ..] | [Some("holds"), None, ..]) if *method == Method::POST => {
            let peek: Peek<'_> = serde_json::from_slice(body).ok()?;
            match (peek.event_id, peek.hold_id) {
                (Some(event), _) => of_event(event),
                (None, Some(hold)) => of_hold(hold),
                (None, None) => None,
            }
        }
        ("bookings", [Some("holds"), Some(hold), ..]) => of_hold(hold),
        ("bookings", [Some(booking), None, ..]) => {
            let id = BookingId::from(parse_id(booking)?);
            id.tag().map(EventTag::partition)
        }
        _ => None,
    }
}

fn of_event(text: &str) -> Option<u16> {
    Some(EventId::from(parse_id(text)?).partition())
}

fn of_hold(text: &str) -> Option<u16> {
    HoldId::from(parse_id(text)?).tag().map(EventTag::partition)
}

/// Whether a request only reads, whatever its method says.
pub(super) fn only_reads(method: &Method, path: &str) -> bool {
    method.is_safe() || path == COUNTS || path == SUMMARIES
}

#[cfg(test)]
mod tests {
    use engine::{Seq, Timestamp};

    use super::*;
    use crate::wire::Id;

    #[test]
    fn ids_in_paths_and_bodies_lead_home() {
        let event = EventId([7; 16]);
        let booking = BookingId::compose(Timestamp::from_millis(5), event, Seq(3));
        let hold = HoldId::compose(Timestamp::from_millis(5), event, Seq(3));
        let (e, b, h) = (Id::from(event), Id::from(booking), Id::from(hold));
        for (method, path, body) in [
            (Method::GET, format!("/events/{e}/availability"), String::new()),
            (Method::POST, format!("/internal/events/{e}/open"), String::new()),
            (Method::GET, format!("/bookings/event/{e}"), String::new()),
            (Method::GET, format!("/bookings/user/me/event/{e}"), String::new()),
            (Method::POST, "/bookings".into(), format!("{{\"event_id\":\"{e}\"}}")),
            (Method::POST, "/bookings/holds".into(), format!("{{\"event_id\":\"{e}\",\"x\":[1]}}")),
            (Method::POST, "/bookings".into(), format!("{{\"hold_id\":\"{h}\"}}")),
            (Method::PATCH, format!("/bookings/holds/{h}"), String::new()),
            (Method::DELETE, format!("/bookings/{b}"), String::new()),
        ] {
            let found = partition(&method, &path, body.as_bytes());
            assert_eq!(found, Some(event.partition()), "{method} {path} {body}");
        }
    }

    #[test]
    fn what_is_about_no_event_goes_anywhere() {
        for (method, path, body) in [
            (Method::GET, "/bookings", ""),
            (Method::POST, "/bookings", "{"),
            (Method::POST, "/bookings", "{\"event_id\":\"x\"}"),
            (Method::GET, "/bookings/user/me", ""),
            (Method::GET, "/users/me/bookings", ""),
            (Method::POST, "/internal/events/counts", ""),
            (Method::GET, "/", ""),
            (Method::GET, "", ""),
        ] {
            assert_eq!(partition(&method, path, body.as_bytes()), None, "{method} {path}");
        }
        assert!(only_reads(&Method::POST, COUNTS));
        assert!(!only_reads(&Method::POST, "/bookings"));
    }
}
