//! `cargo xtask test`: every test there is, in one profile.
//!
//! Features unify over the packages and targets that cargo is asked for, so every call
//! here asks for the same packages (the default members) and for test targets:
//! otherwise tokio and all that needs it would be compiled twice.

mod cluster;
pub(crate) mod contract;
pub(crate) mod frontend;
pub(crate) mod k6;
pub(crate) mod mail;
pub(crate) mod metrics;
mod queries;

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::looms::{self, LOOM};
use crate::process::{Bound, cargo, root, watch};
use crate::server::Server;
use crate::servers::{Name, Servers};
use crate::steps::Steps;

/// The test target that kills servers; it wants the machine for itself.
pub(crate) const KILL: &str = "kill";

/// The test target that needs the feature of the same name.
const TLS: &str = "tls";

/// The same.
const OTLP: &str = "otlp";

/// Longest time that the shell script may take.
const SCRIPT_LIMIT: std::time::Duration = std::time::Duration::from_secs(5 * 60);

/// All tests, with a summary at the end, whatever the outcome.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new();
    let outcome = add_to(&mut steps);
    steps.print_summary("cargo xtask test");
    outcome
}

/// Does the steps of `test` as part of a longer list.
pub(crate) fn add_to(steps: &mut Steps) -> Result<()> {
    let names = test_targets()?;
    let apart = [KILL, LOOM];
    for name in apart {
        ensure!(names.iter().any(|other| other == name), "there is no test target `{name}`");
    }

    steps.command("build", cargo().args(["build", "--locked", "--bins", "--tests"]))?;

    let mut ordinary = cargo();
    ordinary.args(["test", "--locked", "--lib", "--bins"]);
    for name in names.iter().filter(|name| !apart.contains(&name.as_str())) {
        ordinary.args(["--test", name]);
    }
    steps.command("Rust tests", &mut ordinary)?;
    looms::add_to(steps)?;

    // On its own: with the feature every crate above `api` is another one.
    let mut tls = cargo();
    tls.args(["test", "--locked", "-p", "eventflow", "--features", "tls", "--test", TLS]);
    steps.command("certificates", &mut tls)?;

    let mut otlp = cargo();
    otlp.args(["test", "--locked", "-p", "eventflow", "--features", "otlp", "--test", OTLP]);
    steps.command("traces", &mut otlp)?;

    let mut kill = cargo();
    kill.args(["test", "--locked", "--test", KILL, "--", "--nocapture"]);
    steps.command("kill test", &mut kill)?;

    steps.run("test_eventflow.sh", run_script)
}

/// The packages whose tests need real servers, with the servers that they need.
const WITH_SERVERS: &[(&str, Name)] =
    &[("adapter-redis", Name::Redis), ("adapter-cassandra", Name::Cassandra)];

/// The tests that need real servers.
pub(crate) fn run_with_servers() -> Result<()> {
    let mut steps = Steps::new();
    let outcome = add_with_servers_to(&mut steps);
    steps.print_summary("cargo xtask test --with servers");
    outcome
}

/// Starts servers apart from all others, runs what needs them, and takes them away again,
/// whatever came of it.
pub(crate) fn add_with_servers_to(steps: &mut Steps) -> Result<()> {
    let servers = Servers::apart("test")?;
    let mut names: Vec<Name> = WITH_SERVERS.iter().map(|(_, name)| *name).collect();
    names.dedup();
    let outcome = steps
        .run("servers", || servers.up(&names).map(|()| Vec::new()))
        .and_then(|()| test_with(steps, &servers));
    let wiped = servers.wipe(&names);
    outcome.and(wiped)?;
    cluster::add_to(steps)
}

fn test_with(steps: &mut Steps, servers: &Servers) -> Result<()> {
    for (package, name) in WITH_SERVERS {
        let mut test = cargo();
        test.args(["test", "--locked", "-p", package, "--features", "server-tests"]);
        test.envs(servers.variables(&[*name]));
        steps.command(&format!("{package} on a real server"), &mut test)?;
    }
    Ok(())
}

/// The whole flow with curl against a server of its own.
fn run_script() -> Result<Vec<String>> {
    let mut server = Server::start(&root().join("target/debug/eventflow"))?;
    match script_against(&server) {
        Ok(last) => server.stop().map(|()| vec![last]),
        Err(error) => Err(error.context(format!("the server's log:\n{}", server.log()))),
    }
}

/// The whole flow with curl; the script's last line.
fn script_against(server: &Server) -> Result<String> {
    println!("    BASE_URL={} ./test_eventflow.sh", server.url());
    let mut script = Command::new("bash");
    script.arg(root().join("test_eventflow.sh")).env("BASE_URL", server.url());
    let mut last = String::new();
    let finished = watch(&mut script, Bound::Program(SCRIPT_LIMIT), |line| {
        println!("{line}");
        line.clone_into(&mut last);
        false
    })?;
    if !finished.status.success() {
        bail!("test_eventflow.sh found a wrong answer");
    }
    Ok(last)
}

/// The names of all test targets of the default members, each once.
///
/// # Errors
/// When cargo cannot read the workspace.
pub(crate) fn test_targets() -> Result<Vec<String>> {
    let metadata = metadata()?;
    let default: Vec<&str> =
        list(&metadata["workspace_default_members"]).iter().filter_map(Value::as_str).collect();
    ensure!(!default.is_empty(), "cargo names no default members");
    let mut names: Vec<String> = list(&metadata["packages"])
        .iter()
        .filter(|package| package["id"].as_str().is_some_and(|id| default.contains(&id)))
        .flat_map(|package| list(&package["targets"]))
        .filter(|target| list(&target["kind"]).iter().any(|kind| kind == "test"))
        // A target with required features is run by its own command.
        .filter(|target| list(&target["required-features"]).is_empty())
        .filter_map(|target| target["name"].as_str().map(ToOwned::to_owned))
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// What cargo knows of our own packages.
///
/// # Errors
/// When cargo cannot read the workspace.
pub(crate) fn metadata() -> Result<Value> {
    let output = cargo()
        .args(["metadata", "--no-deps", "--locked", "--format-version", "1"])
        .output()
        .context("cannot start cargo")?;
    ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("cargo metadata isn't JSON")
}

/// The elements of a JSON list; nothing for anything else.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
