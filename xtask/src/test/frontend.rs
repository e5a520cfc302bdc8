//! The pages: their words, their calls, and the whole flow in a real browser.
//!
//! Python and Chromium come from Debian where they are missing, Python's packages go into an
//! environment of their own below `target/tools`. The tests start EventFlow and the pages
//! themselves, on free ports, and end them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::process::{Bound, cargo, root, shown, watch};
use crate::python;
use crate::servers::{install, tools};
use crate::steps::Steps;

/// What the pages need, and what their tests need beside it.
const REQUIREMENTS: [&str; 2] = ["requirements-frontend.txt", "frontend/tests/requirements.txt"];

/// What is looked at by the linter.
const CODE: [&str; 2] = ["frontend", "streamlit_app.py"];

/// Where Debian puts it.
const CHROMIUM: &str = "/usr/bin/chromium";

/// Longest time that the linter may take.
const RUFF_LIMIT: Duration = Duration::from_secs(60);

/// Longest time that all tests together may take: far above the four minutes of an idle
/// machine.
const TESTS_LIMIT: Duration = Duration::from_secs(20 * 60);

/// These tests alone, with a summary.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new();
    let outcome = add_to(&mut steps);
    steps.print_summary("cargo xtask test --with frontend");
    outcome
}

/// Installs what is missing, then: format and lint, tests without a browser, tests with one.
///
/// # Errors
/// The first thing that was wrong.
pub(crate) fn add_to(steps: &mut Steps) -> Result<()> {
    let mut python = PathBuf::new();
    steps.run("Python and Chromium", || {
        chromium()?;
        python = self::python()?;
        Ok(Vec::new())
    })?;
    steps.run("ruff", || {
        let ruff = |words: &[&str]| {
            let mut ruff = Command::new(&python);
            ruff.args(["-m", "ruff"]).args(words).args(["--no-cache", "--config"]);
            ruff.arg("frontend/ruff.toml").args(CODE);
            program(&mut ruff, RUFF_LIMIT).map(drop)
        };
        ruff(&["format", "--check"])?;
        ruff(&["check"])?;
        Ok(Vec::new())
    })?;
    steps.command("build", cargo().args(["build", "--locked", "--bins"]))?;
    steps.run("tests of the pages", || {
        let mut tests = Command::new(&python);
        tests.args(["-m", "pytest", "-p", "no:cacheprovider", "-q", "--tb=short"]);
        tests.args(["--durations=5", "frontend/tests"]);
        tests.env("EVENTFLOW_BINARY", root().join("target/debug/eventflow"));
        tests.env("CHROMIUM", CHROMIUM).env("PICTURES", root().join("target/pictures"));
        program(&mut tests, TESTS_LIMIT).map(|last| vec![last])
    })
}

/// A Python with all of it, made anew when the lists have changed.
fn python() -> Result<PathBuf> {
    let wanted = REQUIREMENTS
        .iter()
        .map(|file| fs::read_to_string(root().join(file)))
        .collect::<Result<String, _>>()?;
    let asked = ["-r", REQUIREMENTS[0], "-r", REQUIREMENTS[1]];
    python::environment(&tools().join("frontend"), &asked, &wanted)
}

fn chromium() -> Result<()> {
    if !Path::new(CHROMIUM).exists() {
        install::packages(&["chromium"])?;
    }
    ensure!(Path::new(CHROMIUM).exists(), "{CHROMIUM} is missing");
    Ok(())
}

/// Runs a program in the workspace's folder, with all that it starts; its last line is kept.
fn program(command: &mut Command, limit: Duration) -> Result<String> {
    command.current_dir(root()).stdin(Stdio::null()).env("PYTHONDONTWRITEBYTECODE", "1");
    println!("    {}", shown(command));
    let mut last = String::new();
    let finished = watch(command, Bound::Group(limit), |line| {
        println!("{line}");
        if !line.trim().is_empty() {
            line.clone_into(&mut last);
        }
        false
    })?;
    ensure!(finished.status.success(), "it ended with {}: {last}", finished.status);
    Ok(last)
}
