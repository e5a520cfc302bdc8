//! Goal: the routes of the auth service as the contract has them. Method: requests
//! straight into the router, accounts in memory, hashes that cost next to nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use api::identity::{TokenIssuer, Verifier, generate_signing_key_pem};
use api::{Clock, Entropy};
use auth::{Options, Parts, Service};
use axum::Router;
use axum::body::{Body, to_bytes};
use engine::Timestamp;
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use storage::memory::MemoryStore;
use tower::ServiceExt;

const START: i64 = 1_763_900_000_000;

struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

#[derive(Default)]
struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let next = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            chunk.copy_from_slice(&next[8 - chunk.len()..]);
        }
    }
}

struct Bench {
    router: Router,
    clock: Arc<HandClock>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Bench {
    fn with(options: &Options) -> Self {
        let clock = Arc::new(HandClock(AtomicI64::new(START)));
        let issuer = Arc::new(TokenIssuer::from_pem(&generate_signing_key_pem([7; 32])).unwrap());
        let verifier = Arc::new(Verifier::new(&[issuer.public_key()], clock.clone()));
        let stores = MemoryStore::new(1).stores();
        let parts = Parts {
            accounts: stores.accounts,
            sessions: stores.sessions,
            issuer,
            verifier,
            clock: clock.clone(),
            entropy: Arc::new(Counter::default()),
        };
        let router = Service::new(options, parts).unwrap().router();
        Self { router, clock }
    }

    fn new() -> Self {
        Self::with(&Options { hash_memory_kib: 8, hash_passes: 1, ..Options::default() })
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn post(&self, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path).header("content-type", content_type);
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn register(&self, body: Value) -> Answer {
        self.post("/auth/register", "application/json", body.to_string()).await
    }

    async fn register_ada(&self) -> Answer {
        let ada = json!({
            "username": "Ada", "email": "ada@example.org", "password": "engines of analysis",
            "full_name": "Ada Lovelace",
        });
        let answer = self.register(ada).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer
    }

    async fn log_in(&self, username: &str, password: &str) -> Answer {
        let body = json!({"username": username, "password": password}).to_string();
        self.post("/auth/login", "application/json", body).await
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }
}

#[tokio::test]
async fn a_new_account_is_answered_as_its_profile() {
    let bench = Bench::new();
    let mut answer = bench.register_ada().await;
    let id = answer.body.as_object_mut().unwrap().remove("id").unwrap();
    assert_eq!(id.as_str().unwrap().as_bytes()[14], b'7', "a UUID of version 7");
    assert_eq!(
        answer.body,
        json!({
            "username": "Ada", "email": "ada@example.org", "full_name": "Ada Lovelace",
            "role": "attendee", "is_active": true, "created_at": "2025-11-23T12:13:20.000Z",
        })
    );
    let plain = json!({"username": "bob", "email": "b@example.org", "password": "long enough"});
    assert_eq!(bench.register(plain).await.body["full_name"], Value::Null);
}

#[tokio::test]
async fn a_taken_name_or_address_is_a_conflict_in_any_case() {
    let bench = Bench::new();
    bench.register_ada().await;
    for (username, email, field) in
        [("aDA", "other@example.org", "username"), ("other", "ADA@example.org", "email")]
    {
        let again = json!({"username": username, "email": email, "password": "long enough"});
        let answer = bench.register(again).await;
        assert_eq!(answer.status, 409);
        assert_eq!(answer.body["code"], "taken");
        assert_eq!(answer.body["errors"][0]["field"], field);
    }
    assert_eq!(bench.log_in("other", "long enough").await.status, 401, "nothing was stored");
}

#[tokio::test]
async fn malformed_registrations_name_all_that_is_wrong() {
    let bench = Bench::new();
    let answer = bench.register(json!({"email": "nowhere", "password": "short", "x": 1})).await;
    assert_eq!(answer.status, 422);
    let fields: Vec<_> =
        answer.body["errors"].as_array().unwrap().iter().map(|e| e["field"].clone()).collect();
    assert_eq!(fields, ["username", "email", "password", "x"]);

    let weak = json!({"username": "ada", "email": "a@example.org", "password": "Password123"});
    let answer = bench.register(weak.clone()).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["errors"][0]["field"]),
        (422, &json!("password"))
    );
    let lenient = Options { refuse_common: false, hash_memory_kib: 8, ..Options::default() };
    assert_eq!(Bench::with(&lenient).register(weak).await.status, 201);

    assert_eq!(bench.post("/auth/register", "application/json", "{").await.status, 400);
    let longest = json!({"username": "ada", "email": "a@example.org", "password": "ä".repeat(128)});
    assert_eq!(bench.register(longest).await.status, 201);
    let longer = json!({"username": "bob", "email": "b@example.org", "password": "x".repeat(129)});
    assert_eq!(bench.register(longer).await.status, 422);
}

#[tokio::test]
async fn one_logs_in_by_form_multipart_or_json() {
    let bench = Bench::new();
    bench.register_ada().await;
    let form = "grant_type=password&username=ada&password=engines+of%20analysis";
    let multipart = "--b\r\ncontent-disposition: form-data; name=\"username\"\r\n\r\nADA@example.org\
                     \r\n--b\r\ncontent-disposition: form-data; name=\"password\"\r\n\r\n\
                     engines of analysis\r\n--b--\r\n";
    let json = r#"{"username":" Ada ","password":"engines of analysis","scope":""}"#;
    for (content_type, body) in [
        ("application/x-www-form-urlencoded", form),
        ("multipart/form-data; boundary=b", multipart),
        ("application/json; charset=utf-8", json),
    ] {
        let answer = bench.post("/auth/login", content_type, body).await;
        assert_eq!(answer.status, 200, "{content_type}: {}", answer.body);
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(answer.body["token_type"], "bearer");
        assert_eq!(answer.body["expires_in"], 600);
        let token = answer.body["access_token"].as_str().unwrap();
        assert_eq!(bench.get("/users/me", token).await.status, 200);
    }
    let answer = bench.post("/auth/login", "text/plain", form).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (415, &json!("unsupported_media_type"))
    );
}

#[tokio::test]
async fn unknown_user_and_wrong_password_are_told_the_same() {
    let bench = Bench::new();
    bench.register_ada().await;
    let wrong = bench.log_in("ada", "engines of synthesis").await;
    assert_eq!(wrong.status, 401);
    assert_eq!(wrong.body["code"], "invalid_credentials");
    for (username, password) in [
        ("nobody", "engines of analysis"),
        ("nobody@example.org", "engines of analysis"),
        ("ada", "x"),
        ("ada", &"x".repeat(10_000)),
    ] {
        let other = bench.log_in(username, password).await;
        assert_eq!((other.status, &other.body), (wrong.status, &wrong.body), "{username}");
    }
}

#[tokio::test]
async fn a_log_in_without_fields_names_them() {
    let bench = Bench::new();
    let form = "application/x-www-form-urlencoded";
    for (content_type, body) in
        [(form, "username="), ("application/json", r#"{"username":null,"password":""}"#)]
    {
        let answer = bench.post("/auth/login", content_type, body).await;
        assert_eq!(answer.status, 422, "{content_type}");
        assert_eq!(answer.body["errors"].as_array().unwrap().len(), 2);
    }
    for (content_type, body, status) in [
        ("application/json", "[1]", 422),
        ("application/json", "{\"username\":1,\"password\":\"x\"}", 422),
        ("application/json", "{", 400),
        ("multipart/form-data; boundary=b", "--b\r\nnothing", 400),
        ("multipart/form-data", "", 400),
    ] {
        let answer = bench.post("/auth/login", content_type, body).await;
        assert_eq!(answer.status, status, "{content_type} {body}");
    }
    let answer = bench.post("/auth/login", form, "x".repeat(100_000)).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn a_token_tells_who_somebody_is_until_it_ends() {
    let bench = Bench::new();
    let registered = bench.register_ada().await.body;
    let login = bench.log_in("ada", "engines of analysis").await.body;
    let token = login["access_token"].as_str().unwrap();
    assert_eq!(bench.get("/users/me", token).await.body, registered);

    let validated = bench.get("/auth/validate", token).await.body;
    assert_eq!(validated["valid"], true);
    assert_eq!(validated["user"], registered);
    for (name, value) in registered.as_object().unwrap() {
        assert_eq!(&validated[name], value, "{name}");
    }

    for path in ["/users/me", "/auth/validate"] {
        let missing = bench.send(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(missing.status, 401);
        assert_eq!(missing.headers["www-authenticate"], "Bearer");
        assert_eq!(bench.get(path, "a.b.c").await.status, 401);
    }
    bench.clock.0.fetch_add(600_000, Ordering::Relaxed);
    assert_eq!(bench.get("/users/me", token).await.status, 401, "its time is over");
}

#[tokio::test]
async fn a_good_token_of_an_account_that_is_gone_is_not_enough() {
    let bench = Bench::new();
    bench.register_ada().await;
    let login = bench.log_in("ada", "engines of analysis").await.body;
    // The same key, other accounts.
    let elsewhere = Bench::new();
    let answer = elsewhere.get("/users/me", login["access_token"].as_str().unwrap()).await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (401, &json!("unauthorized")));
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let bench = Bench::new();
    let answer = bench.get("/auth/nothing", "x").await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (404, &json!("not_found")));
    let answer = bench.get("/auth/login", "x").await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (405, &json!("method_not_allowed")));
}
