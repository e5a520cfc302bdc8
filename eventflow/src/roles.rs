//! The parts of the system that a process may run, and which of them go together.

use crate::config::{Config, ConfigError};

/// A part of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Part {
    /// The front door.
    Gateway,
    /// Accounts and log-in.
    Auth,
    /// What events say of themselves.
    Catalog,
    /// A booking replica.
    Booking,
    /// What people are told.
    Notification,
}

/// What a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything, on one folder of files.
    Everything,
    /// All but booking, on one folder of files; booking runs elsewhere, as replicas.
    Front,
    /// One booking replica, on servers.
    Replica,
}

impl Role {
    /// What these parts together are, under these settings.
    ///
    /// # Errors
    /// A sentence about parts that do not go together, or settings that they lack.
    pub fn of(parts: &[Part], config: &Config) -> Result<Self, ConfigError> {
        let mut parts = parts.to_vec();
        parts.sort_unstable();
        parts.dedup();
        let role = match parts[..] {
            [] | [Part::Gateway, Part::Auth, Part::Catalog, Part::Booking, Part::Notification] => {
                Self::Everything
            }
            [Part::Gateway, Part::Auth, Part::Catalog, Part::Notification] => Self::Front,
            [Part::Booking] => Self::Replica,
            _ => {
                let expected = "none for everything in one process, `gateway auth catalog \
                                notification`, or `booking`";
                return Err(ConfigError::invalid("run", expected));
            }
        };
        role.has_what_it_needs(config).map(|()| role)
    }

    fn has_what_it_needs(self, config: &Config) -> Result<(), ConfigError> {
        let needs = |key: &str, given: bool, why: &str| match given {
            true => Ok(()),
            false => Err(ConfigError::invalid(key, why)),
        };
        let (storage, cluster) = (&config.storage, &config.cluster);
        match self {
            Self::Everything => needs(
                "storage.commits",
                storage.is_folder(),
                "\"sqlite:\" where everything is one process; on servers booking runs as \
                 replicas: `eventflow run booking`",
            ),
            Self::Front | Self::Replica => {
                let known = cluster.has_secret() || cluster.has_certificates();
                let secret = "the name of a file with a secret, unless the three \
                              `cluster.tls_` files are given";
                needs("cluster.secret_file", known, secret)?;
                let listen = !cluster.listen.is_empty();
                needs("cluster.listen", listen, "where the others reach this process")?;
                if self == Self::Front {
                    let replicas = !cluster.replicas.is_empty();
                    return needs("cluster.replicas", replicas, "a list of booking replicas");
                }
                needs("cluster.node", !cluster.node.is_empty(), "the name of this replica")?;
                let front = !cluster.front.is_empty();
                needs("cluster.front", front, "where auth, catalog and bus are reached")?;
                let key = !config.auth.signing_key_file.as_os_str().is_empty();
                needs("auth.signing_key_file", key, "the key that the auth service signs with")?;
                let server = "an address of a server: replicas share what they decide";
                needs("storage.commits", !storage.is_folder(), server)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replica() -> Config {
        let mut config = Config::default();
        config.cluster.secret_file = "s".into();
        config.cluster.listen = "127.0.0.1:1".into();
        config.cluster.replicas = vec!["127.0.0.1:2".into()];
        config.cluster.node = "b1".into();
        config.cluster.front = "127.0.0.1:3".into();
        config.auth.signing_key_file = "k".into();
        config.storage.commits = "redis://127.0.0.1/0".into();
        config
    }

    #[test]
    fn parts_that_go_together() {
        use Part::{Auth, Booking, Catalog, Gateway, Notification};

        let (alone, config) = (Config::default(), replica());
        assert_eq!(Role::of(&[], &alone), Ok(Role::Everything));
        assert_eq!(Role::of(&[Booking], &config), Ok(Role::Replica));
        assert_eq!(Role::of(&[Notification, Catalog, Auth, Gateway], &config), Ok(Role::Front));
        for parts in [&[Gateway][..], &[Gateway, Auth, Catalog], &[Gateway, Booking]] {
            assert!(Role::of(parts, &config).is_err(), "{parts:?}");
        }
        assert!(Role::of(&[], &config).is_err(), "everything, on servers");
        assert!(Role::of(&[Booking], &alone).is_err(), "a replica on a folder");
    }

    #[test]
    fn a_replica_needs_a_name_and_something_to_be_known_by() {
        for forget in [
            (|c| c.cluster.node.clear()) as fn(&mut Config),
            |c| c.cluster.secret_file = "".into(),
            |c| c.cluster.listen.clear(),
            |c| c.cluster.front.clear(),
            |c| c.auth.signing_key_file = "".into(),
        ] {
            let mut config = replica();
            forget(&mut config);
            assert!(Role::of(&[Part::Booking], &config).is_err());
        }
        let mut config = replica();
        config.cluster.secret_file = "".into();
        config.cluster.tls_ca_file = "a".into();
        config.cluster.tls_cert_file = "c".into();
        config.cluster.tls_key_file = "k".into();
        assert_eq!(Role::of(&[Part::Booking], &config), Ok(Role::Replica), "certificates do");
    }
}
