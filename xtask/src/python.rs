//! Python packages that a step needs: each in an environment of its own in `target/tools`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{Bound, watch};
use crate::servers::{install, remove, tools};

/// Longest time to fetch a package.
const FETCH_LIMIT: Duration = Duration::from_secs(5 * 60);

/// A Python that has `package`, which is `name==version`; made if need be.
///
/// # Errors
/// When there is no Python that can make an environment, or the package cannot be had.
pub(crate) fn with(package: &str) -> Result<PathBuf> {
    let home = tools().join(package.replace("==", "-"));
    let python = home.join("bin/python");
    let done = home.join("complete");
    if done.exists() {
        return Ok(python);
    }
    remove(&home)?;
    if make_environment("python3", &home).is_err() {
        // Debian's own is no use for that until its other half is installed.
        install::packages(&["python3-venv"])?;
        remove(&home)?;
        make_environment("/usr/bin/python3", &home)?;
    }
    let mut fetch = Command::new(&python);
    fetch.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", package]);
    finish(&mut fetch)?;
    std::fs::write(&done, "").with_context(|| format!("cannot write {}", done.display()))?;
    Ok(python)
}

fn make_environment(python: &str, home: &Path) -> Result<()> {
    finish(Command::new(python).args(["-m", "venv"]).arg(home))
}

fn finish(command: &mut Command) -> Result<()> {
    let finished = watch(command, Bound::Program(FETCH_LIMIT), |line| {
        println!("    {line}");
        false
    })?;
    ensure!(finished.status.success(), "it ended with {}", finished.status);
    Ok(())
}
