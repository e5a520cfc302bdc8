//! What comes too often, too large or too slowly is refused, and nobody else notices.

use std::time::Duration;

use harness::client::{Ask, Client};
use harness::people::People;
use harness::server::{Home, Server, UNLIMITED};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stage::{granted, new_id, problem};

/// Longest wait for an answer; far above what any of them takes.
const PATIENCE: Duration = Duration::from_secs(20);

async fn limited(settings: &[(&str, &str)]) -> (Home, Server) {
    let home = Home::new();
    let server = Server::start_in(&home, &[], settings).await;
    (home, server)
}

/// Sends raw bytes on a connection of its own and reads until the server closes it.
async fn raw(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let sent = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(PATIENCE, read).await.expect("an end").unwrap_or_else(|error| {
        panic!("reset ({error}) after {sent:?}: {}", String::from_utf8_lossy(&answer))
    });
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_person_may_ask_so_often_and_others_too() {
    let (home, server) = limited(&[
        ("EVENTFLOW_GATEWAY__RATE_LIMIT__USER_BURST", "5"),
        ("EVENTFLOW_GATEWAY__RATE_LIMIT__USER_PER_S", "5"),
    ])
    .await;
    let people = People::of(&home.data());
    let (eager, calm) = (people.attendee(new_id()), people.attendee(new_id()));
    let mut client = server.client();
    let ask = |token: &str| Ask::get("/bookings").token(token);
    let mut told = Vec::new();
    let refused = loop {
        let answer = client.ask(&ask(&eager.token)).await;
        assert_eq!(answer.header("ratelimit-policy"), "\"user\";q=5;w=1");
        assert!(answer.header("ratelimit").starts_with("\"user\";r="));
        if answer.status == 429 {
            break answer;
        }
        told.push(answer.status);
        // A bucket fills up again while it is emptied, but never so fast.
        assert!(told.len() < 1_000, "never refused");
    };
    assert!(told.len() >= 5, "{told:?}");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(refused.header("ratelimit").starts_with("\"user\";r=0;"));
    problem(refused, 429, "too_many_requests");
    granted(client.ask(&ask(&calm.token)).await, 200);
    granted(client.ask(&Ask::get("/health")).await, 200);
}

#[tokio::test]
async fn an_address_may_ask_so_often() {
    let (_home, server) = limited(&[
        ("EVENTFLOW_GATEWAY__RATE_LIMIT__ADDRESS_BURST", "3"),
        ("EVENTFLOW_GATEWAY__RATE_LIMIT__ADDRESS_PER_S", "3"),
    ])
    .await;
    let mut client = server.client();
    let mut answers = 0;
    loop {
        let answer = client.ask(&Ask::get("/events")).await;
        assert!(answer.header("ratelimit").starts_with("\"address\";r="));
        answers += 1;
        if answer.status == 429 {
            problem(answer, 429, "too_many_requests");
            break;
        }
        assert!(answers < 1_000, "never refused");
    }
    assert!(answers > 3);
    for _ in 0..10 {
        granted(client.ask(&Ask::get("/livez")).await, 200);
    }
}

#[tokio::test]
async fn a_body_that_is_far_too_large_is_refused_and_its_sender_sees_it() {
    let (_home, server) = limited(&[UNLIMITED]).await;
    let body = vec![b' '; 10 * 1024 * 1024];
    for path in ["/auth/register", "/bookings", "/events", "/nowhere"] {
        let expected = if path == "/nowhere" { "404" } else { "413" };
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        let whole = format!("{head}content-length: {length}\r\n\r\n");
        let answer = raw(&server, &[whole.as_bytes(), &body].concat()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{path}: {answer}");
        assert!(answer.contains("application/problem+json"), "{path}: {answer}");
        let chunks = format!("{head}transfer-encoding: chunked\r\n\r\n{length:x}\r\n");
        let answer = raw(&server, &[chunks.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat()).await;
        // Who may not come in at all is told so first.
        let refused =
            [expected, "401"].iter().any(|s| answer.starts_with(&format!("HTTP/1.1 {s}")));
        assert!(refused, "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_body_that_never_ends_has_changed_nothing() {
    let (_home, server) = limited(&[("EVENTFLOW_GATEWAY__REQUEST_TIMEOUT_MS", "300")]).await;
    for framing in ["content-length: 100", "transfer-encoding: chunked"] {
        let head = format!(
            "POST /auth/register HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             {framing}\r\n\r\n"
        );
        let answer = raw(&server, head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{framing}: {answer}");
        assert!(answer.contains("\"code\":\"request_timeout\""), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn what_could_be_read_in_two_ways_is_not_read() {
    let (_home, server) = limited(&[UNLIMITED]).await;
    for (headers, status) in [
        ("idempotency-key: a\r\nidempotency-key: b\r\n", "400"),
        ("authorization: Bearer x\r\nauthorization: Bearer y\r\n", "400"),
        ("content-type: application/json\r\ncontent-type: text/plain\r\n", "400"),
        ("content-length: 2\r\ncontent-length: 3\r\n", "400"),
        ("content-length: -1\r\n", "400"),
        ("transfer-encoding: chunked, identity\r\n", "400"),
    ] {
        let text =
            format!("POST /bookings HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        let answer = raw(&server, text.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{headers}: {answer}");
    }
    for garbage in
        ["\r\n\r\n\r\nwhat\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET  /x y HTTP/1.1\r\n\r\n"]
    {
        let answer = raw(&server, garbage.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 4") || answer.is_empty(), "{garbage:?}: {answer}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000));
    assert!(raw(&server, long.as_bytes()).await.starts_with("HTTP/1.1 4"));
}

#[tokio::test]
async fn every_answer_says_how_it_may_be_used() {
    let (home, server) = limited(&[UNLIMITED]).await;
    let person = People::of(&home.data()).attendee(new_id());
    let mut client = server.client();
    let check = async |client: &mut Client, ask: Ask, status: u16| {
        let answer = client.ask(&ask).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"));
        assert!(!answer.header("x-request-id").is_empty());
    };
    check(&mut client, Ask::get("/events"), 200).await;
    check(&mut client, Ask::get("/nowhere"), 404).await;
    check(&mut client, Ask::get("/bookings"), 401).await;
    check(&mut client, Ask::get("/health"), 200).await;
    let own = client.ask(&Ask::get("/bookings").token(&person.token)).await;
    assert_eq!(own.header("cache-control"), "no-store");
}

#[tokio::test]
async fn an_address_has_only_so_many_connections() {
    let (_home, server) = limited(&[("EVENTFLOW_SERVER__MAX_CONNECTIONS_PER_ADDRESS", "8")]).await;
    let mut open = Vec::new();
    for _ in 0..8 {
        let mut client = server.client();
        // The server may still count the connections by which it was found ready.
        let answer = harness::eventually::eventually("a place", async || {
            client.send(&Ask::get("/livez")).await.ok()
        });
        assert_eq!(answer.await.status, 200);
        open.push(client);
    }
    let mut ninth = server.client();
    assert!(ninth.send(&Ask::get("/livez")).await.is_err(), "one too many");
    drop(open.pop());
    let again = harness::eventually::eventually("a place", async || {
        ninth.send(&Ask::get("/livez")).await.ok()
    });
    assert_eq!(again.await.status, 200);
}
