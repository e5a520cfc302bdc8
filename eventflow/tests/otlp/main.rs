//! Goal: a booking is one trace, from the gateway to its commit, and it goes on with what the
//! client tells of. Method: the real binary sends to a small receiver here, which reads of
//! OTLP what it needs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod receiver;

#[allow(dead_code, reason = "shared with other tests, which use more of it")]
#[path = "../start/client.rs"]
mod client;
#[allow(dead_code, reason = "shared with other tests, which use more of it")]
#[path = "../start/work.rs"]
mod work;

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::json;
use tokio::net::TcpSocket;

use client::{PATIENCE, exchange};
use receiver::{Receiver, Span};

/// A trace that a client has begun, and its span there.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// The binary, killed when dropped.
struct Running {
    child: Child,
    addr: SocketAddr,
}

impl Running {
    fn start(data: &Path, endpoint: &str, sample_percent: u32) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eventflow"));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("EVENTFLOW_") || name.starts_with("OTEL_") {
                command.env_remove(name);
            }
        }
        command.args(["run", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        command.env("EVENTFLOW_LOG__LEVEL", "warn");
        // More than may have files open here would be complained of.
        command.env("EVENTFLOW_SERVER__MAX_CONNECTIONS", "100");
        command.env("EVENTFLOW_TRACE__ENDPOINT", endpoint);
        command.env("EVENTFLOW_TRACE__SAMPLE_PERCENT", sample_percent.to_string());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut greeting = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut greeting).unwrap();
        let addr = greeting.trim_end().strip_prefix("EventFlow listens on http://").unwrap();
        Self { child, addr: addr.parse().unwrap() }
    }

    /// As SIGTERM ends it; what was traced last is sent then. Gives back what it has said.
    fn stop(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            std::thread::yield_now();
        }
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(!said.contains("panicked"), "{said}");
        said
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn book(addr: SocketAddr, sampled: bool) {
    let ada = work::person(addr, "ada");
    let wish = json!({ "event_id": work::event(addr, &ada, 3) });
    let told = format!("00-{TRACE}-{PARENT}-0{}", u8::from(sampled));
    let (head, body) =
        exchange(addr, "POST", "/bookings", Some(&ada), &[("traceparent", &told)], &wish);
    assert!(head.starts_with("HTTP/1.1 201"), "{head}\n{body}");
}

#[test]
fn a_booking_is_one_trace_from_the_client_to_the_commit() {
    let (data, receiver) = (tempfile::tempdir().unwrap(), Receiver::start());
    let running = Running::start(data.path(), &receiver.endpoint(), 0);
    book(running.addr, true);
    let said = running.stop();
    assert_eq!(said, "", "nothing to complain of");
    let spans = receiver.spans();
    // Nothing that begins here is sent by this share, and all that the client began is.
    assert!(spans.iter().all(|span| span.trace == TRACE), "{spans:?}");
    let one = |name: &str| -> &Span {
        let mut found = spans.iter().filter(|span| span.name == name);
        let span = found.next().unwrap_or_else(|| panic!("no {name}: {spans:?}"));
        assert!(found.next().is_none(), "one {name}: {spans:?}");
        span
    };
    let (request, submit, commit) = (one("request"), one("submit"), one("commit"));
    assert_eq!(request.parent, PARENT);
    assert_eq!(submit.parent, request.id);
    assert_eq!(commit.parent, submit.id);
    assert_eq!(receiver.service(), "eventflow");
}

#[test]
fn what_the_client_does_not_want_traced_is_not() {
    let (data, receiver) = (tempfile::tempdir().unwrap(), Receiver::start());
    let running = Running::start(data.path(), &receiver.endpoint(), 100);
    book(running.addr, false);
    running.stop();
    let spans = receiver.spans();
    assert!(spans.iter().any(|span| span.name == "request"), "those that begin here are");
    assert!(spans.iter().all(|span| span.trace != TRACE), "{spans:?}");
}

#[test]
fn a_receiver_that_is_not_there_disturbs_nobody() {
    let data = tempfile::tempdir().unwrap();
    // Bound, and nobody listens there.
    let nowhere = TcpSocket::new_v4().unwrap();
    nowhere.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = nowhere.local_addr().unwrap();
    let running = Running::start(data.path(), &format!("http://{address}/v1/traces"), 100);
    book(running.addr, true);
    let said = running.stop();
    assert_eq!(said.matches("traces cannot be sent").count(), 1, "once: {said}");
}
