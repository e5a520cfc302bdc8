//! Goal: what the gateway promises of every request, whoever answers it. Method:
//! requests straight into it; the upstreams echo what reached them.

use std::sync::Arc;
use std::time::Duration;

use api::headers::Peer;
use api::{Upstream, Verifier};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use gateway::{Beside, Gateway, Options, Readiness, Upstreams};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::sync::Notify;

use super::stage::{Fixed, Still};

/// Answers with its own name and the request's headers as they arrived.
fn echo(name: &'static str) -> Upstream {
    let echo = move |request: Request| async move {
        let mut response = name.into_response();
        for (header, value) in request.headers() {
            let echoed = format!("echo-{header}").parse::<http::HeaderName>().unwrap();
            response.headers_mut().insert(echoed, value.clone());
        }
        response
    };
    Upstream::from(Router::new().fallback(echo))
}

fn gateway_with(options: Options, catalog: impl Into<Upstream>) -> Gateway {
    let upstreams = Upstreams {
        auth: echo("auth"),
        booking: echo("booking"),
        catalog: catalog.into(),
        notification: echo("notification"),
    };
    let verifier = Arc::new(Verifier::new(&[], Arc::new(Still)));
    Gateway::new(options, upstreams, Readiness::default(), &Fixed, verifier, Beside::default())
}

fn gateway() -> Gateway {
    gateway_with(Options::default(), echo("catalog"))
}

fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request {
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

async fn problem(response: Response) -> (StatusCode, String) {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let status = response.status();
    let body: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(body["status"], status.as_u16());
    (status, body["code"].as_str().unwrap().to_owned())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn requests_reach_the_upstream_of_their_path() {
    for (path, upstream) in [
        ("/auth/login", "auth"),
        ("/users/me", "auth"),
        ("/bookings/holds", "booking"),
        ("/events/1/availability", "booking"),
        ("/events?title=x", "catalog"),
    ] {
        let response = gateway().handle(request("GET", path, &[])).await;
        assert_eq!(text(response).await, upstream, "{path}");
    }
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_a_problem() {
    for path in ["/openapi.json", "/internal/headers", "/metrics", "/users/1"] {
        let answer = problem(gateway().handle(request("GET", path, &[])).await).await;
        assert_eq!(answer, (StatusCode::NOT_FOUND, "not_found".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn pages_are_answered_by_the_gateway_itself() {
    let gateway = gateway().with_document(Bytes::from_static(b"{\"openapi\":\"3.1.0\"}"));
    for path in ["/", "/docs", "/openapi.json"] {
        let response = gateway.handle(request("GET", path, &[])).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert!(header(response.headers(), "x-request-id").is_some());
        let tag = header(response.headers(), "etag").unwrap().to_owned();
        let known = gateway.handle(request("GET", path, &[("if-none-match", &tag)])).await;
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED, "{path}");
        let head = gateway.handle(request("HEAD", path, &[])).await;
        assert_eq!(head.status(), StatusCode::OK, "{path}");
        let response = gateway.handle(request("POST", path, &[])).await;
        assert_eq!(header(response.headers(), "allow"), Some("GET, HEAD"), "{path}");
        assert_eq!(problem(response).await.1, "method_not_allowed", "{path}");
    }
    // A page may run its own script; the document is as closed as every other answer.
    for (path, open) in [("/docs", true), ("/openapi.json", false)] {
        let response = gateway.handle(request("GET", path, &[])).await;
        let policy = header(response.headers(), "content-security-policy").unwrap();
        assert_eq!(policy.contains("script-src 'sha256-"), open, "{policy}");
    }
}

#[tokio::test]
async fn what_an_upstream_refuses_without_a_word_becomes_a_problem() {
    let catalog = Router::new()
        .route("/events", get(|| async { "list" }))
        .route("/events/broken", get(|| async { StatusCode::BAD_GATEWAY }));
    let gateway = gateway_with(Options::default(), catalog);
    let response = gateway.handle(request("DELETE", "/events", &[])).await;
    assert_eq!(header(response.headers(), "allow"), Some("GET,HEAD"));
    assert_eq!(problem(response).await.1, "method_not_allowed");
    let response = gateway.handle(request("GET", "/events/1/2/3", &[])).await;
    assert_eq!(problem(response).await.1, "not_found");
    let response = gateway.handle(request("GET", "/events/broken", &[])).await;
    assert_eq!(problem(response).await, (StatusCode::INTERNAL_SERVER_ERROR, "internal".into()));
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_end_of_that_request_only() {
    let catalog = Router::new().route("/events", get(|| async { panic!("oh") as () }));
    let gateway = gateway_with(Options::default(), catalog);
    let response = gateway.handle(request("GET", "/events", &[])).await;
    assert!(response.headers().contains_key("x-request-id"));
    assert_eq!(problem(response).await, (StatusCode::INTERNAL_SERVER_ERROR, "internal".into()));
    assert_eq!(text(gateway.handle(request("GET", "/bookings", &[])).await).await, "booking");
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let gateway = gateway();
    let given = [("x-request-id", "abc-1")];
    let response = gateway.handle(request("GET", "/events", &given)).await;
    assert_eq!(header(response.headers(), "x-request-id"), Some("abc-1"));
    assert_eq!(header(response.headers(), "echo-x-request-id"), Some("abc-1"));

    let strange = [("x-request-id", "a b;c")];
    let response = gateway.handle(request("GET", "/events", &strange)).await;
    let made = header(response.headers(), "x-request-id").unwrap().to_owned();
    assert_eq!(made.len(), 32);
    assert_eq!(header(response.headers(), "echo-x-request-id"), Some(&*made));
    let response = gateway.handle(request("GET", "/nowhere", &[])).await;
    assert_ne!(header(response.headers(), "x-request-id"), Some(&*made));
}

#[tokio::test]
async fn nobody_outside_speaks_our_internal_headers() {
    let smuggled = [
        ("eventflow-key-origin", "edge"),
        ("EventFlow-Hops", "0"),
        ("idempotency-key", "mine"),
        ("event", "stays"),
    ];
    let response = gateway().handle(request("POST", "/bookings", &smuggled)).await;
    let echoed: Vec<_> =
        response.headers().keys().filter(|name| name.as_str().contains("eventflow")).collect();
    assert!(echoed.is_empty(), "{echoed:?}");
    assert_eq!(header(response.headers(), "echo-event"), Some("stays"));
    assert_eq!(header(response.headers(), "echo-idempotency-key"), Some("mine"));
}

#[tokio::test]
async fn a_write_without_a_key_gets_one() {
    let gateway = gateway();
    for (method, path) in [
        ("POST", "/bookings"),
        ("DELETE", "/bookings/1"),
        ("PATCH", "/bookings/holds/1"),
        ("POST", "/events"),
        ("PUT", "/events/1"),
        ("POST", "/notifications/send"),
    ] {
        let response = gateway.handle(request(method, path, &[])).await;
        let headers = response.headers();
        let key = header(headers, "idempotency-key").expect(path);
        assert_eq!(header(headers, "echo-idempotency-key"), Some(key), "{path}");
        assert_eq!(header(headers, "echo-eventflow-key-origin"), Some("edge"), "{path}");
        let again = gateway.handle(request(method, path, &[])).await;
        assert_ne!(header(again.headers(), "idempotency-key"), Some(key), "{path}");
    }
    for (method, path) in [
        ("GET", "/bookings"),
        ("POST", "/auth/login"),
        ("HEAD", "/events"),
        ("POST", "/notifications/resend"),
    ] {
        let response = gateway.handle(request(method, path, &[])).await;
        assert_eq!(header(response.headers(), "idempotency-key"), None, "{method} {path}");
        assert_eq!(header(response.headers(), "echo-idempotency-key"), None, "{method} {path}");
    }
    let own = [("idempotency-key", "mine")];
    let response = gateway.handle(request("POST", "/bookings", &own)).await;
    assert_eq!(header(response.headers(), "idempotency-key"), Some("mine"));
    assert_eq!(header(response.headers(), "echo-eventflow-key-origin"), None);
}

#[tokio::test]
async fn a_body_is_bounded_announced_or_not() {
    let catalog = Router::new().route("/events", post(|body: String| async { body }));
    let options = Options { max_body_bytes: 8, ..Options::default() };
    let gateway = gateway_with(options, catalog);
    let post = |body: Body| gateway.handle(http::Request::post("/events").body(body).unwrap());
    let chunked = |text: &'static str| {
        let chunks = text.as_bytes().chunks(3).map(Ok::<_, std::convert::Infallible>);
        Body::from_stream(futures_util::stream::iter(chunks))
    };
    assert_eq!(text(post(Body::from("12345678")).await).await, "12345678");
    assert_eq!(text(post(chunked("12345678")).await).await, "12345678");
    for body in [Body::from("123456789"), chunked("123456789")] {
        let answer = problem(post(body).await).await;
        assert_eq!(answer, (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_takes_too_long_is_not_waited_for() {
    let stuck = || async { std::future::pending::<()>().await };
    let catalog = Router::new().route("/events", get(stuck).post(stuck));
    let options = Options { request_timeout: Duration::from_secs(30), ..Options::default() };
    let gateway = gateway_with(options, catalog);
    let response = gateway.handle(request("GET", "/events", &[])).await;
    assert_eq!(header(response.headers(), "retry-after"), Some("1"));
    assert_eq!(problem(response).await, (StatusCode::SERVICE_UNAVAILABLE, "timeout".into()));
    let own = [("idempotency-key", "mine")];
    let response = gateway.handle(request("POST", "/events", &own)).await;
    assert_eq!(header(response.headers(), "idempotency-key"), Some("mine"), "to repeat with");
    assert_eq!(problem(response).await.1, "outcome_unknown");
}

#[tokio::test]
async fn a_browser_may_ask_from_any_page() {
    let asked = [("origin", "https://a.example"), ("access-control-request-method", "POST")];
    let response = gateway().handle(request("OPTIONS", "/bookings", &asked)).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    let headers = response.headers();
    assert_eq!(header(headers, "access-control-allow-origin"), Some("*"));
    assert!(header(headers, "access-control-allow-methods").unwrap().contains("DELETE"));
    assert!(header(headers, "access-control-allow-headers").unwrap().contains("idempotency-key"));
    assert_eq!(header(headers, "access-control-allow-credentials"), None);

    let page = [("origin", "https://a.example")];
    for path in ["/events", "/nowhere"] {
        let response = gateway().handle(request("GET", path, &page)).await;
        assert_eq!(header(response.headers(), "access-control-allow-origin"), Some("*"), "{path}");
    }
    let response = gateway().handle(request("GET", "/events", &[])).await;
    assert_eq!(header(response.headers(), "access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_list_of_origins_leaves_others_out() {
    let cors_origins = vec!["https://a.example".to_owned()];
    let gateway = gateway_with(Options { cors_origins, ..Options::default() }, echo("catalog"));
    for (origin, allowed) in
        [("https://a.example", Some("https://a.example")), ("https://b.example", None)]
    {
        let response = gateway.handle(request("GET", "/events", &[("origin", origin)])).await;
        assert_eq!(header(response.headers(), "access-control-allow-origin"), allowed);
        assert_eq!(header(response.headers(), "vary"), Some("origin"));
    }
}

#[tokio::test]
async fn health_follows_the_process() {
    let readiness = Readiness::default();
    let upstreams = Upstreams {
        auth: echo("auth"),
        booking: echo("booking"),
        catalog: echo("catalog"),
        notification: echo("notification"),
    };
    let verifier = Arc::new(Verifier::new(&[], Arc::new(Still)));
    let gateway = Gateway::new(
        Options::default(),
        upstreams,
        readiness.clone(),
        &Fixed,
        verifier,
        Beside::default(),
    );
    let check = async |path: &str| gateway.handle(request("GET", path, &[])).await.status();
    let expect = async |ready: u16| {
        assert_eq!(check("/readyz").await, ready);
        assert_eq!(check("/health").await, ready);
        assert_eq!(check("/livez").await, 200);
    };
    expect(503).await;
    readiness.ready();
    expect(200).await;
    readiness.draining();
    expect(503).await;
    let response = gateway.handle(request("POST", "/health", &[])).await;
    assert_eq!(header(response.headers(), "allow"), Some("GET, HEAD"));
    assert_eq!(problem(response).await.1, "method_not_allowed");
}

#[tokio::test]
async fn the_router_is_the_same_door() {
    use tower::ServiceExt;
    let response = gateway().router().oneshot(request("GET", "/events/1", &[])).await.unwrap();
    assert_eq!(text(response).await, "catalog");
}

#[tokio::test]
async fn when_too_much_is_under_way_the_next_one_is_refused_at_once() {
    let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (arrived, go_on) = (Arc::clone(&arrived), Arc::clone(&go_on));
        Router::new().route(
            "/events",
            get(move || async move {
                arrived.notify_one();
                go_on.notified().await;
                "late"
            }),
        )
    };
    let gateway = gateway_with(Options { max_in_flight: 1, ..Options::default() }, slow);
    let first = tokio::spawn(gateway.handle(request("GET", "/events", &[])));
    arrived.notified().await;
    let response = gateway.handle(request("GET", "/bookings", &[])).await;
    assert_eq!(header(response.headers(), "retry-after"), Some("1"));
    assert_eq!(problem(response).await, (StatusCode::SERVICE_UNAVAILABLE, "overloaded".into()));
    assert_eq!(gateway.handle(request("GET", "/livez", &[])).await.status(), 200);
    go_on.notify_one();
    assert_eq!(text(first.await.unwrap()).await, "late");
    assert_eq!(gateway.handle(request("GET", "/bookings", &[])).await.status(), 200);
}

#[tokio::test]
async fn the_address_is_the_peers_and_nobody_elses_word() {
    let gateway = gateway();
    let from = |path: &str, peer: &str, headers: &[(&str, &str)]| {
        let mut request = request("GET", path, headers);
        request.extensions_mut().insert(Peer(peer.parse().unwrap()));
        request
    };
    let forged = [("eventflow-client-address", "198.51.100.9"), ("x-forwarded-for", "1.1.1.1")];
    let response = gateway.handle(from("/auth/validate", "192.0.2.1", &forged)).await;
    assert_eq!(header(response.headers(), "echo-eventflow-client-address"), Some("192.0.2.1"));
    let behind = Options { trusted_proxies: vec!["192.0.2.0/24".into()], ..Options::default() };
    let behind = gateway_with(behind, echo("catalog"));
    let response = behind.handle(from("/auth/validate", "192.0.2.1", &forged)).await;
    assert_eq!(header(response.headers(), "echo-eventflow-client-address"), Some("1.1.1.1"));
    let response = gateway.handle(from("/events", "192.0.2.1", &forged)).await;
    assert_eq!(header(response.headers(), "echo-eventflow-client-address"), None);
}
