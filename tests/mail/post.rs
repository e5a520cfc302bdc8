//! A mail server that does as it is told: `services/notification/tests/smtp_server.py`.

use harness::eventually::{PATIENCE, eventually};
use harness::settings;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

/// One server, which ends with this.
pub(crate) struct Post {
    control: BufReader<TcpStream>,
    port: u16,
}

impl Post {
    pub(crate) async fn new() -> Self {
        let address = settings::mail();
        let stream = TcpStream::connect(&address).await;
        let stream = stream.unwrap_or_else(|error| panic!("no mail server at {address}: {error}"));
        let mut post = Self { control: BufReader::new(stream), port: 0 };
        let answer = post.ask(json!({ "do": "listen", "rules": [] })).await;
        post.port = answer["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("one");
        post
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    async fn ask(&mut self, asked: Value) -> Value {
        let answered = async {
            self.control.write_all(format!("{asked}\n").as_bytes()).await?;
            let mut line = String::new();
            self.control.read_line(&mut line).await?;
            Ok::<_, std::io::Error>(line)
        };
        let line = timeout(PATIENCE, answered).await;
        let line = line.unwrap_or_else(|_| panic!("no answer in time: {asked}"));
        let line = line.unwrap_or_else(|error| panic!("no answer to {asked}: {error}"));
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("answer to {asked}: {line}"))
    }

    /// What it does wrong from now on.
    pub(crate) async fn rules(&mut self, rules: Value) {
        self.ask(json!({ "do": "rules", "rules": rules })).await;
    }

    /// Connections are refused from now on.
    pub(crate) async fn shut(&mut self) {
        self.ask(json!({ "do": "shut" })).await;
    }

    /// And no longer.
    pub(crate) async fn open(&mut self) {
        self.ask(json!({ "do": "open" })).await;
    }

    /// Messages that wait for their answer get it.
    pub(crate) async fn go(&mut self) {
        self.ask(json!({ "do": "go" })).await;
    }

    /// How often this has happened.
    pub(crate) async fn count(&mut self, stage: &str) -> u64 {
        self.ask(json!({ "do": "stages" })).await[stage].as_u64().unwrap_or(0)
    }

    /// Waits until it has happened so often.
    pub(crate) async fn wait_for(&mut self, stage: &str, count: u64) {
        self.ask(json!({ "do": "await", "stage": stage, "count": count })).await;
    }

    /// The notifications whose message came to its final dot, once for each time.
    pub(crate) async fn taken(&mut self) -> Vec<Uuid> {
        let answer = self.ask(json!({ "do": "ids" })).await;
        let ids = answer["ids"].as_array().expect("a list of ids");
        ids.iter().map(|id| notification(id.as_str().unwrap_or_default())).collect()
    }

    /// The same, when the server has seen the end of all connections: what was still on its
    /// way when a client died has come by then.
    pub(crate) async fn taken_in_the_end(&mut self) -> Vec<Uuid> {
        eventually("all connections have ended", async || {
            let open = self.ask(json!({ "do": "connections" })).await["open"].as_u64();
            (open == Some(0)).then_some(())
        })
        .await;
        self.taken().await
    }
}

/// The notification that a message is of, by its `Message-ID`.
pub(crate) fn notification(message_id: &str) -> Uuid {
    let id = message_id.trim().strip_prefix('<').and_then(|rest| rest.split_once('@'));
    let id = id.and_then(|(id, _)| id.parse().ok());
    id.unwrap_or_else(|| panic!("a Message-ID of somebody else: {message_id:?}"))
}
