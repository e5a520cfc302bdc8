//! `GET /events`

use harness::client::Ask;
use harness::events::{description, next_page};
use serde_json::{Value, json};

use crate::stage::{Stage, granted, new_id, problem, text};

/// Three events whose titles and places share a word that no other test has.
async fn three(stage: &mut Stage) -> (String, Vec<Value>) {
    let word = format!("w{}", &new_id().simple().to_string()[..12]);
    let person = stage.person();
    let mut events = Vec::new();
    for (title, place, day) in
        [("First", "Bremen", "03"), ("Second", "Berlin", "01"), ("Third", "Bremen", "02")]
    {
        let mut body = description(&format!("{title} {word}"), 7);
        body["location"] = json!(format!("{place} {word}"));
        body["start_time"] = json!(format!("2099-07-{day}T10:00:00Z"));
        body["end_time"] = json!(format!("2099-07-{day}T12:00:00Z"));
        let ask = Ask::post("/events").token(&person.token).json(&body);
        events.push(granted(stage.ask(ask).await, 201));
    }
    (word, events)
}

async fn titles(stage: &mut Stage, query: &str) -> Vec<String> {
    let list = granted(stage.ask(Ask::get(format!("/events?{query}"))).await, 200);
    list.as_array().unwrap().iter().map(|event| text(event, "title")).collect()
}

#[tokio::test]
async fn lists_are_bare_and_in_the_order_of_time() {
    let mut stage = Stage::new().await;
    let (word, events) = three(&mut stage).await;
    let list = granted(stage.ask(Ask::get(format!("/events?title={word}"))).await, 200);
    assert_eq!(list, json!([events[1], events[2], events[0]]));
}

#[tokio::test]
async fn filters_find_parts_in_any_case() {
    let mut stage = Stage::new().await;
    let (word, _) = three(&mut stage).await;
    let upper = word.to_uppercase();
    let of = |names: &[&str]| names.iter().map(|name| format!("{name} {word}")).collect::<Vec<_>>();
    assert_eq!(titles(&mut stage, &format!("title=first%20{upper}")).await, of(&["First"]));
    assert_eq!(titles(&mut stage, &format!("name=SECOND+{word}")).await, of(&["Second"]));
    let in_bremen = titles(&mut stage, &format!("location=bremen%20{word}")).await;
    assert_eq!(in_bremen, of(&["Third", "First"]));
    let both = titles(&mut stage, &format!("title=third&location={word}")).await;
    assert_eq!(both, of(&["Third"]));
    assert!(titles(&mut stage, "title=no-such-title-anywhere").await.is_empty());
    // What has a meaning in patterns has none here.
    for wild in ["%25", "_", "*", ".%2A"] {
        assert!(titles(&mut stage, &format!("title={wild}{word}")).await.is_empty(), "{wild}");
    }
}

#[tokio::test]
async fn pages_follow_each_other() {
    let mut stage = Stage::new().await;
    let (word, events) = three(&mut stage).await;
    let first = stage.ask(Ask::get(format!("/events?title={word}&limit=2"))).await;
    let next = next_page(&first).expect("a link to the next page");
    assert_eq!(granted(first, 200), json!([events[1], events[2]]));
    let second = stage.ask(Ask::get(next)).await;
    assert_eq!(next_page(&second), None);
    assert_eq!(granted(second, 200), json!([events[0]]));
    let skipped = titles(&mut stage, &format!("title={word}&skip=1&limit=1")).await;
    assert_eq!(skipped, [text(&events[2], "title")]);
    assert!(titles(&mut stage, &format!("title={word}&skip=3")).await.is_empty());
}

#[tokio::test]
async fn counts_in_lists_are_live() {
    let mut stage = Stage::new().await;
    let (word, events) = three(&mut stage).await;
    stage.booked(text(&events[0], "id").parse().unwrap()).await;
    let ask = Ask::get(format!("/events?title=first%20{word}"));
    let list = granted(stage.ask(ask).await, 200);
    assert_eq!((&list[0]["booked"], &list[0]["available"]), (&json!(1), &json!(6)));
}

#[tokio::test]
async fn limits_are_kept() {
    let mut stage = Stage::new().await;
    for query in ["limit=0", "limit=101", "limit=many", "skip=-1", "skip=x"] {
        let answer = stage.ask(Ask::get(format!("/events?{query}"))).await;
        problem(answer, 422, "validation_failed");
    }
}
