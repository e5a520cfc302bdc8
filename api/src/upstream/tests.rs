//! Replicas behind real sockets that answer, refuse or hang up as they are told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use http::{Request, Response};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What a stub does with a request: an answer, or none and the connection is closed.
type Behaviour = dyn Fn(&str) -> Option<String> + Send + Sync;

/// A replica that is none.
struct Stub {
    address: String,
    asked: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    async fn start(behave: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (asked, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let behave: Arc<Behaviour> = Arc::new(behave);
        let counted = (Arc::clone(&asked), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (behave, counted) = (Arc::clone(&behave), counted.clone());
                tokio::spawn(async move { serve(stream, &*behave, &counted.0, &counted.1).await });
            }
        });
        Self { address, asked, seen }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn serve(
    mut stream: TcpStream,
    behave: &Behaviour,
    asked: &AtomicUsize,
    seen: &Mutex<Vec<String>>,
) {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() < length.map_or(0, |length| length.parse().unwrap()) {
            continue;
        }
        if text.starts_with("GET /readyz") {
            // A clock that goes by whatever it likes: only spans count.
            let clock = answer("200 OK", "eventflow-clock: 1000\r\n", "{}").unwrap();
            stream.write_all(clock.as_bytes()).await.unwrap();
            seen.lock().unwrap().push(text.clone());
            bytes.clear();
            continue;
        }
        asked.fetch_add(1, Ordering::SeqCst);
        seen.lock().unwrap().push(text.clone());
        let Some(answer) = behave(&text) else { return };
        stream.write_all(answer.as_bytes()).await.unwrap();
        bytes.clear();
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Option<String> {
    let length = body.len();
    Some(format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}"))
}

fn problem(status: &str, code: &str) -> Option<String> {
    let body = format!("{{\"code\":\"{code}\"}}");
    answer(status, "content-type: application/problem+json\r\n", &body)
}

fn replicas(stubs: &[&Stub]) -> Replicas {
    let addresses: Vec<String> = stubs.iter().map(|stub| stub.address.clone()).collect();
    let client = Client::new(Secret::parse(SECRET).unwrap());
    let patience = std::time::Duration::from_secs(4);
    Replicas::new(ReplicasOptions { patience }, client, &addresses)
}

fn booking(key: Option<&str>) -> Request<Body> {
    let mut request = Request::post("/bookings").header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let event = "01a209ef-3c1c-7915-8f5d-e3fce35564ad";
    request.body(Body::from(format!("{{\"event_id\":\"{event}\"}}"))).unwrap()
}

/// Their health is looked after, and their clock is known.
async fn with_clock(replicas: &Replicas, stub: &Stub) {
    let looked_after = replicas.clone();
    tokio::spawn(async move { looked_after.run(std::future::pending()).await });
    let looks = || stub.seen.lock().unwrap().iter().filter(|t| t.starts_with("GET /rea")).count();
    // The first answer was read before the second question.
    while looks() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

async fn code(response: Response<Body>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_copy_that_was_lost_is_repeated_by_its_key() {
    let dying = Stub::start(|_| None).await;
    let sound = Stub::start(|_| answer("201 Created", "", "{}")).await;
    let replicas = replicas(&[&dying, &sound]);
    let response = replicas.call(booking(Some("k"))).await;
    assert_eq!(response.status(), 201);
    let seen = sound.seen.lock().unwrap();
    assert!(seen[0].contains("idempotency-key: k") && seen[0].contains("eventflow-secret: "));
}

#[tokio::test]
async fn without_a_key_a_lost_copy_is_unknown_and_not_repeated() {
    let dying = Stub::start(|_| None).await;
    let replicas = replicas(&[&dying]);
    let told = code(replicas.call(booking(None)).await).await;
    assert_eq!(told, (503, "outcome_unknown".into()));
    assert_eq!(dying.asked(), 1);
}

#[tokio::test]
async fn what_was_not_done_is_asked_again_and_what_is_too_much_is_not() {
    let count = AtomicUsize::new(0);
    let moving = Stub::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0..3 => problem("503 Service Unavailable", "unavailable"),
        _ => answer("201 Created", "", "{}"),
    })
    .await;
    assert_eq!(replicas(&[&moving]).call(booking(Some("k"))).await.status(), 201);
    assert_eq!(moving.asked(), 4);
    let busy = Stub::start(|_| problem("503 Service Unavailable", "overloaded")).await;
    let told = code(replicas(&[&busy]).call(booking(Some("k"))).await).await;
    assert_eq!((told, busy.asked()), ((503, "overloaded".into()), 1));
}

/// A copy that may have been done is settled by nothing that was not decided.
#[tokio::test]
async fn after_a_lost_copy_a_refusal_at_the_door_says_nothing() {
    for (status, other) in [
        ("401 Unauthorized", "unauthorized"),
        ("429 Too Many Requests", "too_many_requests"),
        ("503 Service Unavailable", "overloaded"),
    ] {
        let count = AtomicUsize::new(0);
        let stub = Stub::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
            0 => None,
            _ => problem(status, other),
        })
        .await;
        let told = code(replicas(&[&stub]).call(booking(Some("k"))).await).await;
        assert_eq!(told, (503, "outcome_unknown".into()), "{status}");
    }
}

/// A refusal by the rules counts once the lost copy can have no effect any more.
#[tokio::test]
async fn after_a_lost_copy_a_refusal_by_the_rules_is_asked_for_twice() {
    let count = AtomicUsize::new(0);
    let stub = Stub::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => None,
        _ => problem("409 Conflict", "sold_out"),
    })
    .await;
    let replicas = replicas(&[&stub]);
    with_clock(&replicas, &stub).await;
    let began = tokio::time::Instant::now();
    let told = code(replicas.call(booking(Some("k"))).await).await;
    assert_eq!(told, (409, "sold_out".into()));
    assert_eq!(stub.asked(), 3, "the last one is the one that counts");
    let seen = stub.seen.lock().unwrap();
    assert!(seen.iter().any(|text| text.contains("eventflow-deadline: ")));
    assert!(began.elapsed() >= std::time::Duration::from_secs(1), "and it came late enough");
}

/// The lost copy may be done between the refusal and its own deadline.
#[tokio::test]
async fn after_that_nothing_else_is_a_certain_no() {
    for (status, other) in
        [("503 Service Unavailable", "overloaded"), ("503 Service Unavailable", "unavailable")]
    {
        let count = AtomicUsize::new(0);
        let stub = Stub::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
            0 => None,
            1 => problem("409 Conflict", "sold_out"),
            _ => problem(status, other),
        })
        .await;
        let replicas = replicas(&[&stub]);
        with_clock(&replicas, &stub).await;
        let told = code(replicas.call(booking(Some("k"))).await).await;
        assert_eq!(told, (503, "outcome_unknown".into()), "{other}");
    }
}

/// Who does not know the replica's clock cannot bound what becomes of a lost copy.
#[tokio::test]
async fn without_a_clock_a_refusal_after_a_lost_copy_settles_nothing() {
    let count = AtomicUsize::new(0);
    let stub = Stub::start(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => None,
        _ => problem("409 Conflict", "sold_out"),
    })
    .await;
    let told = code(replicas(&[&stub]).call(booking(Some("k"))).await).await;
    assert_eq!(told, (503, "outcome_unknown".into()));
}

#[tokio::test]
async fn hints_lead_the_next_request_home() {
    let owner = Stub::start(|_| answer("201 Created", "", "{}")).await;
    let event = engine::EventId::from(
        crate::wire::parse_id("01a209ef-3c1c-7915-8f5d-e3fce35564ad").unwrap(),
    );
    let hint = format!("eventflow-owner: {} {}\r\n", event.partition(), owner.address);
    let other = Stub::start(move |_| answer("201 Created", &hint, "{}")).await;
    let replicas = replicas(&[&other, &owner]);
    let first = replicas.call(booking(Some("1"))).await;
    assert!(first.headers().get("eventflow-owner").is_none(), "clients do not see it");
    for _ in 0..5 {
        replicas.call(booking(Some("2"))).await;
    }
    assert_eq!((other.asked(), owner.asked()), (1, 5));
}

#[tokio::test]
async fn a_read_that_nobody_answers_is_told_as_unavailable() {
    let dying = Stub::start(|_| None).await;
    let request = Request::get("/bookings").body(Body::empty()).unwrap();
    let told = code(replicas(&[&dying]).call(request).await).await;
    assert_eq!(told, (503, "unavailable".into()), "nothing can have been done");
    assert!(dying.asked() > 3);
}
