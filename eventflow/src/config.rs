//! All settings: the sum of every crate's options, as plain numbers with units in their
//! names.
//!
//! Order: flags, then `EVENTFLOW_<SECTION>__<KEY>` variables, then the file, then the
//! defaults. What nobody knows is an error that names the key.

mod cluster;
mod layers;
mod notification;
mod section;
mod sections;

use std::ffi::OsString;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::cli::RunArgs;
use crate::telemetry;
pub use cluster::Cluster;
pub use notification::{Notification, Smtp};
pub use sections::{
    Actors, Auth, Booking, Catalog, Data, Gateway, Limits, Log, Password, RateLimit, Server,
    Storage, Trace,
};

/// Why the settings cannot be used. Each is a sentence for whoever started the program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {reason}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file is not TOML.
    #[error("the configuration file {} is not valid TOML: {reason}", file.display())]
    NotToml {
        /// Which file.
        file: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// There is no such setting.
    #[error("{place}: there is no setting `{key}`")]
    Unknown {
        /// Where it was found.
        place: String,
        /// Its name.
        key: String,
    },
    /// A setting has a value that it cannot have.
    #[error("{place}: `{key}` must be {expected}")]
    Invalid {
        /// Where it was found.
        place: String,
        /// Its name.
        key: String,
        /// What it can be.
        expected: String,
    },
}

impl ConfigError {
    /// A setting, wherever it was set, has a value that it cannot have.
    pub(crate) fn invalid(key: &str, expected: impl Display) -> Self {
        let (place, key, expected) =
            ("the configuration".to_owned(), key.to_owned(), expected.to_string());
        Self::Invalid { place, key, expected }
    }
}

/// All settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Where and how it listens.
    pub server: Server,
    /// Where the data lies.
    pub data: Data,
    /// The gateway.
    pub gateway: Gateway,
    /// The auth service.
    pub auth: Auth,
    /// The booking service.
    pub booking: Booking,
    /// The catalog service.
    pub catalog: Catalog,
    /// The notification service.
    pub notification: Notification,
    /// The actors that decide.
    pub actors: Actors,
    /// The bounds of the rules.
    pub limits: Limits,
    /// Where things are kept.
    pub storage: Storage,
    /// One process among others.
    pub cluster: Cluster,
    /// What is logged.
    pub log: Log,
    /// What is traced.
    pub trace: Trace,
}

impl Config {
    /// The settings by flags, environment, file and defaults, in this order, validated.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with them.
    pub fn load(
        flags: &RunArgs,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut table = Self::default().to_table();
        if let Some(file) = &flags.folder.config {
            let place = format!("the configuration file {}", file.display());
            layers::overlay(&mut table, read(file)?, &place)?;
        }
        for (name, value) in environment {
            layers::overlay_variable(&mut table, &name, &value)?;
        }
        let mut config: Self = table.try_into().map_err(|error: toml::de::Error| {
            // Types and ranges were checked key by key; what is left has no place.
            ConfigError::invalid("configuration", error.message())
        })?;
        if let Some(addr) = flags.listen {
            config.server.listen = addr.to_string();
        }
        if let Some(node) = &flags.node {
            config.cluster.node.clone_from(node);
        }
        if let Some(dir) = &flags.folder.data {
            config.data.dir = dir.clone();
        }
        config.validate()?;
        Ok(config)
    }

    /// Whether every value is one that it can be; nothing is opened for this.
    ///
    /// # Errors
    ///
    /// The first value that isn't.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.server.in_range()?;
        self.gateway.in_range()?;
        self.gateway.rate_limit.in_range()?;
        self.auth.in_range()?;
        self.booking.in_range()?;
        self.catalog.in_range()?;
        self.notification.values_fit()?;
        self.actors.in_range()?;
        self.limits.in_range()?;
        self.storage.in_range()?;
        self.cluster.in_range()?;
        self.trace.in_range()?;
        self.listen_addr()?;
        if self.data.dir.as_os_str().is_empty() {
            return Err(ConfigError::invalid("data.dir", "the name of a folder"));
        }
        if self.auth.hash_memory_kib < 8 * self.auth.hash_lanes {
            let expected = "at least 8 KiB for each of `auth.hash_lanes`";
            return Err(ConfigError::invalid("auth.hash_memory_kib", expected));
        }
        if self.catalog.booking_patience_ms <= self.booking.deadline_ms {
            // Else the catalog would give up before booking says what became of it.
            let expected = "more than `booking.deadline_ms`";
            return Err(ConfigError::invalid("catalog.booking_patience_ms", expected));
        }
        for (key, networks) in [
            ("gateway.trusted_proxies", &self.gateway.trusted_proxies),
            ("server.metrics_from", &self.server.metrics_from),
        ] {
            if networks.iter().any(|network| gateway::client::parse_network(network).is_none()) {
                let expected = "a list of addresses and networks like \"10.0.0.0/8\"";
                return Err(ConfigError::invalid(key, expected));
            }
        }
        for origin in &self.gateway.cors_origins {
            if !is_origin(origin) {
                let expected = "a list of origins like \"https://app.example.org\", or [\"*\"]";
                return Err(ConfigError::invalid("gateway.cors_origins", expected));
            }
        }
        if !telemetry::LEVELS.contains(&self.log.level.as_str()) {
            let expected = format!("one of {}", telemetry::LEVELS.join(", "));
            return Err(ConfigError::invalid("log.level", expected));
        }
        if !telemetry::FORMATS.contains(&self.log.format.as_str()) {
            let expected = format!("one of {}", telemetry::FORMATS.join(", "));
            return Err(ConfigError::invalid("log.format", expected));
        }
        Ok(())
    }

    /// Where to listen.
    ///
    /// # Errors
    ///
    /// If it is not an address with a port.
    pub fn listen_addr(&self) -> Result<SocketAddr, ConfigError> {
        self.server.listen.parse().map_err(|_| {
            ConfigError::invalid("server.listen", "an address with a port like 127.0.0.1:8080")
        })
    }

    fn to_table(&self) -> Table {
        Table::try_from(self).expect("settings are numbers, texts, flags and lists of texts")
    }
}

fn read(file: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|error| ConfigError::Unreadable {
        file: file.to_owned(),
        reason: error.to_string(),
    })?;
    text.parse().map_err(|error: toml::de::Error| {
        // The error's own text draws the line over several lines; one sentence is wanted.
        let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        let reason = format!("line {line}: {}", error.message());
        ConfigError::NotToml { file: file.to_owned(), reason }
    })
}

/// Whether this can stand in an `Origin` header: scheme and host, maybe a port, no path.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    text == "*" || host.is_some_and(|host| !host.is_empty() && host.chars().all(fits))
}

#[cfg(test)]
mod tests;
