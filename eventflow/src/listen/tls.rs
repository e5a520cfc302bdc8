//! TLS before a connection is served, in the connection's own task.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use api::upstream::{Certificates, Certified};
use axum::extract::Request;
use axum::response::Response;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::{Accepted, Options, Server, Stage, Way};

/// How long a handshake may take; then its connection is closed.
pub const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

impl Server {
    /// Serve `listener` to clients with a certificate of the installation's authority; every
    /// request of theirs carries [`Certified`].
    ///
    /// # Errors
    ///
    /// If the system cannot tell the listener's address.
    pub fn start_certified<H, F>(
        listener: TcpListener,
        options: Options,
        certificates: &Certificates,
        handler: H,
    ) -> std::io::Result<Self>
    where
        H: Fn(Request) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let way = Way::Tls(Arc::new(TlsAcceptor::from(certificates.server())));
        let handler = move |mut request: Request| {
            request.extensions_mut().insert(Certified);
            handler(request)
        };
        Self::start_by(listener, options, way, handler)
    }
}

/// The connection after its handshake, or nothing if there is none in time, the certificate
/// is not taken, or the server stops: nothing has been asked yet.
pub(super) async fn shake(
    acceptor: &TlsAcceptor,
    connection: Accepted<TcpStream>,
    stages: &mut watch::Receiver<Stage>,
) -> Option<Accepted<TlsStream<TcpStream>>> {
    let Accepted { stream, peer, idle_timeout } = connection;
    let shaken = tokio::select! {
        shaken = timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)) => shaken,
        _ = stages.wait_for(|stage| *stage >= Stage::Drain) => return None,
    };
    match shaken {
        Ok(Ok(stream)) => Some(Accepted { stream, peer, idle_timeout }),
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "a handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!(%peer, error = "not done in time", "a handshake failed");
            None
        }
    }
}
