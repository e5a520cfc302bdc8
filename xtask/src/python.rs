//! Python packages that a step needs, in environments of their own in `target/tools`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::{Bound, root, watch};
use crate::servers::{install, remove, tools};

/// Longest time to fetch a package.
const FETCH_LIMIT: Duration = Duration::from_secs(5 * 60);

/// A Python that has `package`, which is `name==version`; made if need be.
///
/// # Errors
/// When there is no Python that can make an environment, or the package cannot be had.
pub(crate) fn with(package: &str) -> Result<PathBuf> {
    environment(&tools().join(package.replace("==", "-")), &[package], "")
}

/// A Python in the folder `home` that has what the words `asked` ask pip for; made anew
/// when it was made for something else than `wanted`.
///
/// # Errors
/// When there is no Python that can make an environment, or a package cannot be had.
pub(crate) fn environment(home: &Path, asked: &[&str], wanted: &str) -> Result<PathBuf> {
    let python = home.join("bin/python");
    // Written when everything is there.
    let done = home.join("complete");
    if std::fs::read_to_string(&done).is_ok_and(|made_for| made_for == wanted) {
        return Ok(python);
    }
    remove(home)?;
    if make_environment("python3", home).is_err() {
        // Debian's own is no use for that until its other half is installed.
        install::packages(&["python3-venv"])?;
        remove(home)?;
        make_environment("/usr/bin/python3", home)?;
    }
    let mut fetch = Command::new(&python);
    fetch.current_dir(root());
    fetch.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(asked);
    finish(&mut fetch)?;
    std::fs::write(&done, wanted).with_context(|| format!("cannot write {}", done.display()))?;
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
