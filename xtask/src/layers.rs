//! Who may depend on whom. A new edge between our crates is a change of this file.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::process::cargo;
use crate::test::{list, metadata};

/// A crate of ours and what it may see.
struct Layer {
    name: &'static str,
    /// Ours that it may depend on.
    may_use: &'static [&'static str],
    /// Ours that its tests may use besides.
    tests_may_use: &'static [&'static str],
    /// Libraries of others that it must not even reach.
    never_reaches: &'static [&'static [&'static str]],
}

/// Drivers: only adapters know them.
const DRIVERS: &[&str] = &[
    "rusqlite",
    "libsqlite3-sys",
    "redis",
    "scylla",
    "mongodb",
    "sqlx",
    "sqlx-core",
    "tokio-postgres",
    "lapin",
];

/// What speaks HTTP.
const HTTP: &[&str] = &["axum", "axum-core", "hyper", "hyper-util", "http", "tower", "tower-http"];

/// What runs actors and tasks.
const RUNTIMES: &[&str] = &["tokio", "ractor"];

const LAYERS: &[Layer] = &[
    Layer { name: "engine", may_use: &[], tests_may_use: &[], never_reaches: &[] },
    Layer {
        name: "storage",
        may_use: &["engine"],
        tests_may_use: &[],
        never_reaches: &[DRIVERS, HTTP, RUNTIMES],
    },
    Layer {
        name: "adapter-sqlite",
        may_use: &["engine", "storage"],
        tests_may_use: &[],
        never_reaches: &[HTTP, &["ractor"]],
    },
    Layer {
        name: "adapter-cassandra",
        may_use: &["engine", "storage"],
        tests_may_use: &[],
        never_reaches: &[HTTP, &["ractor"]],
    },
    Layer {
        name: "adapter-redis",
        may_use: &["engine", "storage"],
        tests_may_use: &[],
        never_reaches: &[HTTP, &["ractor"]],
    },
    Layer {
        name: "actors",
        may_use: &["engine", "storage"],
        tests_may_use: &[],
        never_reaches: &[DRIVERS, HTTP],
    },
    Layer {
        name: "api",
        may_use: &["engine"],
        tests_may_use: &[],
        never_reaches: &[DRIVERS, &["ractor"]],
    },
    Layer {
        name: "auth",
        may_use: &["api", "engine", "storage"],
        tests_may_use: &[],
        never_reaches: &[DRIVERS, &["ractor"]],
    },
    Layer {
        name: "catalog",
        may_use: &["api", "engine", "storage"],
        tests_may_use: &[],
        never_reaches: &[DRIVERS, &["ractor"]],
    },
    Layer {
        name: "booking",
        may_use: &["actors", "api", "engine", "storage"],
        tests_may_use: &[],
        never_reaches: &[DRIVERS],
    },
    Layer {
        name: "notification",
        may_use: &["api", "engine", "storage"],
        tests_may_use: &[],
        never_reaches: &[DRIVERS, &["ractor"]],
    },
    Layer {
        name: "gateway",
        may_use: &["api"],
        tests_may_use: &["engine"],
        never_reaches: &[DRIVERS, &["ractor"]],
    },
    Layer {
        name: "eventflow",
        may_use: &[
            "actors",
            "adapter-cassandra",
            "adapter-redis",
            "adapter-sqlite",
            "api",
            "auth",
            "booking",
            "catalog",
            "engine",
            "gateway",
            "notification",
            "storage",
        ],
        tests_may_use: &[],
        never_reaches: &[],
    },
    Layer {
        name: "tests",
        may_use: &["actors", "adapter-sqlite", "api", "engine", "eventflow", "storage"],
        tests_may_use: &[],
        never_reaches: &[],
    },
    Layer {
        name: "benches",
        may_use: &["adapter-sqlite", "api", "engine", "eventflow", "storage", "tests"],
        tests_may_use: &[],
        never_reaches: &[],
    },
    Layer { name: "xtask", may_use: &[], tests_may_use: &[], never_reaches: &[DRIVERS, RUNTIMES] },
];

/// Everything that contradicts the table, a sentence each.
///
/// # Errors
/// When cargo cannot read the workspace.
pub(crate) fn problems() -> Result<Vec<String>> {
    let metadata = metadata()?;
    let packages = list(&metadata["packages"]);
    ensure!(!packages.is_empty(), "cargo names no packages");
    let ours: BTreeSet<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let mut problems = Vec::new();
    for layer in LAYERS {
        if !ours.contains(layer.name) {
            problems.push(format!("the table has `{}`, the workspace hasn't", layer.name));
        }
    }
    for package in packages {
        let name = package["name"].as_str().context("a package without a name")?;
        match LAYERS.iter().find(|layer| layer.name == name) {
            Some(layer) => problems.extend(wrong_edges(layer, package, &ours)),
            None => problems.push(format!("`{name}` has no row in the table of layers.rs")),
        }
    }
    for layer in LAYERS.iter().filter(|layer| !layer.never_reaches.is_empty()) {
        problems.extend(forbidden_reach(layer)?);
    }
    Ok(problems)
}

/// Direct dependencies of `package` on ours that its row doesn't allow, and for the
/// engine any dependency at all.
fn wrong_edges(layer: &Layer, package: &Value, ours: &BTreeSet<&str>) -> Vec<String> {
    let mut problems = Vec::new();
    for dependency in list(&package["dependencies"]) {
        let Some(to) = dependency["name"].as_str() else { continue };
        let of_tests = dependency["kind"] == "dev";
        if layer.name == "engine" && !of_tests {
            problems.push(format!("`engine` depends on `{to}`: it must not depend on anything"));
        }
        let allowed =
            layer.may_use.contains(&to) || (of_tests && layer.tests_may_use.contains(&to));
        // A crate may name itself to switch on its own features for its tests.
        if ours.contains(to) && to != layer.name && !allowed {
            let from = layer.name;
            problems.push(format!("`{from}` must not depend on `{to}` (table in layers.rs)"));
        }
    }
    problems
}

/// Libraries that `layer` reaches, over whatever road, and must not.
fn forbidden_reach(layer: &Layer) -> Result<Vec<String>> {
    let mut command = cargo();
    command.args(["tree", "--locked", "--edges", "normal", "--prefix", "none"]);
    command.args(["--format", "{p}", "--package", layer.name]);
    let output = command.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let tree = String::from_utf8(output.stdout).context("cargo tree isn't text")?;
    let reached: BTreeSet<&str> =
        tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    ensure!(reached.contains(layer.name), "cargo tree doesn't show `{}` itself", layer.name);
    let forbidden = layer.never_reaches.iter().flat_map(|group| group.iter());
    Ok(forbidden
        .filter(|library| reached.contains(**library))
        .map(|library| format!("`{}` reaches `{library}`, which it must never see", layer.name))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_workspace_keeps_to_the_table() {
        let problems = problems().expect("cargo can read the workspace");
        assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    }

    #[test]
    fn an_edge_that_is_not_in_the_table_is_found() {
        let ours = BTreeSet::from(["actors", "gateway", "engine"]);
        let gateway = LAYERS.iter().find(|layer| layer.name == "gateway").unwrap();
        let package = json!({"dependencies": [
            {"name": "actors", "kind": null},
            {"name": "serde", "kind": null},
        ]});
        assert_eq!(wrong_edges(gateway, &package, &ours).len(), 1);
    }

    #[test]
    fn the_engine_may_have_dependencies_for_its_tests_only() {
        let engine = &LAYERS[0];
        let package = json!({"dependencies": [
            {"name": "proptest", "kind": "dev"},
            {"name": "serde", "kind": null},
        ]});
        assert_eq!(wrong_edges(engine, &package, &BTreeSet::from(["engine"])).len(), 1);
    }

    #[test]
    fn a_library_that_is_reached_is_found() {
        let layer = Layer {
            name: "xtask",
            may_use: &[],
            tests_may_use: &[],
            never_reaches: &[&["anyhow", "rusqlite"]],
        };
        assert_eq!(
            forbidden_reach(&layer).unwrap(),
            ["`xtask` reaches `anyhow`, which it must never see"]
        );
    }
}
