//! `cargo xtask servers`: the real servers that tests, drills and the cluster run on, on
//! 127.0.0.1, installed when they are missing.
//!
//! Everything they write lies in `target/servers` (another place: `EVENTFLOW_SERVERS_RUN`),
//! what is downloaded in `target/tools`. A second set runs beside the first with another
//! place and other ports (`EVENTFLOW_REDIS_PORT`, `EVENTFLOW_CASSANDRA_PORT`).
//!
//! Every command may be repeated: what runs goes on running. A process is only ever ended
//! by the id that was written down when it was started, and only if it is still that one.

mod cassandra;
pub(crate) mod install;
mod redis;

pub(crate) use install::prometheus as install_prometheus;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::launched::{Launched, end_of};
use crate::ports::free_ports;
use crate::process::root;

/// How often a server that comes up or goes down is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// The usual port of Redis.
const REDIS: u16 = 26_379;

/// The usual port of Cassandra.
const CASSANDRA: u16 = 29_042;

/// A server that was told to stop is killed after this.
const STOP_LIMIT: Duration = Duration::from_secs(40);

/// Lines of a log that are shown when its server does not come up.
const LOG_LINES: usize = 30;

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Redis,
    Cassandra,
}

/// All servers, in the order in which they are started.
pub(crate) const ALL: [Name; 2] = [Name::Redis, Name::Cassandra];

/// Where servers run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Servers {
    /// Data, logs, process ids.
    run: PathBuf,
    /// What is downloaded.
    tools: PathBuf,
    redis: u16,
    /// And the three behind it.
    cassandra: u16,
}

impl Name {
    pub(crate) fn parse(word: &str) -> Result<Self> {
        let found = ALL.into_iter().find(|name| name.text() == word);
        found.with_context(|| format!("there is no server `{word}`: redis, cassandra"))
    }

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Cassandra => "cassandra",
        }
    }

    /// Longest time until it answers.
    const fn start_limit(self) -> Duration {
        match self {
            Self::Redis => Duration::from_secs(20),
            Self::Cassandra => Duration::from_secs(180),
        }
    }
}

/// Runs the command in `words`; `false` means that there is no such command.
pub(crate) fn run(words: &[&str]) -> Result<bool> {
    let servers = Servers::usual()?;
    let (command, names) = match words {
        [command, names @ ..] => (*command, names),
        [] => return Ok(false),
    };
    let names: Vec<Name> = names.iter().map(|word| Name::parse(word)).collect::<Result<_>>()?;
    let names = if names.is_empty() { ALL.to_vec() } else { names };
    match command {
        "up" => {
            servers.up(&names)?;
            servers.print_variables(&names);
        }
        "down" => servers.end(&names, "TERM")?,
        "kill" => servers.end(&names, "KILL")?,
        "wipe" => servers.wipe(&names)?,
        "status" => servers.status(&names)?,
        "env" => servers.print_variables(&names),
        _ => return Ok(false),
    }
    Ok(true)
}

impl Servers {
    /// In the usual place.
    pub(crate) fn usual() -> Result<Self> {
        let run = variable_of("EVENTFLOW_SERVERS_RUN").map(PathBuf::from);
        Ok(Self {
            run: run.unwrap_or_else(|| root().join("target/servers")),
            tools: tools(),
            redis: port_of("EVENTFLOW_REDIS_PORT", REDIS)?,
            cassandra: port_of("EVENTFLOW_CASSANDRA_PORT", CASSANDRA)?,
        })
    }

    /// In a place and on ports of their own, beside whatever else runs.
    pub(crate) fn apart(name: &str) -> Result<Self> {
        Ok(Self {
            run: root().join(format!("target/servers-{name}-{}", std::process::id())),
            tools: tools(),
            redis: free_ports(1)?,
            cassandra: free_ports(4)?,
        })
    }

    /// Where they run, to be read by `read` in another process.
    pub(crate) fn written(&self) -> Value {
        json!({ "run": self.run, "redis": self.redis, "cassandra": self.cassandra })
    }

    /// As they were written.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        let port = |name: &str| value[name].as_u64().and_then(|port| u16::try_from(port).ok());
        Some(Self {
            run: value["run"].as_str()?.into(),
            tools: tools(),
            redis: port("redis")?,
            cassandra: port("cassandra")?,
        })
    }

    pub(crate) const fn port(&self, name: Name) -> u16 {
        match name {
            Name::Redis => self.redis,
            Name::Cassandra => self.cassandra,
        }
    }

    /// Whether a server answers in its own protocol.
    fn answers(&self, name: Name) -> bool {
        match name {
            Name::Redis => redis::answers(self.redis),
            Name::Cassandra => cassandra::answers(self.cassandra),
        }
    }

    /// What tests and nodes want to know.
    pub(crate) fn variables(&self, names: &[Name]) -> Vec<(&'static str, String)> {
        let variable = |name: &Name| match name {
            Name::Redis => {
                ("EVENTFLOW_TEST_REDIS_URL", format!("redis://127.0.0.1:{}/0", self.redis))
            }
            Name::Cassandra => (
                "EVENTFLOW_TEST_CASSANDRA_URL",
                format!("cassandra://127.0.0.1:{}", self.cassandra),
            ),
        };
        names.iter().map(variable).collect()
    }

    /// The same, as a shell reads it.
    fn print_variables(&self, names: &[Name]) {
        for (variable, value) in self.variables(names) {
            println!("export {variable}='{value}'");
        }
    }

    /// Install what is missing, start what does not run, wait until all of them answer.
    pub(crate) fn up(&self, names: &[Name]) -> Result<()> {
        self.up_unless(names, &|| false)
    }

    /// The same, given up as soon as `stop` says so.
    pub(crate) fn up_unless(&self, names: &[Name], stop: &dyn Fn() -> bool) -> Result<()> {
        for name in names {
            match name {
                Name::Redis => install::redis()?,
                Name::Cassandra => install::cassandra(&self.tools)?,
            }
        }
        let began = Instant::now();
        let mut started = Vec::new();
        for name in names {
            if self.launched(*name)?.is_none() {
                self.start(*name)?;
                started.push(*name);
            }
        }
        for name in names {
            self.wait(*name, began, stop)?;
            if started.contains(name) {
                eprintln!("{} answers after {:.1} s", name.text(), began.elapsed().as_secs_f64());
            }
        }
        Ok(())
    }

    fn start(&self, name: Name) -> Result<()> {
        ensure!(
            !self.answers(name),
            "something that was not started here answers on port {}: {}",
            self.port(name),
            name.text()
        );
        let folder = self.folder(name);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let folder = folder.canonicalize()?;
        let command = match name {
            Name::Redis => redis::command(&folder, self.redis)?,
            Name::Cassandra => cassandra::command(&folder, &self.tools, self.cassandra)?,
        };
        Launched::start(&command, &self.log(name), &self.pid_file(name))?;
        Ok(())
    }

    fn wait(&self, name: Name, began: Instant, stop: &dyn Fn() -> bool) -> Result<()> {
        while !self.answers(name) {
            ensure!(!stop(), "told to stop before {} answered", name.text());
            let lives = self.launched(name)?.is_some();
            if !lives || began.elapsed() > name.start_limit() {
                let end = end_of(&self.log(name), LOG_LINES);
                bail!("{} does not answer; the end of its log:\n{end}", name.text());
            }
            std::thread::park_timeout(LOOK);
        }
        Ok(())
    }

    /// End servers by a signal, and wait until they are gone. Their data stays.
    pub(crate) fn end(&self, names: &[Name], signal: &str) -> Result<()> {
        for name in names {
            if let Some(launched) = self.launched(*name)? {
                launched.signal(signal)?;
            }
        }
        for name in names {
            if let Some(launched) = self.launched(*name)? {
                launched.wait_until_gone(STOP_LIMIT)?;
                eprintln!("{} has ended", name.text());
            }
        }
        Ok(())
    }

    /// End servers and take their data away.
    pub(crate) fn wipe(&self, names: &[Name]) -> Result<()> {
        self.end(names, "KILL")?;
        for name in names {
            for path in [self.folder(*name), self.log(*name), self.pid_file(*name)] {
                remove(&path)?;
            }
        }
        // Whatever is left there is not ours.
        let _ = std::fs::remove_dir(&self.run);
        Ok(())
    }

    fn status(&self, names: &[Name]) -> Result<()> {
        println!("{:<10} {:<8} {:>8} {:>6}", "NAME", "STATE", "PID", "PORT");
        for name in names {
            let launched = self.launched(*name)?;
            let state = match (&launched, self.answers(*name)) {
                (None, _) => "stopped",
                (Some(_), false) => "silent",
                (Some(_), true) => "ready",
            };
            let pid = launched.map_or_else(|| "-".to_owned(), |launched| launched.pid.to_string());
            println!("{:<10} {state:<8} {pid:>8} {:>6}", name.text(), self.port(*name));
        }
        Ok(())
    }

    /// The process that was started here, if it still runs.
    pub(crate) fn launched(&self, name: Name) -> Result<Option<Launched>> {
        Launched::find(&self.pid_file(name))
    }

    fn folder(&self, name: Name) -> PathBuf {
        self.run.join(name.text())
    }

    fn log(&self, name: Name) -> PathBuf {
        self.run.join(format!("{}.log", name.text()))
    }

    fn pid_file(&self, name: Name) -> PathBuf {
        self.run.join(format!("{}.pid", name.text()))
    }
}

fn port_of(variable: &str, usual: u16) -> Result<u16> {
    match variable_of(variable) {
        None => Ok(usual),
        Some(text) => text.parse().with_context(|| format!("{variable} is not a port")),
    }
}

/// What is downloaded is the same for all.
pub(crate) fn tools() -> PathBuf {
    root().join("target/tools")
}

/// Removes a file or a folder, if it is there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() {
        std::fs::remove_dir_all(path)
    } else if path.exists() {
        std::fs::remove_file(path)
    } else {
        Ok(())
    };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}

/// A variable of the environment that says something.
pub(crate) fn variable_of(name: &str) -> Option<String> {
    #[allow(clippy::disallowed_methods, reason = "a tool for developers, not the product")]
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
