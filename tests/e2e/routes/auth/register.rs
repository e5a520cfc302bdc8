//! `POST /auth/register`

use harness::client::Ask;
use serde_json::{Value, json};

use super::{registered, somebody};
use crate::stage::{Stage, is_utc, is_uuid_v7, problem, text, wrong_field};

fn register(body: &Value) -> Ask {
    Ask::post("/auth/register").json(body)
}

#[tokio::test]
async fn somebody_new_is_registered() {
    let (sent, account) = registered(&mut Stage::new().await).await;
    assert!(is_uuid_v7(&text(&account, "id")), "{account}");
    for field in ["username", "email", "full_name"] {
        assert_eq!(account[field], sent[field], "{account}");
    }
    assert_eq!((&account["role"], &account["is_active"]), (&json!("attendee"), &json!(true)));
    assert!(is_utc(&account["created_at"]), "{account}");
    assert!(!account.to_string().contains("password"), "{account}");
}

#[tokio::test]
async fn the_full_name_is_optional() {
    let mut stage = Stage::new().await;
    let mut sent = somebody();
    sent.as_object_mut().unwrap().remove("full_name");
    let account = crate::stage::granted(stage.ask(register(&sent)).await, 201);
    assert_eq!(account.get("full_name"), Some(&Value::Null));
}

#[tokio::test]
async fn names_and_addresses_are_unique_in_any_case() {
    let mut stage = Stage::new().await;
    let (sent, _) = registered(&mut stage).await;
    for field in ["username", "email"] {
        let mut other = somebody();
        other[field] = json!(text(&sent, field).to_uppercase());
        problem(stage.ask(register(&other)).await, 409, "taken");
    }
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let mut stage = Stage::new().await;
    for (field, value) in [
        ("username", json!(null)),
        ("username", json!("")),
        ("username", json!(17)),
        ("email", json!("nowhere")),
        ("email", json!(null)),
        ("password", json!("1234567")),
        ("password", json!("x".repeat(129))),
        ("password", json!("password123")),
        ("password", json!(null)),
        ("role", json!("admin")),
        ("is_active", json!(true)),
        ("full_name", json!(["x"])),
    ] {
        let mut sent = somebody();
        sent[field] = value;
        wrong_field(stage.ask(register(&sent)).await, field);
    }
    // A password that is the name or the address.
    for field in ["username", "email"] {
        let mut sent = somebody();
        sent["password"] = sent[field].clone();
        wrong_field(stage.ask(register(&sent)).await, "password");
    }
    let ask = Ask::post("/auth/register").body("application/json", "{\"username\":");
    problem(stage.ask(ask).await, 400, "invalid_json");
    problem(stage.ask(register(&json!([]))).await, 422, "validation_failed");
}
