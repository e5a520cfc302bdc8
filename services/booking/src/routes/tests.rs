//! The routes over real actors and the store in memory, with a catalog played by hand.

mod holds;
mod stage;
mod stream;

use axum::body::Bytes;
use axum::http::Method;
use serde_json::{Value, json};

use self::stage::{ADMIN, Seen, Stage, event_id, user_id};

const KEY: (&str, &str) = ("idempotency-key", "k1");

#[tokio::test]
async fn a_booking_is_made_and_read_as_the_contract_says() {
    let stage = Stage::new().await;
    stage.open(1, 10).await;
    let seen = stage.book(2, 1, json!({"quantity": 3}), &[KEY]).await;
    assert_eq!(seen.status, 201);
    assert_eq!(seen.header("idempotency-key"), Some("k1"));
    assert_eq!(seen.header("idempotency-replayed"), None);
    let booking = seen.json();
    let id = booking["id"].as_str().unwrap();
    let made_at = booking["created_at"].as_str().unwrap();
    assert_eq!(
        booking,
        json!({
            "booking_id": id, "id": id, "event_id": event_id(1), "user_id": user_id(2),
            "status": "confirmed", "quantity": 3, "created_at": made_at,
            "updated_at": made_at, "seq": 2,
        })
    );
    let read = stage.get(2, &format!("/bookings/{id}")).await;
    let mut expected = booking.clone();
    expected["ticket_code"] = read.json()["ticket_code"].clone();
    assert_eq!((read.status, read.json()), (200, expected));
    assert_eq!(read.json()["ticket_code"].as_str().unwrap().len(), 11);

    // Not another's to see; an administrator sees it, but not the code.
    assert_eq!(stage.get(3, &format!("/bookings/{id}")).await.status, 404);
    let admin = stage.get(ADMIN, &format!("/bookings/{id}")).await;
    assert_eq!((admin.status, admin.json()), (200, booking));
}

#[tokio::test]
async fn a_repeated_key_is_told_the_same_bytes() {
    let stage = Stage::new().await;
    stage.open(1, 1).await;
    stage.book(2, 1, json!({}), &[]).await;
    let first = stage.book(3, 1, json!({}), &[KEY]).await;
    assert_eq!(first.json()["waitlist_position"], 1);
    // Meanwhile the place becomes free: the repeat still tells what was told.
    let booked = stage.get(2, "/bookings").await.json()[0]["id"].clone();
    stage.cancel(2, booked.as_str().unwrap(), &[]).await;
    let again = stage.book(3, 1, json!({}), &[KEY]).await;
    assert_eq!((again.status, &again.bytes), (201, &first.bytes));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let other = stage.book(3, 1, json!({"quantity": 2}), &[KEY]).await;
    assert_eq!((other.status, other.code()), (422, "key_reused".to_owned()));
    assert_eq!(other.header("idempotency-key"), Some("k1"));
}

#[tokio::test]
async fn refusals_carry_their_figures() {
    let stage = Stage::new().await;
    stage.open(1, 2).await;
    stage.open_later(4).await;
    let mine = stage.book(2, 1, json!({"quantity": 2}), &[]).await.json();
    let twice = stage.book(2, 1, json!({}), &[]).await;
    assert_eq!((twice.status, twice.code()), (409, "already_booked".to_owned()));
    assert_eq!(twice.json()["booking"], mine);
    assert!(twice.header("idempotency-key").is_some(), "made here");
    let full = stage.book(3, 1, json!({"join_waitlist": false}), &[]).await;
    assert_eq!((full.status, full.code()), (409, "sold_out".to_owned()));
    assert_eq!(full.json()["available"], 0);
    let large = stage.book(3, 1, json!({"quantity": 3}), &[]).await;
    assert_eq!((large.status, large.code()), (409, "exceeds_capacity".to_owned()));
    let unknown = stage.book(3, 9, json!({}), &[]).await;
    assert_eq!((unknown.status, unknown.code()), (404, "not_found".to_owned()));
    let early = stage.book(3, 4, json!({}), &[]).await;
    assert_eq!((early.status, early.code()), (409, "not_yet_open".to_owned()));
    assert!(early.json()["opens_at"].is_string());
    let hold = json!({"hold_id": mine["id"]});
    let hold = stage.write(3, Method::POST, "/bookings", &[], &hold).await;
    assert_eq!((hold.status, hold.code()), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn requests_that_are_wrong_are_told_why() {
    let stage = Stage::new().await;
    let wrong = stage.book(2, 1, json!({"quantity": 0, "seats": []}), &[KEY]).await;
    assert_eq!((wrong.status, wrong.code()), (422, "validation_failed".to_owned()));
    assert_eq!(wrong.json()["errors"].as_array().unwrap().len(), 2);
    assert_eq!(wrong.header("idempotency-key"), Some("k1"));
    let broken = stage.raw(2, Method::POST, "/bookings", &[], Bytes::from_static(b"{")).await;
    assert_eq!((broken.status, broken.code()), (400, "invalid_json".to_owned()));
    let key = stage.book(2, 1, json!({}), &[("idempotency-key", "a b")]).await;
    assert_eq!((key.status, key.code()), (400, "invalid_header".to_owned()));
    let nobody = stage.anonymous("/bookings").await;
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, Some("Bearer")));
    for path in ["/bookings/17", "/users/17/bookings", "/bookings/event/17", "/elsewhere"] {
        assert_eq!(stage.get(2, path).await.status, 404, "{path}");
    }
    for (query, status) in
        [("status=lost", 422), ("limit=0", 422), ("limit=501", 422), ("cursor=x", 400)]
    {
        assert_eq!(stage.get(2, &format!("/bookings?{query}")).await.status, status, "{query}");
    }
    let put = stage.write(2, Method::PUT, "/bookings", &[], &json!({})).await;
    assert_eq!((put.status, put.code()), (405, "method_not_allowed".to_owned()));
}

#[tokio::test]
async fn a_cancelled_booking_promotes_the_first_and_stays_cancelled() {
    let stage = Stage::new().await;
    stage.open(1, 1).await;
    let first = stage.book(2, 1, json!({}), &[]).await.id();
    let second = stage.book(3, 1, json!({}), &[]).await.id();
    let third = stage.book(4, 1, json!({}), &[]).await.id();
    let waiting = stage.get(4, &format!("/bookings/{third}")).await.json();
    assert_eq!(
        (&waiting["status"], &waiting["waitlist_position"]),
        (&json!("waitlisted"), &json!(2))
    );
    assert_eq!(waiting.get("ticket_code"), None);

    assert_eq!(stage.cancel(5, &first, &[]).await.status, 404, "another's");
    let cancelled = stage.cancel(2, &first, &[]).await;
    assert_eq!((cancelled.status, &cancelled.json()["status"]), (200, &json!("cancelled")));
    let again = stage.cancel(2, &first, &[]).await;
    assert_eq!((again.status, again.json()), (200, cancelled.json()));
    assert_eq!(stage.get(2, &format!("/bookings/{first}")).await.json(), cancelled.json());

    let promoted = stage.get(3, &format!("/bookings/{second}")).await.json();
    assert_eq!(promoted["status"], "confirmed");
    let moved = stage.get(4, &format!("/bookings/{third}")).await.json();
    assert_eq!(moved["waitlist_position"], 1);
    // An administrator cancels for others.
    assert_eq!(stage.cancel(ADMIN, &second, &[]).await.status, 200);
    assert_eq!(stage.cancel(2, &event_id(7), &[]).await.status, 404);
}

#[tokio::test]
async fn lists_show_every_answered_write_newest_first() {
    let stage = Stage::new().await;
    for event in 1..=3 {
        stage.open(event, 1).await;
    }
    stage.book(9, 3, json!({}), &[]).await;
    let mut ids = Vec::new();
    for event in 1..=3 {
        stage.tick();
        ids.push(stage.book(2, event, json!({}), &[]).await.id());
    }
    ids.reverse();
    let all = stage.get(2, "/bookings").await;
    assert_eq!((all.ids(), all.header("link")), (ids.clone(), None));
    assert_eq!(all.json()[0]["waitlist_position"], 1);
    assert!(all.json()[1]["ticket_code"].is_string());
    assert_eq!(
        all.json()[1]["event"],
        json!({
            "id": event_id(2), "title": "Event 2", "start_time": "2030-01-01T00:00:00.000Z",
            "end_time": "2030-01-02T00:00:00.000Z", "timezone": null, "location": "Here",
            "price": 1.5, "status": "sold_out",
        })
    );
    for path in ["/users/me/bookings", "/bookings/user/me"] {
        assert_eq!(stage.get(2, path).await.json(), all.json(), "{path}");
    }
    let own = format!("/users/{}/bookings", user_id(2));
    assert_eq!(stage.get(2, &own).await.json(), all.json());
    assert_eq!(stage.get(ADMIN, &own).await.ids(), ids);
    let other = stage.get(3, &own).await;
    assert_eq!((other.status, other.code()), (403, "forbidden".to_owned()));

    assert_eq!(stage.get(2, "/bookings?status=waitlisted").await.ids(), ids[..1]);
    let page = stage.get(2, "/bookings?limit=2").await;
    assert_eq!(page.ids(), ids[..2]);
    let link = page.header("link").unwrap();
    let next = link.strip_prefix('<').unwrap().split_once('>').unwrap().0;
    let page = stage.get(2, next).await;
    assert_eq!((page.ids(), page.header("link")), (ids[2..].to_vec(), None));
}

#[tokio::test]
async fn lists_go_on_without_the_catalog() {
    let stage = Stage::new().await;
    stage.open(1, 1).await;
    stage.book(2, 1, json!({}), &[]).await;
    stage.catalog_down();
    let list = stage.get(2, "/bookings/user/me").await;
    assert_eq!((list.status, &list.json()[0]["event"]), (200, &Value::Null));
    assert_eq!(list.json()[0]["status"], "confirmed");
    // Booking never asks the catalog.
    assert_eq!(stage.book(3, 1, json!({}), &[]).await.status, 201);
}

#[tokio::test]
async fn the_list_of_an_event_is_its_organizers() {
    let stage = Stage::new().await;
    stage.open(1, 1).await;
    let first = stage.book(2, 1, json!({}), &[]).await.id();
    stage.tick();
    let second = stage.book(3, 1, json!({}), &[]).await.id();
    for path in ["/events/{}/bookings", "/bookings/event/{}"] {
        let path = path.replace("{}", &event_id(1));
        assert_eq!(stage.get(2, &path).await.status, 403);
        for reader in [stage::ORGANIZER, ADMIN] {
            let list = stage.get(reader, &path).await;
            assert_eq!((list.status, list.ids()), (200, vec![second.clone(), first.clone()]));
            assert_eq!(list.json()[0]["waitlist_position"], 1);
            assert_eq!(list.json()[1].get("ticket_code"), None, "the owner's alone");
        }
    }
    assert_eq!(stage.get(2, &format!("/events/{}/bookings", event_id(9))).await.status, 404);
}

#[tokio::test]
async fn availability_counts_places() {
    let stage = Stage::new().await;
    stage.open(1, 10).await;
    stage.book(2, 1, json!({"quantity": 4}), &[]).await;
    let path = format!("/events/{}/availability", event_id(1));
    let some = stage.anonymous(&path).await;
    assert_eq!(
        (some.status, some.json()),
        (
            200,
            json!({
                "capacity": 10, "booked": 4, "held": 0, "free": 6, "available": 6,
                "waitlisted": 0, "waitlist_entries": 0, "as_of_seq": 2,
            })
        )
    );
    stage.book(3, 1, json!({"quantity": 7}), &[]).await;
    let waiting = stage.anonymous(&path).await.json();
    assert_eq!((&waiting["free"], &waiting["available"]), (&json!(6), &json!(0)));
    assert_eq!((&waiting["waitlisted"], &waiting["waitlist_entries"]), (&json!(7), &json!(1)));
    let unknown = format!("/events/{}/availability", event_id(9));
    assert_eq!(stage.anonymous(&unknown).await.status, 404);
}

#[tokio::test]
async fn a_cancelled_event_is_gone_and_its_bookings_are_cancelled() {
    let stage = Stage::new().await;
    stage.open(1, 1).await;
    let confirmed = stage.book(2, 1, json!({}), &[]).await.id();
    stage.book(3, 1, json!({}), &[]).await;
    let refused = stage.cancel_event(2, 1, None).await;
    assert_eq!((refused.status, refused.code()), (403, "forbidden".to_owned()));
    let stale = stage.cancel_event(stage::ORGANIZER, 1, Some(7)).await;
    assert_eq!((stale.status, &stale.json()["version"]), (412, &json!(1)));
    let done = stage.cancel_event(stage::ORGANIZER, 1, None).await;
    assert_eq!((done.status, &done.json()["cancelled_bookings"]), (200, &json!(2)));
    assert_eq!(done.json()["version"], 2);

    let list = stage.get(2, "/bookings").await.json();
    assert_eq!(
        (&list[0]["status"], &list[0]["event"]["status"]),
        (&json!("cancelled"), &json!("cancelled"))
    );
    let one = stage.get(2, &format!("/bookings/{confirmed}")).await.json();
    assert_eq!(one["status"], "cancelled");
    assert_eq!(stage.cancel(2, &confirmed, &[]).await.json(), one);
    let path = format!("/events/{}/availability", event_id(1));
    assert_eq!(stage.anonymous(&path).await.status, 404);
    assert_eq!(stage.book(4, 1, json!({}), &[]).await.status, 404);
    let list = format!("/events/{}/bookings", event_id(1));
    assert_eq!(stage.get(stage::ORGANIZER, &list).await.status, 404);
}

#[tokio::test]
async fn the_catalog_opens_changes_and_counts_events() {
    let stage = Stage::new().await;
    let opened = stage.open(1, 5).await;
    assert_eq!((&opened["version"], &opened["replayed"]), (&json!(1), &json!(false)));
    let again = stage.open(1, 5).await;
    assert_eq!((&again["replayed"], &again["at"]), (&json!(true), &opened["at"]));
    stage.book(2, 1, json!({"quantity": 3}), &[]).await;
    let low = stage.change_capacity(1, 2).await;
    assert_eq!((low.status, low.code()), (409, "capacity_below_sold".to_owned()));
    assert_eq!(low.json()["booked"], 3);
    let change = stage.change_capacity(1, 3).await;
    assert_eq!((change.status, &change.json()["version"]), (200, &json!(2)));
    let counts = stage.counts(&[9, 1]).await;
    assert_eq!(
        counts,
        json!([null, {
            "capacity": 3, "booked": 3, "held": 0, "waitlisted": 0, "waitlist_entries": 0,
            "cancelled": false, "version": 2,
        }])
    );
    // Nothing of this is among the public routes.
    let path = api::internal::path_of(api::internal::OPEN, api::wire::Id([8; 16]));
    let outside: Seen = stage.write(2, Method::POST, &path, &[], &json!({})).await;
    assert_eq!(outside.status, 404);
}
