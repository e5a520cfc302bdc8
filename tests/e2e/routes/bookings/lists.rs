//! `GET /bookings`, `GET /users/{userId}/bookings` = `GET /bookings/user/{userId}`

use harness::client::Ask;
use harness::events::next_page;
use serde_json::json;

use crate::stage::{Stage, granted, problem, text};

#[tokio::test]
async fn own_lists_show_everything_newest_first() {
    let mut stage = Stage::new().await;
    let person = stage.person();
    assert_eq!(
        granted(stage.ask(Ask::get("/bookings").token(&person.token)).await, 200),
        json!([])
    );
    let mut made = Vec::new();
    for capacity in [1, 2, 3] {
        let (_, event) = stage.event(capacity).await;
        if capacity == 2 {
            stage.booked(event).await;
            stage.booked(event).await;
        }
        made.insert(0, granted(stage.book(&person, event).await, 201));
    }
    let cancelled = text(&made[0], "id");
    let cancel = Ask::delete(format!("/bookings/{cancelled}")).token(&person.token);
    granted(stage.ask(cancel).await, 200);

    let me = person.id;
    for path in [
        "/bookings".to_owned(),
        "/bookings/user/me".to_owned(),
        "/users/me/bookings".to_owned(),
        format!("/bookings/user/{me}"),
        format!("/users/{me}/bookings"),
    ] {
        let rows = granted(stage.ask(Ask::get(&path).token(&person.token)).await, 200);
        let rows = rows.as_array().unwrap();
        let ids: Vec<String> = rows.iter().map(|row| text(row, "id")).collect();
        assert_eq!(ids, made.iter().map(|row| text(row, "id")).collect::<Vec<_>>(), "{path}");
        let statuses: Vec<String> = rows.iter().map(|row| text(row, "status")).collect();
        assert_eq!(statuses, ["cancelled", "waitlisted", "confirmed"], "{path}");
        assert_eq!(rows[1]["waitlist_position"], 1, "{path}");
        assert!(rows[2]["ticket_code"].is_string(), "{path}");
    }
}

#[tokio::test]
async fn lists_say_what_the_bookings_are_for() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    let (person, _) = stage.booked(event).await;
    for path in ["/users/me/bookings", "/bookings/user/me"] {
        let rows = granted(stage.ask(Ask::get(path).token(&person.token)).await, 200);
        assert_eq!(
            rows[0]["event"],
            json!({
                "id": event.to_string(),
                "title": "An evening",
                "start_time": "2099-06-01T18:00:00.000Z",
                "end_time": "2099-06-01T22:00:00.000Z",
                "timezone": null,
                "location": "Testhausen",
                "price": 12.5,
                "status": "sold_out",
            })
        );
    }
}

#[tokio::test]
async fn another_persons_list_is_for_admins() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(1).await;
    let (owner, id) = stage.booked(event).await;
    let (stranger, admin) = (stage.person(), stage.admin());
    for path in [format!("/users/{}/bookings", owner.id), format!("/bookings/user/{}", owner.id)] {
        problem(stage.ask(Ask::get(&path).token(&stranger.token)).await, 403, "forbidden");
        let rows = granted(stage.ask(Ask::get(&path).token(&admin.token)).await, 200);
        assert_eq!(rows[0]["id"], id);
        assert!(rows[0].get("ticket_code").is_none(), "{rows}");
    }
    for path in ["/users/17/bookings", "/bookings/user/17"] {
        problem(stage.ask(Ask::get(path).token(&stranger.token)).await, 404, "not_found");
    }
}

#[tokio::test]
async fn pages_and_filters() {
    let mut stage = Stage::new().await;
    let person = stage.person();
    for _ in 0..5 {
        let (_, event) = stage.event(1).await;
        granted(stage.book(&person, event).await, 201);
    }
    for path in ["/bookings", "/users/me/bookings", "/bookings/user/me"] {
        let mut seen = Vec::new();
        let mut next = Some(format!("{path}?limit=2&status=confirmed"));
        while let Some(path) = next {
            let page = stage.ask(Ask::get(path).token(&person.token)).await;
            next = next_page(&page);
            let rows = granted(page, 200);
            assert!(rows.as_array().unwrap().len() <= 2);
            seen.extend(rows.as_array().unwrap().iter().map(|row| text(row, "id")));
        }
        let total = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!((total, seen.len()), (5, 5), "{path}");
        let none = Ask::get(format!("{path}?status=cancelled")).token(&person.token);
        assert_eq!(granted(stage.ask(none).await, 200), json!([]));
        for query in ["status=lost", "limit=0", "limit=501", "limit=x"] {
            let ask = Ask::get(format!("{path}?{query}")).token(&person.token);
            problem(stage.ask(ask).await, 422, "validation_failed");
        }
        let ask = Ask::get(format!("{path}?cursor=AAAA")).token(&person.token);
        problem(stage.ask(ask).await, 400, "invalid_query");
    }
}
