//! A process that outlives the command that started it, and is found again by its id and
//! the time of its start: an id alone may belong to somebody else by then.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::signal;

/// How long a killed process may still be there.
const KILL_LIMIT: Duration = Duration::from_secs(40);

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// A running process.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) pid: u32,
    /// In ticks since the machine started.
    began: String,
}

impl Launched {
    /// Start a program in a group of its own, with its output at the end of a file: what
    /// the one before it wrote is what somebody wants to read after a kill.
    pub(crate) fn start(command: &Command, log: &Path, pid_file: &Path) -> Result<Self> {
        let output = append_to(log)?;
        let errors = output.try_clone()?;
        let name = command.get_program().to_string_lossy().into_owned();
        let mut command = closing(command);
        command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let pid = child.id();
        let began = began(pid).with_context(|| format!("{name} ended at once"))?;
        let launched = Self { pid, began };
        launched.write(pid_file)?;
        Ok(launched)
    }

    /// This very process, written down so that others find it.
    pub(crate) fn current(pid_file: &Path) -> Result<Self> {
        let pid = std::process::id();
        let began = began(pid).context("there is no /proc")?;
        let launched = Self { pid, began };
        launched.write(pid_file)?;
        Ok(launched)
    }

    fn write(&self, pid_file: &Path) -> Result<()> {
        fs::write(pid_file, format!("{} {}\n", self.pid, self.began))
            .with_context(|| format!("cannot write {}", pid_file.display()))
    }

    /// The process of a file, if it still runs.
    pub(crate) fn find(pid_file: &Path) -> Result<Option<Self>> {
        let Ok(text) = fs::read_to_string(pid_file) else { return Ok(None) };
        let (pid, then) =
            text.trim().split_once(' ').context("a file of a process id is damaged")?;
        let launched = Self { pid: pid.parse()?, began: then.to_owned() };
        Ok(launched.lives().then_some(launched))
    }

    /// Whether it runs.
    pub(crate) fn lives(&self) -> bool {
        began(self.pid).is_some_and(|began| began == self.began)
    }

    /// Send it a signal.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        if !self.lives() {
            return Ok(());
        }
        match signal(name, i64::from(self.pid)) {
            // It may have ended in between, which is what a signal is mostly for.
            Err(error) if self.lives() => Err(error),
            _ => Ok(()),
        }
    }

    /// Wait until it is gone; it is killed after `limit`.
    pub(crate) fn wait_until_gone(&self, limit: Duration) -> Result<()> {
        end_all(std::slice::from_ref(self), limit, &|| false)
    }
}

/// Wait until all are gone; what still runs after `limit`, or as soon as `hurry` says so,
/// is killed.
pub(crate) fn end_all(all: &[Launched], limit: Duration, hurry: &dyn Fn() -> bool) -> Result<()> {
    let mut waiting = Instant::now();
    let mut killed = false;
    while let Some(living) = all.iter().find(|launched| launched.lives()) {
        if killed && waiting.elapsed() > KILL_LIMIT {
            bail!("process {} cannot be ended", living.pid);
        }
        if !killed && (waiting.elapsed() > limit || hurry()) {
            for launched in all {
                launched.signal("KILL")?;
            }
            killed = true;
            waiting = Instant::now();
        }
        std::thread::park_timeout(LOOK);
    }
    Ok(())
}

/// The same program without what our own starter had open: a lock of `flock`, say, would
/// be held for as long as the program runs.
fn closing(command: &Command) -> Command {
    let mut closing = Command::new("sh");
    closing.args(["-c", "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec \"$0\" \"$@\""]);
    closing.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => closing.env(name, value),
            None => closing.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        closing.current_dir(folder);
    }
    closing
}

/// A file that is written at its end, made if need be.
pub(crate) fn append_to(file: &Path) -> Result<fs::File> {
    let opened = fs::OpenOptions::new().create(true).append(true).open(file);
    opened.with_context(|| format!("cannot write {}", file.display()))
}

/// The last `count` lines of a file; nothing if there is none.
pub(crate) fn end_of(file: &Path, count: usize) -> String {
    let text = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut lines: Vec<&str> = text.lines().rev().take(count).collect();
    lines.reverse();
    lines.join("\n")
}

/// When a process began; none if there is none, or only what is left of one.
fn began(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may have spaces in it.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let (state, began) = (fields.first()?, fields.get(19)?);
    (*state != "Z").then(|| (*began).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder =
            std::env::temp_dir().join(format!("eventflow-xtask-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_process_is_found_by_its_file_until_it_ends() {
        let folder = folder("found");
        let (log, pid_file) = (folder.join("log"), folder.join("pid"));
        let mut command = Command::new("sh");
        command.args(["-c", "echo $WORD; pwd; exec sleep 600"]).env("WORD", "said");
        command.current_dir(&folder);
        let launched = Launched::start(&command, &log, &pid_file).unwrap();
        let found = Launched::find(&pid_file).unwrap().unwrap();
        assert_eq!(found.pid, launched.pid);
        while end_of(&log, 9).lines().count() < 2 {
            std::thread::park_timeout(LOOK);
        }
        assert!(end_of(&log, 9).starts_with("said\n"));
        assert_eq!(end_of(&log, 1), folder.canonicalize().unwrap().to_string_lossy());
        found.signal("TERM").unwrap();
        found.wait_until_gone(KILL_LIMIT).unwrap();
        assert!(Launched::find(&pid_file).unwrap().is_none());
        // And to one that is gone, nothing is sent.
        found.signal("KILL").unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn somebody_else_under_the_same_id_is_not_taken_for_it() {
        let folder = folder("other");
        let pid_file = folder.join("pid");
        Launched::current(&pid_file).unwrap();
        assert!(Launched::find(&pid_file).unwrap().is_some());
        fs::write(&pid_file, format!("{} 1\n", std::process::id())).unwrap();
        assert!(Launched::find(&pid_file).unwrap().is_none());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn one_that_does_not_listen_is_killed() {
        let folder = folder("deaf");
        let (log, pid_file) = (folder.join("log"), folder.join("pid"));
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"]);
        let launched = Launched::start(&command, &log, &pid_file).unwrap();
        while end_of(&log, 1).is_empty() {
            std::thread::park_timeout(LOOK);
        }
        launched.signal("TERM").unwrap();
        launched.wait_until_gone(Duration::from_millis(100)).unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }
}
