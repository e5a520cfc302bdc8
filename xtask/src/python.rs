//! Python environments of our own in `target/tools`, for tools that are Python packages.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{Bound, root, watch};
use crate::servers::{install, remove};

/// Longest time to fetch packages.
const FETCH_LIMIT: Duration = Duration::from_secs(5 * 60);

/// An environment with just these packages (`name==version`), made if need be; its Python.
///
/// # Errors
/// When there is no Python and none can be installed, or a package cannot be fetched.
pub(crate) fn environment(packages: &[&str]) -> Result<PathBuf> {
    // The versions are in the name, so that a newer one is another environment.
    let home = root().join("target/tools").join(packages.join("+").replace("==", "-"));
    let python = home.join("bin/python");
    let done = home.join("complete");
    if done.exists() {
        return Ok(python);
    }
    remove(&home)?;
    if make("python3", &home).is_err() {
        // Debian's own is no use for that until its other half is installed.
        install::packages(&["python3-venv"])?;
        remove(&home)?;
        make("/usr/bin/python3", &home)?;
    }
    let mut fetch = Command::new(&python);
    fetch.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
    finish(&mut fetch)?;
    std::fs::write(&done, "").with_context(|| format!("cannot write {}", done.display()))?;
    Ok(python)
}

fn make(python: &str, home: &Path) -> Result<()> {
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
