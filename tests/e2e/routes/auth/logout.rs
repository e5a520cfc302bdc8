//! `POST /auth/logout`

use harness::client::Ask;
use harness::server::{Home, Server};
use serde_json::{Value, json};

use super::{PASSWORD, logged_in, somebody};
use crate::stage::{Stage, booking, granted, problem, text};

fn logout(pair: &Value) -> Ask {
    Ask::post("/auth/logout").token(&text(pair, "access_token"))
}

fn refresh(pair: &Value) -> Ask {
    Ask::post("/auth/refresh").json(&json!({ "refresh_token": text(pair, "refresh_token") }))
}

#[tokio::test]
async fn both_tokens_are_worth_nothing_afterwards() {
    let mut stage = Stage::new().await;
    let (_, event) = stage.event(5).await;
    let (_, pair) = logged_in(&mut stage).await;
    let token = text(&pair, "access_token");
    // Seen before, everywhere: what remembers good tokens must forget this one.
    granted(stage.ask(Ask::get("/users/me").token(&token)).await, 200);
    granted(stage.ask(Ask::get("/bookings").token(&token)).await, 200);
    let answer = granted(stage.ask(logout(&pair)).await, 200);
    assert!(answer["detail"].is_string());
    for path in ["/users/me", "/auth/validate", "/bookings", "/users/me/bookings"] {
        problem(stage.ask(Ask::get(path).token(&token)).await, 401, "unauthorized");
    }
    let person = harness::people::Person { token: token.into(), ..stage.person() };
    problem(stage.ask(booking(&person, event)).await, 401, "unauthorized");
    problem(stage.ask(refresh(&pair)).await, 401, "unauthorized");
    problem(stage.ask(logout(&pair)).await, 401, "unauthorized");
    assert_eq!(stage.counts(event).await["booked"], 0);
}

#[tokio::test]
async fn a_refresh_token_alone_will_do() {
    let mut stage = Stage::new().await;
    let (_, pair) = logged_in(&mut stage).await;
    let body = json!({ "refresh_token": pair["refresh_token"] });
    granted(stage.ask(Ask::post("/auth/logout").json(&body)).await, 200);
    let me = Ask::get("/users/me").token(&text(&pair, "access_token"));
    problem(stage.ask(me).await, 401, "unauthorized");
    problem(stage.ask(Ask::post("/auth/logout").json(&body)).await, 401, "unauthorized");
    let nothing = Ask::post("/auth/logout").json(&json!({}));
    problem(stage.ask(nothing).await, 401, "unauthorized");
}

#[tokio::test]
async fn it_outlives_a_kill() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let mut client = server.client();
    let person = somebody();
    granted(client.ask(&Ask::post("/auth/register").json(&person)).await, 201);
    let login = Ask::post("/auth/login").json(&json!({
        "username": person["username"], "password": PASSWORD,
    }));
    let out = granted(client.ask(&login).await, 200);
    let stays = granted(client.ask(&login).await, 200);
    granted(client.ask(&logout(&out)).await, 200);
    server.kill();

    let server = Server::start(&home).await;
    let mut client = server.client();
    let me = |pair: &Value| Ask::get("/users/me").token(&text(pair, "access_token"));
    problem(client.ask(&me(&out)).await, 401, "unauthorized");
    problem(client.ask(&refresh(&out)).await, 401, "unauthorized");
    granted(client.ask(&me(&stays)).await, 200);
    granted(client.ask(&refresh(&stays)).await, 200);
}
