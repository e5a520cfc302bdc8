//! A cluster of its own under the contract's tests, and one drill: does it hold together?

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::cluster::{Cluster, Node, Place};
use crate::http;
use crate::process::{Bound, cargo, root, watch};
use crate::signals::Signals;
use crate::steps::Steps;

/// Replicas of the cluster.
const REPLICAS: u16 = 3;

/// Longest time that the shell script may take against it.
const SCRIPT_LIMIT: Duration = Duration::from_secs(5 * 60);

/// Longest time of the drill.
const DRILL_LIMIT: Duration = Duration::from_secs(5 * 60);

/// Parts of all events.
const PARTITIONS: u64 = 1_024;

/// How long it may take until each replica has its share for good.
const SHARES_LIMIT: Duration = Duration::from_secs(5 * 60);

/// So long nothing has moved when nothing is going to: longer than replicas wait before they
/// even shares out.
const STEADY: Duration = Duration::from_secs(7);

/// Pause between two looks at that.
const LOOK: Duration = Duration::from_millis(200);

/// How long a process may take to tell its figures.
const FIGURES_LIMIT: Duration = Duration::from_secs(5);

/// Load of the drill: what a debug build on a shared machine bears.
const DRILL: [&str; 10] =
    ["--rate", "60", "--seconds", "24", "--events", "12", "--people", "80", "--hot-places", "60"];

/// Build it with all drivers, start it, ask it everything, kill the owner of its busiest event.
///
/// # Errors
/// The first thing that was wrong.
pub(super) fn add_to(steps: &mut Steps) -> Result<()> {
    let mut build = cargo();
    build.args(["build", "--locked", "-p", "eventflow", "--features", "full"]);
    steps.command("build with all drivers", &mut build)?;
    let mut build = cargo();
    build.args(["build", "--locked", "-p", "tests", "--bin", "drill"]);
    steps.command("build the drill", &mut build)?;
    let binary = root().join("target/debug/eventflow");
    let mut cluster = Cluster::apart("test", binary, Signals::default())?;
    cluster.place.no_limits = true;
    let outcome = steps
        .run("cluster", || {
            cluster.place.make()?;
            cluster.up(REPLICAS)?;
            Ok(vec![format!("{REPLICAS} replicas behind {}", cluster.place.public())])
        })
        .and_then(|()| proofs(steps, &cluster.place));
    if outcome.is_err() {
        show_logs(&cluster);
    }
    let ended = cluster.down().and_then(|()| cluster.wipe());
    outcome.and(ended)
}

fn proofs(steps: &mut Steps, place: &Place) -> Result<()> {
    let public = place.public().to_string();
    // A stream of counts ends when its part of the events moves.
    steps.run("every replica has its share", || shares(place))?;
    steps.run("shell script on the cluster", || {
        let mut script = Command::new("bash");
        script.arg(root().join("test_eventflow.sh")).env("BASE_URL", format!("http://{public}"));
        program(&mut script, SCRIPT_LIMIT)
    })?;
    steps.run("figures of every process", || figures(place))?;
    let mut contract = cargo();
    contract.args(["test", "--locked", "-p", "tests", "--test", "e2e", "routes::"]);
    contract.env("EVENTFLOW_TEST_SERVER", &public);
    contract.env("EVENTFLOW_TEST_SERVER_DATA", place.folder(crate::cluster::Node::Front));
    steps.command("contract on the cluster", &mut contract)?;
    steps.run("drill", || {
        // Not the program that runs: the build may have put another one in its place.
        let xtask = root().join("target/debug/xtask");
        ensure!(xtask.exists(), "{} is missing", xtask.display());
        let xtask = format!("{} cluster", xtask.display());
        let mut drill = Command::new(root().join("target/debug/drill"));
        drill.args(["--url", &format!("http://{public}"), "--cluster-cmd", &xtask]);
        drill.args(DRILL).arg("--secret").arg(place.secret_file());
        drill.args(["--do", &format!("6={xtask} --kill {{owner}}")]);
        drill.args(["--do", &format!("12={xtask} --start {{victim}}")]);
        drill.env("EVENTFLOW_CLUSTER_RUN", &place.run);
        program(&mut drill, DRILL_LIMIT)
    })
}

/// The figures of a process.
fn told(address: SocketAddr) -> Result<String> {
    let answer = http::get(address, "/metrics", &[], FIGURES_LIMIT);
    let answer = answer.filter(|answer| answer.status == 200);
    answer.map(|answer| answer.body).with_context(|| format!("no figures at {address}"))
}

/// What every replica tells of one thing.
fn of_each(place: &Place, series: &str) -> Result<Vec<u64>> {
    let of_one = |number| {
        let text = told(place.internal(Node::Replica(number)))?;
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        let line = line.with_context(|| format!("no {series}:\n{text}"))?;
        line.trim().parse().with_context(|| format!("{series}{line}"))
    };
    (1..=REPLICAS).map(of_one).collect()
}

/// Wait until all parts of the events are served and none moves any more: shares are evened
/// out for a while after the start, and what is on its way is counted nowhere.
fn shares(place: &Place) -> Result<Vec<String>> {
    let deadline = Instant::now() + SHARES_LIMIT;
    let (mut last, mut since) = (Vec::new(), Instant::now());
    loop {
        let now = of_each(place, "eventflow_partitions_served ")?;
        if now != last {
            (last, since) = (now, Instant::now());
        }
        if last.iter().sum::<u64>() == PARTITIONS && since.elapsed() >= STEADY {
            return Ok(vec![format!("of {PARTITIONS} partitions {last:?}")]);
        }
        ensure!(Instant::now() < deadline, "of {PARTITIONS} partitions {last:?} are served");
        std::thread::park_timeout(LOOK);
    }
}

/// Each process tells its own; together the replicas serve every part of the events.
fn figures(place: &Place) -> Result<Vec<String>> {
    let wanted = ["eventflow_part_ready{part=\"booking\"} 1", "eventflow_http_requests_total{"];
    let deadline = Instant::now() + SHARES_LIMIT;
    loop {
        let front = told(place.public())?;
        let Some(missing) = wanted.iter().find(|wanted| !front.contains(**wanted)) else { break };
        // A part that was slow to answer once is asked again within a second.
        ensure!(Instant::now() < deadline, "the front does not tell `{missing}`:\n{front}");
        std::thread::park_timeout(LOOK);
    }
    let served: u64 = of_each(place, "eventflow_partitions_served ")?.iter().sum();
    ensure!(served == PARTITIONS, "{served} of {PARTITIONS} partitions are served");
    let commits: u64 =
        of_each(place, "eventflow_commits_total{outcome=\"durable\"} ")?.iter().sum();
    ensure!(commits > 0, "nobody has committed anything");
    Ok(vec![format!("{PARTITIONS} partitions, {commits} commits")])
}

/// Run a program to its end; its last line is kept.
fn program(command: &mut Command, limit: Duration) -> Result<Vec<String>> {
    let mut last = String::new();
    let finished = watch(command, Bound::Program(limit), |line| {
        println!("{line}");
        if !line.trim().is_empty() {
            line.clone_into(&mut last);
        }
        false
    })?;
    if !finished.status.success() {
        bail!("it ended with {}", finished.status);
    }
    Ok(vec![last])
}

/// What the processes said last.
fn show_logs(cluster: &Cluster) {
    for node in cluster.nodes() {
        let log = std::fs::read_to_string(cluster.place.log(node)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        println!("the end of the log of {node}:");
        for line in &lines[lines.len().saturating_sub(15)..] {
            println!("    {line}");
        }
    }
}
