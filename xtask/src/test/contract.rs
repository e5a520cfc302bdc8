//! The real server against its document: Schemathesis with all checks, and a client that a
//! common generator has made of the document, led through the whole flow. Both are Python
//! packages.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{Bound, cargo, root, watch};
use crate::python;
use crate::server::Server;
use crate::servers::remove;
use crate::steps::Steps;

/// What makes requests of a document, and judges the answers by it.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// What makes a client of a document.
const GENERATOR: &str = "openapi-python-client==0.29.1";

/// Longest time for all requests that Schemathesis makes.
const REQUESTS_LIMIT: Duration = Duration::from_secs(6 * 60);

/// Longest time to make the client, and to lead it through the flow.
const CLIENT_LIMIT: Duration = Duration::from_secs(2 * 60);

/// Settings of the server that is tested: nobody is turned away for asking often, and a
/// password costs little.
const SETTINGS: [(&str, &str); 2] = [
    ("EVENTFLOW_GATEWAY__RATE_LIMIT__ENABLED", "false"),
    ("EVENTFLOW_AUTH__HASH_MEMORY_KIB", "64"),
];

/// These tests alone, with a summary.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new();
    // With the tests, though none is run: so features are what they are for `test`.
    let outcome = steps
        .command("build", cargo().args(["build", "--locked", "--bins", "--tests"]))
        .and_then(|()| add_to(&mut steps));
    steps.print_summary("cargo xtask test --with contract");
    outcome
}

/// The same as part of a longer list, with a binary that has been built.
pub(crate) fn add_to(steps: &mut Steps) -> Result<()> {
    let run = root().join(format!("target/contract-test-{}", std::process::id()));
    std::fs::create_dir_all(&run).with_context(|| format!("cannot make {}", run.display()))?;
    let outcome =
        steps.run("contract: Schemathesis", || against_server(schemathesis)).and_then(|()| {
            steps.run("contract: a generated client", || {
                against_server(|server| generated_client(&run, server.url()))
            })
        });
    outcome.and(remove(&run))
}

/// Does `work` with a server of its own, and ends that.
fn against_server(work: impl FnOnce(&Server) -> Result<Vec<String>>) -> Result<Vec<String>> {
    let mut server = Server::start_with(&eventflow(), &SETTINGS)?;
    match work(&server) {
        Ok(lines) => {
            server.stop()?;
            Ok(lines)
        }
        Err(error) => Err(error.context(format!("the server's log:\n{}", server.log()))),
    }
}

/// The program that is tested.
fn eventflow() -> PathBuf {
    root().join("target/debug/eventflow")
}

/// A file of these tests.
fn file(name: &str) -> PathBuf {
    root().join("tests/contract").join(name)
}

/// A program of the environment.
fn program(python: &Path, name: &str) -> Command {
    Command::new(python.with_file_name(name))
}

fn schemathesis(server: &Server) -> Result<Vec<String>> {
    let mut command = program(&python::with(SCHEMATHESIS)?, "st");
    command.arg("--config-file").arg(file("schemathesis.toml"));
    command.arg("run").arg(format!("{}/openapi.json", server.url()));
    // Its hooks are found beside its settings; nothing is written there.
    command.current_dir(file(".")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("HYPOTHESIS_STORAGE_DIRECTORY", root().join("target/tmp/hypothesis"));
    command.env("CONTRACT_URL", server.url());
    // It makes itself an administrator.
    command.env("CONTRACT_PROGRAM", eventflow()).env("CONTRACT_DATA", server.data());
    let lines = finish(command, REQUESTS_LIMIT)?;
    Ok(lines.into_iter().filter(|line| line.contains("generated,")).collect())
}

fn generated_client(run: &Path, url: &str) -> Result<Vec<String>> {
    let python = python::with(GENERATOR)?;
    let mut generate = program(&python, "openapi-python-client");
    generate.args(["generate", "--meta", "none", "--fail-on-warning"]);
    generate.arg("--url").arg(format!("{url}/openapi.json"));
    generate.arg("--config").arg(file("client.yaml"));
    generate.arg("--output-path").arg(run.join("eventflow_client"));
    generate.current_dir(run);
    finish(generate, CLIENT_LIMIT)?;
    let mut lead = Command::new(&python);
    lead.arg(file("client.py")).current_dir(run);
    lead.env("CONTRACT_URL", url).env("PYTHONPATH", run);
    finish(lead, CLIENT_LIMIT)
}

/// Runs a command, shows its output, and returns that.
fn finish(mut command: Command, limit: Duration) -> Result<Vec<String>> {
    let finished = watch(&mut command, Bound::Group(limit), |line| {
        println!("{line}");
        true
    })?;
    if !finished.status.success() {
        bail!("it ended with {}", finished.status);
    }
    Ok(finished.kept)
}
