//! `POST /auth/login`

use harness::client::Ask;
use serde_json::{Value, json};

use super::{PASSWORD, registered};
use crate::stage::{Stage, granted, problem, text};

fn form(name: &str, password: &str) -> Ask {
    let encoded = |text: &str| text.replace('@', "%40").replace(' ', "+");
    let body = format!("username={}&password={}", encoded(name), encoded(password));
    Ask::post("/auth/login").body("application/x-www-form-urlencoded", body)
}

fn multipart(name: &str, password: &str) -> Ask {
    let part = |field: &str, value: &str| {
        format!("--frontier\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n")
    };
    let body = format!("{}{}--frontier--\r\n", part("username", name), part("password", password));
    Ask::post("/auth/login").body("multipart/form-data; boundary=frontier", body)
}

fn object(name: &str, password: &str) -> Ask {
    Ask::post("/auth/login").json(&json!({ "username": name, "password": password }))
}

#[tokio::test]
async fn every_form_and_either_name_logs_in() {
    let mut stage = Stage::new().await;
    let (sent, account) = registered(&mut stage).await;
    let (name, email) = (text(&sent, "username"), text(&sent, "email"));
    for ask in [
        form(&name, PASSWORD),
        form(&email, PASSWORD),
        form(&name.to_uppercase(), PASSWORD),
        multipart(&name, PASSWORD),
        object(&email, PASSWORD),
    ] {
        let tokens = granted(stage.ask(ask).await, 200);
        assert_eq!(tokens["token_type"], "bearer");
        assert!(tokens["expires_in"].as_u64().is_some_and(|seconds| seconds > 0), "{tokens}");
        let me = Ask::get("/users/me").token(&text(&tokens, "access_token"));
        assert_eq!(granted(stage.ask(me).await, 200)["id"], account["id"]);
    }
}

#[tokio::test]
async fn wrong_passwords_and_unknown_names_get_the_same_answer() {
    let mut stage = Stage::new().await;
    let (sent, _) = registered(&mut stage).await;
    let wrong = stage.ask(form(&text(&sent, "username"), "not the password")).await;
    let unknown = stage.ask(form("nobody-by-this-name", "not the password")).await;
    let wrong: Value = problem(wrong, 401, "invalid_credentials");
    assert_eq!(wrong, problem(unknown, 401, "invalid_credentials"));
}

#[tokio::test]
async fn what_is_no_login_is_refused() {
    let mut stage = Stage::new().await;
    let ask = Ask::post("/auth/login").body("application/x-www-form-urlencoded", "username=x");
    problem(stage.ask(ask).await, 422, "validation_failed");
    let ask = Ask::post("/auth/login").body("application/json", "{");
    problem(stage.ask(ask).await, 400, "invalid_json");
    let ask = Ask::post("/auth/login").body("text/plain", "username=x&password=y");
    problem(stage.ask(ask).await, 415, "unsupported_media_type");
}
