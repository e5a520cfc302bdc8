//! A TCP connection that is read one line at a time.
//!
//! Before TLS begins anybody on the way can add answers of his own. What lettre has read
//! ahead at that moment it would take for the encrypted server's words, and every answer
//! after it would belong to the command before. So it never gets to read ahead: what stands
//! behind the end of a line stays in the socket, and TLS chokes on it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};

/// Bytes that are looked at for the end of a line.
const LOOK: usize = 1_024;

/// A connection that hands out no byte behind the end of a line.
#[derive(Debug)]
pub(super) struct Lines(TcpStream);

impl Lines {
    /// Connects to the first address of the server that takes it, `each` long to one.
    ///
    /// # Errors
    /// The last address's.
    pub(super) async fn connect(host: &str, port: u16, each: Duration) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the server has no address");
        for address in lookup_host((host, port)).await? {
            match tokio::time::timeout(each, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // A command is a packet, and its answer is waited for.
                    stream.set_nodelay(true)?;
                    return Ok(Self(stream));
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, "no connection in time"),
            }
        }
        Err(last)
    }
}

impl AsyncRead for Lines {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut looked = [0; LOOK];
        let most = LOOK.min(buffer.remaining());
        let seen = ready!(self.0.poll_peek(context, &mut ReadBuf::new(&mut looked[..most])))?;
        let end = looked[..seen].iter().position(|byte| *byte == b'\n');
        let mut line = ReadBuf::new(&mut looked[..end.map_or(seen, |end| end + 1)]);
        ready!(Pin::new(&mut self.0).poll_read(context, &mut line))?;
        buffer.put_slice(line.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lines {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl AsyncTokioStream for Lines {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}
