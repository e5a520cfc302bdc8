//! What must not be in a log, nor lie about in the data folder.

use std::fs;
use std::path::Path;

use harness::accounts::{self, Account};
use harness::client::Ask;
use harness::raw;
use harness::server::{Home, Server, UNLIMITED};
use serde_json::json;

use crate::routes::{self, Shape};

/// Passwords that occur nowhere else.
const PASSWORD: &str = "canary-Pelican-4711-right";
const WRONG: &str = "canary-Pelican-0815-wrong";
const BROKEN: &str = "canary-Pelican-1138-broken";

/// The one file that may have the key in it.
const KEY_FILE: &str = "signing-key.pem";

/// All secrets of the run, with what they are.
struct Canaries(Vec<(String, String)>);

impl Canaries {
    fn add(&mut self, what: &str, secret: &str) {
        assert!(secret.len() >= 8, "{what} is too short to be looked for: {secret:?}");
        self.0.push((what.to_owned(), secret.to_owned()));
    }

    /// Secrets that are in these bytes.
    fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        let there =
            |secret: &str| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        self.0.iter().filter(|(_, s)| there(s)).map(|(what, _)| what.as_str()).collect()
    }
}

#[tokio::test]
async fn no_secret_is_logged_or_left_about() {
    let home = Home::new();
    let environment = [UNLIMITED, ("EVENTFLOW_LOG__LEVEL", "trace")];
    let server = Server::start_in(&home, &[], &environment).await;
    let mut canaries = Canaries(Vec::new());
    for (what, password) in [
        ("the password", PASSWORD),
        ("a wrong password", WRONG),
        ("a password in broken JSON", BROKEN),
    ] {
        canaries.add(what, password);
    }
    let account = people(&server, &mut canaries).await;
    bookings(&server, &account, &mut canaries).await;
    sessions(&server, account, &mut canaries).await;
    refused(&server, &mut canaries).await;
    let pem = fs::read_to_string(home.data().join(KEY_FILE)).unwrap();
    let key = pem.lines().find(|line| !line.starts_with("---")).unwrap();
    canaries.add("the signing key", key);

    let log = home.log();
    assert!(log.contains("INFO"), "nothing is logged: {log}");
    assert_eq!(canaries.found_in(log.as_bytes()), [""; 0], "in the log while it runs");
    assert!(server.stop().await.success());
    let log = home.log();
    assert_eq!(canaries.found_in(log.as_bytes()), [""; 0], "in the log");
    let mut files = 0;
    look_through(&home.data(), &mut |path, bytes| {
        files += 1;
        if path.file_name().is_some_and(|name| name == KEY_FILE) {
            return;
        }
        assert_eq!(canaries.found_in(bytes), [""; 0], "in {}", path.display());
    });
    assert!(files >= 4, "only {files} files");
    home.assert_no_panic();
}

/// Registers and logs in, rightly and wrongly, in every form.
async fn people(server: &Server, canaries: &mut Canaries) -> Account {
    let mut client = server.client();
    let account = accounts::register(&mut client, "canary", PASSWORD).await;
    let form = |password: &str| {
        let form = format!("username=canary&password={password}");
        Ask::post("/auth/login").body("application/x-www-form-urlencoded", form)
    };
    for (password, status) in [(PASSWORD, 200), (WRONG, 401)] {
        let answer = client.ask(&form(password)).await;
        assert_eq!(answer.status, status, "{:?}", answer.body);
        let json = json!({ "username": "canary", "password": password });
        let answer = client.ask(&Ask::post("/auth/login").json(&json)).await;
        assert_eq!(answer.status, status, "{:?}", answer.body);
        if let Some(token) = answer.json()["access_token"].as_str() {
            canaries.add("an access token", token);
        }
    }
    canaries.add("the access token", &account.person.token);
    let again = json!({ "username": "canary", "email": "c@example.org", "password": PASSWORD });
    let answer = client.ask(&Ask::post("/auth/register").json(&again)).await;
    assert_eq!(answer.status, 409, "{:?}", answer.body);
    account
}

/// Books, and reads the ticket's code.
async fn bookings(server: &Server, account: &Account, canaries: &mut Canaries) {
    let mut client = server.client();
    let event = harness::events::create(&mut client, &account.person, "With tickets", 5).await;
    let body = json!({ "event_id": event.to_string() });
    let ask = Ask::post("/bookings").token(&account.person.token).json(&body);
    let answer = client.ask(&ask).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let ask = Ask::get(format!("/bookings/{id}")).token(&account.person.token);
    let answer = client.ask(&ask).await;
    canaries.add("a ticket's code", answer.json()["ticket_code"].as_str().unwrap());
    let ask = Ask::get("/bookings").token(&account.person.token);
    assert_eq!(client.ask(&ask).await.status, 200);
}

/// Renews the session and ends it, where the server knows sessions.
async fn sessions(server: &Server, mut account: Account, canaries: &mut Canaries) {
    let mut client = server.client();
    let known = |shape| routes::all().iter().any(|route| route.row.shape == shape);
    if !known(Shape::Refresh) {
        return;
    }
    let first = account.refresh_token.take().expect("a log-in gives a refresh token");
    canaries.add("a refresh token", &first);
    let refresh = |token: &str| Ask::post("/auth/refresh").json(&json!({ "refresh_token": token }));
    let answer = client.ask(&refresh(&first)).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let body = answer.json();
    let (access, second) =
        (body["access_token"].as_str().unwrap(), body["refresh_token"].as_str().unwrap());
    canaries.add("a renewed access token", access);
    canaries.add("a renewed refresh token", second);
    let logout = Ask::post("/auth/logout").token(access);
    let answer = client.ask(&logout.json(&json!({ "refresh_token": second }))).await;
    assert!(answer.status.is_success(), "{:?}", answer.body);
    // The second use of a token ends its whole family, which is worth a line in the log.
    for token in [&first[..], second, "not-one-of-ours"] {
        assert_eq!(client.ask(&refresh(token)).await.status, 401);
    }
}

/// What cannot be read must not be repeated, neither in an answer nor in a log.
async fn refused(server: &Server, canaries: &mut Canaries) {
    let mut bearers =
        vec![format!("canary-bearer-{}", "x".repeat(40)), "a.b.canary-bearer-2".to_owned()];
    bearers.push("y".repeat(5_000));
    let bodies = [
        ("application/json", format!("{{\"username\":\"canary\",\"password\":\"{BROKEN}")),
        ("application/json", format!("{{\"password\":\"{BROKEN}\\ud800\"}}")),
        ("application/json", format!("[\"{BROKEN}\"]")),
        ("application/json", format!("{{\"username\":17,\"password\":[\"{BROKEN}\"]}}")),
        ("application/json", format!("\"{BROKEN}\"")),
        ("text/plain", format!("password={BROKEN}")),
        ("multipart/form-data; boundary=x", format!("--x\r\nname=password\r\n\r\n{BROKEN}")),
        ("application/x-www-form-urlencoded", format!("password={BROKEN}&username=%ff")),
    ];
    for path in ["/auth/register", "/auth/login", "/bookings", "/events", "/auth/nowhere"] {
        for (content_type, body) in &bodies {
            let ask = Ask::post(path).token(&bearers[0]).body(content_type, body.clone());
            answered_without(server, &ask, canaries).await;
        }
    }
    for bearer in &bearers {
        canaries.add("a bad token", bearer);
        for path in ["/users/me", "/bookings", "/auth/validate"] {
            answered_without(server, &Ask::get(path).token(bearer), canaries).await;
        }
    }
}

async fn answered_without(server: &Server, ask: &Ask, canaries: &Canaries) {
    let answer = raw::send(server.address(), ask.bytes()).await.response.unwrap();
    let status = answer.status.as_u16();
    assert!((400..500).contains(&status), "{ask:?}: {status} {:?}", answer.body);
    let found = canaries.found_in(&answer.body);
    assert!(found.is_empty(), "{found:?} in the answer to {ask:?}: {:?}", answer.body);
}

/// Shows every file under a folder.
fn look_through(folder: &Path, look: &mut impl FnMut(&Path, &[u8])) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            look_through(&path, look);
        } else {
            look(&path, &fs::read(&path).unwrap());
        }
    }
}

#[test]
fn a_secret_is_found_wherever_it_stands() {
    let canaries = Canaries(vec![("it".to_owned(), "canary-secret".to_owned())]);
    assert_eq!(canaries.found_in(b"\0\xffcanary-secret\n"), ["it"]);
    assert_eq!(canaries.found_in(b"canary-secre"), [""; 0]);
}
