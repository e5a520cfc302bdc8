//! What is configured, and what of it is refused.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{
    Certificate, CertificateStore, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::extension::ClientId;

use super::session::{Encryption, Settings, VERDICT};

/// Connections there may be; a server closes its door to more from one client.
const CONNECTIONS: usize = 32;

/// Longest time that a step may be given.
const TIMEOUT: Duration = Duration::from_secs(600);

/// How a certificate begins in a file of them.
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// Whether the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::enum_variant_names, reason = "STARTTLS is the command's name")]
pub(crate) enum Tls {
    /// Not at all: for a catcher of mail on this machine.
    None,
    /// After `STARTTLS`, usually on port 587; a server that does not offer it is not used.
    StartTls,
    /// From the first byte on, usually on port 465.
    Implicit,
}

/// Where messages are handed over, and how.
#[derive(Clone)]
pub(crate) struct SmtpOptions {
    /// Name or address of the server; its certificate must be for it.
    pub(crate) host: String,
    /// Port of the server.
    pub(crate) port: u16,
    /// Whether the connection is encrypted.
    pub(crate) tls: Tls,
    /// Who logs in; nobody does without a password.
    pub(crate) username: Option<String>,
    /// Sent over an encrypted connection, or to this machine, and nowhere else.
    pub(crate) password: Option<String>,
    /// Certificates of the authorities that are believed, in PEM, instead of the system's.
    pub(crate) ca_pem: Option<Vec<u8>>,
    /// Longest time of each step; the server's answer to a message may take ten minutes more.
    pub(crate) timeout: Duration,
    /// Connections at a time, 1 to 32.
    pub(crate) connections: usize,
    /// The mailbox that messages come from.
    pub(crate) from: String,
    /// How we call ourselves to the server; the domain of `from` if nothing is said.
    pub(crate) hello_name: Option<String>,
}

/// Without the password.
impl fmt::Debug for SmtpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpOptions")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "..."))
            .field("own authorities", &self.ca_pem.is_some())
            .field("timeout", &self.timeout)
            .field("connections", &self.connections)
            .field("from", &self.from)
            .field("hello_name", &self.hello_name)
            .finish()
    }
}

impl SmtpOptions {
    /// What a session needs of them; `domain` is the sender's.
    pub(super) fn settings(&self, domain: &str) -> Result<Settings, String> {
        if self.host.is_empty() || !is_word(&self.host) {
            return Err(format!("`{}` is not the name of a server", self.host));
        }
        if !(1..=CONNECTIONS).contains(&self.connections) {
            return Err(format!("connections must be 1 to {CONNECTIONS}"));
        }
        if self.timeout.is_zero() || self.timeout > TIMEOUT {
            return Err(format!(
                "the time limit must be above 0 and up to {} s",
                TIMEOUT.as_secs()
            ));
        }
        let hello = self.hello_name.as_deref().unwrap_or(domain);
        if hello.is_empty() || !hello.is_ascii() || !is_word(hello) {
            return Err(format!("`{hello}` is not a name to say hello with"));
        }
        let hello = hello.parse::<IpAddr>().map_or_else(
            |_| ClientId::Domain(hello.to_owned()),
            |address| match address {
                IpAddr::V4(address) => ClientId::Ipv4(address),
                IpAddr::V6(address) => ClientId::Ipv6(address),
            },
        );
        Ok(Settings {
            host: self.host.clone(),
            port: self.port,
            encryption: self.encryption()?,
            credentials: self.credentials()?,
            password: self.password.clone(),
            timeout: self.timeout,
            verdict: VERDICT,
            hello,
        })
    }

    fn credentials(&self) -> Result<Option<Credentials>, String> {
        let (username, password) = match (&self.username, &self.password) {
            (None, None) => return Ok(None),
            (Some(username), Some(password)) => (username, password),
            _ => return Err("a user name and a password go together".to_owned()),
        };
        if username.is_empty() || password.is_empty() {
            return Err("a user name and a password must not be empty".to_owned());
        }
        if username.contains('\0') || password.contains('\0') {
            return Err("a user name and a password have no zero bytes".to_owned());
        }
        if self.tls == Tls::None && !is_this_machine(&self.host) {
            return Err(format!(
                "the password would go to {} in the open: use TLS, or no password",
                self.host
            ));
        }
        Ok(Some(Credentials::new(username.clone(), password.clone())))
    }

    fn encryption(&self) -> Result<Encryption, String> {
        Ok(match self.tls {
            Tls::None if self.ca_pem.is_some() => {
                return Err("certificates of authorities are named, but no TLS".to_owned());
            }
            Tls::None => Encryption::None,
            Tls::StartTls => Encryption::StartTls(self.authorities()?),
            Tls::Implicit => Encryption::Implicit(self.authorities()?),
        })
    }

    /// Whom to believe about the server's name.
    fn authorities(&self) -> Result<TlsParameters, String> {
        let builder = TlsParametersBuilder::new(self.host.clone());
        let builder = match &self.ca_pem {
            Some(pem) => {
                let wrong = "the file of authorities has no certificate in it that can be read";
                // What is no PEM at all would be read as a file of none.
                if !pem.windows(CERTIFICATE.len()).any(|part| part == CERTIFICATE) {
                    return Err(wrong.to_owned());
                }
                let own = Certificate::from_pem(pem).map_err(|_| wrong.to_owned())?;
                builder.certificate_store(CertificateStore::None).add_root_certificate(own)
            }
            // lettre would go on with none, and every server would be a stranger.
            None if rustls_native_certs::load_native_certs().certs.is_empty() => {
                let none = "the system has no certificates of authorities (on Debian: the \
                            package ca-certificates); install them, or name a file";
                return Err(none.to_owned());
            }
            None => builder.certificate_store(CertificateStore::Default),
        };
        builder.build_rustls().map_err(|error| format!("TLS cannot be set up: {error}"))
    }
}

/// Whether nothing in it ends a line or a word.
fn is_word(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() || c.is_whitespace())
}

/// Whether it never leaves this machine.
fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
