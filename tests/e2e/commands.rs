//! The commands beside `run`, by the real binary: what they print, how they end.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use harness::client::{Ask, Client};
use harness::people::{People, Person};
use harness::server::{Home, Server, binary};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stage::{booking, granted, new_id, text};

fn run(words: &[&str], input: &str) -> Output {
    let mut child = Command::new(binary())
        .args(words)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn done(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Failed with one sentence that has this in it.
#[track_caller]
fn refused(output: &Output, part: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains(part), "{part}: {errors}");
    assert!(!errors.contains("panicked"), "{errors}");
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// An event with a booking, somebody who waits, and one that was cancelled.
async fn evening(client: &mut Client, people: &People) -> (Uuid, Vec<(Person, String)>) {
    let organizer = people.attendee(new_id());
    let event = harness::events::create(client, &organizer, "Backed up", 2).await;
    let mut booked = Vec::new();
    for _ in 0..4 {
        let person = people.attendee(new_id());
        let answer = granted(client.ask(&booking(&person, event)).await, 201);
        booked.push((person, text(&answer, "id")));
    }
    let (person, id) = booked.remove(0);
    let cancel = Ask::delete(format!("/bookings/{id}")).token(&person.token);
    granted(client.ask(&cancel).await, 200);
    (event, booked)
}

async fn lists(client: &mut Client, booked: &[(Person, String)]) -> Vec<Value> {
    let mut lists = Vec::new();
    for (person, _) in booked {
        let list = Ask::get("/bookings").token(&person.token);
        lists.push(granted(client.ask(&list).await, 200));
    }
    lists
}

#[tokio::test]
async fn a_backup_of_a_running_server_has_everything_that_was_answered() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let people = People::of(&home.data());
    let mut client = server.client();
    let (event, booked) = evening(&mut client, &people).await;
    let before = lists(&mut client, &booked).await;
    let (data, file) = (home.data(), home.beside("backup.tar"));
    done(&run(&["backup", "--data", path(&data), path(&file)], ""));
    refused(&run(&["backup", "--data", path(&data), path(&file)], ""), "is there already");
    // What comes after it is not in it, and must not stand in its way.
    let late = people.attendee(new_id());
    granted(client.ask(&booking(&late, event)).await, 201);
    server.kill();

    let elsewhere = Home::new();
    let restored = elsewhere.data();
    done(&run(&["restore", "--data", path(&restored), path(&file)], ""));
    let again = run(&["restore", "--data", path(&restored), path(&file)], "");
    refused(&again, "not empty");
    let server = Server::start(&elsewhere).await;
    let mut client = server.client();
    assert_eq!(lists(&mut client, &booked).await, before);
    let list = Ask::get("/bookings").token(&late.token);
    assert_eq!(granted(client.ask(&list).await, 200), json!([]));
    // It is a server like any other.
    granted(client.ask(&booking(&late, event)).await, 201);
    let look = run(&["inspect", "--json", "--data", path(&restored), &event.to_string()], "");
    let look: Value = serde_json::from_str(&done(&look)).unwrap();
    assert_eq!(look["owner"]["era"], 2);
}

#[tokio::test]
async fn an_altered_or_cut_backup_is_refused_and_nothing_is_written() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let people = People::of(&home.data());
    evening(&mut server.client(), &people).await;
    let file = home.beside("backup.tar");
    done(&run(&["backup", "--data", path(&home.data()), path(&file)], ""));
    let whole = std::fs::read(&file).unwrap();
    let target = home.beside("restored");
    let mut altered = whole.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    for (name, bytes) in [
        ("altered", &altered[..]),
        ("cut", &whole[..whole.len() / 2]),
        ("empty", &[]),
        ("something else", b"not a backup at all"),
    ] {
        let broken = home.beside("broken.tar");
        std::fs::write(&broken, bytes).unwrap();
        refused(&run(&["restore", "--data", path(&target), path(&broken)], ""), "");
        assert!(!target.exists(), "{name}");
    }
    refused(&run(&["restore", "--force", "--data", path(&home.data()), path(&file)], ""), "in use");
}

#[tokio::test]
async fn an_admin_is_made_while_the_server_runs() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let data = home.data();
    let words =
        ["create-admin", "--data", path(&data), "--username", "root", "--email", "r@example.org"];
    for (password, part) in [
        ("", "no password"),
        ("short", "password"),
        ("root\n", "password"),
        ("password123", "password"),
    ] {
        refused(&run(&words, password), part);
    }
    let id = done(&run(&words, "plum tractor 17\n"));
    refused(&run(&words, "plum tractor 17"), "taken");
    let mut client = server.client();
    let login = json!({ "username": "root", "password": "plum tractor 17" });
    let tokens = granted(client.ask(&Ask::post("/auth/login").json(&login)).await, 200);
    let token = text(&tokens, "access_token");
    let me = granted(client.ask(&Ask::get("/users/me").token(&token)).await, 200);
    assert_eq!((&me["role"], text(&me, "id")), (&json!("admin"), id.trim().to_owned()));
    let people = People::of(&data);
    let (event, booked) = evening(&mut client, &people).await;
    let all = Ask::get(format!("/events/{event}/bookings")).token(&token);
    granted(client.ask(&all).await, 200);
    let foreign = Ask::get(format!("/bookings/{}", booked[0].1)).token(&token);
    granted(client.ask(&foreign).await, 200);
}

#[tokio::test]
async fn an_event_is_inspected_without_disturbing_anybody() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let people = People::of(&home.data());
    let mut client = server.client();
    let (event, booked) = evening(&mut client, &people).await;
    let data = home.data();
    let inspect = |id: &str| run(&["inspect", "--json", "--data", path(&data), id], "");
    let seen: Value = serde_json::from_str(&done(&inspect(&event.to_string()))).unwrap();
    assert_eq!(seen["event"], event.to_string());
    assert_eq!(seen["replay"], "equals the header");
    assert_eq!(
        (&seen["header"]["booked"], &seen["header"]["waitlist_entries"]),
        (&json!(2), &json!(1))
    );
    let facts: Vec<&Value> = seen["batches"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|batch| batch["facts"].as_array().unwrap())
        .map(|fact| &fact["fact"])
        .collect();
    for fact in ["EventOpened", "BookingConfirmed", "BookingWaitlisted", "BookingPromoted"] {
        assert!(facts.contains(&&json!(fact)), "{fact}: {facts:?}");
    }
    let by_booking: Value = serde_json::from_str(&done(&inspect(&booked[0].1))).unwrap();
    assert_eq!(by_booking["event"], seen["event"], "a booking's id leads home");
    let plain = done(&run(&["inspect", "--data", path(&data), &event.to_string()], ""));
    assert!(plain.contains("replay: equals the header"), "{plain}");
    refused(&inspect("17"), "not an id");
    refused(&inspect(&Uuid::nil().to_string()), "nothing is stored");
    let person = people.attendee(new_id());
    granted(client.ask(&booking(&person, event)).await, 201);
}

#[tokio::test]
async fn lists_and_documents_are_made_anew() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let people = People::of(&home.data());
    let mut client = server.client();
    let (event, booked) = evening(&mut client, &people).await;
    let hold = json!({ "event_id": event.to_string() });
    let waiting = people.attendee(new_id());
    client.ask(&Ask::post("/bookings/holds").token(&waiting.token).json(&hold)).await;
    let before = (lists(&mut client, &booked).await, client.ask(&Ask::get("/events")).await.json());
    let data = home.data();
    for command in ["rebuild-views", "rebuild-catalog", "migrate"] {
        refused(&run(&[command, "--data", path(&data)], ""), "in use");
    }
    server.interrupt().await;

    let check = done(&run(&["rebuild-views", "--check", "--json", "--data", path(&data)], ""));
    let check: Value = serde_json::from_str(&check).unwrap();
    assert_eq!(check["replaced"], false);
    let damage = rusqlite::Connection::open(data.join("views.db")).unwrap();
    assert!(damage.execute("UPDATE booking SET status = 2 WHERE status = 0", []).unwrap() > 0);
    drop(damage);
    let damage = rusqlite::Connection::open(data.join("app.db")).unwrap();
    damage.execute("UPDATE catalog_document SET title = 'Nonsense'", []).unwrap();
    drop(damage);
    let check = run(&["rebuild-views", "--check", "--data", path(&data)], "");
    refused(&check, "not what the ledger says");
    let anew = done(&run(&["rebuild-views", "--json", "--data", path(&data)], ""));
    let anew: Value = serde_json::from_str(&anew).unwrap();
    let table =
        anew["tables"].as_array().unwrap().iter().find(|t| t["table"] == "booking").unwrap();
    assert_eq!(
        (&table["rows"], &table["missing"], &table["extra"]),
        (&json!(4), &json!(2), &json!(2))
    );
    let documents = done(&run(&["rebuild-catalog", "--json", "--data", path(&data)], ""));
    let documents: Value = serde_json::from_str(&documents).unwrap();
    assert_eq!(documents, json!({ "same": 0, "different": 1, "missing": 0, "unreadable": 0 }));

    let server = Server::start(&home).await;
    let mut client = server.client();
    let after = (lists(&mut client, &booked).await, client.ask(&Ask::get("/events")).await.json());
    assert_eq!(after, before);
}

#[test]
fn settings_are_checked_and_printed() {
    let home = Home::new();
    let file = home.beside("eventflow.toml");
    std::fs::write(&file, "[server]\nmax_connections = 7\n").unwrap();
    done(&run(&["check-config", "--config", path(&file)], ""));
    let printed = done(&run(&["print-config", "--json", "--config", path(&file)], ""));
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed["server"]["max_connections"], 7);
    let toml = done(&run(&["print-config", "--config", path(&file)], ""));
    std::fs::write(&file, &toml).unwrap();
    assert_eq!(
        done(&run(&["print-config", "--config", path(&file)], "")),
        toml,
        "it is a file again"
    );
    std::fs::write(&file, "[server]\ncolour = 7\n").unwrap();
    refused(&run(&["check-config", "--config", path(&file)], ""), "server.colour");
    for command in ["migrate", "rebuild-views", "rebuild-catalog"] {
        refused(&run(&[command, "--data", path(&home.beside("nowhere"))], ""), "no data folder");
        assert!(!home.beside("nowhere").exists());
    }
}

#[tokio::test]
async fn health_and_completions() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let addr = server.address().to_string();
    done(&run(&["health", "--addr", &addr], ""));
    let file = home.beside("config.toml");
    std::fs::write(&file, format!("[server]\nlisten = \"{addr}\"\n")).unwrap();
    done(&run(&["health", "--config", path(&file)], ""));
    server.interrupt().await;
    refused(&run(&["health", "--addr", &addr], ""), "nobody answers");
    refused(&run(&["health", "--config", path(&file)], ""), "nobody answers");
    for shell in ["bash", "zsh", "fish"] {
        assert!(done(&run(&["completions", shell], "")).contains("eventflow"), "{shell}");
    }
}
