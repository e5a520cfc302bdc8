//! Goal: the figures are there for those who may see them, in time, and for nobody else in any
//! way. Method: requests straight into the gateway.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use api::headers::Peer;
use api::{Upstream, Verifier};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use futures_util::future::BoxFuture;
use gateway::{Beside, Figures, Gateway, Options, Readiness, Upstreams};
use serde_json::Value;
use tokio::time::timeout;

use super::stage::{Fixed, Still};

/// Who may see them.
const READER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// What is answered to a reader.
const TEXT: &str = "things 1\n";

fn gateway(write: impl Fn() -> BoxFuture<'static, String> + Send + Sync + 'static) -> Gateway {
    let part = || Upstream::from(Router::new());
    let upstreams =
        Upstreams { auth: part(), booking: part(), catalog: part(), notification: part() };
    let verifier = Arc::new(Verifier::new(&[], Arc::new(Still)));
    let figures = Some(Figures::new(write, &[READER.to_string()]));
    let beside = Beside { routes: Vec::new(), figures };
    Gateway::new(Options::default(), upstreams, Readiness::default(), &Fixed, verifier, beside)
}

fn at_once() -> BoxFuture<'static, String> {
    Box::pin(async { TEXT.to_owned() })
}

async fn asked(
    gateway: &Gateway,
    from: IpAddr,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
) -> Response {
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request: Request = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(Peer(from));
    gateway.handle(request).await
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap()
}

/// What is not there, in every way but its request's id.
async fn is_nowhere(response: Response) {
    assert_eq!(response.status(), 404);
    let allowed: Vec<_> =
        response.headers().keys().filter(|name| name.as_str().starts_with("access-")).collect();
    assert!(allowed.is_empty() && !response.headers().contains_key("allow"), "{allowed:?}");
    let body: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(body["code"], "not_found");
}

#[tokio::test]
async fn a_reader_can_read_and_nothing_else() {
    let gateway = gateway(at_once);
    let response = asked(&gateway, READER, ("GET", "/metrics"), &[]).await;
    assert_eq!(text(response).await, TEXT);
    let response = asked(&gateway, READER, ("POST", "/metrics"), &[]).await;
    assert_eq!(response.status(), 405);
}

#[tokio::test]
async fn to_a_stranger_there_is_nothing_by_any_method() {
    let gateway = gateway(at_once);
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
        let response = asked(&gateway, STRANGER, (method, "/metrics"), &[]).await;
        assert_eq!(response.status(), 404, "{method}");
        if method != "HEAD" {
            is_nowhere(response).await;
        }
    }
}

#[tokio::test]
async fn no_page_can_read_them_in_a_readers_browser() {
    let gateway = gateway(at_once);
    let page = ("origin", "https://a.example");
    is_nowhere(asked(&gateway, READER, ("GET", "/metrics"), &[page]).await).await;
    let cross = ("sec-fetch-site", "cross-site");
    is_nowhere(asked(&gateway, READER, ("GET", "/metrics"), &[cross]).await).await;
    let question = [page, ("access-control-request-method", "GET")];
    is_nowhere(asked(&gateway, READER, ("OPTIONS", "/metrics"), &question).await).await;
    // Such a question about everything else is answered.
    let response = asked(&gateway, READER, ("OPTIONS", "/livez"), &question).await;
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
}

#[tokio::test(start_paused = true)]
async fn they_are_not_waited_for_for_ever() {
    let gateway = gateway(|| Box::pin(std::future::pending()));
    let asked = asked(&gateway, READER, ("GET", "/metrics"), &[]);
    let response = timeout(Options::default().request_timeout * 2, asked).await.expect("in time");
    assert_eq!(response.status(), 503);
    let body: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(body["code"], "timeout");
}
