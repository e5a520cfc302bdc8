//! `POST /auth/refresh`

use harness::client::Ask;
use serde_json::json;

use super::logged_in;
use crate::stage::{Stage, granted, problem, text, wrong_field};

fn refresh(token: &str) -> Ask {
    Ask::post("/auth/refresh").json(&json!({ "refresh_token": token }))
}

#[tokio::test]
async fn a_refresh_token_gives_the_next_pair() {
    let mut stage = Stage::new().await;
    let (_, first) = logged_in(&mut stage).await;
    let second = granted(stage.ask(refresh(&text(&first, "refresh_token"))).await, 200);
    assert_eq!(second["token_type"], "bearer");
    assert_eq!(second["expires_in"], first["expires_in"]);
    for field in ["access_token", "refresh_token"] {
        assert_ne!(second[field], first[field], "{field}");
    }
    for pair in [&first, &second] {
        let me = Ask::get("/users/me").token(&text(pair, "access_token"));
        granted(stage.ask(me).await, 200);
    }
    granted(stage.ask(refresh(&text(&second, "refresh_token"))).await, 200);
}

#[tokio::test]
async fn a_second_use_ends_the_whole_family() {
    let mut stage = Stage::new().await;
    let (sent, first) = logged_in(&mut stage).await;
    let login = json!({ "username": sent["username"], "password": sent["password"] });
    let elsewhere = granted(stage.ask(Ask::post("/auth/login").json(&login)).await, 200);
    let second = granted(stage.ask(refresh(&text(&first, "refresh_token"))).await, 200);
    let again = stage.ask(refresh(&text(&first, "refresh_token"))).await;
    problem(again, 401, "unauthorized");
    problem(stage.ask(refresh(&text(&second, "refresh_token"))).await, 401, "unauthorized");
    for pair in [&first, &second] {
        let me = Ask::get("/users/me").token(&text(pair, "access_token"));
        problem(stage.ask(me).await, 401, "unauthorized");
    }
    let me = Ask::get("/users/me").token(&text(&elsewhere, "access_token"));
    granted(stage.ask(me).await, 200);
    granted(stage.ask(refresh(&text(&elsewhere, "refresh_token"))).await, 200);
}

#[tokio::test]
async fn of_many_uses_at_once_none_is_worth_anything() {
    let mut stage = Stage::new().await;
    let (_, pair) = logged_in(&mut stage).await;
    let ask = refresh(&text(&pair, "refresh_token"));
    let (mut a, mut b, mut c) = (stage.client(), stage.client(), stage.client());
    let (a, b, c) = tokio::join!(a.ask(&ask), b.ask(&ask), c.ask(&ask));
    let answers = [a, b, c];
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(good, 1, "one was first");
    for answer in answers.into_iter().filter(|answer| answer.status == 200) {
        let next = text(&answer.json(), "refresh_token");
        problem(stage.ask(refresh(&next)).await, 401, "unauthorized");
    }
}

#[tokio::test]
async fn what_is_no_refresh_token_is_refused() {
    let mut stage = Stage::new().await;
    let (_, pair) = logged_in(&mut stage).await;
    let good = text(&pair, "refresh_token");
    for wrong in ["x", &good[1..], &"A".repeat(64), &text(&pair, "access_token")[..100]] {
        problem(stage.ask(refresh(wrong)).await, 401, "unauthorized");
    }
    wrong_field(stage.ask(Ask::post("/auth/refresh").json(&json!({}))).await, "refresh_token");
    let number = json!({ "refresh_token": 7 });
    wrong_field(stage.ask(Ask::post("/auth/refresh").json(&number)).await, "refresh_token");
    let more = json!({ "refresh_token": good, "role": "admin" });
    wrong_field(stage.ask(Ask::post("/auth/refresh").json(&more)).await, "role");
    // A stranger who knows no secret has ended nothing, and it was not spent.
    granted(stage.ask(refresh(&good)).await, 200);
}
