//! Goal: a node starts in order, stops backwards, and keeps what it answered. Method:
//! whole nodes in this process, port 0, a folder of their own.

use std::net::SocketAddr;
use std::path::Path;

use eventflow::node::NodeError;
use eventflow::roles::Role;
use eventflow::{Config, Node};
use serde_json::{Value, json};

use crate::client::{Answer, send};

fn config(data: &Path) -> Config {
    let mut config = Config::default();
    config.server.listen = "127.0.0.1:0".to_owned();
    config.data.dir = data.to_owned();
    config
}

async fn call(
    addr: SocketAddr,
    method: &'static str,
    path: &'static str,
    token: Option<&str>,
    body: Value,
) -> Answer {
    let token = token.map(str::to_owned);
    let call = move || send(addr, method, path, token.as_deref(), &body);
    tokio::task::spawn_blocking(call).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_and_tokens_outlive_the_node() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(config(data.path())).await.unwrap();
    let ada = json!({
        "username": "ada", "email": "ada@example.org", "password": "engines of analysis",
    });
    let registered = call(node.addr(), "POST", "/auth/register", None, ada.clone()).await;
    assert_eq!(registered.status, 201, "{}", registered.body);
    let login = call(node.addr(), "POST", "/auth/login", None, ada.clone()).await;
    assert_eq!(login.status, 200, "{}", login.body);
    let token = login.body["access_token"].as_str().unwrap();
    let me = call(node.addr(), "GET", "/users/me", Some(token), Value::Null).await;
    assert_eq!((me.status, &me.body), (200, &registered.body));
    assert!(me.head.contains("\r\nx-request-id: "), "{}", me.head);
    node.stop().await;

    let node = Node::start(config(data.path())).await.unwrap();
    let me = call(node.addr(), "GET", "/users/me", Some(token), Value::Null).await;
    assert_eq!((me.status, &me.body), (200, &registered.body), "the same key, the same account");
    let again = call(node.addr(), "POST", "/auth/register", None, ada).await;
    assert_eq!(again.status, 409);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_ready_when_it_has_started_and_silent_when_it_has_stopped() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(config(data.path())).await.unwrap();
    let addr = node.addr();
    assert_ne!(addr.port(), 0, "the port that was taken");
    for path in ["/health", "/livez", "/readyz"] {
        assert_eq!(call(addr, "GET", path, None, Value::Null).await.status, 200, "{path}");
    }
    let nowhere = call(addr, "GET", "/internal/events/counts", None, Value::Null).await;
    assert_eq!((nowhere.status, &nowhere.body["code"]), (404, &json!("not_found")));
    node.stop().await;
    assert!(std::net::TcpStream::connect(addr).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_folder_has_one_node() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(config(data.path())).await.unwrap();
    let second = Node::start(config(data.path())).await.err().unwrap();
    assert!(second.to_string().contains("in use by another process"), "{second}");
    assert_eq!(call(node.addr(), "GET", "/health", None, Value::Null).await.status, 200);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_fails_late_leaves_nothing_behind() {
    let data = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut blocked = config(data.path());
    blocked.server.listen = taken.local_addr().unwrap().to_string();
    let error = Node::start(blocked).await.err().unwrap();
    assert!(matches!(error, NodeError::Listen { .. }), "{error}");
    // The folder is free again.
    Node::start(config(data.path())).await.unwrap().stop().await;
}

#[tokio::test]
async fn a_process_that_cannot_be_known_does_not_start() {
    let data = tempfile::tempdir().unwrap();
    let mut front = config(data.path());
    front.cluster.listen = "127.0.0.1:0".to_owned();
    let error = Node::start_as(Role::Front, front.clone()).await.err().unwrap().to_string();
    assert!(error.contains("neither a secret nor certificates"), "{error}");
    front.cluster.tls_ca_file = "nowhere".into();
    front.cluster.tls_cert_file = "nowhere".into();
    front.cluster.tls_key_file = "nowhere".into();
    let error = Node::start_as(Role::Front, front).await.err().unwrap().to_string();
    // Without TLS nothing is even opened.
    let expected = if cfg!(feature = "tls") { "cannot be read" } else { "built without TLS" };
    assert!(error.contains(expected), "{error}");
}
