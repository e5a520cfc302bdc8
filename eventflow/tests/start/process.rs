//! Goal: what whoever starts the program sees: where it is, one sentence when it cannot
//! start, and its exit code. Method: the real binary.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::client::{PATIENCE, send};

fn program(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eventflow"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("EVENTFLOW_") {
            command.env_remove(name);
        }
    }
    command.args(["run", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    command.env("EVENTFLOW_LOG__LEVEL", "warn");
    // More than may have files open here would be complained of.
    command.env("EVENTFLOW_SERVER__MAX_CONNECTIONS", "100");
    command
}

struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    addr: SocketAddr,
    data: String,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = || {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        let (listens, data) = (line(), line());
        let addr = listens.strip_prefix("EventFlow listens on http://").unwrap_or_else(|| {
            let mut complaint = String::new();
            child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
            panic!("it did not start: {listens}{complaint}")
        });
        let addr = addr.parse().unwrap();
        let data = data.strip_prefix("data in ").unwrap().to_owned();
        Self { child, stdout, addr, data }
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Begins a registration and leaves its body out, so that it stays in flight.
    fn half_a_request(&self, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).unwrap();
        let head = format!(
            "POST /auth/register HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             expect: 100-continue\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // The server asks for the body once somebody reads it: the request is in flight.
        let mut asked = [0; 25];
        stream.read_exact(&mut asked).unwrap();
        assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream
    }

    /// Waits until nothing new is accepted: the drain has begun.
    fn wait_for_drain(&self) {
        let begun = Instant::now();
        while TcpStream::connect(self.addr).is_ok() {
            assert!(begun.elapsed() < PATIENCE, "it goes on accepting");
            std::thread::yield_now();
        }
    }

    /// Sends a signal and waits for the end: the exit code, and what was said meanwhile.
    fn end(mut self, signal: &str) -> (Option<i32>, String) {
        self.signal(signal);
        let mut said = String::new();
        self.stdout.read_to_string(&mut said).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

/// The one sentence on stderr of a program that ended with this code.
fn complaint(output: &Output, code: i32) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(output.stdout.is_empty());
    let lines: Vec<_> = stderr.lines().collect();
    let [line] = lines[..] else { panic!("not one sentence: {stderr}") };
    line.strip_prefix("eventflow: ").unwrap_or_else(|| panic!("{stderr}")).to_owned()
}

#[test]
fn it_says_where_it_is_and_ends_well_when_told_to() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("fresh");
    for signal in ["-TERM", "-INT"] {
        let running = Running::start(program(&data));
        assert_eq!(Path::new(&running.data), data);
        assert_eq!(send(running.addr, "GET", "/health", None, &Value::Null).status, 200);
        assert_eq!(running.end(signal), (Some(0), String::new()), "{signal}");
    }
    assert!(data.join("signing-key.pem").exists());
}

#[test]
fn what_is_in_flight_is_answered_before_the_end() {
    let data = tempfile::tempdir().unwrap();
    let mut running = Running::start(program(data.path()));
    let body = r#"{"username":"ada","email":"ada@example.org","password":"analysis of engines"}"#;
    let mut stream = running.half_a_request(body);
    running.signal("-TERM");
    running.wait_for_drain();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_second_interrupt_waits_for_nothing() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(program(data.path()));
    let _stuck = running.half_a_request("never sent");
    running.signal("-INT");
    running.wait_for_drain();
    assert_eq!(running.end("-INT").0, Some(130));
}

#[test]
fn a_killed_process_leaves_a_folder_that_starts_again() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(program(data.path()));
    assert_eq!(running.end("-KILL").0, None);
    let running = Running::start(program(data.path()));
    assert_eq!(send(running.addr, "GET", "/readyz", None, &Value::Null).status, 200);
    assert_eq!(running.end("-TERM").0, Some(0));
}

#[test]
fn a_port_in_use_is_one_sentence() {
    let data = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_eventflow"));
    command.args(["--listen", &addr, "--data"]).arg(data.path());
    let output = command.env("EVENTFLOW_LOG__LEVEL", "warn").output().unwrap();
    assert_eq!(complaint(&output, 1), format!("cannot listen on {addr}: the port is in use"));
}

#[test]
fn a_folder_that_cannot_be_written_is_one_sentence() {
    let parent = tempfile::tempdir().unwrap();
    // Permissions don't stop a privileged user; a file where a folder should be does.
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    let output = program(&file.join("data")).output().unwrap();
    let complaint = complaint(&output, 1);
    assert!(complaint.contains("not writable"), "{complaint}");
    assert!(complaint.contains(file.to_str().unwrap()), "{complaint}");
}

#[test]
fn a_damaged_file_is_one_sentence_and_stays_as_it_is() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(program(data.path()));
    assert_eq!(running.end("-TERM").0, Some(0));
    let ledger = data.path().join("ledger.db");
    let damaged = b"this is no database any more, whatever it was".repeat(100);
    fs::write(&ledger, &damaged).unwrap();
    let output = program(data.path()).output().unwrap();
    let complaint = complaint(&output, 1);
    assert!(complaint.contains(ledger.to_str().unwrap()), "{complaint}");
    assert_eq!(fs::read(&ledger).unwrap(), damaged);
}

#[test]
fn a_second_process_on_the_folder_is_one_sentence_and_harms_nobody() {
    let data = tempfile::tempdir().unwrap();
    let running = Running::start(program(data.path()));
    let output = program(data.path()).output().unwrap();
    let complaint = complaint(&output, 1);
    assert!(complaint.contains("in use by another process"), "{complaint}");
    assert_eq!(send(running.addr, "GET", "/health", None, &Value::Null).status, 200);
    assert_eq!(running.end("-TERM").0, Some(0));
}

#[test]
fn a_wrong_key_file_is_one_sentence() {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("signing-key.pem"), "no key").unwrap();
    let complaint = complaint(&program(data.path()).output().unwrap(), 1);
    assert!(complaint.contains("signing-key.pem"), "{complaint}");
}

#[test]
fn settings_that_nobody_knows_are_one_sentence_before_anything_is_touched() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let mut command = program(&data);
    let output = command.env("EVENTFLOW_SERVER__PROT", "1").output().unwrap();
    let said = complaint(&output, 1);
    assert!(said.contains("EVENTFLOW_SERVER__PROT"), "{said}");

    let file = parent.path().join("eventflow.toml");
    fs::write(&file, "[server]\nprot = 1\n").unwrap();
    let output = program(&data).arg("--config").arg(&file).output().unwrap();
    let said = complaint(&output, 1);
    assert!(said.contains("server.prot") && said.contains("eventflow.toml"), "{said}");
    assert!(!data.exists());
}

#[test]
fn a_wrong_command_line_is_exit_code_two_and_a_question_is_zero() {
    let run = |arg: &str| Command::new(env!("CARGO_BIN_EXE_eventflow")).arg(arg).output().unwrap();
    assert_eq!(run("--nonsense").status.code(), Some(2));
    assert_eq!(run("walk").status.code(), Some(2));
    let version = run("--version");
    assert_eq!(version.status.code(), Some(0));
    let expected = concat!("eventflow ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8(version.stdout).unwrap(), expected);
    assert_eq!(run("--help").status.code(), Some(0));
}
