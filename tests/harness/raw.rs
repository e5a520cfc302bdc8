//! Requests byte for byte, right or wrong, each over a connection of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::timeout;

use crate::client::Response;
use crate::eventually::PATIENCE;

/// What came of a request.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The answer; `None` if the connection was closed, or nothing came in time.
    pub response: Option<Response>,
    /// Bytes that the system took from us before the answer was there.
    pub sent: u64,
}

/// Sends these bytes and waits for an answer.
pub async fn send(address: SocketAddr, bytes: impl Into<Bytes>) -> Outcome {
    send_pieces(address, std::iter::once(bytes.into()), PATIENCE).await
}

/// Sends piece after piece until the answer is there, the other end closes, or there are
/// no more; waits at most `patience` for the answer. An iterator without an end makes a
/// request without an end.
///
/// # Panics
/// When nobody listens.
pub async fn send_pieces<I>(address: SocketAddr, pieces: I, patience: Duration) -> Outcome
where
    I: Iterator<Item = Bytes> + Send + 'static,
{
    let stream = TcpStream::connect(address).await;
    let stream = stream.unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
    let (reader, mut writer) = stream.into_split();
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let writing = tokio::spawn(async move {
        for piece in pieces {
            // Who has answered already may have closed.
            if writer.write_all(&piece).await.is_err() {
                break;
            }
            counter.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
        // Kept until the answer is there: a half-closed connection would say that we
        // don't want it any more.
        writer
    });
    let response = timeout(patience, read(reader)).await.ok().flatten();
    writing.abort();
    Outcome { response, sent: sent.load(Ordering::Relaxed) }
}

/// Reads one answer. Of one without a length, a stream, only the head.
async fn read(mut reader: OwnedReadHalf) -> Option<Response> {
    let mut input = Vec::new();
    let end = loop {
        if let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if reader.read_buf(&mut input).await.ok()? == 0 {
            return None;
        }
    };
    let (status, headers) = head(&input[..end])?;
    let length = headers.get("content-length").and_then(|text| text.to_str().ok()?.parse().ok());
    let length: usize = length.unwrap_or(0);
    while input.len() < end + length {
        if reader.read_buf(&mut input).await.ok()? == 0 {
            return None;
        }
    }
    Some(Response { status, headers, body: Bytes::copy_from_slice(&input[end..end + length]) })
}

fn head(bytes: &[u8]) -> Option<(StatusCode, HeaderMap)> {
    let mut lines = std::str::from_utf8(bytes).ok()?.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = HeaderMap::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_str(value.trim()).ok()?);
    }
    Some((status, headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read() {
        let (status, headers) = head(b"HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n").unwrap();
        assert_eq!((status.as_u16(), headers["a"].to_str().unwrap()), (404, "b"));
        assert!(head(b"nonsense\r\n\r\n").is_none());
    }
}
