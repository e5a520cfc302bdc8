//! The files of the repository, without what is built or made at run time.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// More files than the repository will ever have: beyond it something is wrong.
const MOST_FILES: usize = 20_000;

/// What is made at the top, not written; `.gitignore` names the same. In a second working
/// tree `.git` is a file.
const MADE: [&str; 4] = ["target", "data", ".git", ".venv"];

/// What Python makes of its modules, anywhere.
const COMPILED: &str = "__pycache__";

/// All files below `root`, relative to it, sorted.
///
/// # Errors
/// When a folder cannot be read, or there are implausibly many files.
pub(crate) fn all(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        let entries = fs::read_dir(&path).with_context(|| format!("cannot read {path:?}"))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let kind = entry.file_type()?;
            let below = folder.join(&name);
            let at_the_top = folder.as_os_str().is_empty();
            if at_the_top && MADE.iter().any(|made| name == *made) || name == COMPILED {
                continue;
            }
            if kind.is_dir() {
                folders.push(below);
            } else if kind.is_file() && below.extension().is_none_or(|end| end != "log") {
                files.push(below);
            }
        }
        ensure!(files.len() <= MOST_FILES, "more than {MOST_FILES} files below {root:?}");
    }
    files.sort();
    Ok(files)
}

/// The text of a file, or `None` if it isn't text.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn text(path: &Path) -> Result<Option<String>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {path:?}"))?;
    Ok(String::from_utf8(bytes).ok())
}
