//! TLS over a connection, as something that can be wrapped in its turn.
//!
//! lettre encrypts a connection by itself, and then nobody else sees what is said on it. Its own
//! stream does the same work here, with another one around it.

#![allow(deprecated, reason = "the only door to lettre's TLS; without it rustls is set up twice")]

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::io::{AsyncRead as _, AsyncWrite as _};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::client::{AsyncNetworkStream, AsyncTokioStream, TlsParameters};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::lines::Lines;

/// An encrypted connection.
#[derive(Debug)]
pub(super) struct Encrypted(AsyncNetworkStream);

impl Encrypted {
    /// Shakes hands with the server, which has to be who it is to be.
    ///
    /// # Errors
    /// When it is not, or does not speak TLS.
    pub(super) async fn over(lines: Lines, tls: TlsParameters) -> Result<Self, Error> {
        let mut stream = AsyncNetworkStream::use_existing_tokio1(Box::new(lines));
        stream.upgrade_tls(tls).await?;
        Ok(Self(stream))
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.initialize_unfilled();
        let read = ready!(Pin::new(&mut self.0).poll_read(context, room))?;
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Encrypted {
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
        Pin::new(&mut self.0).poll_close(context)
    }
}

impl AsyncTokioStream for Encrypted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}
