//! A whole EventFlow in this process: started in order, stopped backwards.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actors::System;
use adapter_sqlite::{OpenError, Sqlite};
use api::Entropy;
use gateway::{Gateway, Readiness};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::clock::{ProcessClock, SystemEntropy};
use crate::config::{Config, ConfigError};
use crate::faces::Faces;
use crate::keys::{KeyFileError, Keys};
use crate::listen::{self, Server};
use crate::stores;

/// Why a node could not start. Each is a sentence for whoever started the program.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder cannot be used.
    #[error(transparent)]
    Stores(#[from] OpenError),
    /// There is no signing key.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// The actors did not start.
    #[error(transparent)]
    Actors(#[from] actors::StartError),
    /// The auth service did not start.
    #[error("the auth service cannot start: {0}")]
    Auth(#[from] auth::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {reason}")]
    Listen {
        /// Which address.
        addr: SocketAddr,
        /// What the system says.
        reason: String,
    },
}

/// A running node.
pub struct Node {
    data: PathBuf,
    server: Server,
    running: Running,
}

/// What runs behind the listener.
struct Running {
    readiness: Readiness,
    system: System,
    /// Keep the catalog's documents and the ended sessions in step; end when told to.
    followers: JoinSet<()>,
    end_followers: watch::Sender<bool>,
    sqlite: Sqlite,
    drain: Duration,
}

impl Node {
    /// Start everything: stores, keys, actors, services, gateway, listener; then it is
    /// ready. What was started before something failed is stopped again.
    ///
    /// # Errors
    ///
    /// The first thing that failed.
    pub async fn start(config: Config) -> Result<Self, NodeError> {
        config.validate()?;
        let addr = config.listen_addr()?;
        let sqlite = stores::open(&config.data.dir, &config.storage).await?;
        let (clock, entropy) = (Arc::new(ProcessClock::start()), Arc::new(SystemEntropy));
        let (keys, system) = match decide(&config, &sqlite, &clock, &entropy).await {
            Ok(started) => started,
            Err(error) => {
                sqlite.close().await;
                return Err(error);
            }
        };
        let faces = Faces::new(&config, &sqlite.stores(), &system, keys, &clock, &entropy);
        // What was ended before must be known before anything is answered.
        let faces = match faces {
            Ok(faces) => faces.auth.prepare().await.map(|()| faces),
            Err(error) => Err(error),
        };
        let Faces { gateway, readiness, auth, catalog } = match faces {
            Ok(faces) => faces,
            Err(error) => {
                system.stop(Instant::now()).await;
                sqlite.close().await;
                return Err(error.into());
            }
        };
        let (end_followers, end) = watch::channel(false);
        let mut followers = JoinSet::new();
        let ended = |mut end: watch::Receiver<bool>| async move {
            // Its being dropped means the same: the node is gone.
            let _ = end.wait_for(|end| *end).await;
        };
        let (catalog_end, auth_end) = (ended(end.clone()), ended(end));
        followers.spawn(async move { catalog.run(catalog_end).await });
        followers.spawn(async move { auth.run(auth_end).await });
        let drain = Duration::from_millis(u64::from(config.server.actors_drain_timeout_ms));
        let running = Running { readiness, system, followers, end_followers, sqlite, drain };
        match open_door(&config, addr, gateway).await {
            Ok(server) => {
                running.readiness.ready();
                Ok(Self { data: absolute(&config.data.dir), server, running })
            }
            Err(error) => {
                running.stop().await;
                Err(error)
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// Where the data lies.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Stop, backwards: not ready, nothing new accepted, requests drained, actors drained
    /// and the projector caught up, stores closed. Every wait is bounded, and what isn't
    /// done by then is left as a kill would leave it: safe.
    pub async fn stop(self) {
        self.running.readiness.draining();
        // Streams have no end of their own that the listener could wait for.
        self.running.system.end_watches();
        if !self.server.stop().await {
            tracing::warn!("requests in flight were cut off");
        }
        self.running.stop().await;
    }
}

impl Running {
    async fn stop(mut self) {
        let deadline = Instant::now() + self.drain;
        self.system.stop(deadline).await;
        // After the projector, which hands the catalog the last facts. What it hasn't read
        // by then stays on the bus for the next start.
        self.end_followers.send_replace(true);
        let all = async { while self.followers.join_next().await.is_some() {} };
        let _ = timeout_at(deadline, all).await;
        self.sqlite.close().await;
    }
}

/// Start what decides: the keys that say who may, and the actors.
async fn decide(
    config: &Config,
    sqlite: &Sqlite,
    clock: &Arc<ProcessClock>,
    entropy: &SystemEntropy,
) -> Result<(Keys, System), NodeError> {
    let configured = Some(config.auth.signing_key_file.as_path());
    let configured = configured.filter(|file| !file.as_os_str().is_empty());
    let keys = Keys::load(configured, &config.data.dir, entropy)?;
    let mut incarnation = [0; 8];
    entropy.fill(&mut incarnation);
    let owner = format!("process {}", std::process::id());
    let options = config.actors.options(&config.limits);
    let clock: Arc<dyn actors::Clock> = Arc::<ProcessClock>::clone(clock);
    let system = actors::start(options, sqlite.stores(), clock, &owner, incarnation).await?;
    Ok((keys, system))
}

async fn open_door(
    config: &Config,
    addr: SocketAddr,
    gateway: Gateway,
) -> Result<Server, NodeError> {
    let failed = |error: io::Error| {
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => "the port is in use".to_owned(),
            _ => error.to_string(),
        };
        NodeError::Listen { addr, reason }
    };
    let listener = listen::bind(addr).await.map_err(failed)?;
    let handler = move |request| gateway.handle(request);
    Server::start(listener, config.server.options(), handler).map_err(failed)
}

/// The folder's whole name, for people who look for it.
fn absolute(dir: &Path) -> PathBuf {
    std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned())
}
