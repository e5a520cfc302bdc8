//! The dashboard and the alerts against a real Prometheus, which scrapes a real node: every
//! query has to mean something to it, and to find something.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::list;
use super::queries::{asks_for_what_is_told, told};
use crate::ports::free_ports;
use crate::process::{self, cargo, root};
use crate::server::Server;
use crate::servers::install_prometheus;
use crate::steps::Steps;

/// What a node that was asked for little does not tell of: mail, and want of room.
const SELDOM: [&str; 1] = ["overloaded"];

/// How long Prometheus may take to come up and to have scraped twice.
const LIMIT: Duration = Duration::from_secs(60);

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(500);

/// The period over which rates are asked for, in place of what Grafana puts there.
const PERIOD: &str = "30s";

/// Prometheus and a node, on their own ports; the step `metrics`.
pub(crate) fn run() -> Result<()> {
    let mut steps = Steps::new();
    let outcome = add_to(&mut steps);
    steps.print_summary("cargo xtask test --with metrics");
    outcome
}

/// Does the steps as part of a longer list.
pub(crate) fn add_to(steps: &mut Steps) -> Result<()> {
    // As `test` builds it, so that it is built once.
    steps.command("build", cargo().args(["build", "--locked", "--bins", "--tests"]))?;
    steps.run("Prometheus", || install_prometheus().map(|()| Vec::new()))?;
    steps.run("metrics, dashboard and alerts", check)
}

fn check() -> Result<Vec<String>> {
    let server = Server::start(&root().join("target/debug/eventflow"))?;
    // Something of everything, so that there is something to tell of.
    super::script_against(&server)?;
    let text = curl(&[&format!("{}/metrics", server.url())])?;
    lint(&text)?;
    let prometheus = Prometheus::start(server.url())?;
    let queries = queries()?;
    let checked = prometheus.until_all_mean_something(&queries)?;
    prometheus.rules_are_evaluated()?;
    drop(prometheus);
    server.stop()?;
    Ok(vec![format!("{} lines of metrics, {checked} queries", text.lines().count())])
}

/// What Prometheus itself finds fault with.
fn lint(text: &str) -> Result<()> {
    let folder = root().join(format!("target/prometheus-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let file = folder.join("metrics.txt");
    fs::write(&file, text)?;
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(fs::File::open(&file)?);
    succeeds(&mut promtool)
}

/// Everything that the dashboard asks.
fn queries() -> Result<Vec<String>> {
    let text = fs::read_to_string(root().join("deploy/grafana/eventflow.json"))?;
    let dashboard: Value = serde_json::from_str(&text).context("the dashboard isn't JSON")?;
    let targets = list(&dashboard["panels"]).iter().flat_map(|panel| list(&panel["targets"]));
    let queries: Vec<String> = targets
        .filter_map(|target| target["expr"].as_str())
        .map(|query| query.replace("$__rate_interval", PERIOD).replace("$instance", ".*"))
        .collect();
    ensure!(queries.len() > 40, "the dashboard asks only {} things", queries.len());
    ensure!(!queries.iter().any(|query| query.contains('$')), "a variable is left: {queries:?}");
    Ok(queries)
}

/// A Prometheus of our own, with the configuration that is shipped. Killed and its folder
/// removed when dropped.
struct Prometheus {
    child: Child,
    folder: PathBuf,
    url: String,
}

impl Prometheus {
    fn start(node: &str) -> Result<Self> {
        let folder = root().join(format!("target/prometheus-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let shipped = root().join("deploy/prometheus");
        let node = node.trim_start_matches("http://");
        let config = fs::read_to_string(shipped.join("prometheus.yml"))?;
        ensure!(config.contains("127.0.0.1:8080"), "the shipped configuration has no target");
        let config =
            config.replace("127.0.0.1:8080", node).replace("interval: 10s", "interval: 1s");
        let file = folder.join("prometheus.yml");
        fs::write(&file, config)?;
        fs::copy(shipped.join("alerts.yml"), folder.join("alerts.yml"))?;
        succeeds(Command::new("promtool").args(["check", "config"]).arg(&file))?;
        let port = free_ports(1)?;
        let log = fs::File::create(folder.join("log"))?;
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start prometheus")?;
        Ok(Self { child, folder, url: format!("http://127.0.0.1:{port}") })
    }

    /// Ask every query until it finds something; says how many there were.
    fn until_all_mean_something(&self, queries: &[String]) -> Result<usize> {
        let deadline = Instant::now() + LIMIT;
        let seldom = |query: &str| SELDOM.iter().any(|name| query.contains(name));
        for query in queries {
            loop {
                match self.ask(query) {
                    Ok(found) if found > 0 || seldom(query) => break,
                    Ok(_) if Instant::now() > deadline => bail!("finds nothing: {query}"),
                    Err(error) if Instant::now() > deadline => {
                        let log = fs::read_to_string(self.folder.join("log"));
                        return Err(error.context(log.unwrap_or_default()));
                    }
                    // It comes up, or has scraped once only.
                    _ => std::thread::park_timeout(LOOK),
                }
            }
        }
        Ok(queries.len())
    }

    /// How many series a query finds now.
    fn ask(&self, query: &str) -> Result<usize> {
        let url = format!("{}/api/v1/query", self.url);
        let answer = curl(&["--data-urlencode", &format!("query={query}"), &url])?;
        let answer: Value = serde_json::from_str(&answer)?;
        ensure!(answer["status"] == "success", "{query}: {}", answer["error"]);
        Ok(list(&answer["data"]["result"]).len())
    }

    fn rules_are_evaluated(&self) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let answer = curl(&[&format!("{}/api/v1/rules", self.url)])?;
            let answer: Value = serde_json::from_str(&answer)?;
            let groups = list(&answer["data"]["groups"]);
            let rules: Vec<&Value> = groups.iter().flat_map(|g| list(&g["rules"])).collect();
            ensure!(rules.len() > 5, "there are only {} alerts", rules.len());
            if let Some(failed) = rules.iter().find(|rule| rule["health"] == "err") {
                bail!("an alert cannot be evaluated: {failed}");
            }
            if rules.iter().all(|rule| rule["health"] == "ok") {
                // To Prometheus a name that nobody tells of is fine too.
                let told = told()?;
                return rules.iter().try_for_each(|rule| {
                    asks_for_what_is_told(rule["query"].as_str().unwrap_or_default(), &told)
                });
            }
            ensure!(Instant::now() < deadline, "alerts are not evaluated: {answer}");
            std::thread::park_timeout(LOOK);
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        process::signal("TERM", i64::from(self.child.id())).ok();
        self.child.wait().ok();
        remove(&self.folder);
    }
}

fn remove(folder: &Path) {
    fs::remove_dir_all(folder).ok();
}

/// What curl gets with these words.
fn curl(words: &[&str]) -> Result<String> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--max-time", "10"]).args(words);
    let output = command.output().context("cannot start curl")?;
    ensure!(output.status.success(), "curl: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).context("not text")
}

fn succeeds(command: &mut Command) -> Result<()> {
    let name = process::shown(command);
    let output = command.output().with_context(|| format!("cannot start {name}"))?;
    let told = [output.stdout, output.stderr].concat();
    ensure!(output.status.success(), "`{name}`:\n{}", String::from_utf8_lossy(&told));
    Ok(())
}
