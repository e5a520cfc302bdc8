//! A connection on which a server can say no more than an answer has room for.
//!
//! lettre looks at the length of a line when it has all of it, and whoever sends a line without
//! an end is listened to, byte for byte into memory, until the time is up. So bytes are counted
//! before lettre gets them: as it sees them, which on an encrypted connection is decrypted.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Longest line of an answer, in bytes with its end. RFC 5321 (4.5.3.1.5) has 512; lettre takes
/// no more than 1,000, but only then says so.
const LINE: usize = 1_024;

/// Longest answer, in bytes: what comes without our having said anything in between. What a
/// server says of itself, the longest of them, has some dozens of lines.
const ANSWER: usize = 16 * 1_024;

/// What lettre is told for the greeting of a server that has said it before.
const GREETED: &[u8] = b"220 encrypted\r\n";

/// A connection whose reads fail as soon as a line or an answer is too long.
#[derive(Debug)]
pub(super) struct Answers<S> {
    stream: S,
    /// Said before anything that comes from the server.
    first: &'static [u8],
    /// Bytes since the last end of a line.
    line: usize,
    /// Bytes since we last said something.
    answer: usize,
}

impl<S> Answers<S> {
    /// On a connection where the server has not said anything yet.
    pub(super) fn new(stream: S) -> Self {
        Self { stream, first: &[], line: 0, answer: 0 }
    }

    /// On one where it has said its greeting before it was encrypted: there is no other.
    pub(super) fn greeted(stream: S) -> Self {
        Self { first: GREETED, ..Self::new(stream) }
    }

    /// Counts what came.
    fn count(&mut self, bytes: &[u8]) -> io::Result<()> {
        let too_long = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        self.answer += bytes.len();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line += part.len();
            if self.line > LINE {
                return too_long("a line of the answer is too long");
            }
            if part.ends_with(b"\n") {
                self.line = 0;
            }
        }
        if self.answer > ANSWER {
            return too_long("the answer is too long");
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Answers<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.first.is_empty() {
            let (now, later) = self.first.split_at(self.first.len().min(buffer.remaining()));
            buffer.put_slice(now);
            self.first = later;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let counted = self.count(&buffer.filled()[before..]);
        if counted.is_err() {
            buffer.set_filled(before);
        }
        Poll::Ready(counted)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Answers<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.answer = 0;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncTokioStream> AsyncTokioStream for Answers<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

#[cfg(test)]
mod tests;
