//! The commands of this workspace: `cargo xtask <command>`.
//!
//! | command | does |
//! | --- | --- |
//! | `test` | every test: Rust, loom, the kill test, the shell script on a live server |
//! | `test --with servers` | the tests that need real servers |
//! | `test --with k6` | the scenarios of `benches/k6`, short, on a server of their own |
//! | `test --with metrics` | dashboard and alerts against a real Prometheus |
//! | `test --with mail` | the tests that need a real SMTP server |
//! | `test --with frontend` | the tests of the pages, which need Python and a browser |
//! | `ci` | format, tidy, licences, clippy, documentation, every kind of `test` |
//! | `loom` | the loom models of the `actors` crate |
//! | `mutants` | shows that the kill test fails on each patch of `tests/mutants` |
//! | `tidy` | rules about files and about who may depend on whom |
//! | `servers` | real servers on this machine: installed, started, stopped |
//! | `cluster` | EventFlow's cluster as local processes on those servers |
//! | `bench` | the figures of `benches/RESULTS.md` |
//!
//! Nothing heavy is linked here: the work is done by starting cargo and binaries.

mod bench;
mod ci;
mod cluster;
mod deny;
mod files;
mod http;
mod launched;
mod layers;
mod looms;
mod mutants;
mod ports;
mod process;
mod python;
mod scripts;
mod server;
mod servers;
mod signals;
mod steps;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;

const USAGE: &str = "\
usage: cargo xtask <command>

  test             every test: Rust, loom, the kill test, the shell script
  test --with servers
                   the tests that need real servers, on servers of their own
  test --with k6   the scenarios of benches/k6, short; k6 is built if it is missing
  test --with metrics
                   dashboard and alerts against a real Prometheus
  test --with mail the tests that need a real SMTP server, on one that does as it is told
  test --with frontend
                   the tests of the pages, with Python and a browser
  ci               format, tidy, licences, clippy, documentation, test
  loom             the loom models of the actors crate
  mutants [NAME]   the kill test must fail on each patch of tests/mutants
  servers up|down|kill|wipe|status|env [redis|cassandra ...]
                   real servers on 127.0.0.1, installed if need be
  cluster [--replicas 3] [--port 8080] [--debug] [--no-limits] [--no-build] [--wipe]
                   EventFlow's cluster as local processes, until Ctrl-C;
                   --apart NAME: in a folder, on ports and servers of its own
  cluster --status [--json] | --kill NODE | --stop NODE | --pause NODE SECONDS |
          --start NODE | --add | --kill-redis | --start-redis | --down [--wipe]
                   acts on the one that runs; NODE is b1 to b9, or front
  tidy             rules about files and layers
  bench WHAT       engine | hot-event | start | memory | limits | ceiling | all
  bench replicas ADDR DATA
                   a cluster that runs, over one process
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the command in `words`; `false` means that there is no such command.
fn run(words: &[&str]) -> Result<bool> {
    match words {
        ["test"] => test::run()?,
        ["test", "--with", "servers"] => test::run_with_servers()?,
        ["test", "--with", "k6"] => test::k6::run()?,
        ["test", "--with", "metrics"] => test::metrics::run()?,
        ["test", "--with", "mail"] => test::mail::run()?,
        ["test", "--with", "frontend"] => test::frontend::run()?,
        ["ci"] => ci::run()?,
        ["loom"] => looms::run()?,
        ["mutants"] => mutants::run(None)?,
        ["mutants", name] => mutants::run(Some(name))?,
        ["tidy"] => tidy::run()?,
        ["servers", rest @ ..] => return servers::run(rest),
        ["cluster", rest @ ..] => return cluster::run(rest),
        ["bench", rest @ ..] => return bench::run(rest),
        _ => return Ok(false),
    }
    Ok(true)
}
