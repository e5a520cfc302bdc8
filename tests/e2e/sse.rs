//! A client of server-sent events that takes them as they come.

use std::net::SocketAddr;

use harness::eventually::PATIENCE;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// One event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) id: Option<u64>,
    pub(crate) name: String,
    pub(crate) data: String,
}

impl Event {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// An open stream.
pub(crate) struct Events {
    lines: Lines<BufReader<TcpStream>>,
    pub(crate) head: String,
}

impl Events {
    /// Asks for a stream, whatever the answer is.
    pub(crate) async fn open(address: SocketAddr, path: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        let mut head = String::new();
        loop {
            match next(&mut lines).await {
                Some(line) if line.is_empty() => break,
                Some(line) => head += &(line.to_ascii_lowercase() + "\n"),
                None => panic!("no whole head: {head}"),
            }
        }
        Self { lines, head }
    }

    /// The next comment; events before it are passed over.
    pub(crate) async fn comment(&mut self) -> String {
        loop {
            let line = next(&mut self.lines).await.expect("the stream goes on");
            if line.starts_with(':') {
                return line;
            }
        }
    }

    /// The next event; `None` once the body has ended. Comments and the sizes of chunks
    /// are passed over.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        let mut event = Event { id: None, name: String::new(), data: String::new() };
        loop {
            let line = next(&mut self.lines).await?;
            if let Some(id) = line.strip_prefix("id: ") {
                event.id = id.parse().ok();
            } else if let Some(name) = line.strip_prefix("event: ") {
                name.clone_into(&mut event.name);
            } else if let Some(data) = line.strip_prefix("data: ") {
                data.clone_into(&mut event.data);
            } else if line == "0" {
                return None;
            } else if line.is_empty() && !event.name.is_empty() {
                return Some(event);
            }
        }
    }
}

async fn next(lines: &mut Lines<BufReader<TcpStream>>) -> Option<String> {
    timeout(PATIENCE, lines.next_line()).await.expect("in time").unwrap_or_default()
}
