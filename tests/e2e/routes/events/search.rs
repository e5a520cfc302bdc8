//! `GET /events/search`, and the filters and orders of `GET /events`

use harness::client::Ask;
use harness::events::{description, next_page};
use serde_json::{Value, json};

use crate::stage::{Stage, granted, new_id, problem, text, wrong_field};

/// A word that no other test has.
fn word() -> String {
    format!("w{}", &new_id().simple().to_string()[..12])
}

async fn create(stage: &mut Stage, changes: &[(&str, Value)]) -> Value {
    let person = stage.person();
    let mut body = description("Plain", 5);
    for (name, value) in changes {
        body[*name] = value.clone();
    }
    granted(stage.ask(Ask::post("/events").token(&person.token).json(&body)).await, 201)
}

async fn found(stage: &mut Stage, path: &str) -> Vec<String> {
    let list = granted(stage.ask(Ask::get(path.to_owned())).await, 200);
    list.as_array().unwrap().iter().map(|event| text(event, "title")).collect()
}

#[tokio::test]
async fn the_best_match_comes_first() {
    let mut stage = Stage::new().await;
    let word = word();
    let a = [("title", json!("A")), ("description", json!(format!("of {word}")))];
    create(&mut stage, &a).await;
    create(&mut stage, &[("title", json!("B")), ("location", json!(format!("Hall {word}")))]).await;
    create(&mut stage, &[("title", json!(format!("C {word}")))]).await;
    let path = format!("/events/search?query={word}");
    let in_title = format!("C {word}");
    assert_eq!(found(&mut stage, &path).await, [in_title.as_str(), "B", "A"]);
    let upper = format!("/events/search?query={}+hall", word.to_uppercase());
    assert_eq!(found(&mut stage, &upper).await, ["B"]);
    let beginning = format!("/events/search?query={}", &word[..word.len() - 2]);
    assert!(found(&mut stage, &beginning).await.contains(&"A".to_owned()));
    let page = stage.ask(Ask::get(format!("{path}&limit=2"))).await;
    let next = next_page(&page).expect("a next page");
    assert_eq!(found(&mut stage, &next).await, ["A"]);
    let filtered = format!("/events?q={word}&sort=title");
    assert_eq!(found(&mut stage, &filtered).await, ["A", "B", in_title.as_str()]);
}

#[tokio::test]
async fn accents_do_not_matter_and_signs_mean_nothing() {
    let mut stage = Stage::new().await;
    let word = word();
    create(&mut stage, &[("title", json!(format!("Fête {word}")))]).await;
    let path = format!("/events/search?query=fete%20{word}");
    assert_eq!(found(&mut stage, &path).await.len(), 1);
    for signs in ["%22", "*", "title:", "NEAR(", ")", "^", "-", "%00", "OR%20%22"] {
        found(&mut stage, &format!("/events/search?query={signs}{word}")).await;
    }
    for nothing in ["", "?query=", "?query=%22%2A", "?other=x"] {
        let ask = Ask::get(format!("/events/search{nothing}"));
        wrong_field(stage.ask(ask).await, "query");
    }
    wrong_field(stage.ask(Ask::get("/events?q=%22")).await, "q");
}

#[tokio::test]
async fn each_filter_takes_what_it_says() {
    let mut stage = Stage::new().await;
    let word = word();
    let title = |name: &str| ("title", json!(format!("{name} {word}")));
    let cheap = create(&mut stage, &[title("cheap"), ("price", json!(9.99))]).await;
    let dear =
        [title("dear"), ("price", json!(100)), ("start_time", json!("2098-03-01T10:00:00Z"))];
    create(&mut stage, &dear).await;
    let list = async |stage: &mut Stage, filter: &str| {
        let list = found(stage, &format!("/events?title={word}&sort=title&{filter}")).await;
        list.iter().map(|title| title.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list(&mut stage, "min_price=9.99").await, ["cheap", "dear"]);
    assert_eq!(list(&mut stage, "min_price=10").await, ["dear"]);
    assert_eq!(list(&mut stage, "max_price=99.99").await, ["cheap"]);
    let starts = text(&cheap, "start_time");
    assert_eq!(list(&mut stage, &format!("starts_before={starts}")).await, ["dear"]);
    let later = "starts_after=2098-03-01T11:00:00%2B01:00&starts_before=2098-03-01T10:00:00.001Z";
    assert_eq!(list(&mut stage, later).await, ["dear"]);
    let organizer = text(&cheap, "organizer_id");
    assert_eq!(list(&mut stage, &format!("organizer_id={organizer}")).await, ["cheap"]);
    for yes in ["true", "1", "TRUE", "True"] {
        assert_eq!(list(&mut stage, &format!("is_active={yes}")).await, ["cheap", "dear"]);
    }
    assert!(list(&mut stage, "is_active=0").await.is_empty());
    for wrong in [
        "is_active=yes",
        "has_seats=2",
        "starts_after=tomorrow",
        "starts_before=99",
        "min_price=-1",
        "max_price=1.999",
        "sort=colour",
        "sort=--price",
    ] {
        let name = wrong.split('=').next().unwrap();
        wrong_field(stage.ask(Ask::get(format!("/events?{wrong}"))).await, name);
    }
    let not_an_id = stage.ask(Ask::get("/events?organizer_id=7")).await;
    problem(not_an_id, 400, "invalid_query");
}

#[tokio::test]
async fn has_seats_is_what_a_newcomer_can_book() {
    let mut stage = Stage::new().await;
    let word = word();
    let mut ids = Vec::new();
    for n in 0..6 {
        let title = ("title", json!(format!("{n} {word}")));
        let event = create(&mut stage, &[title, ("capacity", json!(1))]).await;
        ids.push(text(&event, "id"));
    }
    for full in [0, 2, 3] {
        stage.booked(ids[full].parse().unwrap()).await;
    }
    let path = |filter: &str| format!("/events?title={word}&sort=title&{filter}");
    let numbers = async |stage: &mut Stage, path: &str| {
        let list = found(stage, path).await;
        list.iter().map(|title| title[..1].parse::<usize>().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&mut stage, &path("has_seats=true")).await, [1, 4, 5]);
    assert_eq!(numbers(&mut stage, &path("has_seats=false")).await, [0, 2, 3]);
    assert_eq!(numbers(&mut stage, &path("has_seats=true&skip=1&limit=1")).await, [4]);
    let mut walked = Vec::new();
    let mut next = Some(path("has_seats=true&limit=1"));
    while let Some(page) = next {
        let answer = stage.ask(Ask::get(page.clone())).await;
        next = next_page(&answer);
        walked.extend(numbers(&mut stage, &page).await);
    }
    assert_eq!(walked, [1, 4, 5]);
}

#[tokio::test]
async fn a_walk_by_cursor_sees_each_event_once_while_others_come() {
    let mut stage = Stage::new().await;
    let mut word = word();
    for sort in ["start_time", "-start_time", "created_at", "price", "-price", "title", "-title"] {
        word = self::word();
        let mut expected = Vec::new();
        for n in 0..5 {
            let title = ("title", json!(format!("b{n} {word}")));
            create(&mut stage, &[title, ("price", json!(n / 2))]).await;
            expected.push(format!("b{n} {word}"));
        }
        let mut next = Some(format!("/events?title={word}&limit=2&sort={sort}"));
        let mut seen = Vec::new();
        while let Some(page) = next {
            let answer = stage.ask(Ask::get(page.clone())).await;
            next = next_page(&answer);
            let list = granted(answer, 200);
            seen.extend(list.as_array().unwrap().iter().map(|event| text(event, "title")));
            // One that sorts before everything, in every ascending order.
            let newcomer = [("title", json!(format!("a{} {word}", seen.len())))];
            create(&mut stage, &newcomer).await;
        }
        let mut old: Vec<_> = seen.iter().filter(|title| title.starts_with('b')).collect();
        if sort == "title" {
            assert!(old.is_sorted(), "{old:?}");
        }
        old.sort();
        assert_eq!(old, expected.iter().collect::<Vec<_>>(), "{sort}");
    }
    let first = stage.ask(Ask::get(format!("/events?title={word}&limit=2"))).await;
    let next = next_page(&first).expect("a next page");
    for other in [format!("{next}&sort=price"), next.replace(&word, "other")] {
        problem(stage.ask(Ask::get(other)).await, 400, "invalid_query");
    }
    problem(stage.ask(Ask::get("/events?cursor=AAAA")).await, 400, "invalid_query");
}
