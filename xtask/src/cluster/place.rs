//! Where a cluster lies and on which ports it listens: written down, so that the other
//! forms of the command find it.

use std::fmt;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::launched::Launched;
use crate::ports::free_ports;
use crate::process::root;
use crate::servers::{ALL, Name, Servers, variable_of};

/// Most replicas: they have the ports between that of the front and the next ten.
pub(crate) const MOST: u16 = 9;

/// From the public port to the first internal one, which is the front's.
const INTERNAL: u16 = 10;

/// Bytes of the secret that the processes share.
const SECRET: usize = 32;

/// A process of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Node {
    /// Gateway, auth and catalog.
    Front,
    /// A booking replica, counted from 1.
    Replica(u16),
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Folders of the processes, logs, process ids.
    pub(crate) run: PathBuf,
    /// The public port; the internal ones follow.
    pub(crate) port: u16,
    /// EventFlow.
    pub(crate) binary: PathBuf,
    /// Whether the gateway takes every request.
    pub(crate) no_limits: bool,
    pub(crate) servers: Servers,
    /// The servers that were started for this cluster and end with it.
    pub(crate) ours: Vec<Name>,
    /// Whether all of it has ended: servers that run now are somebody else's.
    pub(crate) over: bool,
}

impl Node {
    /// By its name.
    pub(crate) fn parse(word: &str) -> Result<Self> {
        let replica = || word.strip_prefix('b')?.parse().ok().map(Self::Replica);
        let node = if word == "front" { Some(Self::Front) } else { replica() };
        let fits = |node: &Self| match node {
            Self::Front => true,
            Self::Replica(number) => (1..=MOST).contains(number) && node.to_string() == word,
        };
        node.filter(fits).with_context(|| format!("there is no `{word}`: front, b1 to b{MOST}"))
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Front => f.pad("front"),
            Self::Replica(number) => f.pad(&format!("b{number}")),
        }
    }
}

impl Place {
    /// The folder of the usual cluster.
    pub(crate) fn usual_run() -> Result<PathBuf> {
        let run = variable_of("EVENTFLOW_CLUSTER_RUN").map(PathBuf::from);
        Ok(std::path::absolute(run.unwrap_or_else(|| root().join("target/cluster")))?)
    }

    /// In the usual folder, on the usual servers.
    pub(crate) fn usual(port: u16, binary: PathBuf) -> Result<Self> {
        ensure!(port <= u16::MAX - INTERNAL - MOST, "port {port} has no twenty behind it");
        let (run, servers) = (Self::usual_run()?, Servers::usual()?);
        Ok(Self::at(run, port, binary, servers))
    }

    /// In a folder, on ports and on servers of its own.
    pub(crate) fn apart(name: &str, binary: PathBuf) -> Result<Self> {
        let run = root().join(format!("target/cluster-{name}-{}", std::process::id()));
        let port = free_ports(INTERNAL + MOST + 1)?;
        let servers = Servers::apart(name)?;
        Ok(Self::at(run, port, binary, servers))
    }

    const fn at(run: PathBuf, port: u16, binary: PathBuf, servers: Servers) -> Self {
        Self { run, port, binary, no_limits: false, servers, ours: Vec::new(), over: false }
    }

    /// As it was written down.
    pub(crate) fn load(run: &Path) -> Result<Option<Self>> {
        let file = run.join("cluster.json");
        let Ok(text) = fs::read(&file) else { return Ok(None) };
        let value = serde_json::from_slice(&text).ok();
        let place = value.and_then(|value| Self::read(run, &value));
        Ok(Some(place.with_context(|| format!("{} is damaged", file.display()))?))
    }

    fn read(run: &Path, value: &Value) -> Option<Self> {
        let ours = value["ours"].as_array()?.iter().map(|name| Name::parse(name.as_str()?).ok());
        Some(Self {
            run: run.to_owned(),
            port: u16::try_from(value["port"].as_u64()?).ok()?,
            binary: value["binary"].as_str()?.into(),
            no_limits: value["no_limits"].as_bool()?,
            servers: Servers::read(&value["servers"])?,
            ours: ours.collect::<Option<_>>()?,
            over: value["over"].as_bool()?,
        })
    }

    /// Write it down.
    pub(crate) fn save(&self) -> Result<()> {
        let ours: Vec<&str> = self.ours.iter().map(|name| name.text()).collect();
        let value = json!({
            "port": self.port,
            "binary": self.binary,
            "no_limits": self.no_limits,
            "servers": self.servers.written(),
            "ours": ours,
            "over": self.over,
        });
        // Whoever reads at the same time finds the one or the other.
        let (new, file) = (self.run.join("cluster.json.new"), self.run.join("cluster.json"));
        fs::write(&new, format!("{value:#}\n"))?;
        fs::rename(new, file).context("cannot write down where the cluster runs")
    }

    /// Take note of the servers that are about to be started for this cluster; those that
    /// it has started before and that still run remain its own.
    pub(crate) fn claim_servers(&mut self) -> Result<()> {
        let before =
            Self::load(&self.run)?.filter(|before| !before.over && before.servers == self.servers);
        let before = before.map(|before| before.ours).unwrap_or_default();
        for name in ALL {
            if before.contains(&name) || self.servers.launched(name)?.is_none() {
                self.ours.push(name);
            }
        }
        Ok(())
    }

    /// Where clients come.
    pub(crate) fn public(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Where the other processes come.
    pub(crate) fn internal(&self, node: Node) -> SocketAddr {
        let number = match node {
            Node::Front => 0,
            Node::Replica(number) => number,
        };
        SocketAddr::from(([127, 0, 0, 1], self.port + INTERNAL + number))
    }

    /// Where a process says whether it is ready.
    pub(crate) fn asked(&self, node: Node) -> SocketAddr {
        match node {
            Node::Front => self.public(),
            Node::Replica(_) => self.internal(node),
        }
    }

    pub(crate) fn folder(&self, node: Node) -> PathBuf {
        self.run.join(node.to_string())
    }

    pub(crate) fn log(&self, node: Node) -> PathBuf {
        self.run.join(format!("{node}.log"))
    }

    pub(crate) fn pid_file(&self, node: Node) -> PathBuf {
        self.run.join(format!("{node}.pid"))
    }

    /// The process of a node, if it runs.
    pub(crate) fn launched(&self, node: Node) -> Result<Option<Launched>> {
        Launched::find(&self.pid_file(node))
    }

    /// The replicas that run or have run.
    pub(crate) fn replicas(&self) -> Vec<Node> {
        let all = (1..=MOST).map(Node::Replica);
        all.filter(|node| self.pid_file(*node).exists()).collect()
    }

    /// The folders and the secret, as far as they are missing.
    pub(crate) fn make(&self) -> Result<()> {
        fs::create_dir_all(&self.run)
            .with_context(|| format!("cannot make {}", self.run.display()))?;
        if self.secret_file().exists() {
            return Ok(());
        }
        let mut bytes = [0; SECRET];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        // Under its own name only when it is complete.
        let part = self.run.join("secret.part");
        let opened =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&part);
        opened?.write_all(text.as_bytes())?;
        fs::rename(part, self.secret_file()).context("cannot write the secret")
    }

    pub(crate) fn secret_file(&self) -> PathBuf {
        self.run.join("secret")
    }

    /// What the processes share.
    pub(crate) fn secret(&self) -> Result<String> {
        let text = fs::read_to_string(self.secret_file()).context("cannot read the secret")?;
        Ok(text.trim().to_owned())
    }

    /// What others must not do at the same time: until the file is dropped.
    pub(crate) fn lock(&self, name: &str, otherwise: &str) -> Result<File> {
        let file = crate::launched::append_to(&self.run.join(name))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => {
                bail!("{otherwise} in {}", self.run.display())
            }
            Err(fs::TryLockError::Error(error)) => Err(error).context("cannot lock a file"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> Place {
        Place::apart(name, PathBuf::from("eventflow")).unwrap()
    }

    #[test]
    fn a_node_has_one_name() {
        for name in ["front", "b1", "b9"] {
            assert_eq!(Node::parse(name).unwrap().to_string(), name);
        }
        for name in ["", "b", "b0", "b01", "b+1", "b10", "b99999", "c1", "Front"] {
            assert!(Node::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let mut place = place("test-written");
        place.ours = vec![Name::Cassandra];
        place.make().unwrap();
        assert_eq!(Place::load(&place.run).unwrap(), None);
        place.save().unwrap();
        assert_eq!(Place::load(&place.run).unwrap(), Some(place.clone()));
        fs::write(place.run.join("cluster.json"), "{}").unwrap();
        assert!(Place::load(&place.run).is_err());
        fs::remove_dir_all(&place.run).unwrap();
    }

    #[test]
    fn the_secret_is_long_nobody_elses_and_stays() {
        use std::os::unix::fs::PermissionsExt;
        let place = place("test-secret");
        place.make().unwrap();
        let secret = place.secret().unwrap();
        assert_eq!(secret.len(), 2 * SECRET);
        let mode = fs::metadata(place.secret_file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        place.make().unwrap();
        assert_eq!(place.secret().unwrap(), secret);
        fs::remove_dir_all(&place.run).unwrap();
    }

    #[test]
    fn ports_follow_the_public_one() {
        let place = Place { port: 8080, ..place("test-ports") };
        assert_eq!(place.public().port(), 8080);
        assert_eq!(place.internal(Node::Front).port(), 8090);
        assert_eq!(place.internal(Node::Replica(2)).port(), 8092);
        assert_eq!(place.asked(Node::Front).port(), 8080);
        assert!(Place::usual(u16::MAX - 5, PathBuf::new()).is_err());
    }

    #[test]
    fn two_cannot_hold_one_lock() {
        let place = place("test-lock");
        place.make().unwrap();
        let held = place.lock("x.lock", "taken").unwrap();
        assert!(place.lock("x.lock", "taken").is_err());
        assert!(place.lock("y.lock", "taken").is_ok());
        drop(held);
        assert!(place.lock("x.lock", "taken").is_ok());
        fs::remove_dir_all(&place.run).unwrap();
    }
}
