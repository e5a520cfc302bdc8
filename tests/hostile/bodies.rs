//! Bodies that are wrong in one place, for every route that reads one.

use harness::accounts::Account;
use harness::client::Ask;
use harness::raw;
use serde_json::{Value, json};

use crate::judge::{Expect, INVALID, NOT_FOUND, NOT_JSON, TOO_LARGE, Verdicts, WRONG_TYPE};
use crate::picture;
use crate::routes::{self, Described, Shape};
use crate::values;
use crate::world::{Cast, Scene, World};

/// Names that only the server gives, and some that mean something to programs.
const FOREIGN_FIELDS: [&str; 10] = [
    "seq",
    "user_id",
    "is_admin",
    "ticket_code",
    "password_hash",
    "expires_at",
    "colour",
    "__proto__",
    "constructor",
    "",
];

/// A wrong body.
#[derive(Clone)]
struct Bad {
    what: String,
    content_type: &'static str,
    body: Vec<u8>,
    expect: Expect,
}

impl Bad {
    fn json(what: impl Into<String>, body: impl Into<Vec<u8>>, expect: Expect) -> Self {
        Self { what: what.into(), content_type: "application/json", body: body.into(), expect }
    }
}

#[tokio::test]
async fn wrong_bodies_are_refused_and_change_nothing() {
    let mut world = World::new().await;
    let cast = world.cast.clone();
    let scene = world.scene(&cast).await;
    let before = picture::take(&mut world, &cast, &scene).await;
    before.assert_whole();
    let mut verdicts = Verdicts::default();
    for route in routes::all().into_iter().filter(Described::reads_body) {
        let account = whoever_may(&route, &cast);
        let right = world.body(route.row.shape, &scene, account).unwrap();
        let mut all = as_a_whole(&route, &right);
        all.extend(field_by_field(&route, &right));
        all.extend(taken_together(route.row.shape, &scene));
        for bad in all {
            let token = &account.person.token;
            let ask = world.bare(&route, &scene).token(token);
            let ask = ask.body(bad.content_type, bad.body);
            let what = format!("{} with {}", route.name(), bad.what);
            // Whoever answers before the body has arrived closes the connection.
            let outcome = raw::send(world.server.address(), ask.bytes()).await;
            match outcome.response {
                Some(answer) => verdicts.judge(&what, &answer, bad.expect),
                None => verdicts.check(false, || format!("{what}: no answer")),
            }
        }
        let now = picture::take(&mut world, &cast, &scene).await;
        before.assert_same(&now, &format!("wrong bodies for {}", route.name()));
    }
    verdicts.finish(300);
    world.finish().await;
}

/// Somebody whose call would be granted if its body were right.
fn whoever_may<'a>(route: &Described, cast: &'a Cast) -> &'a Account {
    use api::routes::Access;
    match route.access {
        Access::Organizer => &cast.organizer,
        Access::Admin => &cast.admin,
        Access::Anyone | Access::Person | Access::Owner | Access::Named => &cast.owner,
    }
}

/// Bodies that are no object with known fields, whatever is in them.
fn as_a_whole(route: &Described, right: &Value) -> Vec<Bad> {
    let first = route.row.shape.fields()[0].name;
    let mut all = Vec::new();
    for text in ["", "{", "{\"a\":", "nonsense", "{} {}", "{'a': 1}", "{\"a\":1,}", "\u{feff}{}"] {
        all.push(Bad::json(format!("{text:?}"), text, NOT_JSON));
    }
    for text in ["\\ud800", "\\udc00\\ud800", "\u{1}", "a\nb"] {
        let body = format!("{{\"{first}\":\"{text}\"}}");
        all.push(Bad::json(format!("{text:?} in a text"), body, NOT_JSON));
    }
    all.push(Bad::json("invalid UTF-8", &b"{\"a\":\"\xff\xfe\"}"[..], NOT_JSON));
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = |levels: usize| format!("{}1{}", open.repeat(levels), close.repeat(levels));
        all.push(Bad::json("10,000 levels", deep(10_000), NOT_JSON));
        let inside = format!("{{\"{first}\":{}}}", deep(200));
        all.push(Bad::json("200 levels in a field", inside, NOT_JSON));
    }
    for value in [json!([]), json!(1), json!(null), json!("x"), json!([right])] {
        all.push(Bad::json(format!("{value}"), value.to_string(), INVALID));
    }
    let with = |value: &Value| {
        let mut body = right.clone();
        body[first] = value.clone();
        body.to_string()
    };
    let long = json!("x".repeat(100_000));
    all.push(Bad::json("a text of 100,000 characters", with(&long), TOO_LARGE));
    let padded = format!("{right}{}", " ".repeat(1024 * 1024));
    all.push(Bad::json("a megabyte of spaces", padded, TOO_LARGE));
    for content_type in ["text/plain", "application/xml", "application/jsonx", "nonsense", ""] {
        let body = right.to_string().into_bytes();
        let what = format!("content type {content_type:?}");
        all.push(Bad { what, content_type, body, expect: WRONG_TYPE });
    }
    all
}

/// The right body with one field changed, left out, added or repeated.
fn field_by_field(route: &Described, right: &Value) -> Vec<Bad> {
    let mut all = Vec::new();
    for field in route.row.shape.fields() {
        let mut changed = |what: &str, value: Option<Value>| {
            let mut body = right.clone();
            let fields = body.as_object_mut().unwrap();
            match value {
                Some(value) => fields.insert(field.name.to_owned(), value),
                None => fields.remove(field.name),
            };
            let what = format!("{what} {}", field.name);
            all.push(Bad::json(what, body.to_string(), Expect::field(field.name)));
        };
        for value in values::bad(field.kind) {
            let shown: String = value.to_string().chars().take(60).collect();
            changed(&format!("{shown} as"), Some(value));
        }
        if field.required {
            changed("no", None);
            changed("null as", Some(Value::Null));
        }
        // Of a repeated name the last value counts, so a wrong one is seen.
        let text = right.to_string();
        let twice = format!("{},\"{}\":[[]]}}", &text[..text.len() - 1], field.name);
        let what = format!("a second and wrong {}", field.name);
        all.push(Bad::json(what, twice, Expect::field(field.name)));
    }
    if route.row.shape.refuses_unknown_fields() {
        for name in FOREIGN_FIELDS {
            let mut body = right.clone();
            body[name] = json!("x");
            let what = format!("an unknown field {name:?}");
            all.push(Bad::json(what, body.to_string(), Expect::field(name)));
        }
        let many: serde_json::Map<_, _> = (0..1_000).map(|n| (format!("f{n}"), json!(n))).collect();
        all.push(Bad::json("a thousand fields", Value::Object(many).to_string(), INVALID));
    }
    all
}

/// Fields that are right by themselves and wrong together, or by what is there.
fn taken_together(shape: Shape, scene: &Scene) -> Vec<Bad> {
    let bad = |body: Value, expect: Expect| Bad::json(body.to_string(), body.to_string(), expect);
    let event = scene.event.to_string();
    let nowhere = "0198c0de-0000-7000-8000-0123456789ab";
    match shape {
        Shape::Event => events_that_cannot_be(),
        Shape::EventChange => [
            (json!({ "end_time": "2099-06-01T17:00:00Z" }), "end_time"),
            (json!({ "start_time": "2099-06-01T23:00:00Z" }), "start_time"),
            (json!({ "booking_closes_at": "2099-06-02T00:00:00Z" }), "booking_closes_at"),
            (json!({ "title": "" }), "title"),
            (json!({ "title": null }), "title"),
            (json!({ "capacity": null }), "capacity"),
            (json!({ "price": null }), "price"),
        ]
        .map(|(body, field)| bad(body, Expect::among(field)))
        .to_vec(),
        Shape::Booking => vec![
            bad(json!({ "event_id": nowhere }), NOT_FOUND),
            bad(json!({ "hold_id": nowhere }), NOT_FOUND),
            bad(json!({ "hold_id": "17" }), Expect::field("hold_id")),
            bad(json!({ "hold_id": nowhere, "event_id": event }), Expect::field("event_id")),
            bad(json!({ "hold_id": nowhere, "quantity": 2 }), Expect::field("quantity")),
            bad(json!({ "event_id": event }), Expect::problem(409, "already_booked")),
            bad(
                json!({ "event_id": scene.open.to_string(), "quantity": 11 }),
                Expect::problem(409, "too_many_seats"),
            ),
        ],
        Shape::Hold => vec![
            bad(json!({ "event_id": nowhere }), NOT_FOUND),
            bad(json!({ "event_id": event }), Expect::problem(409, "already_booked")),
            bad(
                json!({ "event_id": scene.open.to_string(), "quantity": 11 }),
                Expect::problem(409, "too_many_seats"),
            ),
        ],
        Shape::Register => vec![
            bad(
                json!({ "username": "owner", "email": "new@example.org",
                        "password": "plum tractor 18" }),
                Expect::problem(409, "taken"),
            ),
            bad(
                json!({ "username": "newcomer", "email": "OWNER@example.org",
                        "password": "plum tractor 18" }),
                Expect::problem(409, "taken"),
            ),
            bad(
                json!({ "username": "newcomer", "email": "new@example.org",
                        "password": "newcomer" }),
                Expect::field("password"),
            ),
        ],
        Shape::Login => vec![
            bad(
                json!({ "username": "owner", "password": "plum tractor 18" }),
                Expect::problem(401, "invalid_credentials"),
            ),
            bad(
                json!({ "username": "nobody-here", "password": "plum tractor 17" }),
                Expect::problem(401, "invalid_credentials"),
            ),
            bad(
                json!({ "username": "owner", "password": "x".repeat(40_000) }),
                Expect::problem(401, "invalid_credentials"),
            ),
            bad(json!({ "username": "", "password": "x" }), Expect::field("username")),
        ],
        _ => Vec::new(),
    }
}

/// Descriptions whose fields contradict each other.
fn events_that_cannot_be() -> Vec<Bad> {
    let with = |changes: Value, field: &'static str| {
        let mut body = harness::events::description("Not to be", 5);
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        Bad::json(body.to_string(), body.to_string(), Expect::among(field))
    };
    vec![
        with(json!({ "end_time": "2099-06-01T17:00:00Z" }), "end_time"),
        with(json!({ "end_time": "2099-06-01T18:00:00Z" }), "end_time"),
        with(
            json!({ "start_time": "2001-01-01T00:00:00Z",
                    "end_time": "2001-01-02T00:00:00Z" }),
            "end_time",
        ),
        with(json!({ "booking_closes_at": "2099-06-02T00:00:00Z" }), "booking_closes_at"),
        with(json!({ "booking_opens_at": "2099-06-01T19:00:00Z" }), "booking_opens_at"),
        with(json!({ "name": "Another title" }), "name"),
        with(json!({ "title": "" }), "title"),
        with(json!({ "title": "   " }), "title"),
        with(json!({ "location": "" }), "location"),
    ]
}

/// The right call, as often as it is made here, is granted: what is refused above is
/// refused for what is wrong in it.
#[tokio::test]
async fn the_bodies_that_were_changed_were_right() {
    let mut world = World::new().await;
    let mut verdicts = Verdicts::default();
    for route in routes::all().into_iter().filter(Described::reads_body) {
        let cast = world.cast.clone();
        let scene = world.scene(&cast).await;
        let ask: Ask = world.example(&route, &scene, whoever_may(&route, &cast));
        let answer = world.ask(&ask).await;
        let name = route.name();
        verdicts.check(answer.status.is_success(), || format!("{name}: {:?}", answer.body));
    }
    verdicts.finish(5);
    world.finish().await;
}
