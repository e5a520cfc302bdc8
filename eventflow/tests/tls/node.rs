//! Goal: the settings decide what the internal listener asks for. Method: whole processes
//! with auth, catalog and bus, in this one.

use std::net::SocketAddr;
use std::path::Path;

use api::upstream::{Client, Secret, Trust, UpstreamError};
use axum::body::Body;
use axum::extract::Request;
use eventflow::roles::{Part, Role};
use eventflow::{Config, Node};
use tokio::net::TcpSocket;

use crate::authority::{Authority, HOST, Papers};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

const PARTS: [Part; 4] = [Part::Gateway, Part::Auth, Part::Catalog, Part::Notification];

/// A port for a listener whose address must be known beforehand. It stays bound, without
/// anybody listening, until the process ends: so nobody else is given it meanwhile.
fn free() -> SocketAddr {
    let socket = Box::leak(Box::new(TcpSocket::new_v4().unwrap()));
    socket.set_reuseaddr(true).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket.local_addr().unwrap()
}

fn config(home: &Path, papers: &Papers) -> Config {
    let file = |name: &str, text: &str| {
        let file = home.join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let mut config = Config::default();
    config.server.listen = "127.0.0.1:0".to_owned();
    config.data.dir = home.join("data");
    config.cluster.listen = free().to_string();
    config.cluster.replicas = vec![free().to_string()];
    config.cluster.tls_ca_file = file("ca.pem", &papers.authority);
    config.cluster.tls_cert_file = file("cert.pem", &papers.own);
    config.cluster.tls_key_file = file("key.pem", &papers.key);
    config
}

async fn start(config: &Config) -> Node {
    let role = Role::of(&PARTS, config).unwrap();
    Node::start_as(role, config.clone()).await.unwrap()
}

async fn why_not(config: &Config) -> String {
    Node::start_as(Role::Front, config.clone()).await.err().unwrap().to_string()
}

async fn ask(trust: Trust, config: &Config) -> Result<u16, UpstreamError> {
    let request = Request::get("/internal/sessions/ended").body(Body::empty()).unwrap();
    let answer = Client::new(trust).call(&config.cluster.listen, request).await?;
    Ok(answer.status().as_u16())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_do_without_a_secret() {
    let (home, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let config = config(home.path(), &authority.papers(HOST));
    let node = start(&config).await;
    let of_a_replica = Trust::Certificates(authority.papers(HOST).read(), None);
    assert_eq!(ask(of_a_replica, &config).await, Ok(200));
    let plain = ask(Secret::parse(SECRET).unwrap().into(), &config).await;
    assert!(plain.is_err(), "{plain:?}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_both_are_given_both_are_asked_for() {
    let (home, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let mut config = config(home.path(), &authority.papers(HOST));
    config.cluster.secret_file = home.path().join("secret");
    std::fs::write(&config.cluster.secret_file, SECRET).unwrap();
    let node = start(&config).await;
    let secret = Secret::parse(SECRET).unwrap();
    let papers = authority.papers(HOST);
    let both = Trust::Certificates(papers.read(), Some(secret.clone()));
    assert_eq!(ask(both, &config).await, Ok(200));
    assert_eq!(ask(Trust::Certificates(papers.read(), None), &config).await, Ok(401));
    assert!(ask(secret.into(), &config).await.is_err());
    node.stop().await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_a_sentence_that_names_them() {
    let (home, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    let papers = authority.papers(HOST);
    let good = config(home.path(), &papers);
    let text = |file: &Path, text: &str| std::fs::write(file, text).unwrap();
    for (file, broken) in [
        ("ca.pem", ""),
        ("ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("cert.pem", papers.key.as_str()),
        ("key.pem", papers.own.as_str()),
        ("key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA"),
    ] {
        let file = home.path().join(file);
        let before = std::fs::read_to_string(&file).unwrap();
        text(&file, broken);
        let error = why_not(&good).await;
        assert!(error.contains(file.to_str().unwrap()), "{error}");
        assert!(!error.contains('\n') && !error.contains("AAAA"), "{error}");
        text(&file, &before);
    }
    // The key of somebody else.
    text(&good.cluster.tls_key_file, &authority.papers(HOST).key);
    let error = why_not(&good).await;
    assert!(error.contains("cert.pem"), "{error}");
    std::fs::remove_file(&good.cluster.tls_key_file).unwrap();
    let error = why_not(&good).await;
    assert!(error.contains("key.pem cannot be read"), "{error}");
}
