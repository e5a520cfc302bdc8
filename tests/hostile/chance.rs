//! Right requests with random changes: whatever comes of them, the server lives, says
//! no 5xx but 503, and nothing of other people has changed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use harness::accounts;
use harness::eventually::PATIENCE;
use harness::random::Random;
use harness::raw;
use harness::settings;
use tokio::task::JoinSet;

use crate::picture;
use crate::routes::{self, Shape};
use crate::world::{Cast, PASSWORD, World};

/// Requests of one run.
const REQUESTS: u64 = 3_000;

/// Requests at the same time.
const AT_ONCE: u64 = 16;

/// Most changes to one request.
const CHANGES: u64 = 4;

/// How long an answer is waited for where there need not be one: a changed length may mean
/// that the server waits for more.
const SHORTLY: Duration = Duration::from_millis(200);

/// Bytes that mean something somewhere.
const MEANINGFUL: &[u8] = b"\0\r\n\t \"'\\{}[]:,;/?&%=.-+0e\x7f\x80\xff";

/// Changes a request in a few places.
fn mutated(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    for _ in 0..=random.below(CHANGES) {
        let length = bytes.len().max(1) as u64;
        let at = random.below(length) as usize;
        let to = (at + 1 + random.below(16) as usize).min(bytes.len());
        let any = MEANINGFUL[random.below(MEANINGFUL.len() as u64) as usize];
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = any,
            2 => bytes.insert(at, any),
            3 => drop(bytes.drain(at..to)),
            4 => {
                let again = bytes[at..to].to_vec();
                bytes.splice(at..at, again);
            }
            _ => bytes.truncate(at.max(1)),
        }
        if bytes.is_empty() {
            bytes.push(any);
        }
    }
    bytes
}

/// Changes only in the body, whose length is announced rightly.
fn mutated_body(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let (head, body) = bytes.split_at(end);
    let body = mutated(body.to_vec(), random);
    let head = String::from_utf8_lossy(head);
    let kept: String = head
        .split_inclusive("\r\n")
        .filter(|line| !line.starts_with("content-length") && *line != "\r\n")
        .collect();
    let mut bytes = format!("{kept}content-length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(&body);
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_changes_break_nothing() {
    let seed = settings::seed();
    let mut world = World::new().await;
    let others = world.cast.clone();
    let scene = world.scene(&others).await;
    let before = picture::take(&mut world, &others, &scene).await;
    before.assert_whole();
    let mallory = accounts::register(&mut world.client, "mallory", PASSWORD).await;
    let own = Cast::all_one(&mallory);
    let own = world.scene(&own).await;
    // What ends Mallory's own session, or costs a hash each time, is called seldom.
    let costly =
        |shape| matches!(shape, Shape::Logout | Shape::Refresh | Shape::Register | Shape::Login);
    let all = routes::all();
    let cheap: Vec<_> = all.iter().filter(|route| !costly(route.row.shape)).collect();
    let address = world.server.address();
    let random = Random::new(seed);
    let mut calls = JoinSet::new();
    for part in 0..AT_ONCE {
        let mut random = random.part(part);
        let mut requests = Vec::new();
        for number in 0..REQUESTS / AT_ONCE {
            let route = if number % 10 == 0 {
                &all[random.below(all.len() as u64) as usize]
            } else {
                cheap[random.below(cheap.len() as u64) as usize]
            };
            let path = own.path(route.row.path, &mallory.person);
            let ask = harness::client::Ask::new(route.row.method.clone(), path);
            let ask = ask.token(&mallory.person.token);
            let body = world.body(route.row.shape, &own, &mallory);
            let bytes = match &body {
                Some(body) => ask.json(body).bytes(),
                None => ask.bytes(),
            };
            let only_body = body.is_some() && random.chance(60);
            requests.push(if only_body {
                (mutated_body(&bytes, &mut random), PATIENCE)
            } else {
                (mutated(bytes, &mut random), SHORTLY)
            });
        }
        calls.spawn(async move {
            let mut wrong = Vec::new();
            let (mut framed, mut others) = (0_u64, 0_u64);
            for (bytes, patience) in requests {
                let bytes = Bytes::from(bytes);
                let piece = std::iter::once(bytes.clone());
                let outcome = raw::send_pieces(address, piece, patience).await;
                let shown = || String::from_utf8_lossy(&bytes).into_owned();
                let Some(answer) = outcome.response else {
                    if patience == PATIENCE {
                        wrong.push(format!("no answer to:\n{}", shown()));
                    }
                    continue;
                };
                *(if patience == PATIENCE { &mut framed } else { &mut others }) += 1;
                let status = answer.status.as_u16();
                if status >= 500 && status != 503 {
                    wrong.push(format!("{status} {:?} to:\n{}", answer.body, shown()));
                }
            }
            (framed, others, wrong)
        });
    }
    let (mut framed, mut unframed, mut wrong) = (0, 0, Vec::new());
    while let Some(call) = calls.join_next().await {
        let (of_framed, of_others, more) = call.unwrap();
        framed += of_framed;
        unframed += of_others;
        wrong.extend(more);
    }
    assert!(wrong.is_empty(), "seed {seed}: {}", wrong.join("\n\n"));
    assert!(framed > REQUESTS / 10, "seed {seed}: only {framed} had their frame");
    assert!(unframed > REQUESTS / 50, "seed {seed}: only {unframed} of the others were answered");
    let now = picture::take(&mut world, &others, &scene).await;
    before.assert_same(&now, &format!("random changes with the seed {seed}"));
    world.finish().await;
}

#[test]
fn a_changed_body_has_its_length() {
    let bytes = Arc::new(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}".to_vec());
    for part in 0..50 {
        let mut random = Random::new(1).part(part);
        let changed = mutated_body(&bytes, &mut random);
        let text = String::from_utf8_lossy(&changed).into_owned();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        let end = head.len() + 4;
        let announced = format!("content-length: {}", changed.len() - end);
        assert!(head.ends_with(&announced), "{text}");
    }
}
