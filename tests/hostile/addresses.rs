//! Paths and queries that are wrong in one place, for every route that has variable
//! parts or parameters.

use api::routes::Access;
use harness::accounts::Account;
use harness::client::Ask;
use harness::raw;

use crate::judge::{BAD_QUERY, Expect, FORBIDDEN, NOT_FOUND, Verdicts};
use crate::picture;
use crate::routes::{self, Described, Param};
use crate::world::{Cast, Scene, World};

/// What stands in a path and cannot be an id.
const NO_IDS: [&str; 14] = [
    "17",
    "-1",
    "null",
    "%00",
    "%ff",
    "%2e%2e",
    "..",
    "%F0%9F%98%80",
    "'%20OR%201=1--",
    "%3Cscript%3E",
    "0198c0de00007000800001234567890a",
    "%7B0198c0de-0000-7000-8000-0123456789ab%7D",
    "0198c0de-0000-7000-8000-0123456789ab%20",
    "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
];

/// A good id of nothing.
const NOTHING: &str = "0198c0de-0000-7000-8000-0123456789ab";

fn caller<'a>(route: &Described, cast: &'a Cast) -> &'a Account {
    match route.access {
        Access::Organizer => &cast.organizer,
        Access::Admin => &cast.admin,
        Access::Anyone | Access::Person | Access::Owner | Access::Named => &cast.owner,
    }
}

/// The right call with another path.
fn ask_at(world: &World, route: &Described, scene: &Scene, account: &Account, path: &str) -> Ask {
    let ask = Ask::new(route.row.method.clone(), path).token(&account.person.token);
    match world.body(route.row.shape, scene, account) {
        Some(body) => ask.json(&body),
        None => ask,
    }
}

#[tokio::test]
async fn ids_that_are_none_or_of_nothing_are_not_found() {
    let mut world = World::new().await;
    let cast = world.cast.clone();
    let scene = world.scene(&cast).await;
    let before = picture::take(&mut world, &cast, &scene).await;
    before.assert_whole();
    let mut verdicts = Verdicts::default();
    let long = "x".repeat(5_000);
    for route in routes::all() {
        for part in route.row.path.split('/').filter(|part| part.starts_with('{')) {
            let account = caller(&route, &cast);
            let mut bad: Vec<(&str, Expect)> = NO_IDS.map(|id| (id, NOT_FOUND)).to_vec();
            bad.push((&long, NOT_FOUND));
            // Whether such a person is there is nobody else's business.
            let foreign = route.access == Access::Named && part == "{user}";
            // Nobody's booking of an event that is not there: nothing is to be told.
            let of_event = route.row.path == "/bookings/user/{user}/event/{event}";
            if foreign || !of_event {
                bad.push((NOTHING, if foreign { FORBIDDEN } else { NOT_FOUND }));
            }
            for (id, expect) in bad {
                let template = route.row.path.replace(part, id);
                let path = scene.path(&template, &cast.owner.person);
                let ask = ask_at(&world, &route, &scene, account, &path);
                let answer = world.ask(&ask).await;
                let shown: String = id.chars().take(50).collect();
                verdicts.judge(&format!("{} with {shown}", route.name()), &answer, expect);
            }
        }
        let now = picture::take(&mut world, &cast, &scene).await;
        before.assert_same(&now, &format!("wrong ids for {}", route.name()));
    }
    verdicts.finish(150);
    world.finish().await;
}

/// What a parameter cannot be, and what is said of it.
fn bad_values(param: Param) -> (&'static str, Vec<&'static str>, bool) {
    match param {
        Param::Text(name) | Param::Needed(name) => (name, vec!["LONG"], true),
        Param::Number(name) => {
            (name, vec!["-1", "x", "1.5", "1e3", "0x10", "99999999999999999999", "10000001"], true)
        }
        Param::Word(name) => (name, vec!["nonsense", "CONFIRMED%00", "LONG"], true),
        Param::Flag(name) => (name, vec!["yes", "2", "-1", "LONG"], true),
        Param::Time(name) => (name, vec!["tomorrow", "99", "2099-13-01", "LONG"], true),
        Param::Money(name) => (name, vec!["-1", "x", "1.999", "1e300", "LONG"], true),
        Param::Id(name) => (name, vec!["17", "LONG", NOTHING_BARE], false),
        Param::Cursor(name) => (name, vec!["!", "AA", "%00", NOTHING, "LONG"], false),
    }
}

/// An id in a form that is not ours.
const NOTHING_BARE: &str = "0198c0de00007000800001234567890a";

#[tokio::test]
async fn parameters_that_cannot_be_are_named() {
    let mut world = World::new().await;
    let cast = world.cast.clone();
    let scene = world.scene(&cast).await;
    let mut verdicts = Verdicts::default();
    let long = "x".repeat(10_000);
    for route in routes::all() {
        let account = caller(&route, &cast);
        for param in route.row.query {
            let (name, values, named) = bad_values(*param);
            let expect = if named { Expect::field(name) } else { BAD_QUERY };
            for value in values {
                let value = if value == "LONG" { &long } else { value };
                // The rest of the query is right, and of a repeated parameter the last
                // counts.
                let right = world.bare(&route, &scene);
                let ask = right.and_query(&format!("{name}={value}")).token(&account.person.token);
                let shown: String = value.chars().take(50).collect();
                let answer = world.ask(&ask).await;
                verdicts.judge(&format!("{} with {name}={shown}", route.name()), &answer, expect);
            }
            if let Param::Needed(name) = param {
                let path = scene.path(route.row.path, &cast.owner.person);
                let ask = ask_at(&world, &route, &scene, account, &path);
                let answer = world.ask(&ask).await;
                let what = format!("{} without {name}", route.name());
                verdicts.judge(&what, &answer, Expect::field(name));
            }
        }
    }
    verdicts.finish(60);
    world.finish().await;
}

/// What means nothing, and what is repeated rightly, does no harm.
#[tokio::test]
async fn other_parameters_mean_nothing() {
    let mut world = World::new().await;
    let cast = world.cast.clone();
    let scene = world.scene(&cast).await;
    let mut verdicts = Verdicts::default();
    let many = vec!["a=1"; 4_000].join("&");
    for route in routes::all() {
        if route.row.stream || !route.row.method.is_safe() {
            continue;
        }
        let account = caller(&route, &cast);
        let mut queries =
            vec!["colour=red", "&&&==&", "%ff=%ff", "a[b]=c", "limit[]=5", "__proto__=1", &many];
        if route.row.query.contains(&Param::Number("limit")) {
            queries.extend(["limit=x&limit=5", "limit=5&limit=5"]);
        }
        for query in queries {
            let ask = world.bare(&route, &scene).and_query(query).token(&account.person.token);
            let answer = world.ask(&ask).await;
            let shown: String = query.chars().take(50).collect();
            let what = format!("{}?{shown}: {:?}", route.name(), answer.body);
            verdicts.check(answer.status == 200, || what);
        }
        // Longer than a head may be: refused below everything that is ours.
        let ask = world.bare(&route, &scene).and_query(&"a=1&".repeat(20_000));
        let outcome = raw::send(world.server.address(), ask.bytes()).await;
        let status = outcome.response.map(|answer| answer.status.as_u16());
        let what = format!("{} with 80 KB of query: {status:?}", route.name());
        verdicts.check(matches!(status, Some(414 | 431)), || what);
    }
    verdicts.finish(80);
    world.finish().await;
}
