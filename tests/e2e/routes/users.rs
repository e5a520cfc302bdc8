//! `/users/…`

use harness::client::Ask;
use serde_json::json;

use crate::stage::{Stage, granted, problem, text};

use super::auth::{PASSWORD, registered};

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
async fn other_methods_of_a_path_are_named_as_missing() {
    let mut stage = Stage::new().await;
    let person = stage.person();
    let answer = stage.ask(Ask::delete("/users/me").token(&person.token)).await;
    problem(answer, 405, "method_not_allowed");
}
