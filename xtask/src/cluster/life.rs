//! Starting a cluster, adding to it, taking from it, ending it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::look::{self, Look};
use super::place::{MOST, Node, Place};
use super::settings::{self, KEY_FILE};
use crate::launched::{Launched, append_to, end_all, end_of};
use crate::servers::{ALL, remove};
use crate::signals::Signals;

/// How often something that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How long making the stores may take.
const MIGRATE_LIMIT: Duration = Duration::from_secs(120);

/// How long the front may take to make its key.
const KEY_LIMIT: Duration = Duration::from_secs(60);

/// How long it may take until all are ready and every partition is open.
const READY_LIMIT: Duration = Duration::from_secs(120);

/// A process that was told to end is killed after this; a replica hands over for 15 s.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Partitions in all.
const PARTITIONS: u64 = 1_024;

/// Lines of a log that are shown when its process does not come up.
const LOG_LINES: usize = 30;

/// A cluster of local processes on real servers.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) place: Place,
    /// Whether somebody wants us to end.
    pub(crate) signals: Signals,
}

impl Cluster {
    /// In a folder, on ports and on servers of its own, whatever else runs; not started yet.
    pub(crate) fn apart(name: &str, binary: PathBuf, signals: Signals) -> Result<Self> {
        Ok(Self::new(Place::apart(name, binary)?, signals))
    }

    /// Not started yet.
    pub(crate) const fn new(place: Place, signals: Signals) -> Self {
        Self { place, signals }
    }

    /// Starts servers, front and so many replicas, and waits until they serve.
    ///
    /// # Errors
    /// When one of them does not come up. What runs by then goes on running: `down` it.
    pub(crate) fn up(&mut self, replicas: u16) -> Result<()> {
        self.place.make()?;
        self.refuse_leftovers()?;
        self.place.claim_servers()?;
        self.place.save()?;
        self.place.servers.up_unless(&ALL, &|| self.signals.told())?;
        self.migrate()?;
        self.start(Node::Front)?;
        self.wait_for_key()?;
        for number in 1..=replicas {
            self.start(Node::Replica(number))?;
        }
        self.wait_until_open()
    }

    /// Processes of an earlier run have settings that we do not know of.
    ///
    /// # Errors
    /// When there are any.
    pub(crate) fn refuse_leftovers(&self) -> Result<()> {
        for node in self.nodes() {
            if let Some(launched) = self.place.launched(node)? {
                bail!(
                    "{node} of an earlier run still runs (process {}): end it by \
                     `cargo xtask cluster --down`",
                    launched.pid
                );
            }
            // A dead replica of an earlier run is no dead replica of this one.
            remove(&self.place.pid_file(node))?;
        }
        Ok(())
    }

    fn migrate(&self) -> Result<()> {
        fs::create_dir_all(self.place.folder(Node::Front))?;
        let log = self.place.run.join("migrate.log");
        let output = append_to(&log)?;
        let mut command = settings::migrate(&self.place);
        command.stdin(std::process::Stdio::null()).stderr(output.try_clone()?).stdout(output);
        let status = run_unless(&mut command, MIGRATE_LIMIT, &self.signals)?;
        ensure!(
            status.success(),
            "`eventflow migrate` ended with {status}; the end of its log:\n{}",
            end_of(&log, LOG_LINES)
        );
        Ok(())
    }

    /// Starts a process that does not run.
    pub(crate) fn start(&self, node: Node) -> Result<Launched> {
        let running = self.place.launched(node)?;
        ensure!(running.is_none(), "{node} runs already");
        fs::create_dir_all(self.place.folder(node))?;
        let command = settings::run(&self.place, node);
        Launched::start(&command, &self.place.log(node), &self.place.pid_file(node))
    }

    /// Starts the next replica that there never was.
    pub(crate) fn add(&self) -> Result<Node> {
        let last = self.place.replicas().into_iter().max();
        let next = match last {
            Some(Node::Replica(number)) => number + 1,
            _ => 1,
        };
        ensure!(next <= MOST, "there are ports for {MOST} replicas");
        self.start(Node::Replica(next))?;
        Ok(Node::Replica(next))
    }

    /// Replicas need the key to their tokens, which the front makes.
    fn wait_for_key(&self) -> Result<()> {
        let key = self.place.folder(Node::Front).join(KEY_FILE);
        self.wait(KEY_LIMIT, "the front has no signing key", || {
            self.refuse_dead(&[Node::Front])?;
            // The last line, so that no half of a key is taken for one.
            Ok(fs::read_to_string(&key).is_ok_and(|key| key.contains("-----END")))
        })
    }

    fn wait_until_open(&self) -> Result<()> {
        let nodes = self.nodes();
        let mut last = Vec::new();
        // Replicas answer at different moments: what moves in between may count twice,
        // and make up for what is not open yet. Twice in a row that does not happen by luck.
        let mut before = false;
        let opened = self.wait(READY_LIMIT, "not everything is open", || {
            self.refuse_dead(&nodes)?;
            last = look::at(&self.place, &nodes)?;
            let preparing = last.iter().any(|look| look.number("preparing").unwrap_or(0) > 0);
            let ready = last.iter().all(|look| look.ready) && !preparing;
            let now = ready && open(&last) == PARTITIONS;
            Ok(std::mem::replace(&mut before, now) && now)
        });
        opened.with_context(|| {
            let states: Vec<String> =
                last.iter().map(|look| format!("{} is {}", look.node, look.state())).collect();
            format!("{}; {} of {PARTITIONS} partitions open", states.join(", "), open(&last))
        })
    }

    /// Waits for `done`, unless a signal comes first.
    fn wait(
        &self,
        limit: Duration,
        otherwise: &str,
        mut done: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        let began = Instant::now();
        while !done()? {
            ensure!(!self.signals.told(), "told to stop before all was up");
            ensure!(began.elapsed() < limit, "{otherwise} after {} s", limit.as_secs());
            std::thread::park_timeout(LOOK);
        }
        Ok(())
    }

    fn refuse_dead(&self, nodes: &[Node]) -> Result<()> {
        for node in nodes {
            if self.place.launched(*node)?.is_none() {
                let end = end_of(&self.place.log(*node), LOG_LINES);
                bail!("{node} has ended; the end of its log:\n{end}");
            }
        }
        Ok(())
    }

    /// The front and all replicas that run or have run.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        let mut nodes = vec![Node::Front];
        nodes.extend(self.place.replicas());
        nodes
    }

    /// How all of them are.
    pub(crate) fn look(&self) -> Result<Vec<Look>> {
        look::at(&self.place, &self.nodes())
    }

    /// How the servers are, in a line.
    pub(crate) fn servers(&self) -> Result<String> {
        let mut line = Vec::new();
        for name in ALL {
            let launched = self.place.servers.launched(name)?;
            let pid = launched.map_or_else(|| "dead".to_owned(), |found| found.pid.to_string());
            line.push(format!("{} {pid}", name.text()));
        }
        Ok(line.join(", "))
    }

    /// Ends everything that was started for this cluster: replicas, front, servers. Data
    /// stays. A signal meanwhile spares us waiting for our processes, never for the servers.
    pub(crate) fn down(&mut self) -> Result<()> {
        self.signals.forget();
        let replicas = self.end(&self.place.replicas());
        let front = self.end(&[Node::Front]);
        let servers = self.place.servers.end(&self.place.ours, "TERM");
        replicas.and(front).and(servers)?;
        self.place.over = true;
        if Place::load(&self.place.run)?.is_some() { self.place.save() } else { Ok(()) }
    }

    fn end(&self, nodes: &[Node]) -> Result<()> {
        let mut ending = Vec::new();
        for node in nodes {
            if let Some(launched) = self.place.launched(*node)? {
                launched.signal("TERM")?;
                // One that is paused would not hear of it.
                launched.signal("CONT")?;
                ending.push(launched);
            }
        }
        end_all(&ending, STOP_LIMIT, &|| self.signals.told())
    }

    /// Takes everything away: after `down`.
    pub(crate) fn wipe(&self) -> Result<()> {
        self.place.servers.wipe(&self.place.ours)?;
        remove(&self.place.run)
    }
}

/// Open partitions of all replicas.
pub(crate) fn open(looks: &[Look]) -> u64 {
    looks.iter().filter_map(|look| look.number("partitions")).sum()
}

/// Runs a program to its end, within `limit` and unless a signal comes first.
pub(crate) fn run_unless(
    command: &mut Command,
    limit: Duration,
    signals: &Signals,
) -> Result<std::process::ExitStatus> {
    let name = crate::process::shown(command);
    let mut child = command.spawn().with_context(|| format!("cannot start `{name}`"))?;
    let began = Instant::now();
    loop {
        if let Some(status) = crate::process::wait(&mut child, LOOK)? {
            return Ok(status);
        }
        if signals.told() || began.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("`{name}` was ended after {} s", began.elapsed().as_secs());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cluster of which every process is a shell that reads the file `run` in its folder.
    fn cluster(name: &str, run: &str) -> Cluster {
        let cluster = Cluster::apart(name, PathBuf::from("sh"), Signals::default()).unwrap();
        cluster.place.make().unwrap();
        for number in 0..=2 {
            let node = if number == 0 { Node::Front } else { Node::Replica(number) };
            fs::create_dir_all(cluster.place.folder(node)).unwrap();
            fs::write(cluster.place.folder(node).join("run"), run).unwrap();
        }
        cluster
    }

    #[test]
    fn processes_are_started_killed_started_again_and_ended() {
        let (b1, b2) = (Node::Replica(1), Node::Replica(2));
        let mut cluster = cluster("test-life", "exec sleep 600");
        cluster.place.save().unwrap();
        cluster.start(Node::Front).unwrap();
        let first = cluster.start(b1).unwrap();
        assert!(cluster.start(b1).is_err(), "it runs already");
        assert_eq!(cluster.add().unwrap(), b2);
        assert_eq!(cluster.nodes(), [Node::Front, b1, b2]);
        assert!(cluster.refuse_leftovers().is_err());

        first.signal("KILL").unwrap();
        first.wait_until_gone(STOP_LIMIT).unwrap();
        let looks = cluster.look().unwrap();
        assert_eq!(looks.iter().map(Look::state).collect::<Vec<_>>(), ["silent", "dead", "silent"]);
        let second = cluster.start(b1).unwrap();
        assert_ne!(first.pid, second.pid);

        // A paused one ends as well, and without being killed for it.
        second.signal("STOP").unwrap();
        let began = Instant::now();
        cluster.down().unwrap();
        assert!(began.elapsed() < STOP_LIMIT);
        assert!(Place::load(&cluster.place.run).unwrap().unwrap().over);
        cluster.refuse_leftovers().unwrap();
        assert_eq!(cluster.nodes(), [Node::Front], "those of an earlier run are forgotten");
        cluster.wipe().unwrap();
        assert!(!cluster.place.run.exists());
    }

    #[test]
    fn one_that_ends_at_once_is_reported_with_its_last_words() {
        let cluster = cluster("test-early", "echo no such thing; exit 3");
        // Either it is gone before it can be written down, or it is missed afterwards.
        let error = match cluster.start(Node::Front) {
            Ok(launched) => {
                launched.wait_until_gone(STOP_LIMIT).unwrap();
                cluster.wait_for_key().unwrap_err()
            }
            Err(error) => error,
        };
        assert!(format!("{error:#}").contains("ended"), "{error:#}");
        assert_eq!(end_of(&cluster.place.log(Node::Front), 1), "no such thing");
        cluster.wipe().unwrap();
    }

    #[test]
    fn migrating_that_fails_shows_its_log() {
        let cluster = cluster("test-migrate", "");
        let file = cluster.place.folder(Node::Front).join("migrate");
        fs::write(&file, "echo no tables; exit 3").unwrap();
        let error = cluster.migrate().unwrap_err();
        assert!(format!("{error:#}").ends_with("no tables"), "{error:#}");
        fs::write(&file, "exit 0").unwrap();
        cluster.migrate().unwrap();
        cluster.wipe().unwrap();
    }

    #[test]
    fn all_partitions_of_all_replicas_count() {
        let said = |partitions: u64| serde_json::json!({ "partitions": partitions });
        let looks = [
            look::sample(Node::Replica(1), &said(500)),
            look::sample(Node::Replica(2), &serde_json::json!(null)),
            look::sample(Node::Replica(3), &said(24)),
        ];
        assert_eq!(open(&looks), 524);
    }
}
