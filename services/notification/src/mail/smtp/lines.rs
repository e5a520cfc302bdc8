//! A TCP connection that is read one line at a time.
//!
//! Before TLS begins anybody on the way can add answers of his own. What lettre has read
//! ahead at that moment it would take for the encrypted server's words, and every answer
//! after it would belong to the command before. So it never gets to read ahead: what stands
//! behind the end of a line stays in the socket, and TLS chokes on it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lettre::transport::smtp::client::AsyncTokioStream;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};

/// Bytes that are looked at for the end of a line.
const LOOK: usize = 1_024;

/// A connection that hands out no byte behind the end of a line.
///
/// Cloned, it is the same one: lettre does not give back what it was given, and TLS is to begin
/// where it left off.
#[derive(Clone, Debug)]
pub(super) struct Lines(Arc<Mutex<TcpStream>>);

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
                    return Ok(Self(Arc::new(Mutex::new(stream))));
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
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut stream = self.0.lock();
        let mut looked = [0; LOOK];
        let most = LOOK.min(buffer.remaining());
        let seen = ready!(stream.poll_peek(context, &mut ReadBuf::new(&mut looked[..most])))?;
        let end = looked[..seen].iter().position(|byte| *byte == b'\n');
        let mut line = ReadBuf::new(&mut looked[..end.map_or(seen, |end| end + 1)]);
        ready!(Pin::new(&mut *stream).poll_read(context, &mut line))?;
        buffer.put_slice(line.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lines {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.lock()).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.lock()).poll_shutdown(context)
    }
}

impl AsyncTokioStream for Lines {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.lock().peer_addr()
    }
}
