//! People with accounts of their own: registered, logged in, some of them admins.

use rusqlite::Connection;
use serde_json::json;
use uuid::Uuid;

use crate::client::{Ask, Client};
use crate::eventually::PATIENCE;
use crate::people::Person;
use crate::server::Home;

/// Somebody who can log in.
#[derive(Clone, Debug)]
pub struct Account {
    /// The account's id and a token.
    pub person: Person,
    /// The name to log in with.
    pub username: String,
    /// The password.
    pub password: String,
    /// The newest refresh token, if the server gives any.
    pub refresh_token: Option<String>,
}

/// Registers an account and logs in.
///
/// # Panics
/// When either is refused.
pub async fn register(client: &mut Client, username: &str, password: &str) -> Account {
    let body = json!({
        "username": username,
        "email": format!("{username}@example.org"),
        "password": password,
        "full_name": username,
    });
    let answer = client.ask(&Ask::post("/auth/register").json(&body)).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    let id = answer.json()["id"].as_str().and_then(|id| id.parse().ok());
    let id: Uuid = id.expect("an account has an id");
    let (username, password) = (username.to_owned(), password.to_owned());
    let person = Person { id, token: "".into() };
    let mut account = Account { person, username, password, refresh_token: None };
    log_in(client, &mut account).await;
    account
}

/// Logs in; the account has new tokens afterwards.
///
/// # Panics
/// When it is refused.
pub async fn log_in(client: &mut Client, account: &mut Account) {
    let body = json!({ "username": account.username, "password": account.password });
    let answer = client.ask(&Ask::post("/auth/login").json(&body)).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let body = answer.json();
    let token = |name: &str| body[name].as_str().map(ToOwned::to_owned);
    account.person.token = token("access_token").expect("a log-in gives a token").into();
    account.refresh_token = token("refresh_token");
}

/// Makes an account an admin's, from its next log-in on: written into the file while the
/// server runs, because the API deliberately has no call for it.
///
/// # Panics
/// When there is no such account.
pub fn make_admin(home: &Home, username: &str) {
    let changed = Connection::open(home.data().join("app.db")).and_then(|file| {
        file.busy_timeout(PATIENCE)?;
        file.execute("UPDATE auth_account SET role = 1 WHERE username_lower = ?1", [username])
    });
    assert_eq!(changed, Ok(1), "{username} is no admin now");
}
