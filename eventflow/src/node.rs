//! A whole EventFlow in this process: started in order, stopped backwards.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actors::System;
use adapter_sqlite::{OpenError, Sqlite};
use api::Entropy;
use api::upstream::{Client, Replicas, ReplicasOptions};
use axum::extract::Request;
use axum::response::Response;
use gateway::Readiness;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::clock::{ProcessClock, SystemEntropy};
use crate::config::{Config, ConfigError};
use crate::faces::{BookingAt, Faces};
use crate::figures::Board;
use crate::front::Front;
use crate::keys::{KeyFileError, Keys};
use crate::listen::{self, Server};
use crate::roles::Role;
use crate::stores;
use followers::Followers;

mod followers;
pub(crate) mod inside;
mod replica;

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
    /// The notification service did not start.
    #[error(transparent)]
    Notification(#[from] notification::StartError),
    /// The servers of a cluster cannot be used.
    #[error(transparent)]
    Servers(#[from] storage::StorageError),
    /// What the processes of an installation need to know one another is missing.
    #[error("{0}")]
    Internal(String),
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
    /// The name, if it is a booking replica.
    replica: Option<String>,
    /// Where it is met first.
    addr: SocketAddr,
    servers: Vec<Server>,
    running: Running,
}

/// What runs behind the listeners.
struct Running {
    readiness: Readiness,
    system: Option<System>,
    followers: Followers,
    sqlite: Option<Sqlite>,
    drain: Duration,
}

impl Node {
    /// Start everything in one process: stores, keys, actors, services, gateway, listener;
    /// then it is ready. What was started before something failed is stopped again.
    ///
    /// # Errors
    ///
    /// The first thing that failed.
    pub async fn start(config: Config) -> Result<Self, NodeError> {
        Self::start_as(Role::Everything, config).await
    }

    /// Start what a process of this role runs.
    ///
    /// # Errors
    ///
    /// The first thing that failed.
    pub async fn start_as(role: Role, config: Config) -> Result<Self, NodeError> {
        config.validate()?;
        match role {
            Role::Everything | Role::Front => Self::start_folder(role, config).await,
            Role::Replica => replica::start(config).await,
        }
    }

    /// Everything, or everything but booking, on one folder.
    async fn start_folder(role: Role, config: Config) -> Result<Self, NodeError> {
        let addr = config.listen_addr()?;
        // Before anything is made that counts.
        let board = Board::new();
        let sqlite = stores::open(&config.data.dir, &config.storage).await?;
        let (clock, entropy) = (Arc::new(ProcessClock::start()), Arc::new(SystemEntropy));
        let booking = match role {
            Role::Everything => decide(&config, &sqlite, &clock, &entropy).await.map(Some),
            Role::Front | Role::Replica => Ok(None),
        };
        let drain = Duration::from_millis(u64::from(config.server.actors_drain_timeout_ms));
        let mut running = Running {
            readiness: Readiness::default(),
            system: None,
            followers: Followers::new(),
            sqlite: Some(sqlite),
            drain,
        };
        let opened = match booking {
            Ok(system) => {
                running.system = system;
                running.count(&board, &config);
                serve_folder(&config, addr, &mut running, &clock, &entropy, &board).await
            }
            Err(error) => Err(error),
        };
        match opened {
            Ok(servers) => {
                running.readiness.ready();
                let (data, addr) = (absolute(&config.data.dir), servers[0].addr());
                Ok(Self { data, replica: None, addr, servers, running })
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
        self.addr
    }

    /// Where the data lies.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Its name, if it is a booking replica.
    #[must_use]
    pub fn replica(&self) -> Option<&str> {
        self.replica.as_deref()
    }

    /// Stop, backwards: not ready, partitions handed over, nothing new accepted, requests
    /// drained, actors drained and the projector caught up, stores closed. Every wait is
    /// bounded, and what isn't done by then is left as a kill would leave it: safe.
    pub async fn stop(self) {
        self.running.readiness.draining();
        if let Some(system) = &self.running.system {
            system.hand_over(Instant::now() + self.running.drain).await;
            // Streams have no end of their own that the listener could wait for.
            system.end_watches();
        }
        let stopped = self.servers.into_iter().map(Server::stop);
        let stopped = futures_util::future::join_all(stopped).await;
        if stopped.contains(&false) {
            tracing::warn!("requests in flight were cut off");
        }
        self.running.stop().await;
    }
}

impl Running {
    /// What there is to look up when somebody asks for the figures.
    fn count(&mut self, board: &Board, config: &Config) {
        if let Some(system) = &self.system {
            let gauges = system.gauges();
            board.add_quick(move || gauges.set());
        }
        if let Some(sqlite) = &self.sqlite {
            let gauges = sqlite.gauges(&config.data.dir);
            board.add("files", adapter_sqlite::Gauges::WAITED_FOR, move || {
                let gauges = gauges.clone();
                async move { gauges.set().await }
            });
        }
        let board = board.clone();
        self.followers.add("figures", move |end| board.clone().keep_up(end));
    }

    async fn stop(self) {
        let deadline = Instant::now() + self.drain;
        if let Some(system) = self.system {
            system.stop(deadline).await;
        }
        // After the projector, which hands the catalog the last facts. What it hasn't read
        // by then stays on the bus for the next start.
        self.followers.stop(deadline).await;
        if let Some(sqlite) = self.sqlite {
            sqlite.close().await;
        }
    }
}

/// The services on a folder, and the doors to them.
async fn serve_folder(
    config: &Config,
    addr: SocketAddr,
    running: &mut Running,
    clock: &Arc<ProcessClock>,
    entropy: &Arc<SystemEntropy>,
    board: &Board,
) -> Result<Vec<Server>, NodeError> {
    let stores = running.sqlite.as_ref().map(Sqlite::stores).expect("a folder was opened");
    let keys = load_keys(config, entropy)?;
    let others = match &running.system {
        Some(_) => None,
        None => Some(Others::of(config)?),
    };
    let booking = match (&running.system, &others) {
        (Some(system), _) => BookingAt::Here(system),
        (None, Some(others)) => BookingAt::Elsewhere(others.replicas.clone()),
        (None, None) => unreachable!("booking is here or elsewhere"),
    };
    let faces = Faces::new(config, &stores, booking, keys, clock, entropy, board)?;
    let Faces { gateway, readiness, auth, catalog, notification } = faces;
    // What was ended before must be known before anything is answered.
    auth.prepare().await?;
    notification.prepare().await?;
    running.readiness = readiness;
    let mut servers = Vec::new();
    let handler = move |request| gateway.handle(request);
    servers.push(open_door(config, addr, handler).await?);
    board.add_connections("public", &servers[0]);
    if let Some(Others { addr, client, replicas }) = others {
        let front = Front { bus: stores.bus, sessions: stores.sessions, clock: clock.clone() };
        let router = front.router(catalog.internal_router(), client.trust().clone());
        servers.push(inside::open(config, addr, client.trust(), router).await?);
        board.add_connections("internal", &servers[1]);
        running.followers.add("replicas", move |end| {
            let replicas = replicas.clone();
            async move { replicas.run(end).await }
        });
    }
    running.followers.add("notification", move |end| {
        let notification = notification.clone();
        async move { notification.run(end).await }
    });
    running.followers.add("catalog", move |end| {
        let catalog = catalog.clone();
        async move { catalog.run(end).await }
    });
    running.followers.add("auth", move |end| {
        let auth = auth.clone();
        async move { auth.run(end).await }
    });
    Ok(servers)
}

/// What a front needs to meet replicas.
struct Others {
    addr: SocketAddr,
    client: Client,
    replicas: Replicas,
}

impl Others {
    fn of(config: &Config) -> Result<Self, NodeError> {
        let client = inside::client(config)?;
        let patience = Duration::from_millis(u64::from(config.cluster.patience_ms));
        let options = ReplicasOptions { patience };
        let replicas = Replicas::new(options, client.clone(), &config.cluster.replicas);
        Ok(Self { addr: inside::internal_addr(config)?, client, replicas })
    }
}

fn load_keys(config: &Config, entropy: &SystemEntropy) -> Result<Keys, NodeError> {
    let configured = Some(config.auth.signing_key_file.as_path());
    let configured = configured.filter(|file| !file.as_os_str().is_empty());
    Ok(Keys::load(configured, &config.data.dir, entropy)?)
}

/// Start what decides.
async fn decide(
    config: &Config,
    sqlite: &Sqlite,
    clock: &Arc<ProcessClock>,
    entropy: &SystemEntropy,
) -> Result<System, NodeError> {
    // Before anything is claimed: without keys nothing can be served.
    load_keys(config, entropy)?;
    let mut incarnation = [0; 8];
    entropy.fill(&mut incarnation);
    let owner = format!("process {}", std::process::id());
    let options = config.actors.options(&config.limits);
    let clock: Arc<dyn actors::Clock> = Arc::<ProcessClock>::clone(clock);
    let stores = sqlite.stores().booking();
    Ok(actors::start(options, stores, clock, &owner, incarnation).await?)
}

async fn open_door<H, F>(config: &Config, addr: SocketAddr, handler: H) -> Result<Server, NodeError>
where
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let (listener, options) = (listener(addr).await?, config.server.options());
    Server::start(listener, options, handler).map_err(|error| not_listening(addr, &error))
}

async fn listener(addr: SocketAddr) -> Result<TcpListener, NodeError> {
    listen::bind(addr).await.map_err(|error| not_listening(addr, &error))
}

fn not_listening(addr: SocketAddr, error: &io::Error) -> NodeError {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => "the port is in use".to_owned(),
        _ => error.to_string(),
    };
    NodeError::Listen { addr, reason }
}

/// The folder's whole name, for people who look for it.
fn absolute(dir: &Path) -> PathBuf {
    std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned())
}
