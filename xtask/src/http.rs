//! One question over HTTP, and no more than that.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The longest answer that is read.
const LIMIT: usize = 1_024 * 1_024;

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Asks `GET path` of `address`; nothing if there is no whole answer within `limit`.
pub(crate) fn get(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    limit: Duration,
) -> Option<Answer> {
    let deadline = Instant::now() + limit;
    let mut stream = TcpStream::connect_timeout(&address, limit).ok()?;
    stream.set_write_timeout(Some(limit)).ok()?;
    let mut question = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        question.push_str(&format!("{name}: {value}\r\n"));
    }
    question.push_str("\r\n");
    stream.write_all(question.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    let mut part = [0; 4_096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // No time at all would be taken for no limit at all.
        stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).ok()?;
        match stream.read(&mut part).ok()? {
            0 => return parsed(&bytes),
            read if bytes.len() + read <= LIMIT && !left.is_zero() => {
                bytes.extend(part.get(..read)?);
            }
            _ => return None,
        }
    }
}

/// Status line, headers, body. A body in chunks is not understood: nobody we ask sends one.
fn parsed(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse::<usize>().ok());
    // Cut off by the death of whoever sent it.
    let whole = length.is_none_or(|length| length == body.len());
    whole.then(|| Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Somebody who answers once, and hands back what was asked.
    fn answering(answer: &'static str) -> (SocketAddr, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                asked.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        });
        (address, asked)
    }

    #[test]
    fn status_and_body_are_read_and_headers_sent() {
        let (address, asked) =
            answering("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno");
        let answer = get(address, "/readyz", &[("eventflow-secret", "s")], Duration::from_secs(5));
        assert_eq!(answer, Some(Answer { status: 503, body: "no".to_owned() }));
        let asked = asked.join().unwrap();
        assert!(asked.starts_with("GET /readyz HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("\r\neventflow-secret: s\r\n"), "{asked}");
    }

    #[test]
    fn half_an_answer_is_none() {
        let (address, asked) = answering("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nno");
        assert_eq!(get(address, "/", &[], Duration::from_secs(5)), None);
        asked.join().unwrap();
    }

    #[test]
    fn somebody_who_is_silent_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(get(address, "/", &[], Duration::from_millis(50)), None);
    }
}
