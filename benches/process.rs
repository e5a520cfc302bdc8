//! Servers as processes of their own, on loopback, with a folder of their own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

/// What precedes the address in the line that a server prints when it is ready.
const GREETING: &str = "listens on http://";

/// How long a server may take to print it.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How long it may take to end.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// How often the processor time of a server is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A server that used no processor time for so long has nothing left to do. Longer than
/// the half second for which the views give way to a sale.
const QUIET: Duration = Duration::from_millis(700);

/// How long to wait for that.
const QUIET_LIMIT: Duration = Duration::from_secs(120);

/// Ticks per second in which Linux counts processor time for programs, on every
/// architecture.
const TICKS: f64 = 100.0;

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    addr: SocketAddr,
    started: Instant,
    ready_after: Duration,
    folder: TempDir,
}

impl Server {
    /// Starts `binary` with these words, and `--data` with an empty folder if `data`.
    ///
    /// # Errors
    /// When it cannot be started, or doesn't say where it listens.
    pub fn start(binary: &Path, words: &[&str], data: bool) -> Result<Self> {
        Self::start_in(binary, words, data, &[])
    }

    /// The same with further variables of the environment.
    ///
    /// # Errors
    /// As there.
    pub fn start_in(
        binary: &Path,
        words: &[&str],
        data: bool,
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        let log = File::create(folder.path().join("log"))?;
        let mut command = Command::new(binary);
        command.args(words).current_dir(folder.path());
        if data {
            command.arg("--data").arg(folder.path().join("data"));
        }
        // All load comes from one address; what limits it is not what is measured.
        command.env("EVENTFLOW_GATEWAY__RATE_LIMIT__ENABLED", "false");
        command.envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let started = Instant::now();
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        let stdout = child.stdout.take().context("no standard output")?;
        let greetings = greetings(stdout);
        match greetings.recv_timeout(START_LIMIT) {
            Ok(addr) => {
                let ready_after = started.elapsed();
                Ok(Self { child, addr, started, ready_after, folder })
            }
            Err(_) => {
                child.kill().ok();
                child.wait()?;
                let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                bail!("{} doesn't say where it listens; its log:\n{log}", binary.display())
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// When it was started.
    #[must_use]
    pub const fn started(&self) -> Instant {
        self.started
    }

    /// From its start until it said where it listens.
    #[must_use]
    pub const fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Bytes of memory that are resident.
    ///
    /// # Errors
    /// When the system doesn't say.
    pub fn resident_bytes(&self) -> Result<u64> {
        self.status_bytes("VmRSS:")
    }

    /// Bytes of memory that were resident at most so far.
    ///
    /// # Errors
    /// When the system doesn't say.
    pub fn peak_resident_bytes(&self) -> Result<u64> {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, name: &str) -> Result<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB"));
        let kilobytes: u64 = kilobytes.with_context(|| format!("no {name}"))?.trim().parse()?;
        Ok(kilobytes * 1_024)
    }

    /// Seconds of processor time used so far, of user and system together.
    ///
    /// # Errors
    /// When the system doesn't say.
    pub fn processor_seconds(&self) -> Result<f64> {
        processor_seconds(&self.child.id().to_string())
    }

    /// Waits until it has nothing left to do, which is when what runs in its background
    /// is through; returns how long that took.
    ///
    /// # Errors
    /// When it doesn't come to rest.
    pub fn settle(&self) -> Result<Duration> {
        let began = Instant::now();
        let mut busy_at = began;
        let mut used = self.processor_seconds()?;
        while began.elapsed() < QUIET_LIMIT {
            thread::park_timeout(LOOK_EVERY);
            let now = self.processor_seconds()?;
            if now > used {
                used = now;
                busy_at = Instant::now();
            } else if busy_at.elapsed() >= QUIET {
                return Ok(busy_at - began);
            }
        }
        bail!("the server is still busy after {} s", QUIET_LIMIT.as_secs())
    }

    /// Asks it to end, waits until it has, and returns its folder.
    ///
    /// # Errors
    /// When it doesn't end, or not with code 0.
    pub fn stop(mut self) -> Result<Stopped> {
        let pid = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -s TERM \"$1\"", "sh", &pid]).status()?;
        ensure!(sent.success(), "cannot send SIGTERM");
        let deadline = Instant::now() + STOP_LIMIT;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "the server ended with {status}");
                let empty = tempfile::tempdir()?;
                return Ok(Stopped { folder: std::mem::replace(&mut self.folder, empty) });
            }
            thread::park_timeout(LOOK_EVERY);
        }
        bail!("the server didn't end within {} s", STOP_LIMIT.as_secs())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail harmlessly after an orderly end.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What a server that has ended left behind; removed when dropped.
#[derive(Debug)]
pub struct Stopped {
    folder: TempDir,
}

impl Stopped {
    /// Bytes of all files in the data folder whose names begin with `prefix`.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn bytes_of(&self, prefix: &str) -> Result<u64> {
        let mut bytes = 0;
        for entry in std::fs::read_dir(self.folder.path().join("data"))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                bytes += entry.metadata()?.len();
            }
        }
        Ok(bytes)
    }
}

/// Sends the address in the greeting, then reads on: a full pipe would stop the server.
fn greetings(stdout: ChildStdout) -> mpsc::Receiver<SocketAddr> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            let Ok(line) = line else { return };
            let rest = line.split_once(GREETING).map(|(_, rest)| rest);
            let word = rest.and_then(|rest| rest.split([' ', ',', '/']).next());
            let addr = word.and_then(|word| word.trim_end_matches('.').parse().ok());
            if let Some(addr) = addr {
                sender.send(addr).ok();
            }
        }
    });
    receiver
}

/// Seconds of processor time that this process has used.
///
/// # Errors
/// When the system doesn't say.
pub fn own_processor_seconds() -> Result<f64> {
    processor_seconds("self")
}

fn processor_seconds(process: &str) -> Result<f64> {
    let path = format!("/proc/{process}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    // The name in brackets may contain spaces; user and system time are the twelfth and
    // thirteenth field after it.
    let (_, rest) = text.rsplit_once(')').context("no name in stat")?;
    let ticks: Vec<f64> =
        rest.split_whitespace().skip(11).take(2).filter_map(|n| n.parse().ok()).collect();
    ensure!(ticks.len() == 2, "no times in stat");
    Ok(ticks.iter().sum::<f64>() / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read() {
        let before = own_processor_seconds().unwrap();
        assert!(before >= 0.0);
    }
}
