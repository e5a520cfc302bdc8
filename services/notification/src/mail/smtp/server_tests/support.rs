//! Servers that misbehave as they are told: `tests/smtp_server.py`, whose control port
//! `EVENTFLOW_TEST_MAIL` names.

use std::time::Duration;

use engine::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::super::{Smtp, SmtpOptions, Tls};
use crate::mail::Mail;

/// Longest time that the control port may take: a test is broken, not slow, after that.
const CONTROL: Duration = Duration::from_secs(20);

/// Time limit of steps where the server is expected to answer.
pub(super) const PATIENT: Duration = Duration::from_secs(15);

/// Time limit of steps where it is expected not to.
pub(super) const SHORT: Duration = Duration::from_secs(3);

/// What it has for its answer to a message on top of that.
pub(super) const VERDICT: Duration = Duration::from_millis(1_600);

/// A server of one test, which ends with it.
pub(super) struct Server {
    control: BufReader<TcpStream>,
    port: u16,
    tls: Tls,
    ca_pem: Option<Vec<u8>>,
}

impl Server {
    /// One that does these things wrong.
    pub(super) async fn with(rules: Value) -> Self {
        Self::listen(Tls::None, None, json!({ "rules": rules })).await
    }

    /// One with a certificate for `name`, and with what else is said.
    pub(super) async fn encrypted(tls: Tls, name: &str, mut wish: Value) -> Self {
        let (authority, certificate) = certificate(name);
        wish["tls"] = if tls == Tls::Implicit { "implicit" } else { "starttls" }.into();
        wish["certificate"] = certificate.into();
        Self::listen(tls, Some(authority.into_bytes()), wish).await
    }

    pub(super) async fn listen(tls: Tls, ca_pem: Option<Vec<u8>>, mut wish: Value) -> Self {
        #[allow(clippy::disallowed_methods, reason = "a test has no other door")]
        let address = std::env::var("EVENTFLOW_TEST_MAIL").expect(
            "EVENTFLOW_TEST_MAIL names the control port of tests/smtp_server.py: \
             `cargo xtask test --with mail` starts it",
        );
        let stream = TcpStream::connect(&address).await.expect("the control port answers");
        let mut server = Self { control: BufReader::new(stream), port: 0, tls, ca_pem };
        wish["do"] = "listen".into();
        let port = server.ask(wish).await["port"].as_u64().expect("a port");
        server.port = u16::try_from(port).unwrap();
        server
    }

    async fn ask(&mut self, asked: Value) -> Value {
        let answered = async {
            self.control.write_all(format!("{asked}\n").as_bytes()).await.unwrap();
            let mut line = String::new();
            self.control.read_line(&mut line).await.unwrap();
            serde_json::from_str(&line).expect("an answer of the control port")
        };
        tokio::time::timeout(CONTROL, answered).await.expect("the control port answers in time")
    }

    /// What has arrived.
    pub(super) async fn mails(&mut self) -> Vec<Value> {
        self.ask(json!({ "do": "mails" })).await["mails"].as_array().unwrap().clone()
    }

    /// Connections that there have been.
    pub(super) async fn connections(&mut self) -> u64 {
        self.ask(json!({ "do": "connections" })).await["all"].as_u64().unwrap()
    }

    /// Waits until a command has come so often.
    pub(super) async fn wait_for(&mut self, stage: &str, count: u32) {
        self.ask(json!({ "do": "await", "stage": stage, "count": count })).await;
    }

    pub(super) fn options(&self) -> SmtpOptions {
        SmtpOptions {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            tls: self.tls,
            username: None,
            password: None,
            ca_pem: self.ca_pem.clone(),
            timeout: PATIENT,
            connections: 2,
            from: "EventFlow <events@example.com>".to_owned(),
            hello_name: None,
        }
    }

    pub(super) fn smtp(&self) -> Smtp {
        Smtp::new(&self.options()).unwrap()
    }

    pub(super) fn hasty(&self) -> Smtp {
        let mut smtp = Smtp::new(&SmtpOptions { timeout: SHORT, ..self.options() }).unwrap();
        smtp.settings.verdict = VERDICT;
        smtp
    }
}

/// An authority of our own, and a certificate by it with its key.
fn certificate(name: &str) -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new([]).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = authority.self_signed(&key).unwrap().pem();
    let signer = rcgen::Issuer::new(authority, key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &signer).unwrap();
    (issuer, format!("{}{}", leaf.pem(), key.serialize_pem()))
}

/// A message to somebody.
pub(super) fn to(address: &str) -> Mail {
    Mail {
        id: [0x42; 16],
        to_address: address.to_owned(),
        to_name: Some("Ann Müller".to_owned()),
        subject: "Dein Platz: Grüße".to_owned(),
        text: "Hallo Ann,\n\n.ein Punkt vorn\n.\nund Grüße \u{1f389}  \n".to_owned(),
        html: "<p>Hallo <b>Ann</b></p>\n".to_owned(),
        created_at: Timestamp::from_millis(1_764_100_000_123),
    }
}
