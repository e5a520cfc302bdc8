//! `/users/…`

use harness::client::Ask;
use serde_json::json;

use crate::stage::{Stage, granted, problem, text, wrong_field};

use super::auth::{PASSWORD, logged_in, registered};

#[tokio::test]
async fn me_is_the_own_account() {
    let mut stage = Stage::new().await;
    let (sent, account) = registered(&mut stage).await;
    let login = json!({ "username": sent["username"], "password": PASSWORD });
    let tokens = granted(stage.ask(Ask::post("/auth/login").json(&login)).await, 200);
    let me = Ask::get("/users/me").token(&text(&tokens, "access_token"));
    assert_eq!(granted(stage.ask(me).await, 200), account);
}

#[tokio::test]
async fn what_is_named_changes_and_the_rest_stays() {
    let mut stage = Stage::new().await;
    let (sent, pair) = logged_in(&mut stage).await;
    let token = text(&pair, "access_token");
    let before = granted(stage.ask(Ask::get("/users/me").token(&token)).await, 200);

    let change = json!({ "full_name": "Another Name" });
    let after = granted(stage.ask(Ask::patch("/users/me").token(&token).json(&change)).await, 200);
    let mut expected = before.clone();
    expected["full_name"] = json!("Another Name");
    assert_eq!(after, expected);
    assert_eq!(granted(stage.ask(Ask::get("/users/me").token(&token)).await, 200), expected);

    // Get, edit, put: what is read-only comes back and means nothing.
    let mut edited = after;
    edited["email"] = json!(format!("x{}", text(&sent, "email")));
    edited["role"] = json!("admin");
    edited["is_active"] = json!(false);
    let put = granted(stage.ask(Ask::put("/users/me").token(&token).json(&edited)).await, 200);
    expected["email"] = edited["email"].clone();
    assert_eq!(put, expected);
    let login = json!({ "username": edited["email"], "password": PASSWORD });
    granted(stage.ask(Ask::post("/auth/login").json(&login)).await, 200);

    let none = json!({ "full_name": null });
    let after = granted(stage.ask(Ask::patch("/users/me").token(&token).json(&none)).await, 200);
    assert!(after["full_name"].is_null());
}

#[tokio::test]
async fn a_change_that_cannot_be_is_refused_whole() {
    let mut stage = Stage::new().await;
    let (other, _) = registered(&mut stage).await;
    let (_, pair) = logged_in(&mut stage).await;
    let token = text(&pair, "access_token");
    let before = granted(stage.ask(Ask::get("/users/me").token(&token)).await, 200);
    let change = |body| Ask::patch("/users/me").token(&token).json(&body);
    let taken = json!({ "email": text(&other, "email").to_uppercase(), "full_name": "No" });
    problem(stage.ask(change(taken)).await, 409, "taken");
    for (body, field) in [
        (json!({ "email": "nowhere" }), "email"),
        (json!({ "email": null }), "email"),
        (json!({ "full_name": "" }), "full_name"),
        (json!({ "full_name": 7 }), "full_name"),
        (json!({ "password": "short", "current_password": PASSWORD }), "password"),
        (json!({ "password": "long enough now" }), "current_password"),
        (json!({ "password": "long enough now", "current_password": "no" }), "current_password"),
        (json!({ "password": "password123", "current_password": PASSWORD }), "password"),
        (json!({ "nickname": "x" }), "nickname"),
    ] {
        wrong_field(stage.ask(change(body)).await, field);
    }
    problem(stage.ask(Ask::patch("/users/me").json(&json!({}))).await, 401, "unauthorized");
    assert_eq!(granted(stage.ask(Ask::get("/users/me").token(&token)).await, 200), before);
}

#[tokio::test]
async fn another_password_ends_the_other_sessions() {
    let mut stage = Stage::new().await;
    let (sent, here) = logged_in(&mut stage).await;
    let login = |password: &str| {
        Ask::post("/auth/login").json(&json!({
            "username": sent["username"], "password": password,
        }))
    };
    let elsewhere = granted(stage.ask(login(PASSWORD)).await, 200);
    let new = "another plum tractor";
    let token = text(&here, "access_token");
    let change = json!({ "password": new, "current_password": PASSWORD });
    granted(stage.ask(Ask::patch("/users/me").token(&token).json(&change)).await, 200);
    granted(stage.ask(Ask::get("/users/me").token(&token)).await, 200);
    let me = Ask::get("/users/me").token(&text(&elsewhere, "access_token"));
    problem(stage.ask(me).await, 401, "unauthorized");
    let old = json!({ "refresh_token": elsewhere["refresh_token"] });
    problem(stage.ask(Ask::post("/auth/refresh").json(&old)).await, 401, "unauthorized");
    problem(stage.ask(login(PASSWORD)).await, 401, "invalid_credentials");
    granted(stage.ask(login(new)).await, 200);
}

#[tokio::test]
async fn a_name_is_taken_or_not() {
    let mut stage = Stage::new().await;
    let (sent, _) = registered(&mut stage).await;
    let name = text(&sent, "username");
    let check = |name: &str| Ask::get(format!("/users/check-username?username={name}"));
    for taken in [name.clone(), name.to_uppercase()] {
        assert_eq!(granted(stage.ask(check(&taken)).await, 200), json!({ "exists": true }));
    }
    let free = check(&format!("{name}x"));
    assert_eq!(granted(stage.ask(free).await, 200), json!({ "exists": false }));
    wrong_field(stage.ask(Ask::get("/users/check-username")).await, "username");
    for wrong in ["", "ab", "a%20b", "x%40example.org", &"x".repeat(51)] {
        wrong_field(stage.ask(check(wrong)).await, "username");
    }
}

#[tokio::test]
async fn other_methods_of_a_path_are_named_as_missing() {
    let mut stage = Stage::new().await;
    let person = stage.person();
    let answer = stage.ask(Ask::delete("/users/me").token(&person.token)).await;
    problem(answer, 405, "method_not_allowed");
}
