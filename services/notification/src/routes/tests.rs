use axum::http::Method;
use axum::http::header::LINK;
use serde_json::{Value, json};
use storage::notices::{Attendee, DeskStep, NewNotice, NoticeId, NoticeKind, Settled};

use crate::stage::{ADMIN, EVENT, NOW, ORGANIZER, Seen, Stage, user};

/// The `n`th notice of a person, some milliseconds after the one before.
fn notice(person: u8, n: u8) -> NewNotice {
    let created_at = engine::Timestamp::from_millis(NOW + i64::from(n));
    let mut id = [person; 16];
    id[..6].copy_from_slice(&created_at.millis().to_be_bytes()[2..]);
    NewNotice {
        id: NoticeId(id),
        user: user(person),
        kind: if n.is_multiple_of(2) {
            NoticeKind::BookingConfirmed
        } else {
            NoticeKind::EventChanged
        },
        event: EVENT,
        booking: None,
        subject: format!("subject {n}"),
        text: "text".to_owned(),
        html: "<p>text</p>".to_owned(),
        suppressed: None,
        created_at,
        queued_at: created_at,
    }
}

async fn store(stage: &Stage, notices: Vec<NewNotice>) {
    stage.stores.notices.take(DeskStep { notices, ..DeskStep::default() }).await.unwrap();
}

/// Stores notices of a person; gives their ids, the oldest first.
async fn notices(stage: &Stage, person: u8, count: u8) -> Vec<NoticeId> {
    let notices: Vec<NewNotice> = (0..count).map(|n| notice(person, n)).collect();
    let ids = notices.iter().map(|notice| notice.id).collect();
    store(stage, notices).await;
    ids
}

async fn get(stage: &Stage, person: u8, path: &str) -> Seen {
    stage.ask(person, Method::GET, path, &Value::Null).await
}

fn id(id: NoticeId) -> String {
    api::wire::Id(id.0).to_string()
}

async fn fail(stage: &Stage, id: NoticeId) {
    let outcome = Settled::Failed { reason: "550 no".to_owned() };
    stage.stores.notices.settle(vec![(id, outcome)]).await.unwrap();
}

#[tokio::test]
async fn a_list_has_the_own_ones_newest_first_in_pages() {
    let stage = Stage::new();
    notices(&stage, 1, 5).await;
    notices(&stage, 2, 1).await;
    let subjects = |seen: &Seen| -> Vec<String> {
        let list = seen.json();
        let list = list.as_array().unwrap().iter();
        list.map(|entry| entry["subject"].as_str().unwrap().to_owned()).collect()
    };
    let all = get(&stage, 1, "/notifications").await;
    assert_eq!(subjects(&all).len(), 5);
    assert_eq!(subjects(&all)[0], "subject 4");
    assert!(all.headers.get(LINK).is_none());
    let page = get(&stage, 1, "/notifications?limit=2&kind=BookingConfirmed").await;
    assert_eq!(subjects(&page), ["subject 4", "subject 2"]);
    let link = page.headers[LINK].to_str().unwrap().to_owned();
    let next = link.split(['<', '>']).nth(1).unwrap();
    let rest = get(&stage, 1, next).await;
    assert_eq!(subjects(&rest), ["subject 0"]);
    assert!(rest.headers.get(LINK).is_none());
    assert_eq!(subjects(&get(&stage, 1, "/notifications?status=sent").await).len(), 0);
    for wrong in ["kind=Nothing", "status=lost", "limit=0", "limit=201"] {
        let seen = get(&stage, 1, &format!("/notifications?{wrong}")).await;
        assert_eq!(seen.refusal(), (422, "validation_failed".to_owned()), "{wrong}");
    }
    assert_eq!(get(&stage, 1, "/notifications?cursor=x").await.status, 400);
}

#[tokio::test]
async fn one_is_there_for_its_owner_and_admins() {
    let stage = Stage::new();
    let one = id(notices(&stage, 1, 1).await[0]);
    for person in [1, ADMIN] {
        let seen = get(&stage, person, &format!("/notifications/{one}")).await;
        let body = seen.json();
        assert_eq!((body["id"].as_str(), &body["notification_id"]), (Some(&*one), &body["id"]));
        assert_eq!((&body["channel"], &body["status"]), (&json!("email"), &json!("queued")));
        assert_eq!((&body["sent_at"], &body["details"]), (&Value::Null, &Value::Null));
        let seen = get(&stage, person, &format!("/notifications/status/{one}")).await;
        let expected = json!({"notification_id": one, "status": "queued", "details": null});
        assert_eq!(seen.json(), expected);
    }
    for path in [one.as_str(), "status/1", &format!("status/{one}"), "nonsense"] {
        assert_eq!(get(&stage, 2, &format!("/notifications/{path}")).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn what_failed_can_be_sent_again() {
    let stage = Stage::new();
    let ids = notices(&stage, 1, 2).await;
    let again = async |person, id: NoticeId| {
        let path = format!("/notifications/{}/resend", self::id(id));
        stage.ask(person, Method::POST, &path, &Value::Null).await
    };
    assert_eq!(again(1, ids[0]).await.refusal(), (409, "not_failed".to_owned()));
    fail(&stage, ids[0]).await;
    let status = get(&stage, 1, &format!("/notifications/status/{}", id(ids[0]))).await.json();
    let told = json!("The mail server did not take it for this address.");
    assert_eq!((&status["status"], &status["details"]), (&json!("failed"), &told));
    for path in ["/notifications", &format!("/notifications/{}", id(ids[0]))] {
        let seen = get(&stage, 1, path).await;
        let text = String::from_utf8_lossy(&seen.bytes).into_owned();
        assert!(!text.contains("550"), "what the mail server said is not theirs to know: {text}");
    }
    let seen = get(&stage, ADMIN, &format!("/notifications/{}", id(ids[0]))).await;
    assert_eq!(seen.json()["details"], json!("550 no"), "an administrator has to know");
    assert_eq!(again(2, ids[0]).await.status, 404);
    let seen = again(1, ids[0]).await;
    assert_eq!((seen.status, seen.json()["status"].clone()), (202, json!("queued")));
    assert_eq!(again(ADMIN, ids[1]).await.status, 202, "an admin any");
    let suppressed = Some("There were too many within a day.".to_owned());
    let unfit = NewNotice { suppressed, html: String::new(), ..notice(3, 0) };
    let unfit_id = unfit.id;
    store(&stage, vec![unfit]).await;
    let seen = again(ADMIN, unfit_id).await;
    assert_eq!(seen.refusal(), (409, "not_failed".to_owned()));
    let detail = seen.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("not made to be sent"), "{detail}");
    for id in &ids {
        fail(&stage, *id).await;
    }
    let all =
        async |person| stage.ask(person, Method::POST, "/notifications/resend", &Value::Null).await;
    assert_eq!(all(1).await.refusal(), (403, "forbidden".to_owned()));
    assert_eq!(all(ADMIN).await.json(), json!({"queued": 2, "more": false}));
    assert_eq!(all(ADMIN).await.json(), json!({"queued": 0, "more": false}));
}

#[tokio::test]
async fn preferences_change_part_by_part() {
    const PATH: &str = "/notifications/preferences";
    let stage = Stage::new();
    let put = async |body: Value| stage.ask(1, Method::PUT, PATH, &body).await;
    let before = get(&stage, 1, PATH).await.json();
    assert_eq!(before["email"], true);
    assert_eq!(before["kinds"].as_object().unwrap().len(), NoticeKind::ALL.len());
    assert!(before["kinds"].as_object().unwrap().values().all(|wanted| *wanted == true));
    put(json!({"kinds": {"EventReminder": false, "EventChanged": false}})).await;
    put(json!({"email": false, "kinds": {"EventChanged": true}})).await;
    let after = get(&stage, 1, PATH).await.json();
    assert_eq!((&after["email"], &after["kinds"]["EventReminder"]), (&json!(false), &json!(false)));
    assert_eq!(after["kinds"]["EventChanged"], true);
    assert_eq!(get(&stage, 2, PATH).await.json(), before, "another's are another's");
    for wrong in [
        json!({"kinds": {"Nothing": true}}),
        json!({"kinds": {"EventReminder": "no"}}),
        json!({"kinds": []}),
        json!({"kinds": null}),
        json!({"email": 1}),
        json!({"mail": true}),
    ] {
        let seen = put(wrong.clone()).await;
        assert_eq!(seen.refusal(), (422, "validation_failed".to_owned()), "{wrong}");
    }
    assert_eq!(get(&stage, 1, PATH).await.json(), after, "nothing of it was taken");
    // What is read can be written back.
    assert_eq!(put(after.clone()).await.json(), after);
}

async fn attend(stage: &Stage, person: u8, status: engine::BookingStatus) {
    let attendee = Attendee {
        event: EVENT,
        user: user(person),
        booking: engine::BookingId([person; 16]),
        quantity: engine::Seats::ONE,
        status,
        since: engine::Timestamp::from_millis(NOW),
        era: storage::Era(1),
        stamp: engine::Seq(1),
    };
    let step = DeskStep { attendees: vec![attendee], ..DeskStep::default() };
    stage.stores.notices.take(step).await.unwrap();
}

fn letter() -> Value {
    json!({"event_id": api::wire::Id::from(EVENT).to_string(), "subject": "Doors", "message": "At\nseven"})
}

#[tokio::test]
async fn organizers_write_to_attendees_a_bounded_number_of_times() {
    const PATH: &str = "/notifications/send";
    let stage = Stage::new();
    attend(&stage, 1, engine::BookingStatus::Confirmed).await;
    attend(&stage, 2, engine::BookingStatus::Waitlisted).await;
    attend(&stage, 3, engine::BookingStatus::Cancelled).await;
    let send = async |person, body: &Value| stage.ask(person, Method::POST, PATH, body).await;
    assert_eq!(send(1, &letter()).await.refusal(), (403, "forbidden".to_owned()));
    let mut elsewhere = letter();
    elsewhere["event_id"] = json!("0198c0de-0000-7000-8000-0123456789ab");
    assert_eq!(send(ORGANIZER, &elsewhere).await.refusal(), (404, "not_found".to_owned()));
    for (to, recipients) in [("confirmed", 1), ("waitlisted", 1), ("everyone", 2)] {
        let mut body = letter();
        body["to"] = json!(to);
        let seen = send(ORGANIZER, &body).await;
        assert_eq!(seen.status, 202);
        let answer = seen.json();
        assert_eq!((&answer["to"], &answer["recipients"]), (&json!(to), &json!(recipients)));
        assert_eq!(answer["status"], "queued");
    }
    for (field, wrong) in [
        ("subject", json!("")),
        ("subject", json!("a\nb")),
        ("subject", json!("x".repeat(201))),
        ("message", json!("x".repeat(10_001))),
        ("message", json!(null)),
        ("to", json!("all")),
        ("to", json!(1)),
        ("event_id", json!("x")),
        ("more", json!(1)),
    ] {
        let mut body = letter();
        body[field] = wrong;
        let seen = send(ORGANIZER, &body).await;
        assert_eq!(seen.refusal(), (422, "validation_failed".to_owned()), "{field}");
    }
    // Three are gone.
    for n in 4..=10 {
        assert_eq!(send(ADMIN, &letter()).await.status, 202, "{n}");
    }
    let many = send(ORGANIZER, &letter()).await;
    assert_eq!(many.refusal(), (429, "too_many_messages".to_owned()));
    stage.at(NOW + 86_400_001);
    assert_eq!(send(ORGANIZER, &letter()).await.status, 202, "another day");
    stage.deleted.lock().insert(EVENT.into());
    assert_eq!(send(ORGANIZER, &letter()).await.status, 404, "it does not take place");
}

#[tokio::test]
async fn the_same_key_sends_once() {
    let stage = Stage::new();
    let send = async |key: &str, body: &Value| {
        let key = [("idempotency-key", key)];
        stage.ask_with(ORGANIZER, Method::POST, "/notifications/send", &key, body).await
    };
    let (first, again) = (send("k", &letter()).await, send("k", &letter()).await);
    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!(first.bytes, again.bytes, "byte for byte");
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let mut other = letter();
    other["message"] = json!("At eight");
    assert_eq!(send("k", &other).await.refusal(), (422, "key_reused".to_owned()));
    assert_ne!(send("l", &letter()).await.json()["id"], first.json()["id"]);
}

#[tokio::test]
async fn templates_are_set_by_admins_and_only_if_they_can_be_used() {
    const PATH: &str = "/notifications/templates/BookingConfirmed";
    let stage = Stage::new();
    assert_eq!(get(&stage, 1, PATH).await.refusal(), (403, "forbidden".to_owned()));
    assert_eq!(get(&stage, 1, "/notifications/templates").await.status, 403);
    assert_eq!(get(&stage, ADMIN, "/notifications/templates/Nothing").await.status, 404);
    let all = get(&stage, ADMIN, "/notifications/templates").await.json();
    assert_eq!(all.as_array().unwrap().len(), NoticeKind::ALL.len());
    let built_in = get(&stage, ADMIN, PATH).await.json();
    assert_eq!(built_in["overridden"], false);
    let put = async |body: &Value| stage.ask(ADMIN, Method::PUT, PATH, body).await;
    let wrong = put(&json!({"subject": "a", "text": "{{ x", "html": "b"})).await;
    assert_eq!(wrong.refusal(), (422, "validation_failed".to_owned()));
    assert_eq!(wrong.json()["errors"][0]["field"], "text");
    assert_eq!(get(&stage, ADMIN, PATH).await.json(), built_in);
    let own = json!({"subject": "Yes {{ title }}", "text": "{{ name }}", "html": "{{ name }}"});
    assert_eq!(put(&own).await.status, 200);
    let set = get(&stage, ADMIN, PATH).await.json();
    assert_eq!((&set["subject"], &set["overridden"]), (&own["subject"], &json!(true)));
    assert_eq!(put(&set).await.json(), set, "what is read can be written back");
    let gone = stage.ask(ADMIN, Method::DELETE, PATH, &Value::Null).await;
    assert_eq!((gone.status, gone.json()), (200, built_in));
}
