//! Who tries too often is told so before a password is hashed.

use harness::client::{Ask, Client};
use harness::server::{Home, Server};
use serde_json::json;

use super::{PASSWORD, somebody};
use crate::stage::{granted, problem};

async fn log_in(client: &mut Client, username: &str, password: &str) -> harness::client::Response {
    let body = json!({ "username": username, "password": password });
    client.ask(&Ask::post("/auth/login").json(&body)).await
}

#[tokio::test]
async fn an_account_cannot_be_guessed_at_for_ever() {
    let home = Home::new();
    let allowed = 3;
    let limit = ("EVENTFLOW_AUTH__ATTEMPTS_PER_ACCOUNT", allowed.to_string());
    let server = Server::start_in(&home, &[], &[(limit.0, limit.1.as_str())]).await;
    let mut client = server.client();
    let (victim, other) = (somebody(), somebody());
    for person in [&victim, &other] {
        granted(client.ask(&Ask::post("/auth/register").json(person)).await, 201);
    }
    let name = victim["username"].as_str().expect("a name");
    for _ in 0..allowed {
        problem(log_in(&mut client, name, "a wrong guess").await, 401, "invalid_credentials");
    }
    let refused = log_in(&mut client, &name.to_uppercase(), PASSWORD).await;
    let seconds: u32 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    problem(refused, 429, "too_many_requests");
    let other = other["username"].as_str().expect("a name");
    granted(log_in(&mut client, other, PASSWORD).await, 200);
}
