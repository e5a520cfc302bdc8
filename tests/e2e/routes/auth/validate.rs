//! `GET /auth/validate`

use harness::client::Ask;
use serde_json::json;

use super::{PASSWORD, registered};
use crate::stage::{Stage, granted, problem, text};

#[tokio::test]
async fn a_good_token_tells_whose_it_is() {
    let mut stage = Stage::new().await;
    let (sent, account) = registered(&mut stage).await;
    let login = json!({ "username": sent["username"], "password": PASSWORD });
    let tokens = granted(stage.ask(Ask::post("/auth/login").json(&login)).await, 200);
    let token = text(&tokens, "access_token");
    let answer = granted(stage.ask(Ask::get("/auth/validate").token(&token)).await, 200);
    assert_eq!(answer["valid"], true);
    for field in ["id", "username", "email", "full_name", "role", "is_active", "created_at"] {
        assert_eq!(answer[field], account[field], "{field}: {answer}");
        assert_eq!(answer["user"][field], account[field], "{field}: {answer}");
    }
}

#[tokio::test]
async fn a_token_of_nobody_is_not_valid() {
    let mut stage = Stage::new().await;
    // Well signed, but no such account was ever registered.
    let person = stage.person();
    problem(stage.ask(Ask::get("/auth/validate").token(&person.token)).await, 401, "unauthorized");
}
