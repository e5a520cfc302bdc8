//! What is compared: EventFlow as one starts it, and the do-nothing server.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use benches::load::{Generator, Plan};
use benches::people::Signer;
use benches::process::Server;
use serde_json::{Value, json};

/// What every booking's answer must contain.
pub(crate) const CONFIRMED: &str = "\"status\":\"confirmed\"";

/// Starts EventFlow on a free port with an empty folder.
pub(crate) fn eventflow() -> Result<Server> {
    Server::start(&beside_us("eventflow")?, &["run", "--listen", "127.0.0.1:0"], true)
}

/// The same with room for so many connections.
pub(crate) fn eventflow_with_room(connections: usize) -> Result<Server> {
    let words = ["run", "--listen", "127.0.0.1:0"];
    let room = connections.to_string();
    let environment = [("EVENTFLOW_SERVER__MAX_CONNECTIONS", room.as_str())];
    Server::start_in(&beside_us("eventflow")?, &words, true, &environment)
}

/// The same with these variables of the environment.
pub(crate) fn eventflow_in(environment: &[(&str, &str)]) -> Result<Server> {
    let words = ["run", "--listen", "127.0.0.1:0"];
    Server::start_in(&beside_us("eventflow")?, &words, true, environment)
}

/// Starts the do-nothing server; it takes the key from the folder of `ours`.
pub(crate) fn null(ours: &Server) -> Result<Server> {
    let data = ours.data();
    let data = data.to_str().context("a folder whose name isn't text")?;
    Server::start(&std::env::current_exe()?, &["serve-null", data], false)
}

/// Starts the server with the canned answer.
pub(crate) fn canned() -> Result<Server> {
    Server::start(&std::env::current_exe()?, &["serve-canned"], false)
}

fn beside_us(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    ensure!(path.exists(), "{} isn't built: use `cargo xtask bench`", path.display());
    Ok(path)
}

/// Creates an event for `capacity` people and returns its id.
pub(crate) fn create_event(
    generator: &Generator,
    addr: SocketAddr,
    signer: &Signer,
    capacity: usize,
) -> Result<String> {
    let organizer = signer.tokens(1)?;
    let body = json!({
        "title": "The one everybody wants",
        "description": "An evening",
        "start_time": "2099-06-01T18:00:00Z",
        "end_time": "2099-06-01T21:00:00Z",
        "location": "Bremen",
        "capacity": capacity,
        "price": 10,
    });
    let (status, answer) =
        generator.ask(addr, "POST", "/events", &organizer[0], &body.to_string())?;
    ensure!(status == 201, "creating an event: {status} {answer}");
    text(&answer, "id")
}

/// A run of one booking per token, each of which must be confirmed.
pub(crate) fn bookings(event: &str, tokens: &std::sync::Arc<Vec<String>>) -> Plan {
    Plan {
        method: "POST",
        path: "/bookings".to_owned(),
        bodies: vec![json!({ "event_id": event }).to_string()],
        tokens: std::sync::Arc::clone(tokens),
        status: 201,
        contains: CONFIRMED,
    }
}

/// The same at several events, in turns.
pub(crate) fn bookings_at(events: &[String], tokens: &std::sync::Arc<Vec<String>>) -> Plan {
    let bodies = events.iter().map(|event| json!({ "event_id": event }).to_string());
    Plan { bodies: bodies.collect(), ..bookings("", tokens) }
}

/// A run of one read per token: afterwards the server knows all of them.
pub(crate) fn reads(tokens: &std::sync::Arc<Vec<String>>) -> Plan {
    Plan {
        method: "GET",
        path: "/bookings".to_owned(),
        bodies: Vec::new(),
        tokens: std::sync::Arc::clone(tokens),
        status: 200,
        contains: "[",
    }
}

/// A text in an answer.
pub(crate) fn text(answer: &Value, name: &str) -> Result<String> {
    let text = answer[name].as_str();
    Ok(text.with_context(|| format!("no {name} in {answer}"))?.to_owned())
}
