//! A process that outlives the command that started it, and is found again by its id and
//! the time of its start: an id alone may belong to somebody else by then.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::signal;

/// A server that was told to stop is killed after this.
const STOP_LIMIT: Duration = Duration::from_secs(40);

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
    /// Start a program in a group of its own, with its output in a file.
    pub(crate) fn start(mut command: Command, log: &Path, pid_file: &Path) -> Result<Self> {
        let output =
            fs::File::create(log).with_context(|| format!("cannot make {}", log.display()))?;
        let errors = output.try_clone()?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let pid = child.id();
        let began = began(pid).with_context(|| format!("{name} ended at once"))?;
        fs::write(pid_file, format!("{pid} {began}\n"))?;
        Ok(Self { pid, began })
    }

    /// The process of a file, if it still runs.
    pub(crate) fn find(pid_file: &Path) -> Result<Option<Self>> {
        let Ok(text) = fs::read_to_string(pid_file) else { return Ok(None) };
        let (pid, then) =
            text.trim().split_once(' ').context("a file of a process id is damaged")?;
        let launched = Self { pid: pid.parse()?, began: then.to_owned() };
        Ok(launched.lives().then_some(launched))
    }

    fn lives(&self) -> bool {
        began(self.pid).is_some_and(|began| began == self.began)
    }

    /// Send it a signal.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        if self.lives() {
            signal(name, i64::from(self.pid))?;
        }
        Ok(())
    }

    /// Wait until it is gone; it is killed when that takes too long.
    pub(crate) fn wait_until_gone(&self) -> Result<()> {
        let waiting = Instant::now();
        let mut killed = false;
        while self.lives() {
            if waiting.elapsed() > 2 * STOP_LIMIT {
                bail!("process {} cannot be ended", self.pid);
            }
            if waiting.elapsed() > STOP_LIMIT && !killed {
                self.signal("KILL")?;
                killed = true;
            }
            std::thread::park_timeout(LOOK);
        }
        Ok(())
    }
}

/// When a process began; none if there is none, or only what is left of one.
fn began(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may have spaces in it.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let (state, began) = (fields.first()?, fields.get(19)?);
    (*state != "Z").then(|| (*began).to_owned())
}
