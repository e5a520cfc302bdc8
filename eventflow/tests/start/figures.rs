//! Goal: what /metrics tells is what the table of figures and the dashboard say it does, and
//! who may see it. Method: a whole node in this process that has done a bit of everything.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use eventflow::figures::{FIGURES, Figure};
use eventflow::{Config, Node};
use serde_json::Value;

use crate::client::{PATIENCE, exchange};
use crate::work;

/// Told by a part only when it has something to tell of: mail was sent, a disk was full.
const SELDOM: [&str; 0] = [];

fn config(data: &Path) -> Config {
    let mut config = Config::default();
    config.server.listen = "127.0.0.1:0".to_owned();
    config.data.dir = data.to_owned();
    config
}

fn get(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (String, String) {
    exchange(addr, "GET", path, None, headers, &Value::Null)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Parts behind the gateway.
const PARTS: [&str; 4] = ["auth", "catalog", "booking", "notification"];

/// What a node tells that has done a bit of everything.
async fn told() -> String {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(config(data.path())).await.unwrap();
    let addr = node.addr();
    let (head, text) = blocking(move || {
        work::everything(addr);
        // What follows from commits (lists, bus) has begun a moment later.
        let begun = Instant::now();
        loop {
            let (head, text) = get(addr, "/metrics", &[]);
            let told = |figure: &Figure| {
                SELDOM.contains(&figure.name) || text.contains(&format!("\n{}", figure.name))
            };
            let ready = |part| text.contains(&format!("eventflow_part_ready{{part=\"{part}\"}} 1"));
            let done = FIGURES.iter().all(told) && PARTS.into_iter().all(ready);
            if done || begun.elapsed() > PATIENCE {
                return (head, text);
            }
            std::thread::yield_now();
        }
    })
    .await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.to_lowercase().contains("content-type: text/plain; version=0.0.4"), "{head}");
    node.stop().await;
    text
}

/// The series in a text: name, labels, value.
fn series(text: &str) -> Vec<(String, BTreeMap<String, String>, f64)> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.trim_end_matches('}');
            let labels = labels.split("\",").filter(|label| !label.is_empty()).map(|label| {
                let (name, value) = label.split_once("=\"").unwrap();
                (name.to_owned(), value.trim_end_matches('"').to_owned())
            });
            (name.to_owned(), labels.collect(), value.parse().unwrap())
        })
        .collect()
}

fn figure(name: &str) -> Option<&'static Figure> {
    let whole = |name: &str| FIGURES.iter().find(|figure| figure.name == name);
    let parts = ["_bucket", "_sum", "_count"];
    whole(name).or_else(|| parts.iter().find_map(|part| whole(name.strip_suffix(part)?)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_is_in_the_table_and_what_is_in_the_table_is_told() {
    let text = told().await;
    let mut seen = BTreeSet::new();
    for (name, labels, _) in series(&text) {
        let figure = figure(&name).unwrap_or_else(|| panic!("{name} is not in the table"));
        seen.insert(figure.name);
        let has: BTreeSet<&str> =
            labels.keys().map(String::as_str).filter(|l| *l != "le").collect();
        let wants: BTreeSet<&str> = figure.labels.iter().copied().collect();
        assert_eq!(has, wants, "labels of {name}");
        for value in labels.values() {
            let words = value.split(['/', '-']);
            assert!(value.len() <= 64, "{name}: {value}");
            // An id, a name or an address makes as many series as there are people.
            assert!(!value.contains('@') && words.clone().count() < 9, "{name}: {value}");
            assert!(
                !words
                    .into_iter()
                    .any(|word| word.len() == 12 && word.chars().all(|c| c.is_ascii_hexdigit())),
                "{name}: {value}"
            );
        }
    }
    for figure in FIGURES {
        let (name, kind) = (figure.name, figure.kind.word());
        if SELDOM.contains(&name) {
            continue;
        }
        assert!(seen.contains(name), "{name} is not told:\n{text}");
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name} is no {kind}");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is not explained");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_figures_are_those_of_what_was_done() {
    let text = told().await;
    let all = series(&text);
    let sum = |name: &str, wanted: &[(&str, &str)]| -> f64 {
        let fits = |labels: &BTreeMap<String, String>| {
            wanted.iter().all(|(label, value)| labels.get(*label).is_some_and(|v| v == value))
        };
        all.iter().filter(|(n, labels, _)| n == name && fits(labels)).map(|(_, _, v)| v).sum()
    };
    // Other tests of this binary count in the same process: at least what was done here.
    let commands = |command, outcome| {
        sum("eventflow_commands_total", &[("command", command), ("outcome", outcome)])
    };
    assert!(commands("open", "done") >= 1.0);
    assert!(commands("book", "confirmed") >= 1.0);
    assert!(commands("book", "waitlisted") >= 1.0);
    assert!(commands("book", "sold_out") >= 1.0);
    let requests = |route, method, status| {
        let labels = [("route", route), ("method", method), ("status", status)];
        sum("eventflow_http_requests_total", &labels)
    };
    assert!(requests("/bookings", "POST", "201") >= 2.0);
    assert!(requests("/bookings", "POST", "409") >= 1.0);
    assert!(requests("/events/{id}", "GET", "404") >= 1.0);
    assert!(requests("none", "GET", "404") >= 1.0);
    let durations = "eventflow_http_request_duration_seconds_count";
    assert!(sum(durations, &[("route", "/bookings"), ("method", "POST")]) >= 3.0);
    let durable = sum("eventflow_commits_total", &[("outcome", "durable")]);
    assert!(durable >= 3.0, "an event and two bookings");
    assert!(sum("eventflow_commit_duration_seconds_count", &[]) >= durable);
    assert!(sum("eventflow_store_transaction_works_count", &[("file", "ledger.db")]) >= 3.0);
    assert!(sum("eventflow_store_file_bytes", &[("file", "ledger.db")]) > 0.0);
    for part in PARTS {
        assert_eq!(sum("eventflow_part_ready", &[("part", part)]), 1.0, "{part}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_waitlist_of_what_is_awake_is_counted() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::start(config(data.path())).await.unwrap();
    let addr = node.addr();
    // Other nodes of this process may set the same gauge between: asked until it is ours.
    let text = blocking(move || {
        work::everything(addr);
        (0..100).map(|_| get(addr, "/metrics", &[]).1).find(|text| {
            let told = |line: &str| text.lines().any(|told| told == line);
            told("eventflow_waitlist_entries 1") && told("eventflow_events_awake 1")
        })
    })
    .await;
    assert!(text.is_some());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_are_for_those_who_are_named() {
    let data = tempfile::tempdir().unwrap();
    let status = |addr, path: &'static str, headers: &'static [(&str, &str)]| {
        blocking(move || get(addr, path, headers).0.split(' ').nth(1).unwrap().to_owned())
    };
    let node = Node::start(config(data.path())).await.unwrap();
    let addr = node.addr();
    assert_eq!(status(addr, "/metrics", &[]).await, "200");
    // What a proxy on this machine passes on is not this machine's.
    for header in
        ["x-forwarded-for", "x-forwarded-proto", "forwarded", "via", "x-real-ip", "cdn-loop"]
    {
        let headers: &'static [(&str, &str)] = Box::leak(Box::new([(header, "203.0.113.9")]));
        assert_eq!(status(addr, "/metrics", headers).await, "404", "{header}");
    }
    node.stop().await;

    let mut elsewhere = config(data.path());
    elsewhere.server.metrics_from = vec!["203.0.113.0/24".to_owned()];
    elsewhere.gateway.trusted_proxies = vec!["127.0.0.1".to_owned()];
    let node = Node::start(elsewhere).await.unwrap();
    let addr = node.addr();
    assert_eq!(status(addr, "/metrics", &[]).await, "404");
    assert_eq!(status(addr, "/metrics", &[("x-forwarded-for", "203.0.113.9")]).await, "200");
    assert_eq!(status(addr, "/metrics", &[("x-forwarded-for", "203.0.114.9")]).await, "404");
    node.stop().await;

    // A proxy that is known as one and names nobody does not read for itself.
    let mut behind = config(data.path());
    behind.gateway.trusted_proxies = vec!["127.0.0.1".to_owned()];
    let node = Node::start(behind).await.unwrap();
    assert_eq!(status(node.addr(), "/metrics", &[]).await, "404");
    node.stop().await;
}

/// Everything that is asked of Prometheus in a file: the texts behind `key`.
fn expressions(value: &Value, key: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == key => found.push(text.clone()),
                    other => expressions(other, key, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, key, found)),
        _ => {}
    }
}

/// The words of an expression, with whether they stand between braces or behind `by`.
fn words(expression: &str) -> Vec<&str> {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    expression.split(|c| !letter(c)).filter(|word| !word.is_empty()).collect()
}

/// Names of series in an expression, with the labels that are asked of each.
fn asked(expression: &str) -> Vec<(String, BTreeSet<String>)> {
    let mut by = BTreeSet::new();
    for grouped in expression.split("by (").skip(1) {
        by.extend(words(grouped.split(')').next().unwrap()).into_iter().map(str::to_owned));
    }
    let mut asked = Vec::new();
    let ours = |word: &str| word.starts_with("eventflow_") || word.starts_with("process_");
    for word in words(expression).into_iter().filter(|word| ours(word)) {
        let behind = expression.split_once(word).unwrap().1;
        let mut labels = by.clone();
        if let Some(selector) = behind.strip_prefix('{') {
            let selector = selector.split('}').next().unwrap();
            for matcher in selector.split("\",") {
                let label = matcher.split(['=', '!', '~']).next().unwrap();
                labels.insert(label.trim().to_owned());
            }
        }
        asked.push((word.to_owned(), labels));
    }
    asked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_of_the_dashboard_is_about_what_is_told() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let dashboard = std::fs::read_to_string(deploy.join("grafana/eventflow.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let mut queries = Vec::new();
    expressions(&dashboard, "expr", &mut queries);
    expressions(&dashboard, "definition", &mut queries);
    assert!(queries.len() > 40, "{}", queries.len());
    let alerts = std::fs::read_to_string(deploy.join("prometheus/alerts.yml")).unwrap();
    let rules: Vec<&str> = alerts.split("- alert:").skip(1).collect();
    let parts = |rule: &&str| {
        let expression = rule.split("expr:").nth(1).unwrap();
        expression
            .split("        labels:")
            .next()
            .unwrap()
            .split("        for:")
            .next()
            .unwrap()
            .to_owned()
    };
    queries.extend(rules.iter().map(parts));
    let text = told().await;
    let told: BTreeSet<String> = series(&text).into_iter().map(|(name, ..)| name).collect();
    let mut names = BTreeSet::new();
    for query in &queries {
        for (name, labels) in asked(query) {
            let figure = figure(&name).unwrap_or_else(|| panic!("{name} is nowhere: {query}"));
            assert!(SELDOM.contains(&figure.name) || told.contains(&name), "{name}: {query}");
            let known: BTreeSet<&str> =
                figure.labels.iter().copied().chain(["le", "instance", "job"]).collect();
            for label in &labels {
                assert!(known.contains(label.as_str()), "{name} has no {label}: {query}");
            }
            names.insert(figure.name);
        }
    }
    // A figure that nobody looks at is a figure too many.
    for figure in FIGURES {
        assert!(names.contains(figure.name), "{} is in no panel and no alert", figure.name);
    }
}

#[test]
fn every_figure_is_in_the_table_of_the_page() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows = FIGURES.iter().map(|figure| {
        let labels: Vec<String> = figure.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, means) = (figure.name, figure.kind.word(), figure.means);
        format!("| `{name}` | {kind} | {} | {means} |", labels.join(", "))
    });
    let rows: Vec<String> = rows.collect();
    let told = page.split_once("| --- |").map(|(_, table)| table.lines().skip(1));
    let told: Vec<&str> = told.unwrap().take_while(|line| line.starts_with('|')).collect();
    assert!(
        told == rows,
        "the table in docs/metrics.md is old; it must be:\n\n{}\n",
        rows.join("\n")
    );
}
