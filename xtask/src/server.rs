//! The built EventFlow binary, started on a free port with a folder of its own.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::process;

/// What the binary prints when it is ready, before its address.
const GREETING: &str = "EventFlow listens on ";

/// How long it may take to say so. Generous: it guards against hanging, not slowness.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How long it may take to drain and end.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Most lines of its log kept to be shown on failure.
const LOG_LINES: usize = 200;

/// A running server. Killed and its folder removed when dropped.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    log: VecDeque<String>,
    folder: PathBuf,
    url: String,
}

impl Server {
    /// Starts `binary` and waits until it says where it listens.
    ///
    /// # Errors
    /// When it cannot be started, ends, or says nothing within a minute.
    pub(crate) fn start(binary: &Path) -> Result<Self> {
        Self::start_with(binary, &[])
    }

    /// The same, with settings from the environment.
    ///
    /// # Errors
    /// As `start`.
    pub(crate) fn start_with(binary: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("eventflow-xtask-{}", std::process::id()));
        let data = folder.join("data");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {folder:?}"))?;
        let mut command = Command::new(binary);
        command.args(["run", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
        // Its own folder, so that no configuration file lying about is picked up.
        command.envs(settings.iter().copied());
        command.current_dir(&folder).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        let lines = process::lines_of(&mut child);
        let mut server = Self { child, lines, log: VecDeque::new(), folder, url: String::new() };
        server.url = server.await_greeting()?;
        Ok(server)
    }

    /// Where it listens: `http://127.0.0.1:…`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where its data lies.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Its last lines.
    pub(crate) fn log(&mut self) -> String {
        while let Ok(line) = self.lines.try_recv() {
            self.note(line);
        }
        self.log.iter().map(|line| format!("    | {line}\n")).collect()
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Errors
    /// When it doesn't end within half a minute, or not with code 0.
    pub(crate) fn stop(mut self) -> Result<()> {
        process::signal("TERM", i64::from(self.child.id()))?;
        let Some(status) = process::wait(&mut self.child, STOP_LIMIT)? else {
            bail!("the server still runs {} s after SIGTERM", STOP_LIMIT.as_secs());
        };
        ensure!(
            status.success(),
            "the server ended with {status} after SIGTERM; its log:\n{}",
            self.log()
        );
        Ok(())
    }

    fn await_greeting(&mut self) -> Result<String> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let url = line.split_once(GREETING).and_then(|(_, rest)| first_word(rest));
                    let url = url.map(ToOwned::to_owned);
                    self.note(line);
                    if let Some(url) = url {
                        return Ok(url);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("the server ended without listening; its log:\n{}", self.log())
                }
                Err(RecvTimeoutError::Timeout) => {
                    bail!("the server doesn't say where it listens; its log:\n{}", self.log())
                }
            }
        }
    }

    fn note(&mut self, line: String) {
        if self.log.len() == LOG_LINES {
            self.log.pop_front();
        }
        self.log.push_back(line);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail harmlessly after an orderly end.
        self.child.kill().ok();
        self.child.wait().ok();
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// The first word of `text`, without the full stop or comma of a sentence.
fn first_word(text: &str) -> Option<&str> {
    let word = text.split_whitespace().next()?.trim_end_matches(['.', ',', ';']);
    word.starts_with("http://").then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_the_greeting() {
        assert_eq!(first_word("http://127.0.0.1:80."), Some("http://127.0.0.1:80"));
        assert_eq!(first_word("http://127.0.0.1:80, data in x"), Some("http://127.0.0.1:80"));
        assert_eq!(first_word("port 80"), None);
    }
}
