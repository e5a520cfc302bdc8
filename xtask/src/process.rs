//! Starting other programs, waiting for them with a bound, ending them.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Lines a child may be ahead of us before it has to wait.
const LINES_AHEAD: usize = 1_024;

/// How often a child that closed its output is asked whether it has ended.
const POLL: Duration = Duration::from_millis(20);

/// The folder that holds the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace's folder")
}

/// Cargo in the workspace's folder, without standard input.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// What a program that has ended left behind.
pub(crate) struct Finished {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// Its lines that `keep` wanted.
    pub(crate) kept: Vec<String>,
}

/// How long a program may run, and what is killed when it is over.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    /// Only the program itself; it stays in our group, so that Ctrl-C reaches it.
    Program(Duration),
    /// The program and all that it started: for what is expected to hang at times.
    Group(Duration),
}

/// Runs `command` and hands each of its lines, from either output, to `keep`, which
/// says whether to keep it.
///
/// # Errors
/// When it cannot be started or takes longer than its bound; then it is killed.
pub(crate) fn watch(
    command: &mut Command,
    bound: Bound,
    mut keep: impl FnMut(&str) -> bool,
) -> Result<Finished> {
    let name = shown(command);
    let started = Instant::now();
    let limit = match bound {
        Bound::Program(limit) => limit,
        Bound::Group(limit) => {
            command.process_group(0);
            limit
        }
    };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start `{name}`"))?;
    let lines = lines_of(&mut child);
    let mut kept = Vec::new();
    loop {
        match lines.recv_timeout(limit.saturating_sub(started.elapsed())) {
            Ok(line) => {
                if keep(&line) {
                    kept.push(line);
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => break,
        }
    }
    match wait(&mut child, limit.saturating_sub(started.elapsed()))? {
        Some(status) => Ok(Finished { status, kept }),
        None => {
            match bound {
                Bound::Program(_) => child.kill()?,
                Bound::Group(_) => signal("KILL", -i64::from(child.id()))?,
            }
            child.wait()?;
            bail!("`{name}` took longer than {} s", limit.as_secs());
        }
    }
}

/// All lines of both outputs of `child`, in the order in which they arrive.
pub(crate) fn lines_of(child: &mut Child) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::sync_channel(LINES_AHEAD);
    if let Some(stdout) = child.stdout.take() {
        forward(stdout, sender.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        forward(stderr, sender);
    }
    receiver
}

/// Sends the lines of `output` on until it ends, even if nobody listens any more:
/// a full pipe would stop the child.
fn forward(output: impl Read + Send + 'static, sender: mpsc::SyncSender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n') {
            let Ok(line) = line else { break };
            sender.send(String::from_utf8_lossy(&line).into_owned()).ok();
        }
    });
}

/// Waits for `child` to end, at most `limit`.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() >= limit {
            return Ok(None);
        }
        thread::park_timeout(POLL);
    }
}

/// Sends `signal` to the process `pid`; a negative one names a group.
pub(crate) fn signal(signal: &str, pid: i64) -> Result<()> {
    // The shell's own `kill`: a bare system has no program of that name.
    let status = Command::new("sh")
        .args(["-c", "kill -s \"$1\" -- \"$2\"", "sh", signal, &pid.to_string()])
        .status()
        .context("cannot start sh")?;
    if !status.success() {
        bail!("cannot send {signal} to {pid}");
    }
    Ok(())
}
