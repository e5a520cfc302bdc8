//! The door for the other processes of an installation, and what they are known by.

use std::net::SocketAddr;
use std::path::Path;

use api::upstream::{Client, Secret, Trust};
use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tower::ServiceExt;

use super::{NodeError, listener, not_listening};
use crate::config::{Cluster, Config};
use crate::listen::Server;

/// Where the others reach this process.
pub(super) fn internal_addr(config: &Config) -> Result<SocketAddr, NodeError> {
    let addr = config.cluster.listen.parse();
    addr.map_err(|_| NodeError::Internal("`cluster.listen` is not an address".into()))
}

/// A client that the others know.
pub(crate) fn client(config: &Config) -> Result<Client, NodeError> {
    Ok(Client::new(trust(&config.cluster)?))
}

fn trust(cluster: &Cluster) -> Result<Trust, NodeError> {
    if cluster.has_certificates() {
        let beside = if cluster.has_secret() { Some(secret(cluster)?) } else { None };
        return certified(cluster, beside);
    }
    if !cluster.has_secret() {
        let missing = "neither a secret nor certificates are given: the processes of an \
                       installation must know one another";
        return Err(NodeError::Internal(missing.into()));
    }
    secret(cluster).map(Trust::Secret)
}

fn secret(cluster: &Cluster) -> Result<Secret, NodeError> {
    let file = &cluster.secret_file;
    let text = read(file)?;
    let unusable =
        |why: &dyn std::fmt::Display| NodeError::Internal(format!("{}: {why}", file.display()));
    let text = std::str::from_utf8(&text).map_err(|_| unusable(&"the secret is not a text"))?;
    Secret::parse(text).map_err(|error| unusable(&error))
}

fn read(file: &Path) -> Result<Vec<u8>, NodeError> {
    std::fs::read(file)
        .map_err(|error| NodeError::Internal(format!("{} cannot be read: {error}", file.display())))
}

#[cfg(feature = "tls")]
fn certified(cluster: &Cluster, secret: Option<Secret>) -> Result<Trust, NodeError> {
    use api::upstream::{Certificates, CertificatesError};

    let [authority, own, key] = cluster.tls_files();
    let certificates = Certificates::parse(&read(authority)?, &read(own)?, &read(key)?);
    let certificates = certificates.map_err(|error| {
        let file = match &error {
            CertificatesError::Authority(_) => authority,
            CertificatesError::Certificate(_) => own,
            CertificatesError::Key(_) => key,
        };
        NodeError::Internal(format!("{}: {error}", file.display()))
    })?;
    Ok(Trust::Certificates(certificates, secret))
}

#[cfg(not(feature = "tls"))]
fn certified(_: &Cluster, _: Option<Secret>) -> Result<Trust, NodeError> {
    let without = "certificates are given, and this program was built without TLS: build it \
                   with --features tls, or full";
    Err(NodeError::Internal(without.into()))
}

/// Open the door to those who are trusted.
pub(super) async fn open(
    config: &Config,
    addr: SocketAddr,
    trust: &Trust,
    router: Router,
) -> Result<Server, NodeError> {
    serve(config, listener(addr).await?, trust, router)
}

/// The same, on an address that is taken already.
pub(super) fn serve(
    config: &Config,
    listener: TcpListener,
    trust: &Trust,
    router: Router,
) -> Result<Server, NodeError> {
    let addr = listener.local_addr().map_err(|error| NodeError::Internal(error.to_string()))?;
    let options = config.server.options();
    let handler = routed(router);
    let server = match trust {
        Trust::Secret(_) => Server::start(listener, options, handler),
        #[cfg(feature = "tls")]
        Trust::Certificates(certificates, _) => {
            Server::start_certified(listener, options, certificates, handler)
        }
    };
    server.map_err(|error| not_listening(addr, &error))
}

/// A router as a listener's handler.
fn routed(
    router: Router,
) -> impl Fn(Request) -> BoxFuture<'static, Response> + Clone + Send + Sync + 'static {
    move |request| {
        let router = router.clone();
        Box::pin(async move {
            match router.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        })
    }
}
