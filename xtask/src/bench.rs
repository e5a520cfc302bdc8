//! `cargo xtask bench`: builds the release binaries and lets `benches` measure.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::process::{Bound, cargo, root, shown, watch};

/// What `benches` can measure against running servers.
const FIGURES: [&str; 6] = ["hot-event", "start", "memory", "limits", "mail", "ceiling"];

/// Longest time for a build or for one figure.
const LIMIT: Duration = Duration::from_secs(40 * 60);

/// Measures what `words` name; `false` if there is no such figure.
pub(crate) fn run(words: &[&str]) -> Result<bool> {
    println!("{}", machine()?);
    match words {
        ["all"] => {
            engine()?;
            figures(&FIGURES, &[])?;
        }
        ["engine"] => engine()?,
        ["replicas", addr, data, options @ ..] => {
            figures(&["replicas"], &[&[*addr, *data], options].concat())?;
        }
        [figure, options @ ..] if FIGURES.contains(figure) => figures(&[figure], options)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// When and where: a figure without it means nothing.
fn machine() -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']));
    let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let system = system.map_or("unknown", |name| name.trim_matches('"'));
    let date = std::process::Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]).output()?;
    let date = String::from_utf8_lossy(&date.stdout);
    Ok(format!("{}: {cores} cores of {model}, {system}", date.trim()))
}

/// Criterion: decisions without any IO.
fn engine() -> Result<()> {
    let mut command = cargo();
    command.args(["bench", "--locked", "--package", "benches", "--bench", "engine"]);
    follow(&mut command)
}

/// Figures of the release binary.
fn figures(figures: &[&str], options: &[&str]) -> Result<()> {
    let mut build = cargo();
    // Both at once: features unify, and nothing is compiled twice.
    build.args(["build", "--release", "--locked", "--bins"]);
    build.args(["--package", "eventflow", "--package", "benches"]);
    follow(&mut build)?;
    for figure in figures {
        let mut command = std::process::Command::new(root().join("target/release/figures"));
        command.current_dir(root()).arg(figure).args(options);
        follow(&mut command)?;
    }
    Ok(())
}

fn follow(command: &mut std::process::Command) -> Result<()> {
    println!("    {}", shown(command));
    let finished = watch(command, Bound::Program(LIMIT), |line| {
        println!("{line}");
        false
    })?;
    ensure!(finished.status.success(), "`{}` ended with {}", shown(command), finished.status);
    Ok(())
}
