//! `GET /events/{eventId}/bookings` = `GET /bookings/event/{eventId}`

use harness::client::Ask;
use harness::events::{list, next_page};
use harness::people::Person;
use uuid::Uuid;

use crate::stage::{Stage, granted, new_id, problem, text};

fn both(person: &Person, event: Uuid, query: &str) -> [Ask; 2] {
    [format!("/events/{event}/bookings{query}"), format!("/bookings/event/{event}{query}")]
        .map(|path| Ask::get(path).token(&person.token))
}

#[tokio::test]
async fn organizers_and_admins_see_all_newest_first() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(2).await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.insert(0, stage.booked(event).await.1);
    }
    for person in [organizer.clone(), stage.admin()] {
        for ask in both(&person, event, "") {
            let rows = granted(stage.ask(ask).await, 200);
            let rows = rows.as_array().unwrap();
            let shown: Vec<String> = rows.iter().map(|row| text(row, "id")).collect();
            assert_eq!(shown, ids);
            let statuses: Vec<String> = rows.iter().map(|row| text(row, "status")).collect();
            assert_eq!(statuses, ["waitlisted", "waitlisted", "confirmed", "confirmed"]);
            assert_eq!(
                (&rows[0]["waitlist_position"], &rows[1]["waitlist_position"]),
                (&2.into(), &1.into())
            );
            // The ticket is its owner's alone.
            assert!(rows.iter().all(|row| row.get("ticket_code").is_none()), "{rows:?}");
        }
    }
}

#[tokio::test]
async fn nobody_else_does() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(2).await;
    let (attendee, _) = stage.booked(event).await;
    for person in [attendee, stage.person()] {
        for ask in both(&person, event, "") {
            problem(stage.ask(ask).await, 403, "forbidden");
        }
    }
    let person = stage.person();
    for ask in both(&person, new_id(), "") {
        problem(stage.ask(ask).await, 404, "not_found");
    }
}

#[tokio::test]
async fn pages_and_filters() {
    let mut stage = Stage::new().await;
    let (organizer, event) = stage.event(3).await;
    for _ in 0..5 {
        stage.booked(event).await;
    }
    for ask in both(&organizer, event, "?status=waitlisted") {
        assert_eq!(granted(stage.ask(ask).await, 200).as_array().map(Vec::len), Some(2));
    }
    for ask in both(&organizer, event, "?limit=2") {
        let first = stage.ask(ask).await;
        let second = Ask::get(next_page(&first).expect("a next page")).token(&organizer.token);
        let second = stage.ask(second).await;
        let third = Ask::get(next_page(&second).expect("a next page")).token(&organizer.token);
        let third = stage.ask(third).await;
        assert_eq!(next_page(&third), None);
        let mut seqs = Vec::new();
        for page in [first, second, third] {
            let rows = granted(page, 200);
            seqs.extend(rows.as_array().unwrap().iter().map(|row| row["seq"].as_u64().unwrap()));
        }
        let mut sorted = seqs.clone();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        sorted.dedup();
        assert_eq!((seqs.len(), &seqs), (5, &sorted));
    }
    let path = format!("/events/{event}/bookings");
    assert_eq!(list(&mut stage.client(), &path, &organizer).await.len(), 5);
    for query in ["?status=lost", "?limit=0", "?limit=501"] {
        for ask in both(&organizer, event, query) {
            problem(stage.ask(ask).await, 422, "validation_failed");
        }
    }
    for ask in both(&organizer, event, "?cursor=nonsense!") {
        problem(stage.ask(ask).await, 400, "invalid_query");
    }
}
