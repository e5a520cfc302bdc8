//! The section about the other processes of an installation.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::section::within;
use super::sections::REQUEST_MS;

/// One process among others of an installation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// The name of this booking replica.
    pub node: String,
    /// Where the other processes of the installation reach this one.
    pub listen: String,
    /// The same as they see it, if it differs.
    pub advertise: String,
    /// The file with the installation's secret.
    pub secret_file: PathBuf,
    /// The file with the certificates of the installation's authority.
    pub tls_ca_file: PathBuf,
    /// The file with this process' certificate.
    pub tls_cert_file: PathBuf,
    /// The file with the key to it.
    pub tls_key_file: PathBuf,
    /// The internal listeners of all booking replicas.
    pub replicas: Vec<String>,
    /// The internal listener of the process with auth, catalog and bus.
    pub front: String,
    /// How long a request is repeated while replicas fail.
    pub patience_ms: u32,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            node: String::new(),
            listen: String::new(),
            advertise: String::new(),
            secret_file: PathBuf::new(),
            tls_ca_file: PathBuf::new(),
            tls_cert_file: PathBuf::new(),
            tls_key_file: PathBuf::new(),
            replicas: Vec::new(),
            front: String::new(),
            patience_ms: 8_000,
        }
    }
}

impl Cluster {
    /// Whether every value is one that it can be.
    pub(super) fn in_range(&self) -> Result<(), ConfigError> {
        within("cluster.patience_ms", self.patience_ms, 0..=REQUEST_MS)?;
        if self.node.contains(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)) {
            return Err(ConfigError::invalid("cluster.node", "letters, digits, - _ and ."));
        }
        if !self.listen.is_empty() && self.listen.parse::<std::net::SocketAddr>().is_err() {
            let expected = "an address with a port like 10.0.0.2:8091";
            return Err(ConfigError::invalid("cluster.listen", expected));
        }
        let [authority, certificate, key] = self.tls_files().map(is_named);
        for (name, given) in [
            ("cluster.tls_ca_file", authority),
            ("cluster.tls_cert_file", certificate),
            ("cluster.tls_key_file", key),
        ] {
            if !given && self.has_certificates() {
                let expected = "the name of a file: the three `cluster.tls_` files go together";
                return Err(ConfigError::invalid(name, expected));
            }
        }
        Ok(())
    }

    /// Authority, certificate and key.
    pub(crate) fn tls_files(&self) -> [&Path; 3] {
        [&self.tls_ca_file, &self.tls_cert_file, &self.tls_key_file]
    }

    /// Whether processes show certificates to one another.
    #[must_use]
    pub fn has_certificates(&self) -> bool {
        self.tls_files().into_iter().any(is_named)
    }

    /// Whether processes show a secret to one another.
    #[must_use]
    pub fn has_secret(&self) -> bool {
        is_named(&self.secret_file)
    }
}

fn is_named(file: &Path) -> bool {
    !file.as_os_str().is_empty()
}
