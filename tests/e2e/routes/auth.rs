//! `/auth/…`

mod attempts;
mod login;
mod logout;
mod refresh;
mod register;
mod validate;

use harness::client::Ask;
use serde_json::{Value, json};

use crate::stage::{Stage, granted, new_id};

/// A password that nothing is wrong with.
pub(super) const PASSWORD: &str = "plum tractor 17";

/// A valid registration of somebody new.
pub(super) fn somebody() -> Value {
    let name = format!("u{}", &new_id().simple().to_string()[..20]);
    json!({
        "username": name,
        "email": format!("{name}@example.org"),
        "password": PASSWORD,
        "full_name": "Some Body",
    })
}

/// Registers somebody new; what was sent, and what was answered.
pub(super) async fn registered(stage: &mut Stage) -> (Value, Value) {
    let sent = somebody();
    let answer = stage.ask(Ask::post("/auth/register").json(&sent)).await;
    (sent, granted(answer, 201))
}

/// Registers somebody new and logs in; what was sent, and the tokens.
pub(super) async fn logged_in(stage: &mut Stage) -> (Value, Value) {
    let (sent, _) = registered(stage).await;
    let login = json!({ "username": sent["username"], "password": PASSWORD });
    let tokens = granted(stage.ask(Ask::post("/auth/login").json(&login)).await, 200);
    (sent, tokens)
}
