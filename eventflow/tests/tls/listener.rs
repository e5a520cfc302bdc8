//! Goal: only who shows a certificate of the authority reaches a router, and nobody holds up
//! the others. Method: listeners in this process, certificates made on the spot.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use api::upstream::{Certificates, Certified, Client, Trust, UpstreamError};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use eventflow::listen::{HANDSHAKE_LIMIT, Options, Server, bind};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::authority::{Authority, HOST};

/// A listener, and how many requests have come through it.
struct Listener {
    server: Server,
    reached: Arc<AtomicU32>,
}

impl Listener {
    async fn start(options: Options, certificates: &Certificates) -> Self {
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let reached = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&reached);
        let handler = move |request: Request| {
            count.fetch_add(1, Ordering::Relaxed);
            assert_eq!(request.extensions().get(), Some(&Certified));
            async { Response::new(Body::from("inside")) }
        };
        let server = Server::start_certified(listener, options, certificates, handler).unwrap();
        Self { server, reached }
    }

    /// How many requests came through, once everybody is gone.
    async fn reached(self) -> u32 {
        assert!(self.server.stop().await, "every connection ended by itself");
        self.reached.load(Ordering::Relaxed)
    }

    async fn ask(&self, client: &Client) -> Result<String, UpstreamError> {
        let request = Request::get("/x").body(Body::empty()).unwrap();
        let answer = client.call(&self.server.addr().to_string(), request).await?;
        let body = axum::body::to_bytes(answer.into_body(), 1_024).await.unwrap();
        Ok(String::from_utf8(body.to_vec()).unwrap())
    }
}

fn client(certificates: Certificates) -> Client {
    Client::new(Trust::Certificates(certificates, None))
}

/// A connection that was closed, with an error or without.
async fn ends(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
    let text = String::from_utf8_lossy(&rest);
    assert!(!text.contains("HTTP/1.1"), "nothing is answered in plain text: {text}");
}

#[tokio::test]
async fn who_shows_a_certificate_of_the_authority_gets_an_answer() {
    let authority = Authority::new();
    let here = Listener::start(Options::default(), &authority.papers(HOST).read()).await;
    let client = client(authority.papers("elsewhere.example").read());
    for _ in 0..3 {
        assert_eq!(here.ask(&client).await.unwrap(), "inside");
    }
    drop(client);
    assert_eq!(here.reached().await, 3);
}

#[tokio::test]
async fn who_shows_another_certificate_is_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let here = Listener::start(Options::default(), &authority.papers(HOST).read()).await;
    let of_a_server = {
        let mut params = CertificateParams::new([HOST.to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        authority.sign(&params)
    };
    let over = {
        let mut params = CertificateParams::new([HOST.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        authority.sign(&params)
    };
    for wrong in [other.papers(HOST).believing(&authority.pem()), of_a_server, over] {
        let refused = here.ask(&client(wrong.read())).await.unwrap_err();
        // What the listener says may be lost when it closes; then nobody knows, as always.
        let known = matches!(refused, UpstreamError::Unreachable(_) | UpstreamError::Lost(_));
        assert!(known, "{refused}");
    }
    assert_eq!(here.reached().await, 0);
}

#[tokio::test]
async fn without_a_certificate_and_without_tls_nobody_comes_in() {
    let authority = Authority::new();
    let here = Listener::start(Options::default(), &authority.papers(HOST).read()).await;
    let anonymous = anonymous(&authority.pem());
    let tcp = TcpStream::connect(here.server.addr()).await.unwrap();
    let shaken = anonymous.connect(HOST.try_into().unwrap(), tcp).await;
    // With TLS 1.3 the client is through before the server has looked.
    let mut stream = shaken.unwrap();
    let _ = stream.write_all(b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut rest = Vec::new();
    assert!(stream.read_to_end(&mut rest).await.is_err(), "turned away");
    assert!(rest.is_empty());

    let mut plain = TcpStream::connect(here.server.addr()).await.unwrap();
    plain.write_all(b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    ends(&mut plain).await;
    assert_eq!(here.reached().await, 0);
}

/// A client that believes the authority and shows nothing.
fn anonymous(authority: &str) -> tokio_rustls::TlsConnector {
    use tokio_rustls::rustls::crypto::ring::default_provider;
    use tokio_rustls::rustls::pki_types::CertificateDer;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::version::TLS13;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    tokio_rustls::TlsConnector::from(Arc::new(config))
}

#[test]
fn a_router_that_asks_for_certificates_answers_nobody_on_a_plain_listener() {
    let trust = Trust::Certificates(Authority::new().papers(HOST).read(), None);
    let mut request = Request::get("/x").body(Body::empty()).unwrap();
    assert!(!trust.admits(&request));
    request.extensions_mut().insert(Certified);
    assert!(trust.admits(&request));
}

#[tokio::test]
async fn a_client_sends_nothing_to_a_server_that_it_does_not_know() {
    let (authority, other) = (Authority::new(), Authority::new());
    let client = client(authority.papers(HOST).read());
    for wrong in [
        other.papers(HOST).believing(&authority.pem()),
        // The right authority, for another host.
        authority.papers("127.0.0.2"),
        authority.papers("elsewhere.example"),
    ] {
        let there = Listener::start(Options::default(), &wrong.read()).await;
        let refused = there.ask(&client).await.unwrap_err();
        assert!(matches!(refused, UpstreamError::Unreachable(_)), "{refused}");
        assert_eq!(there.reached().await, 0);
    }
}

#[tokio::test]
async fn while_authorities_change_both_are_believed() {
    let (old, new) = (Authority::new(), Authority::new());
    let both = old.pem() + &new.pem();
    let here = Listener::start(Options::default(), &old.papers(HOST).believing(&both).read()).await;
    for papers in [old.papers(HOST), new.papers(HOST).believing(&both)] {
        assert_eq!(here.ask(&client(papers.read())).await.unwrap(), "inside");
    }
    assert_eq!(here.reached().await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_is_closed_after_the_limit() {
    let authority = Authority::new();
    let here = Listener::start(Options::default(), &authority.papers(HOST).read()).await;
    let start = Instant::now();
    let mut silent = TcpStream::connect(here.server.addr()).await.unwrap();
    // Long before it would be taken for idle.
    timeout(2 * HANDSHAKE_LIMIT, ends(&mut silent)).await.unwrap();
    assert!(start.elapsed() >= HANDSHAKE_LIMIT);
    assert_eq!(here.reached().await, 0);
}

#[tokio::test]
async fn requests_are_answered_while_others_hang_in_their_handshakes() {
    let authority = Authority::new();
    let papers = authority.papers(HOST);
    let options = Options { max_connections: 8, ..Options::default() };
    let here = Listener::start(options, &papers.read()).await;
    let mut hanging = Vec::new();
    for _ in 0..7 {
        let mut stream = TcpStream::connect(here.server.addr()).await.unwrap();
        // The beginning of a handshake: a record whose rest never comes.
        stream.write_all(&[22, 3, 1, 1, 0, 1]).await.unwrap();
        hanging.push(stream);
    }
    let first = client(papers.read());
    assert_eq!(here.ask(&first).await.unwrap(), "inside");
    // All slots are held, by them too: who comes now waits, and has no answer in time.
    let more = client(papers.read());
    let refused = here.ask(&more).await.unwrap_err();
    assert!(matches!(refused, UpstreamError::Unreachable(_)), "{refused}");
    // Whoever goes makes room.
    hanging.pop();
    assert_eq!(here.ask(&more).await.unwrap(), "inside");
    // Whoever still hangs is not waited for at the end.
    let stopping = Instant::now();
    assert_eq!(here.reached().await, 2);
    assert!(stopping.elapsed() < Duration::from_secs(2), "{:?}", stopping.elapsed());
}
