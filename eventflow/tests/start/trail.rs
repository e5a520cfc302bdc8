//! Goal: one id finds every line about a request, in every process it went through. Method:
//! the front is the real binary, the replica runs in this process on a store in memory; the
//! lines of both are searched for the id of one booking.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use actors::Identity;
use actors::protocol::Replica as Identified;
use api::upstream::{Client, Secret};
use api::{Upstream, Verifier};
use booking::{HttpPeers, Replica};
use eventflow::clock::{ProcessClock, SystemEntropy};
use eventflow::keys::Keys;
use eventflow::listen;
use serde_json::{Value, json};
use storage::memory::{MemoryMembers, MemoryStore};
use tokio::net::TcpSocket;
use tower::ServiceExt;
use tracing_subscriber::fmt::MakeWriter;

use crate::client::{PATIENCE, exchange};
use crate::work;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

const ID: &str = "trail-0001";

/// Lines that are kept.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Lines {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The spans' names of every line that has the id.
fn spans_with_id(text: &str) -> Vec<(String, Vec<String>)> {
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter_map(|line| {
            let spans = line["spans"].as_array()?.clone();
            let ours = spans.iter().any(|span| span["name"] == "request" && span["id"] == ID);
            let names = spans.iter().filter_map(|span| span["name"].as_str().map(str::to_owned));
            ours.then(|| (line["message"].as_str().unwrap_or("").to_owned(), names.collect()))
        })
        .collect()
}

/// A port for a listener whose address must be known beforehand. It stays bound, without
/// anybody listening, until the process ends: so nobody else is given it meanwhile.
fn free() -> SocketAddr {
    let socket = Box::leak(Box::new(TcpSocket::new_v4().unwrap()));
    socket.set_reuseaddr(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket.local_addr().unwrap()
}

/// The front as a process of its own; killed when dropped.
struct Front {
    child: Child,
    addr: SocketAddr,
    lines: Arc<Mutex<String>>,
}

impl Front {
    fn start(home: &std::path::Path, internal: SocketAddr, replica: SocketAddr) -> Self {
        let secret = home.join("secret");
        std::fs::write(&secret, SECRET).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_eventflow"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("EVENTFLOW_") {
                command.env_remove(name);
            }
        }
        command.args([
            "run",
            "gateway",
            "auth",
            "catalog",
            "notification",
            "--listen",
            "127.0.0.1:0",
            "--data",
        ]);
        command.arg(home.join("data"));
        for (name, value) in [
            ("LOG__LEVEL", "debug".to_owned()),
            ("LOG__FORMAT", "json".to_owned()),
            ("CLUSTER__LISTEN", internal.to_string()),
            ("CLUSTER__REPLICAS", replica.to_string()),
            ("CLUSTER__SECRET_FILE", secret.display().to_string()),
        ] {
            command.env(format!("EVENTFLOW_{name}"), value);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = Arc::new(Mutex::new(String::new()));
        let (kept, stderr) = (Arc::clone(&lines), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        let (tell, told) = mpsc::channel();
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let greeting = told.recv_timeout(PATIENCE);
        let greeting = greeting.unwrap_or_else(|_| panic!("{}", lines.lock().unwrap()));
        let addr = greeting.strip_prefix("EventFlow listens on http://").unwrap().parse().unwrap();
        Self { child, addr, lines }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A replica on a store in memory, behind a listener.
async fn replica(home: &std::path::Path, addr: SocketAddr, front: SocketAddr) -> listen::Server {
    let client = Client::new(Secret::parse(SECRET).unwrap());
    let (clock, entropy) = (Arc::new(ProcessClock::start()), Arc::new(SystemEntropy));
    let keys = Keys::load(None, &home.join("data"), &*entropy).unwrap();
    let verifier = Arc::new(Verifier::new(&[keys.issuer.public_key()], clock.clone()));
    let peers = HttpPeers::new(client.clone());
    let identity = Identity {
        replica: Identified::new("b1", 1),
        address: addr.to_string(),
        members: Arc::new(MemoryMembers::default()),
        peers: Arc::new(peers.clone()),
        on_duplicate: Arc::new(|| panic!("another of this name")),
    };
    let stores = MemoryStore::apart(32).stores().booking();
    let system = actors::join(actors::Options::default(), stores, clock, identity).await.unwrap();
    let service = booking::Service::new(
        booking::Options::default(),
        booking::Parts {
            box_office: system.box_office(),
            fresh_views: system.fresh_views(),
            catalog: Upstream::Remote { client: client.clone(), address: front.to_string().into() },
            verifier,
            entropy,
            ticket_secret: keys.ticket_secret,
            peers: Some(peers),
        },
    );
    let router = Replica::new(service, system.steward().unwrap(), client).router();
    let begun = Instant::now();
    while system.steward().unwrap().status().open < 32 {
        assert!(begun.elapsed() < PATIENCE, "it does not get its share");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // It goes on until the process ends.
    Box::leak(Box::new(system));
    let listener = listen::bind(addr).await.unwrap();
    let handler = move |request| {
        let router = router.clone();
        async move { router.oneshot(request).await.unwrap() }
    };
    listen::Server::start(listener, listen::Options::default(), handler).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_id_finds_the_lines_of_both_processes() {
    let here = Lines::default();
    let lines =
        tracing_subscriber::fmt().json().flatten_event(true).with_max_level(tracing::Level::DEBUG);
    let lines = lines.with_writer(here.clone()).finish();
    tracing::subscriber::set_global_default(lines).expect("nobody else listens");

    let home = tempfile::tempdir().unwrap();
    let (internal, at) = (free(), free());
    let front = Front::start(home.path(), internal, at);
    let _replica = replica(home.path(), at, internal).await;
    let addr = front.addr;
    let (head, body) = tokio::task::spawn_blocking(move || {
        let ada = work::person(addr, "ada");
        let wish = json!({ "event_id": work::event(addr, &ada, 3) });
        exchange(addr, "POST", "/bookings", Some(&ada), &[("x-request-id", ID)], &wish)
    })
    .await
    .unwrap();
    assert!(head.starts_with("HTTP/1.1 201"), "{head}\n{body}");
    assert!(head.to_lowercase().contains(&format!("x-request-id: {ID}")), "{head}");

    // The lines of the other process come through a pipe.
    let begun = Instant::now();
    while spans_with_id(&front.lines.lock().unwrap()).is_empty() {
        assert!(begun.elapsed() < PATIENCE, "{}", front.lines.lock().unwrap());
        tokio::task::yield_now().await;
    }
    let found = spans_with_id(&here.text());
    let under = |wanted: &[&str]| {
        found.iter().any(|(_, spans)| spans.iter().map(String::as_str).eq(wanted.iter().copied()))
    };
    assert!(under(&["request", "submit"]), "what the actor did: {found:?}");
    let released = ("an answer is released", vec!["request".to_owned(), "submit".to_owned()]);
    assert!(found.iter().any(|(m, s)| (m.as_str(), s) == (released.0, &released.1)), "{found:?}");
}
