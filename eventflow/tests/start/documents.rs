//! Goal: what docs/ says of routes, codes and log lines is what the program has. Method:
//! the tables are compared with the code; a difference is answered with the right table.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use api::ErrorCode;
use api::routes::Access;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// The rows of the table under this heading of a document.
fn table(text: &str, heading: &str) -> Vec<String> {
    let below = text.split_once(heading).unwrap_or_else(|| panic!("no {heading:?}")).1;
    let rows = below.lines().skip_while(|line| !line.starts_with('|'));
    rows.skip(2).take_while(|line| line.starts_with('|')).map(str::to_owned).collect()
}

#[track_caller]
fn same(found: &[String], expected: &[String], what: &str) {
    assert!(found == expected, "{what}; it must be:\n\n{}\n", expected.join("\n"));
}

#[test]
fn every_route_is_in_the_table() {
    let text = document("api.md");
    let expected: Vec<String> = eventflow::routes()
        .iter()
        .map(|route| {
            let who = match route.access {
                // No token tells who may, but the address.
                Access::Anyone if route.path == gateway::figures::PATH => {
                    "whoever `server.metrics_from` names; 404 for others"
                }
                Access::Anyone => "anyone",
                Access::Person => "any person, for itself",
                Access::Owner => "its owner, admins; 404 for others",
                Access::Named => "the named person, admins; 403 for others",
                Access::Organizer => "the event's organizer, admins; 403 for others",
                Access::Admin => "admins; 403 for others",
            };
            format!("| `{} {}` | {who} |", route.method, route.path)
        })
        .collect();
    same(&table(&text, "## Routes"), &expected, "the table of routes in docs/api.md is old");
}

#[test]
fn every_code_is_in_the_table() {
    let text = document("api.md");
    let expected: Vec<String> = ErrorCode::ALL
        .iter()
        .map(|code| {
            let retryable = if code.retryable() { "yes" } else { "no" };
            let status = code.status().as_u16();
            format!("| `{}` | {status} | {retryable} | {} |", code.as_str(), code.title())
        })
        .collect();
    same(&table(&text, "## Codes"), &expected, "the table of codes in docs/api.md is old");
}

#[test]
fn the_snapshot_of_the_document_is_up_to_date() {
    let same = document("openapi.json") == eventflow::document::openapi_json();
    assert!(
        same,
        "docs/openapi.json is not what the program tells. Look at the change, which every client \
         sees, and renew it: cargo run -q -- openapi > docs/openapi.json"
    );
}

/// The literal messages of the log lines in a source text, tests left out.
fn messages(source: &str) -> Vec<String> {
    let source = source.split("mod tests {").next().unwrap_or_default();
    let mut messages = Vec::new();
    for level in ["error", "warn", "info", "debug"] {
        for call in source.split(&format!("tracing::{level}!(")).skip(1) {
            let call = call.split(");").next().unwrap_or_default();
            // The message is the last text of the call.
            if let Some(message) = call.rsplit('"').nth(1) {
                messages.push(format!("| {level} | {message} |"));
            }
        }
    }
    messages
}

fn sources(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "tests") {
                sources(&path, all);
            }
        } else if path.extension().is_some_and(|end| end == "rs") {
            all.push(path);
        }
    }
}

#[test]
fn every_log_line_is_listed() {
    let folders = [
        "actors/src",
        "adapters/cassandra/src",
        "adapters/redis/src",
        "adapters/sqlite/src",
        "api/src",
        "eventflow/src",
        "gateway/src",
        "services/auth/src",
        "services/booking/src",
        "services/catalog/src",
        "services/notification/src",
    ];
    let mut files = Vec::new();
    for folder in folders {
        sources(&root().join(folder), &mut files);
    }
    let expected: BTreeSet<String> =
        files.iter().flat_map(|file| messages(&fs::read_to_string(file).unwrap())).collect();
    assert!(expected.len() > 20, "{expected:?}");
    let listed: BTreeSet<String> = table(&document("logging.md"), "## Lines")
        .iter()
        .map(|row| row.split('|').take(3).collect::<Vec<_>>().join("|") + "|")
        .collect();
    let missing: Vec<_> = expected.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&expected).collect();
    assert!(missing.is_empty() && gone.is_empty(), "missing: {missing:#?}\nno more: {gone:#?}");
}
