//! Every route, described once: bad requests are made from what is said here.

use api::routes::{Access, Route};
use hyper::Method;

/// What the body of a route says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// None is read.
    Nothing,
    Register,
    Login,
    /// A refresh token; it may be spent.
    Refresh,
    /// A refresh token, which may be missing. The call ends the caller's session.
    Logout,
    Profile,
    Event,
    EventChange,
    Booking,
    Hold,
    HoldChange,
    /// What somebody wants to be told.
    Preferences,
    /// An organizer's message.
    Message,
    Template,
}

/// What a field holds, and with that, what it cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text; its length is bounded.
    Text,
    /// A text with a form of its own: a name, an address.
    Form,
    Password,
    /// A text that is never looked into, only compared.
    Secret,
    /// A whole number from 1.
    Count,
    Money,
    Time,
    Zone,
    Flag,
    Id,
    Object,
    /// An object of flags, each of whose names is checked.
    Switches,
    /// One of a few words.
    Choice,
}

/// A field of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
}

const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

const REGISTER: &[Field] = &[
    must("username", Kind::Form),
    must("email", Kind::Form),
    must("password", Kind::Password),
    may("full_name", Kind::Text),
];
const LOGIN: &[Field] = &[must("username", Kind::Secret), must("password", Kind::Secret)];
const REFRESH: &[Field] = &[must("refresh_token", Kind::Secret)];
const LOGOUT: &[Field] = &[may("refresh_token", Kind::Secret)];
const PROFILE: &[Field] = &[may("full_name", Kind::Text), may("email", Kind::Form)];
const EVENT: &[Field] = &[
    must("title", Kind::Text),
    must("description", Kind::Text),
    must("start_time", Kind::Time),
    must("end_time", Kind::Time),
    must("location", Kind::Text),
    must("capacity", Kind::Count),
    must("price", Kind::Money),
    may("timezone", Kind::Zone),
    may("booking_opens_at", Kind::Time),
    may("booking_closes_at", Kind::Time),
    may("waitlist", Kind::Flag),
    may("max_per_booking", Kind::Count),
];
const EVENT_CHANGE: &[Field] = &[
    may("title", Kind::Text),
    may("description", Kind::Text),
    may("start_time", Kind::Time),
    may("end_time", Kind::Time),
    may("location", Kind::Text),
    may("capacity", Kind::Count),
    may("price", Kind::Money),
    may("timezone", Kind::Zone),
    may("booking_opens_at", Kind::Time),
    may("booking_closes_at", Kind::Time),
    may("waitlist", Kind::Flag),
    may("max_per_booking", Kind::Count),
    may("is_active", Kind::Flag),
];
const BOOKING: &[Field] =
    &[must("event_id", Kind::Id), may("quantity", Kind::Count), may("join_waitlist", Kind::Flag)];
const HOLD: &[Field] =
    &[must("event_id", Kind::Id), may("quantity", Kind::Count), may("details", Kind::Object)];
const PREFERENCES: &[Field] = &[may("email", Kind::Flag), may("kinds", Kind::Switches)];
const MESSAGE: &[Field] = &[
    must("event_id", Kind::Id),
    must("subject", Kind::Text),
    must("message", Kind::Text),
    may("to", Kind::Choice),
];
const TEMPLATE: &[Field] =
    &[must("subject", Kind::Text), must("text", Kind::Text), must("html", Kind::Text)];
const HOLD_CHANGE: &[Field] = &[may("details", Kind::Object), may("extend", Kind::Flag)];

impl Shape {
    /// The fields of such a body.
    pub(crate) const fn fields(self) -> &'static [Field] {
        match self {
            Self::Nothing => &[],
            Self::Register => REGISTER,
            Self::Login => LOGIN,
            Self::Refresh => REFRESH,
            Self::Logout => LOGOUT,
            Self::Profile => PROFILE,
            Self::Event => EVENT,
            Self::EventChange => EVENT_CHANGE,
            Self::Booking => BOOKING,
            Self::Hold => HOLD,
            Self::HoldChange => HOLD_CHANGE,
            Self::Preferences => PREFERENCES,
            Self::Message => MESSAGE,
            Self::Template => TEMPLATE,
        }
    }

    /// Clients of OAuth 2 send more along when they log in; nobody else may.
    pub(crate) const fn refuses_unknown_fields(self) -> bool {
        !matches!(self, Self::Login)
    }
}

/// A parameter of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Param {
    /// A text whose length is bounded.
    Text(&'static str),
    /// The same, and it cannot be missing.
    Needed(&'static str),
    /// A whole number from 0 or 1 up to a bound.
    Number(&'static str),
    /// One of a few words.
    Word(&'static str),
    Id(&'static str),
    /// `true` or `false`.
    Flag(&'static str),
    Time(&'static str),
    Money(&'static str),
    /// A place in a list that an earlier answer named.
    Cursor(&'static str),
}

const EVENTS: &[Param] = &[
    Param::Text("title"),
    Param::Text("name"),
    Param::Text("location"),
    Param::Id("organizer_id"),
    Param::Text("q"),
    Param::Flag("is_active"),
    Param::Flag("has_seats"),
    Param::Time("starts_after"),
    Param::Time("starts_before"),
    Param::Money("min_price"),
    Param::Money("max_price"),
    Param::Word("sort"),
    Param::Number("limit"),
    Param::Number("skip"),
    Param::Cursor("cursor"),
];
const SEARCH: &[Param] = &[Param::Needed("query"), Param::Number("limit"), Param::Number("skip")];
const BOOKINGS: &[Param] =
    &[Param::Word("status"), Param::Number("limit"), Param::Cursor("cursor")];

const NOTIFICATIONS: &[Param] =
    &[Param::Word("kind"), Param::Word("status"), Param::Number("limit"), Param::Cursor("cursor")];

/// A route and how it is called.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) method: Method,
    /// The path with what stands in its variable parts: `{event}`, `{booking}`,
    /// `{hold}`, `{user}`, `{notice}`, `{kind}`.
    pub(crate) path: &'static str,
    pub(crate) shape: Shape,
    pub(crate) query: &'static [Param],
    /// Its answer never ends.
    pub(crate) stream: bool,
}

fn row(method: Method, path: &'static str, shape: Shape, query: &'static [Param]) -> Row {
    Row { method, path, shape, query, stream: false }
}

/// Every route that can be called.
pub(crate) fn rows() -> Vec<Row> {
    use Shape::Nothing;

    let get = |path, query| row(Method::GET, path, Nothing, query);
    let post = |path, shape| row(Method::POST, path, shape, &[]);
    let delete = |path| row(Method::DELETE, path, Nothing, &[]);
    vec![
        get("/health", &[]),
        get("/livez", &[]),
        get("/readyz", &[]),
        get("/health/auth", &[]),
        get("/health/catalog", &[]),
        get("/health/booking", &[]),
        get("/health/notification", &[]),
        get("/metrics", &[]),
        get("/", &[]),
        get("/openapi.json", &[]),
        get("/docs", &[]),
        post("/auth/register", Shape::Register),
        post("/auth/login", Shape::Login),
        get("/auth/validate", &[]),
        post("/auth/refresh", Shape::Refresh),
        post("/auth/logout", Shape::Logout),
        get("/users/me", &[]),
        row(Method::PUT, "/users/me", Shape::Profile, &[]),
        row(Method::PATCH, "/users/me", Shape::Profile, &[]),
        get("/users/check-username", &[Param::Needed("username")]),
        get("/events", EVENTS),
        get("/events/search", SEARCH),
        post("/events", Shape::Event),
        get("/events/{event}", &[]),
        row(Method::PUT, "/events/{event}", Shape::EventChange, &[]),
        row(Method::PATCH, "/events/{event}", Shape::EventChange, &[]),
        delete("/events/{event}"),
        get("/events/{event}/availability", &[]),
        Row { stream: true, ..get("/events/{event}/availability/stream", &[]) },
        get("/events/{event}/bookings", BOOKINGS),
        post("/bookings", Shape::Booking),
        get("/bookings", BOOKINGS),
        get("/bookings/{booking}", &[]),
        delete("/bookings/{booking}"),
        get("/bookings/user/{user}/event/{event}", &[]),
        delete("/bookings/user/{user}/event/{event}"),
        post("/bookings/holds", Shape::Hold),
        get("/bookings/holds/{hold}", &[]),
        row(Method::PATCH, "/bookings/holds/{hold}", Shape::HoldChange, &[]),
        delete("/bookings/holds/{hold}"),
        get("/bookings/user/{user}", BOOKINGS),
        get("/users/{user}/bookings", BOOKINGS),
        get("/bookings/event/{event}", BOOKINGS),
        get("/notifications", NOTIFICATIONS),
        get("/notifications/preferences", &[]),
        row(Method::PUT, "/notifications/preferences", Shape::Preferences, &[]),
        post("/notifications/send", Shape::Message),
        post("/notifications/resend", Nothing),
        get("/notifications/status/{notice}", &[]),
        get("/notifications/templates", &[]),
        get("/notifications/templates/{kind}", &[]),
        row(Method::PUT, "/notifications/templates/{kind}", Shape::Template, &[]),
        delete("/notifications/templates/{kind}"),
        get("/notifications/{notice}", &[]),
        post("/notifications/{notice}/resend", Nothing),
    ]
}

/// A route of the router with what is said of it here.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) access: Access,
    pub(crate) row: Row,
}

impl Described {
    /// Its name in messages.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.row.method, self.row.path)
    }

    /// Whether its body is JSON and has to be there.
    pub(crate) fn reads_body(&self) -> bool {
        !matches!(self.row.shape, Shape::Nothing | Shape::Logout)
    }

    /// Whether its writes are remembered by a key: those to bookings, holds and events, and
    /// messages to attendees.
    pub(crate) fn is_keyed(&self) -> bool {
        let first = self.row.path.split('/').nth(1);
        let is_message = self.row.path == "/notifications/send";
        let remembered = matches!(first, Some("bookings" | "events")) || is_message;
        self.row.method != Method::GET && remembered
    }
}

/// Every route of the router.
///
/// # Panics
/// When one of them is not described.
pub(crate) fn all() -> Vec<Described> {
    let described = eventflow::routes().into_iter().map(|route| {
        let row = description(&route);
        let name = format!("{} {}", route.method, route.path);
        let row = row.unwrap_or_else(|| panic!("{name} is not described in tests/hostile"));
        Described { access: route.access, row }
    });
    described.collect()
}

/// Whether the router has this route.
pub(crate) fn has(method: &Method, path: &str) -> bool {
    eventflow::routes().iter().any(|route| route.method == *method && same_path(route.path, path))
}

fn description(route: &Route) -> Option<Row> {
    let fits = |row: &Row| row.method == route.method && same_path(row.path, route.path);
    rows().into_iter().find(fits)
}

/// Whether two paths are the same but for the names of their variable parts.
fn same_path(one: &str, other: &str) -> bool {
    let plain =
        |part: &'_ str| if part.starts_with('{') { "{}".to_owned() } else { part.to_owned() };
    one.split('/').map(plain).eq(other.split('/').map(plain))
}

#[test]
fn every_route_is_described() {
    let routes = eventflow::routes();
    let missing: Vec<String> = routes
        .iter()
        .filter(|route| description(route).is_none())
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    assert!(missing.is_empty(), "not described in tests/hostile/routes.rs: {missing:#?}");
    let gone: Vec<String> = rows()
        .iter()
        .filter(|row| !has(&row.method, row.path))
        .map(|row| format!("{} {}", row.method, row.path))
        .collect();
    assert!(gone.is_empty(), "described, but not in the router: {gone:#?}");
}
