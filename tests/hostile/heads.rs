//! Heads of requests that are wrong: keys, methods, repeated headers, and what is no
//! HTTP at all.

use std::collections::BTreeSet;

use api::routes::Access;
use harness::accounts::Account;
use harness::client::Ask;
use harness::raw;
use hyper::Method;
use serde_json::json;

use crate::judge::{BAD_HEADER, Expect, Verdicts};
use crate::picture;
use crate::routes::{self, Described};
use crate::world::{Cast, World};

fn caller<'a>(route: &Described, cast: &'a Cast) -> &'a Account {
    match route.access {
        Access::Organizer => &cast.organizer,
        Access::Admin => &cast.admin,
        Access::Anyone | Access::Person | Access::Owner | Access::Named => &cast.owner,
    }
}

#[tokio::test]
async fn keys_that_cannot_be_are_refused_and_do_nothing() {
    let mut world = World::new().await;
    let cast = world.cast.clone();
    let scene = world.scene(&cast).await;
    let before = picture::take(&mut world, &cast, &scene).await;
    let mut verdicts = Verdicts::default();
    for route in routes::all().into_iter().filter(Described::is_keyed) {
        let long = "x".repeat(256);
        for key in ["", "with space", "tab\tinside", "k\u{e4}se", "\u{7f}", &long] {
            let ask = world.example(&route, &scene, caller(&route, &cast));
            let ask = insert_header(&ask, &format!("idempotency-key: {key}"));
            let answer = raw::send(world.server.address(), ask).await.response.unwrap();
            // A head with a byte that no header has is refused before it is ours.
            let below = answer.status == 400 && answer.body.is_empty() && key == "\u{7f}";
            if !below {
                let what = format!("{} with the key {key:?}", route.name());
                verdicts.judge(&what, &answer, BAD_HEADER);
            }
        }
    }
    let now = picture::take(&mut world, &cast, &scene).await;
    before.assert_same(&now, "bad keys");
    verdicts.finish(25);
    world.finish().await;
}

#[tokio::test]
async fn a_key_with_another_body_is_refused_and_does_nothing() {
    let mut world = World::new().await;
    let cast = world.cast.clone();
    let mut verdicts = Verdicts::default();
    for route in routes::all() {
        if !route.is_keyed() || !route.reads_body() {
            continue;
        }
        let scene = world.scene(&cast).await;
        let account = caller(&route, &cast);
        let first = world.example(&route, &scene, account).key("the-same-key");
        let answer = world.ask(&first).await;
        verdicts.check(answer.status.is_success(), || format!("{first:?}: {:?}", answer.body));
        let before = picture::take(&mut world, &cast, &scene).await;
        let mut body = world.body(route.row.shape, &scene, account).unwrap();
        let (field, other) = match route.row.shape {
            routes::Shape::Event | routes::Shape::EventChange => ("capacity", json!(44)),
            routes::Shape::HoldChange => ("details", json!({ "row": 44 })),
            routes::Shape::Message => ("subject", json!("Something else")),
            _ => ("quantity", json!(1)),
        };
        body[field] = other;
        let again = world.bare(&route, &scene).token(&account.person.token).key("the-same-key");
        let answer = world.ask(&again.json(&body)).await;
        verdicts.judge(&route.name(), &answer, Expect::problem(422, "key_reused"));
        let now = picture::take(&mut world, &cast, &scene).await;
        before.assert_same(&now, &format!("a key with another body for {}", route.name()));
    }
    verdicts.finish(8);
    world.finish().await;
}

#[tokio::test]
async fn methods_that_a_path_does_not_have_are_refused() {
    let mut world = World::new().await;
    let cast = world.cast.clone();
    let scene = world.scene(&cast).await;
    let before = picture::take(&mut world, &cast, &scene).await;
    let mut verdicts = Verdicts::default();
    let all = routes::all();
    let paths: BTreeSet<&str> = all.iter().map(|route| route.row.path).collect();
    for path in paths {
        let known: Vec<&Method> =
            all.iter().filter(|r| r.row.path == path).map(|r| &r.row.method).collect();
        for name in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            if known.contains(&&method) {
                continue;
            }
            let path = scene.path(path, &cast.owner.person);
            let ask = Ask::new(method, &path).token(&cast.admin.person.token);
            let answer = world.ask(&ask).await;
            let what = format!("{name} {path}");
            verdicts.judge(&what, &answer, Expect::problem(405, "method_not_allowed"));
            let allow = answer.header("allow").to_owned();
            let right = known.iter().all(|method| allow.contains(method.as_str()));
            verdicts.check(right, || format!("{what}: Allow is {allow:?}"));
        }
    }
    let now = picture::take(&mut world, &cast, &scene).await;
    before.assert_same(&now, "other methods");
    verdicts.finish(100);
    world.finish().await;
}

/// A header said twice is not said: neither the one nor the other may be picked, except
/// that the same thing said twice is one thing.
#[tokio::test]
async fn repeated_headers_open_nothing() {
    let mut world = World::new().await;
    let cast = world.cast.clone();
    let scene = world.scene(&cast).await;
    let mut verdicts = Verdicts::default();
    let address = world.server.address();
    for route in routes::all() {
        if matches!(route.access, Access::Anyone) || route.row.stream {
            continue;
        }
        let before = picture::take(&mut world, &cast, &scene).await;
        // A bad token before the good one: the good one must not be looked for.
        let ask = world.example(&route, &scene, caller(&route, &cast));
        let twice = insert_header(&ask, "authorization: Bearer nonsense");
        let answer = raw::send(address, twice).await.response.unwrap();
        let status = answer.status.as_u16();
        verdicts.check(matches!(status, 400 | 401), || {
            format!("{} with two tokens: {status} {:?}", route.name(), answer.body)
        });
        for header in ["content-length: 3", "transfer-encoding: chunked"] {
            if route.reads_body() {
                let twice = insert_header(&ask, header);
                let answer = raw::send(address, twice).await.response;
                let status = answer.map(|answer| answer.status.as_u16());
                let refused = status.is_none_or(|status| (400..500).contains(&status));
                verdicts.check(refused, || {
                    format!("{} with two lengths ({header}): {status:?}", route.name())
                });
            }
        }
        let now = picture::take(&mut world, &cast, &scene).await;
        before.assert_same(&now, &format!("repeated headers for {}", route.name()));
    }
    verdicts.finish(15);
    world.finish().await;
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let mut world = World::new().await;
    let address = world.server.address();
    let mut verdicts = Verdicts::default();
    let long_header =
        format!("GET /events HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "b".repeat(40_000));
    let many = "a: b\r\n".repeat(500);
    let many_headers = format!("GET /events HTTP/1.1\r\nhost: x\r\n{many}\r\n");
    let heads: [&[u8]; 17] = [
        b"\r\n\r\n\r\n\r\nGARBAGE\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /events HTTP/9.9\r\nhost: x\r\n\r\n",
        b"GET /events\r\n\r\n",
        b"GET /ev\xffents HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /ev ents HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET events HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /events HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /events HTTP/1.1\r\nhost: x\r\na\0b: c\r\n\r\n",
        b"GET /events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer a\0b\r\n\r\n",
        b"POST /bookings HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /bookings HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n",
        long_header.as_bytes(),
        many_headers.as_bytes(),
    ];
    for head in heads {
        let shown = String::from_utf8_lossy(&head[..head.len().min(70)]).into_owned();
        let answer = raw::send(address, head.to_vec()).await.response;
        // Some are refused below all that is ours, without a body; some just closed.
        let status = answer.as_ref().map(|answer| answer.status.as_u16());
        let refused = status.is_none_or(|status| (400..500).contains(&status));
        verdicts.check(refused, || format!("{shown:?}: {status:?}"));
        let told = answer.is_none_or(|answer| {
            answer.body.is_empty() || answer.header("content-type") == "application/problem+json"
        });
        verdicts.check(told, || format!("{shown:?}: a body that is no problem"));
    }
    verdicts.finish(30);
    assert_eq!(world.ask(&Ask::get("/events")).await.status, 200);
    world.finish().await;
}

/// The request with one more line in its head, before all others.
fn insert_header(ask: &Ask, line: &str) -> Vec<u8> {
    let bytes = ask.bytes();
    let first = bytes.windows(2).position(|two| two == b"\r\n").unwrap() + 2;
    [&bytes[..first], line.as_bytes(), b"\r\n", &bytes[first..]].concat()
}
