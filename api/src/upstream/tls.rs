//! Certificates: both sides of a connection show one, signed by the installation's own
//! authority. The system's roots are asked nothing.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::BoxError;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{AlertDescription, ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::Service;

use super::client::CONNECT_LIMIT;

/// How a process shows who it is, and how it checks the others. Cheap to clone.
#[derive(Clone)]
pub struct Certificates {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

/// Why texts cannot be used as certificates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificatesError {
    /// The authority.
    #[error("the authority's certificates cannot be used: {0}")]
    Authority(String),
    /// The own certificate.
    #[error("the certificate cannot be used: {0}")]
    Certificate(String),
    /// Its key.
    #[error("the private key cannot be used: {0}")]
    Key(String),
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificates(…)")
    }
}

impl Certificates {
    /// From three texts in PEM form: the authority's certificates, of which each is as good
    /// as the others; the own certificate, followed by those between it and the authority if
    /// there are any; and the key to it.
    ///
    /// # Errors
    /// [`CertificatesError`].
    pub fn parse(authority: &[u8], own: &[u8], key: &[u8]) -> Result<Self, CertificatesError> {
        let authority = certificates(authority).map_err(CertificatesError::Authority)?;
        let mut roots = RootCertStore::empty();
        for certificate in authority {
            let added = roots.add(certificate);
            added.map_err(|error| CertificatesError::Authority(error.to_string()))?;
        }
        let own = certificates(own).map_err(CertificatesError::Certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| CertificatesError::Key(told(&error, "a private key")))?;
        let (roots, provider) =
            (Arc::new(roots), Arc::new(rustls::crypto::ring::default_provider()));
        let server = server(&roots, &provider, own.clone(), key.clone_key())?;
        let client = client(roots, provider, own, key)?;
        Ok(Self { client: Arc::new(client), server: Arc::new(server) })
    }

    /// For a listener that takes only clients with a certificate of this authority.
    #[must_use]
    pub fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }
}

/// All certificates of a text, at least one.
fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let wanted = "a certificate";
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.map_err(|error| told(&error, wanted))?;
    if found.is_empty() {
        return Err(told(&pem::Error::NoItemsFound, wanted));
    }
    Ok(found)
}

/// What is wrong with a PEM text. Its words are not told: they may be those of a key.
fn told(error: &pem::Error, wanted: &str) -> String {
    match error {
        pem::Error::NoItemsFound => format!("there is no {} in it", &wanted["a ".len()..]),
        _ => format!("it is not {wanted} in PEM form"),
    }
}

fn server(
    roots: &Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
    own: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, CertificatesError> {
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider))
            .build()
            .map_err(|error| CertificatesError::Authority(error.to_string()))?;
    let mut server = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13])
        .map_err(unusable)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(own, key)
        .map_err(unusable)?;
    // Every connection shows its certificate: a session that is taken up again would let one
    // in that has run out meanwhile. Connections are kept, so few are made.
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    Ok(server)
}

fn client(
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    own: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ClientConfig, CertificatesError> {
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(unusable)?
        .with_root_certificates(roots)
        .with_client_auth_cert(own, key)
        .map_err(unusable)?;
    client.resumption = Resumption::disabled();
    Ok(client)
}

#[expect(clippy::needless_pass_by_value, reason = "an error is mapped by value")]
fn unusable(error: rustls::Error) -> CertificatesError {
    CertificatesError::Certificate(error.to_string())
}

/// Makes connections over TLS.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector,
    tls: TlsConnector,
}

impl Connector {
    pub(super) fn new(mut tcp: HttpConnector, certificates: &Certificates) -> Self {
        tcp.enforce_http(false);
        Self { tcp, tls: TlsConnector::from(Arc::clone(&certificates.client)) }
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // An IPv6 address stands in brackets.
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned());
        let (connecting, tls) = (self.tcp.call(uri), self.tls.clone());
        Box::pin(async move {
            let name = name?;
            let tcp = connecting.await?.into_inner();
            let shaken = timeout(CONNECT_LIMIT, tls.connect(name, tcp)).await;
            let late = || io::Error::new(io::ErrorKind::TimedOut, "no handshake in time");
            Ok(Stream(TokioIo::new(shaken.map_err(|_| late())??)))
        })
    }
}

/// A connection over TLS, as the client wants it.
pub(super) struct Stream(TokioIo<TlsStream<TcpStream>>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.0.inner().get_ref().0.connected()
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Stream {
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

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }
}

/// Whether the other side said that it does not take our certificate. It looks at it after
/// we may have sent a request already, but reads none before.
pub(super) fn is_turned_away(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        let wrapped = inner.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let tls = wrapped.and_then(|error| error.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(alert)) = tls {
            return OF_CERTIFICATES.contains(alert);
        }
        cause = inner.source();
    }
    false
}

/// What is said of a certificate, and only before a connection is there.
const OF_CERTIFICATES: [AlertDescription; 7] = [
    AlertDescription::BadCertificate,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
    AlertDescription::CertificateRequired,
];
