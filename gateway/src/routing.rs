//! Path → upstream, in one table.
//!
//! The raw path is matched, as the upstreams match it: what looks different here and
//! there could be sent past a check.

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Accounts and log-in.
    Auth,
    /// Bookings, holds, live counts.
    Booking,
    /// What events say of themselves.
    Catalog,
    /// What people are told.
    Notification,
}

/// Where a path leads; `None` if nowhere.
#[must_use]
pub fn destination(path: &str) -> Option<Destination> {
    use Destination::{Auth, Booking, Catalog, Notification};

    let mut segments = path.strip_prefix('/')?.split('/');
    let first = segments.next()?;
    // Of the rest only the first two matter; the upstream knows what comes behind.
    let (second, third) = (segments.next(), segments.next());
    match (first, second, third) {
        ("auth", Some(_), _) => Some(Auth),
        ("bookings", _, _) => Some(Booking),
        ("events", Some(_), Some("bookings" | "availability")) => Some(Booking),
        ("events", _, _) => Some(Catalog),
        ("notifications", _, _) => Some(Notification),
        ("users", Some(_), Some("bookings")) => Some(Booking),
        ("users", Some("me" | "check-username"), None) => Some(Auth),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        use Destination::{Auth, Booking, Catalog, Notification};
        const ID: &str = "0198c0de-0000-7000-8000-0123456789ab";
        for (path, expected) in [
            ("/auth/register", Some(Auth)),
            ("/auth/login", Some(Auth)),
            ("/auth/validate", Some(Auth)),
            ("/users/me", Some(Auth)),
            ("/users/check-username", Some(Auth)),
            ("/users/me/bookings", Some(Booking)),
            ("/users/ID/bookings", Some(Booking)),
            ("/bookings", Some(Booking)),
            ("/bookings/ID", Some(Booking)),
            ("/bookings/holds", Some(Booking)),
            ("/bookings/holds/ID", Some(Booking)),
            ("/bookings/user/ID", Some(Booking)),
            ("/bookings/user/ID/event/ID", Some(Booking)),
            ("/bookings/event/ID", Some(Booking)),
            ("/events/ID/bookings", Some(Booking)),
            ("/events/ID/availability", Some(Booking)),
            ("/events/ID/availability/stream", Some(Booking)),
            ("/events", Some(Catalog)),
            ("/events/search", Some(Catalog)),
            ("/events/ID", Some(Catalog)),
            ("/notifications", Some(Notification)),
            ("/notifications/ID", Some(Notification)),
            ("/notifications/status/ID", Some(Notification)),
            ("/", None),
            ("", None),
            ("*", None),
            ("/auth", None),
            ("/users", None),
            ("/users/ID", None),
            ("/users/me/secrets", None),
            ("/eventsbookings", None),
            ("//events", None),
            ("/Events", None),
            ("/internal/events/ID", None),
            ("/%69nternal/events", None),
            ("/./internal", None),
        ] {
            assert_eq!(destination(&path.replace("ID", ID)), expected, "{path}");
        }
    }
}
