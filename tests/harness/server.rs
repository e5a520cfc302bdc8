//! The real binary as a child process, on a free port and a folder of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::client::{Ask, Client};
use crate::eventually::eventually;
use crate::settings;

/// What the binary prints before its address.
const GREETING: &str = "EventFlow listens on http://";

/// What the standard library writes when a thread panics.
const PANIC: &str = "panicked at";

/// Turns the limits of rates off.
pub const UNLIMITED: (&str, &str) = ("EVENTFLOW_GATEWAY__RATE_LIMIT__ENABLED", "false");

/// Lines of a log that are shown when a test fails.
const SHOWN_LINES: usize = 30;

/// A folder of its own for a server: its data, and all that it ever printed. Both go
/// with it.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
}

impl Home {
    /// An empty one.
    ///
    /// # Panics
    /// When there is no room for it.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("eventflow-test-").tempdir();
        Self { folder: folder.unwrap_or_else(|error| panic!("no folder for a test: {error}")) }
    }

    /// The data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A path beside the data folder.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// All that servers with this home have printed.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// # Panics
    /// When a server with this home has panicked.
    pub fn assert_no_panic(&self) {
        let log = self.log();
        assert!(!log.contains(PANIC), "the server panicked:\n{}", around(&log, PANIC));
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }
}

impl Drop for Home {
    /// The folder goes with its test; what the servers said last is shown if it failed.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
            eprintln!("the last lines of the servers' log:\n{}", last.join("\n"));
        }
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

/// A running server. Killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts one on a free port and waits until it is ready.
    ///
    /// # Panics
    /// When it ends, or is not ready within the tests' patience.
    pub async fn start(home: &Home) -> Self {
        Self::start_with(home, &[]).await
    }

    /// As [`Self::start`], with further arguments.
    ///
    /// # Panics
    /// As there.
    pub async fn start_with(home: &Home, arguments: &[&str]) -> Self {
        Self::start_in(home, arguments, &[UNLIMITED]).await
    }

    /// As [`Self::start_with`], with variables of the environment instead of the usual one,
    /// by which one address and one person may ask for as much as they like: everybody in
    /// a test has the same address.
    ///
    /// # Panics
    /// As there.
    pub async fn start_in(home: &Home, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let printed = home.log().len();
        let mut server = Self::spawn(home, arguments, environment);
        server.address = eventually("the server says where it listens", async || {
            let log = home.log();
            let ended = server.child.try_wait().ok().flatten();
            assert!(ended.is_none(), "the server ended with {ended:?}:\n{}", &log[printed..]);
            address_in(&log[printed..])
        })
        .await;
        let mut client = Client::new(server.address);
        eventually("the server is ready", async || {
            let ready = client.send(&Ask::get("/readyz")).await;
            ready.is_ok_and(|answer| answer.status == 200).then_some(())
        })
        .await;
        server
    }

    /// Starts one and kills it so much later, wherever it is in its start.
    ///
    /// # Panics
    /// When it has ended by itself.
    pub async fn start_and_kill(home: &Home, later: Duration) {
        let server = Self::spawn(home, &[], &[UNLIMITED]);
        tokio::time::sleep(later).await;
        server.kill();
    }

    fn spawn(home: &Home, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let data = home.data();
        let data = data.to_str().expect("the temporary folder's name is text");
        let log = File::options().create(true).append(true).open(home.log_file());
        let log = log.unwrap_or_else(|error| panic!("no log file: {error}"));
        let errors = log.try_clone().unwrap_or_else(|error| panic!("no log file: {error}"));
        let child = command(home.folder.path())
            .args(["run", "--listen", "127.0.0.1:0", "--data", data])
            .args(arguments)
            .envs(environment.iter().copied())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", binary().display()));
        // Dropping it ends the child, whatever happens from here on.
        Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new connection to it.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, without a chance to do anything about it.
    ///
    /// # Panics
    /// When it had ended before by itself.
    pub fn kill(mut self) {
        let ended = self.child.try_wait().ok().flatten();
        assert!(ended.is_none(), "the server ended by itself with {ended:?}");
        self.child.kill().unwrap_or_else(|error| panic!("cannot kill the server: {error}"));
        self.child.wait().unwrap_or_else(|error| panic!("the server is not gone: {error}"));
    }

    /// Asks it to end, by SIGTERM.
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub fn ask_to_stop(&self) {
        self.signal("TERM");
    }

    /// Asks it to end, as Ctrl-C does, and waits until it has.
    ///
    /// # Panics
    /// When it does not within the tests' patience.
    pub async fn interrupt(self) -> ExitStatus {
        self.signal("INT");
        self.ended().await
    }

    fn signal(&self, name: &str) {
        // The standard library knows SIGKILL only; the shell knows them all.
        let (script, id) = (format!("kill -s {name} -- \"$1\""), self.child.id().to_string());
        let sent = Command::new("sh").args(["-c", &script, "sh", &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "cannot send SIG{name} to {id}");
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// When it does not within the tests' patience.
    pub async fn ended(mut self) -> ExitStatus {
        eventually("the server ends", async || self.child.try_wait().ok().flatten()).await
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Panics
    /// When it does not within the tests' patience.
    pub async fn stop(self) -> ExitStatus {
        self.ask_to_stop();
        self.ended().await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail harmlessly when it has ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A run of the binary that is expected to end by itself.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it printed to either output.
    pub output: String,
}

/// Runs the binary with these arguments until it ends.
///
/// # Panics
/// When it does not end within the tests' patience.
pub async fn run_to_end(home: &Home, arguments: &[&str]) -> Ended {
    let path = home.beside("ended.log");
    let log = File::create(&path).unwrap_or_else(|error| panic!("no log file: {error}"));
    let errors = log.try_clone().unwrap_or_else(|error| panic!("no log file: {error}"));
    let child = command(home.folder.path()).args(arguments).stdout(log).stderr(errors).spawn();
    let child = child.unwrap_or_else(|error| panic!("cannot start the binary: {error}"));
    let server = Server { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
    let status = server.ended().await;
    let output = fs::read(&path).unwrap_or_default();
    Ended { code: status.code(), output: String::from_utf8_lossy(&output).into_owned() }
}

/// The binary, in a folder and an environment where no configuration lies about.
fn command(folder: &Path) -> Command {
    let mut command = Command::new(binary());
    command.current_dir(folder).env_clear().stdin(Stdio::null());
    command
}

/// The binary under test: the one named from outside, else the one that cargo built
/// beside the test.
///
/// # Panics
/// When there is none, or it is older than what it was built from.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(named) = settings::binary() {
        return named;
    }
    let test = std::env::current_exe().unwrap_or_else(|error| panic!("no path: {error}"));
    // target/<profile>/deps/<test>
    let profile = test.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    let binary = profile.join("eventflow");
    assert!(binary.is_file(), "there is no {}: run `cargo build` first", binary.display());
    if let Some(newer) = newer_source(&binary) {
        panic!("{} is older than {newer}: run `cargo build` first", binary.display());
    }
    binary
}

/// A source file that has changed since the binary was built, by the list that cargo
/// keeps beside it. A test of yesterday's binary would prove nothing.
fn newer_source(binary: &Path) -> Option<String> {
    let built = modified(binary)?;
    let list = fs::read_to_string(binary.with_extension("d")).ok()?;
    let (_, sources) = list.split_once(": ")?;
    let newer = |source: &&str| modified(Path::new(source)).is_none_or(|time| time > built);
    sources.split_whitespace().find(newer).map(ToOwned::to_owned)
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|about| about.modified()).ok()
}

/// The address in the greeting, if it was printed.
fn address_in(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once(GREETING)?;
    // The line must be there as a whole: a half-written port is a port too.
    let (line, _) = rest.split_once('\n')?;
    let word = line.split_whitespace().next()?;
    word.trim_end_matches(['.', ',', ';', '/']).parse().ok()
}

/// The lines of a log around a word.
fn around<'a>(log: &'a str, word: &str) -> &'a str {
    let at = log.find(word).unwrap_or_default();
    let from = log[..at].rfind('\n').map_or(0, |line| line + 1);
    let rest = &log[from..];
    let to = rest.match_indices('\n').nth(20).map_or(rest.len(), |(line, _)| line);
    &rest[..to]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_only_when_its_line_is_whole() {
        let address = "127.0.0.1:4711".parse().ok();
        assert_eq!(
            address_in("x\nEventFlow listens on http://127.0.0.1:4711, data in d\n"),
            address
        );
        assert_eq!(address_in("EventFlow listens on http://127.0.0.1:4711\n"), address);
        assert_eq!(address_in("EventFlow listens on http://127.0.0.1:47"), None);
    }

    #[test]
    fn a_panic_is_shown_with_its_line() {
        assert_eq!(around("a\nthread panicked at b\nc", PANIC), "thread panicked at b\nc");
    }
}
