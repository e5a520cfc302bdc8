//! One keep-alive connection of HTTP/1.1, parsed only as far as our own servers need it.
//!
//! The load generator shares its two cores with the server under test: whatever it does
//! per request is taken from what is measured. So there is no client library here, just
//! a buffer out, a buffer in, and a search for the two things that matter.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Largest answer that is read, head and body.
const ANSWER_BYTES: usize = 1024 * 1024;

/// An answer that has arrived completely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

/// A connection with its buffers.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    /// The next request; filled by whoever uses the connection.
    pub out: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// What the system said.
    pub async fn open(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: Vec::with_capacity(4096), out: Vec::with_capacity(4096) })
    }

    /// Sends `out` and waits for the answer.
    ///
    /// # Errors
    /// When the connection breaks, or the answer isn't one that we can read.
    pub async fn exchange(&mut self) -> io::Result<Answer<'_>> {
        self.stream.write_all(&self.out).await?;
        self.input.clear();
        let (head, length) = loop {
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some((head, length)) = measure(&self.input)? {
                break (head, length);
            }
        };
        while self.input.len() < head + length {
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        if self.input.len() > head + length {
            return Err(unreadable("more bytes than the answer has"));
        }
        let digits = self.input.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
        let status = digits.and_then(|digits| digits.parse().ok());
        let status = status.ok_or_else(|| unreadable("no status code"))?;
        Ok(Answer { status, body: &self.input[head..] })
    }
}

fn unreadable(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// The lengths of head and body, or `None` while the head isn't complete.
fn measure(input: &[u8]) -> io::Result<Option<(usize, usize)>> {
    if input.len() > ANSWER_BYTES {
        return Err(unreadable("an answer that is too large"));
    }
    let mut length = 0;
    let mut at = 0;
    while let Some(end) = input[at..].iter().position(|byte| *byte == b'\n') {
        let line = &input[at..at + end];
        at += end + 1;
        if line.len() <= 1 {
            return Ok(Some((at, length)));
        }
        if let Some(value) = header(line, b"content-length:") {
            length = value.parse().map_err(|_| unreadable("a length that isn't a number"))?;
            if length > ANSWER_BYTES {
                return Err(unreadable("an answer that is too large"));
            }
        } else if header(line, b"transfer-encoding:").is_some() {
            return Err(unreadable("an answer in chunks"));
        }
    }
    Ok(None)
}

/// The value in `line` if it is the header called `name`, which ends with its colon.
fn header<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let (start, value) = line.split_at_checked(name.len())?;
    if !start.eq_ignore_ascii_case(name) {
        return None;
    }
    std::str::from_utf8(value).ok().map(str::trim)
}

/// Writes a request into `out`, which is emptied first. An empty `token` means none, an
/// empty `body` that there is no body.
pub fn write_request(out: &mut Vec<u8>, method: &str, path: &str, token: &str, body: &str) {
    use std::io::Write;
    out.clear();
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\nhost: localhost\r\n");
    if !token.is_empty() {
        out.extend_from_slice(b"authorization: Bearer ");
        out.extend_from_slice(token.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    if body.is_empty() {
        out.extend_from_slice(b"\r\n");
    } else {
        out.extend_from_slice(b"content-type: application/json\r\n");
        write!(out, "content-length: {}\r\n\r\n", body.len()).expect("a vector takes all");
        out.extend_from_slice(body.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_measured_once_its_head_is_there() {
        let whole = b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\nx: y\r\n\r\nhello";
        let head = whole.len() - 5;
        for cut in 0..head {
            assert_eq!(measure(&whole[..cut]).unwrap(), None, "{cut}");
        }
        assert_eq!(measure(&whole[..head]).unwrap(), Some((head, 5)));
        assert_eq!(measure(whole).unwrap(), Some((head, 5)));
    }

    #[test]
    fn what_cannot_be_measured_is_an_error() {
        assert!(measure(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(measure(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n").is_err());
        assert!(measure(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n").is_err());
    }

    #[test]
    fn a_request_says_how_long_it_is() {
        let mut out = b"left over".to_vec();
        write_request(&mut out, "POST", "/bookings", "t.o.k", "{}");
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("POST /bookings HTTP/1.1\r\n"));
        assert!(text.contains("authorization: Bearer t.o.k\r\n"));
        assert!(text.ends_with("content-length: 2\r\n\r\n{}"));
    }
}
