//! `PATCH /bookings/holds/{id}`

use harness::client::Ask;
use serde_json::json;

use super::{change, confirm, held, read, release};
use crate::stage::{Stage, granted, new_id, problem, text, wrong_field};

#[tokio::test]
async fn details_are_replaced_and_the_end_stays() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(5).await;
    let (person, id) = held(&mut stage, event).await;
    let before = granted(stage.ask(read(&person, &id)).await, 200);
    let details = json!({ "seats": [], "paid": false });
    let ask = change(&person, &id, &json!({ "details": details }));
    let mut expected = before;
    expected["details"] = details;
    assert_eq!(granted(stage.ask(ask).await, 200), expected);
    assert_eq!(granted(stage.ask(read(&person, &id)).await, 200), expected);
}

#[tokio::test]
async fn a_hold_is_extended_three_times() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(5).await;
    let (person, id) = held(&mut stage, event).await;
    let mut end = text(&granted(stage.ask(read(&person, &id)).await, 200), "expires_at");
    for details in [None, Some(json!({ "n": 2 })), None] {
        let body = match &details {
            Some(details) => json!({ "extend": true, "details": details }),
            None => json!({ "extend": true }),
        };
        let told = granted(stage.ask(change(&person, &id, &body)).await, 200);
        let later = text(&told, "expires_at");
        assert!(later >= end, "{told}");
        end = later;
        assert_eq!(granted(stage.ask(read(&person, &id)).await, 200), told);
    }
    let ask = change(&person, &id, &json!({ "extend": true }));
    let body = problem(stage.ask(ask).await, 409, "no_more_extensions");
    assert_eq!(body["extensions"], 3);
    assert_eq!(granted(stage.ask(read(&person, &id)).await, 200)["details"], json!({ "n": 2 }));
}

#[tokio::test]
async fn wrong_changes_are_refused() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(5).await;
    let (person, id) = held(&mut stage, event).await;
    let before = granted(stage.ask(read(&person, &id)).await, 200);
    for (body, field) in [
        (json!({}), "details"),
        (json!({ "extend": false }), "details"),
        (json!({ "details": null }), "details"),
        (json!({ "details": "x" }), "details"),
        (json!({ "extend": 1 }), "extend"),
        (json!({ "extend": true, "quantity": 3 }), "quantity"),
    ] {
        wrong_field(stage.ask(change(&person, &id, &body)).await, field);
    }
    let good = json!({ "extend": true });
    for other in [stage.person(), stage.admin()] {
        problem(stage.ask(change(&other, &id, &good)).await, 404, "not_found");
    }
    for id in ["17".to_owned(), new_id().to_string()] {
        problem(stage.ask(change(&person, &id, &good)).await, 404, "not_found");
    }
    let nobody = Ask::patch(format!("/bookings/holds/{id}")).json(&good);
    problem(stage.ask(nobody).await, 401, "unauthorized");
    assert_eq!(granted(stage.ask(read(&person, &id)).await, 200), before);
}

#[tokio::test]
async fn what_is_over_is_not_changed() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(5).await;
    let good = json!({ "extend": true });
    let (person, id) = held(&mut stage, event).await;
    granted(stage.ask(release(&person, &id)).await, 200);
    problem(stage.ask(change(&person, &id, &good)).await, 409, "hold_expired");
    let (person, id) = held(&mut stage, event).await;
    let booking = granted(stage.ask(confirm(&person, &id)).await, 201);
    let body = problem(stage.ask(change(&person, &id, &good)).await, 409, "already_booked");
    assert_eq!(body["booking"]["id"], booking["id"]);
}
