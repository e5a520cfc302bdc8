//! Goal: whoever asks is told which part does not work, and the door is closed by what is
//! broken here and by nothing else. Method: services that say what they are told to say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use api::upstream::{Client, Replicas, ReplicasOptions, Secret};
use api::{Upstream, Verifier};
use axum::body::{Body, to_bytes};
use gateway::{Beside, Gateway, Options, Readiness, Upstreams};
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use super::stage::{Fixed, Still};

fn gateway(auth: Upstream, booking: Upstream, catalog: Upstream) -> Gateway {
    with_notification(auth, booking, catalog, fine())
}

fn with_notification(
    auth: Upstream,
    booking: Upstream,
    catalog: Upstream,
    notification: Upstream,
) -> Gateway {
    let upstreams = Upstreams { auth, booking, catalog, notification };
    let verifier = Arc::new(Verifier::new(&[], Arc::new(Still)));
    let readiness = Readiness::default();
    readiness.ready();
    Gateway::new(Options::default(), upstreams, readiness, &Fixed, verifier, Beside::default())
}

/// A service that says of itself what the flag says.
fn says(works: &Arc<AtomicBool>) -> Upstream {
    let works = Arc::clone(works);
    let look = move || {
        let works = works.load(Ordering::SeqCst);
        async move { works }
    };
    api::health::route(look).into()
}

fn fine() -> Upstream {
    says(&Arc::new(AtomicBool::new(true)))
}

async fn asked(gateway: &Gateway, path: &str) -> (u16, Value) {
    let request = http::Request::get(path).body(Body::empty()).unwrap();
    let response = gateway.handle(request).await;
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

/// Long enough that what was seen is looked at again.
async fn later() {
    tokio::time::advance(Duration::from_secs(1)).await;
}

fn whole(status: &str, catalog: &str, booking: &str) -> Value {
    let parts = json!({
        "gateway": "ok", "auth": "ok", "catalog": catalog, "booking": booking,
        "notification": "ok",
    });
    json!({"status": status, "parts": parts})
}

#[tokio::test(start_paused = true)]
async fn a_part_that_fails_is_named_and_closes_the_door() {
    let catalog = Arc::new(AtomicBool::new(true));
    let gateway = gateway(fine(), fine(), says(&catalog));
    assert_eq!(asked(&gateway, "/readyz").await, (200, whole("ok", "ok", "ok")));
    assert_eq!(asked(&gateway, "/health/catalog").await, (200, json!({"status": "ok"})));
    catalog.store(false, Ordering::SeqCst);
    later().await;
    assert_eq!(asked(&gateway, "/readyz").await, (503, whole("failing", "failing", "ok")));
    assert_eq!(asked(&gateway, "/health/catalog").await, (503, json!({"status": "failing"})));
    assert_eq!(asked(&gateway, "/health/auth").await.0, 200);
    assert_eq!(asked(&gateway, "/livez").await.0, 200, "it lives");
    catalog.store(true, Ordering::SeqCst);
    later().await;
    assert_eq!(asked(&gateway, "/health").await, (200, whole("ok", "ok", "ok")));
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_elsewhere_leaves_the_door_open() {
    let client = Client::new(Secret::parse(&"s".repeat(32)).unwrap());
    // Bound, and nobody listens there.
    let nowhere = TcpSocket::new_v4().unwrap();
    nowhere.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = nowhere.local_addr().unwrap().to_string();
    let replicas = Replicas::new(ReplicasOptions::default(), client, &[address]);
    let gateway = gateway(fine(), Upstream::Replicas(replicas.clone()), fine());
    assert_eq!(asked(&gateway, "/readyz").await, (200, whole("ok", "ok", "ok")));
    // Nobody listens there, which is known as soon as somebody has looked.
    let known = async {
        while replicas.healthy() > 0 {
            tokio::task::yield_now().await;
        }
    };
    replicas.run(known).await;
    later().await;
    assert_eq!(asked(&gateway, "/readyz").await, (200, whole("degraded", "ok", "failing")));
    assert_eq!(asked(&gateway, "/health/booking").await.0, 503);
}

#[tokio::test(start_paused = true)]
async fn mail_that_is_down_leaves_the_door_open() {
    let mail = Arc::new(AtomicBool::new(false));
    let gateway = with_notification(fine(), fine(), fine(), says(&mail));
    let (status, body) = asked(&gateway, "/readyz").await;
    assert_eq!((status, &body["status"]), (200, &json!("degraded")));
    assert_eq!(body["parts"]["notification"], "failing");
    assert_eq!(asked(&gateway, "/health/notification").await.0, 503);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_hangs_does_not_hang_the_answer() {
    let hangs = api::health::route(std::future::pending::<bool>);
    let gateway = gateway(hangs.into(), fine(), fine());
    let begun = tokio::time::Instant::now();
    let (status, body) = asked(&gateway, "/readyz").await;
    assert_eq!((status, &body["parts"]["auth"]), (503, &json!("failing")));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn parts_are_looked_at_once_a_second_however_many_ask() {
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = {
        let looks = Arc::clone(&looks);
        api::health::route(move || {
            looks.fetch_add(1, Ordering::SeqCst);
            async { true }
        })
    };
    let gateway = gateway(counted.into(), fine(), fine());
    let asks = (0..50).map(|_| asked(&gateway, "/readyz"));
    futures_util::future::join_all(asks).await;
    assert_eq!(looks.load(Ordering::SeqCst), 1);
    later().await;
    asked(&gateway, "/health/auth").await;
    assert_eq!(looks.load(Ordering::SeqCst), 2);
}
