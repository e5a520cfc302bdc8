//! Bodies that are far too large, that never end, or that never come.

use std::time::Duration;

use bytes::Bytes;
use harness::client::Ask;
use harness::raw;
use harness::server::UNLIMITED;
use tokio::task::JoinSet;

use crate::judge::{TOO_LARGE, Verdicts};
use crate::picture;
use crate::routes::{self, Described};
use crate::world::{Scene, World};

/// A body of ten megabytes.
const LARGE: usize = 10 * 1024 * 1024;

/// What may be taken of a body that nobody wants before the answer is there: far more
/// than any limit, with what the system and the server's last courtesy swallow; a server
/// without a bound takes gigabytes meanwhile.
const TAKEN: u64 = 128 * 1024 * 1024;

/// One piece of a body without an end.
const PIECE: usize = 64 * 1024;

/// How long a call may take on the impatient server, in milliseconds.
const IMPATIENCE: &str = "5000";

/// Within this time an impatient server must have ended what never comes.
const SOON: Duration = Duration::from_secs(30);

/// The head of the route's call, with these lines about its body.
fn head(world: &World, route: &Described, scene: &Scene, lines: &str) -> Bytes {
    let account = &world.cast.organizer;
    let ask: Ask = world.bare(route, scene).token(&account.person.token);
    let head = String::from_utf8(ask.bytes()).unwrap();
    let head = head.strip_suffix("\r\n").unwrap();
    Bytes::from(format!("{head}content-type: application/json\r\n{lines}\r\n\r\n"))
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_has_come() {
    let mut world = World::new().await;
    let cast = world.cast.clone();
    let scene = world.scene(&cast).await;
    let before = picture::take(&mut world, &cast, &scene).await;
    let address = world.server.address();
    // All at the same time: what is announced and does not come is waited for a little.
    let mut calls = JoinSet::new();
    for route in routes::all().into_iter().filter(Described::reads_body) {
        let head = head(&world, &route, &scene, &format!("content-length: {LARGE}"));
        let body = std::iter::repeat_n(Bytes::from(vec![b' '; PIECE]), LARGE / PIECE);
        for (what, pieces) in [("announced", None), ("sent", Some(body))] {
            let pieces = std::iter::once(head.clone()).chain(pieces.into_iter().flatten());
            let name = format!("{} with ten megabytes {what}", route.name());
            calls.spawn(async move { (name, raw::send_pieces(address, pieces, SOON).await) });
        }
    }
    let mut verdicts = Verdicts::default();
    while let Some(call) = calls.join_next().await {
        let (name, outcome) = call.unwrap();
        match outcome.response {
            Some(answer) => verdicts.judge(&name, &answer, TOO_LARGE),
            None => verdicts.check(false, || format!("{name}: no answer")),
        }
    }
    let now = picture::take(&mut world, &cast, &scene).await;
    before.assert_same(&now, "ten megabytes");
    verdicts.finish(10);
    world.finish().await;
}

#[tokio::test]
async fn what_never_ends_is_ended() {
    let mut world = World::new().await;
    let cast = world.cast.clone();
    let scene = world.scene(&cast).await;
    let before = picture::take(&mut world, &cast, &scene).await;
    let address = world.server.address();
    let mut verdicts = Verdicts::default();
    let piece = Bytes::from(format!("{PIECE:x}\r\n{}\r\n", " ".repeat(PIECE)));
    for route in routes::all() {
        // Without a body to read there is nothing to refuse; what is granted would change
        // something.
        if !route.reads_body() && !route.row.method.is_safe() {
            continue;
        }
        let head = head(&world, &route, &scene, "transfer-encoding: chunked");
        let pieces = std::iter::once(head).chain(std::iter::repeat(piece.clone()));
        let outcome = raw::send_pieces(address, pieces, SOON).await;
        let name = format!("{} with a body without an end", route.name());
        match outcome.response {
            Some(answer) if route.reads_body() => verdicts.judge(&name, &answer, TOO_LARGE),
            Some(answer) => {
                verdicts.check(answer.status.as_u16() < 500, || format!("{name}: {answer:?}"));
            }
            None => verdicts.check(false, || format!("{name}: no answer")),
        }
        verdicts.check(outcome.sent < TAKEN, || format!("{name}: took {}", outcome.sent));
    }
    let now = picture::take(&mut world, &cast, &scene).await;
    before.assert_same(&now, "bodies without an end");
    verdicts.finish(30);
    world.finish().await;
}

#[tokio::test]
async fn what_never_comes_is_not_waited_for() {
    let impatient = [
        UNLIMITED,
        ("EVENTFLOW_GATEWAY__REQUEST_TIMEOUT_MS", IMPATIENCE),
        ("EVENTFLOW_SERVER__IDLE_TIMEOUT_MS", IMPATIENCE),
    ];
    let mut world = World::with(&impatient).await;
    let cast = world.cast.clone();
    let scene = world.scene(&cast).await;
    let before = picture::take(&mut world, &cast, &scene).await;
    let address = world.server.address();
    let mut calls = JoinSet::new();
    for route in routes::all().into_iter().filter(Described::reads_body) {
        let head = head(&world, &route, &scene, "content-length: 100");
        let whole = [head.clone(), Bytes::from_static(b"{\"a\":")];
        let name = route.name();
        calls.spawn(async move {
            let outcome = raw::send_pieces(address, whole.into_iter(), SOON).await;
            (format!("{name} with a body that stops"), outcome)
        });
    }
    let mut verdicts = Verdicts::default();
    while let Some(call) = calls.join_next().await {
        let (name, outcome) = call.unwrap();
        let answer = outcome.response;
        let right = answer.as_ref().is_some_and(|answer| {
            matches!(answer.status.as_u16(), 408 | 503)
                && answer.header("content-type") == "application/problem+json"
                && answer.json()["retryable"] == true
        });
        verdicts.check(right, || format!("{name}: {answer:?}"));
    }
    // A head that stops: the connection is closed, with a word or without.
    let half = Bytes::from_static(b"GET /events HTTP/1.1\r\nhost: x\r\nsl");
    let outcome =
        tokio::time::timeout(SOON, raw::send_pieces(address, std::iter::once(half), 2 * SOON));
    verdicts.check(outcome.await.is_ok(), || "a head that stops is waited for".to_owned());
    let now = picture::take(&mut world, &cast, &scene).await;
    before.assert_same(&now, "bodies that stop");
    verdicts.finish(6);
    world.finish().await;
}
