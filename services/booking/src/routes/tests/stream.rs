//! `/events/{event}/availability/stream`.

use std::time::Duration;

use axum::body::{BodyDataStream, Bytes};
use axum::response::Response;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::stage::{ORGANIZER, Stage, event_id};
use crate::Options;

/// So quick that no test has to wait, and so patient that none ends a stream by accident.
fn options() -> Options {
    Options {
        stream_pause: Duration::from_millis(1),
        stream_heartbeat: Duration::from_secs(600),
        stream_stall: Duration::from_secs(600),
        ..Options::default()
    }
}

/// A client that takes one event after the other.
struct Reader(BodyDataStream);

impl Reader {
    fn of(response: Response) -> Self {
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        Self(response.into_body().into_data_stream())
    }

    async fn next(&mut self) -> Option<String> {
        let next = timeout(Duration::from_secs(10), self.0.next()).await.expect("in time");
        next.map(|bytes: Result<Bytes, _>| String::from_utf8(bytes.unwrap().to_vec()).unwrap())
    }

    /// The next update: its id and its data.
    async fn update(&mut self) -> (u64, Value) {
        let text = self.next().await.expect("the stream goes on");
        let rest = text.strip_prefix("id: ").unwrap_or_else(|| panic!("{text}"));
        let (id, rest) = rest.split_once("\nevent: availability\ndata: ").unwrap();
        (id.parse().unwrap(), serde_json::from_str(rest.strip_suffix("\n\n").unwrap()).unwrap())
    }

    async fn last(&mut self, why: &str) {
        let text = self.next().await.expect("a last event");
        assert!(text.starts_with("event: closed\ndata: ") && text.contains(why), "{text}");
        assert_eq!(self.next().await, None);
    }
}

#[tokio::test]
async fn the_state_comes_first_and_then_each_change() {
    let stage = Stage::with(options()).await;
    stage.open(1, 3).await;
    let mut reader = Reader::of(stage.open_stream(1).await);
    let path = format!("/events/{}/availability", event_id(1));
    let (id, data) = reader.update().await;
    assert_eq!((id, data), (1, stage.anonymous(&path).await.json()));
    for who in 2..=4 {
        stage.book(who, 1, json!({}), &[]).await;
        let (id, data) = reader.update().await;
        assert_eq!(data, stage.anonymous(&path).await.json(), "the same as the plain answer");
        assert_eq!((id, &data["booked"]), (u64::from(who), &json!(who - 1)));
    }
    // A second reader begins with what is there now.
    assert_eq!(Reader::of(stage.open_stream(1).await).update().await.0, 4);
}

#[tokio::test]
async fn changes_that_nobody_took_are_told_together() {
    let stage = Stage::with(options()).await;
    stage.open(1, 100).await;
    let mut reader = Reader::of(stage.open_stream(1).await);
    for who in 2..=60 {
        stage.book(who, 1, json!({}), &[]).await;
    }
    let mut updates = 0;
    loop {
        updates += 1;
        if reader.update().await.0 == 60 {
            break;
        }
    }
    assert!(updates <= 4, "{updates} for 59 bookings: more than two were waiting");
}

#[tokio::test]
async fn a_stream_ends_with_its_event() {
    let stage = Stage::with(options()).await;
    stage.open(1, 3).await;
    let mut reader = Reader::of(stage.open_stream(1).await);
    assert_eq!(reader.update().await.0, 1);
    stage.cancel_event(ORGANIZER, 1, None).await;
    let (id, data) = reader.update().await;
    assert_eq!((id, &data["free"], &data["available"]), (2, &json!(0), &json!(0)));
    reader.last("cancelled").await;
    assert_eq!(stage.open_stream(1).await.status(), 404);
    assert_eq!(stage.open_stream(9).await.status(), 404, "unknown");
    drop(reader);
    forgotten(&stage).await;
}

#[tokio::test]
async fn a_stream_ends_at_once_when_the_process_stops() {
    let stage = Stage::with(options()).await;
    stage.open(1, 3).await;
    let mut reader = Reader::of(stage.open_stream(1).await);
    reader.update().await;
    stage.system().end_watches();
    reader.last("stopping").await;
    assert_eq!(stage.open_stream(1).await.status(), 503);
}

#[tokio::test]
async fn whoever_takes_nothing_is_dropped_and_told_why() {
    let slow = Options { stream_stall: Duration::from_millis(20), ..options() };
    let stage = Stage::with(slow).await;
    stage.open(1, 3).await;
    let mut reader = Reader::of(stage.open_stream(1).await);
    stage.book(2, 1, json!({}), &[]).await;
    forgotten(&stage).await;
    assert_eq!(reader.update().await.0, 1);
    reader.last("slowly").await;
}

#[tokio::test]
async fn a_quiet_stream_says_that_it_is_there() {
    let lively = Options { stream_heartbeat: Duration::from_millis(5), ..options() };
    let stage = Stage::with(lively).await;
    stage.open(1, 3).await;
    let mut reader = Reader::of(stage.open_stream(1).await);
    reader.update().await;
    for _ in 0..3 {
        assert!(reader.next().await.unwrap().starts_with(": "), "a comment");
    }
    stage.book(2, 1, json!({}), &[]).await;
    let mut text = reader.next().await.unwrap();
    while text.starts_with(": ") {
        text = reader.next().await.unwrap();
    }
    assert!(text.starts_with("id: 2\n"), "{text}");
}

#[tokio::test]
async fn streams_are_bounded_and_a_reader_that_left_is_forgotten() {
    let stage = Stage::with(Options { streams_per_event: 1, ..options() }).await;
    stage.open(1, 3).await;
    let first = stage.open_stream(1).await;
    let refused = stage.open_stream(1).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(stage.system().watched(), 1);
    drop(first);
    forgotten(&stage).await;
    assert_eq!(stage.open_stream(1).await.status(), 200);
}

/// Waits until no event is watched any more.
async fn forgotten(stage: &Stage) {
    let waiting = async {
        while stage.system().watched() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(10), waiting).await.expect("nobody is remembered");
}
