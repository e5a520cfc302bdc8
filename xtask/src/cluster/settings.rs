//! The command lines of EventFlow's processes, and what they are told by variables.

use std::ffi::OsString;
use std::process::Command;

use super::place::{MOST, Node, Place};
use crate::servers::Name;

/// How the names of EventFlow's variables begin.
const PREFIX: &str = "EVENTFLOW_";

/// Cassandra's keyspace.
const KEYSPACE: &str = "eventflow";

/// The key that the front makes at its first start.
pub(crate) const KEY_FILE: &str = "signing-key.pem";

/// `eventflow migrate`: Redis' partitions and Cassandra's tables.
pub(crate) fn migrate(place: &Place) -> Command {
    let mut command = eventflow(place, Node::Front);
    command.arg("migrate").envs(stores(place));
    command
}

/// A process that goes on running.
pub(crate) fn run(place: &Place, node: Node) -> Command {
    let mut command = eventflow(place, node);
    command.arg("run");
    command.env("EVENTFLOW_CLUSTER__LISTEN", place.internal(node).to_string());
    command.env("EVENTFLOW_CLUSTER__SECRET_FILE", place.secret_file());
    match node {
        Node::Front => {
            command.args(["gateway", "auth", "catalog", "notification"]);
            command.env("EVENTFLOW_SERVER__LISTEN", place.public().to_string());
            // Those that may come later too: adding one is no reason to start the front anew.
            let replicas = (1..=MOST).map(|number| place.internal(Node::Replica(number)));
            let replicas: Vec<String> = replicas.map(|address| address.to_string()).collect();
            command.env("EVENTFLOW_CLUSTER__REPLICAS", replicas.join(","));
            if place.no_limits {
                command.env("EVENTFLOW_GATEWAY__RATE_LIMIT__ENABLED", "false");
            }
        }
        Node::Replica(_) => {
            command.args(["booking", "--node", &node.to_string()]);
            command.envs(stores(place));
            command.env("EVENTFLOW_CLUSTER__FRONT", place.internal(Node::Front).to_string());
            let key = place.folder(Node::Front).join(KEY_FILE);
            command.env("EVENTFLOW_AUTH__SIGNING_KEY_FILE", key);
        }
    }
    command
}

/// In its own folder, with nothing but what is said here.
fn eventflow(place: &Place, node: Node) -> Command {
    let mut command = Command::new(&place.binary);
    command.current_dir(place.folder(node));
    // EventFlow refuses variables that it doesn't know, and some are for us.
    for name in ours() {
        command.env_remove(name);
    }
    command.env("EVENTFLOW_DATA__DIR", place.folder(node));
    command.env("EVENTFLOW_LOG__LEVEL", "info");
    command
}

fn stores(place: &Place) -> [(&'static str, String); 2] {
    let (redis, cassandra) = (place.servers.port(Name::Redis), place.servers.port(Name::Cassandra));
    [
        ("EVENTFLOW_STORAGE__COMMITS", format!("redis://127.0.0.1:{redis}/0")),
        ("EVENTFLOW_STORAGE__JOURNAL", format!("cassandra://127.0.0.1:{cassandra}/{KEYSPACE}")),
    ]
}

/// The variables of this shell that are called like ours.
fn ours() -> impl Iterator<Item = OsString> {
    #[allow(clippy::disallowed_methods, reason = "a tool for developers, not the product")]
    let all = std::env::vars_os();
    all.map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with(PREFIX))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::*;

    fn place() -> Place {
        let mut place = Place::apart("test-settings", PathBuf::from("eventflow")).unwrap();
        (place.port, place.run) = (8080, PathBuf::from("/c"));
        place
    }

    fn seen(command: &Command) -> (String, BTreeMap<String, String>) {
        let variables = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let text = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
        let variables = variables.map(|(name, value)| (text(name), text(value))).collect();
        (crate::process::shown(command), variables)
    }

    #[test]
    fn a_replica_is_told_the_stores_the_front_and_its_key() {
        let place = place();
        let (line, variables) = seen(&run(&place, Node::Replica(2)));
        assert_eq!(line, "eventflow run booking --node b2");
        let redis = place.servers.port(Name::Redis);
        for (name, value) in [
            ("STORAGE__COMMITS", format!("redis://127.0.0.1:{redis}/0").as_str()),
            ("CLUSTER__LISTEN", "127.0.0.1:8092"),
            ("CLUSTER__FRONT", "127.0.0.1:8090"),
            ("CLUSTER__SECRET_FILE", "/c/secret"),
            ("AUTH__SIGNING_KEY_FILE", "/c/front/signing-key.pem"),
            ("DATA__DIR", "/c/b2"),
        ] {
            assert_eq!(variables[&format!("EVENTFLOW_{name}")], value);
        }
        assert!(!variables.contains_key("EVENTFLOW_CLUSTER__REPLICAS"));
    }

    #[test]
    fn the_front_knows_replicas_that_are_not_there_yet() {
        let mut place = place();
        let (line, variables) = seen(&run(&place, Node::Front));
        assert_eq!(line, "eventflow run gateway auth catalog notification");
        assert_eq!(variables["EVENTFLOW_SERVER__LISTEN"], "127.0.0.1:8080");
        let replicas = &variables["EVENTFLOW_CLUSTER__REPLICAS"];
        assert!(replicas.starts_with("127.0.0.1:8091,") && replicas.ends_with(",127.0.0.1:8099"));
        let limits = "EVENTFLOW_GATEWAY__RATE_LIMIT__ENABLED";
        assert!(!variables.contains_key(limits));
        assert!(!variables.contains_key("EVENTFLOW_STORAGE__COMMITS"));
        place.no_limits = true;
        assert_eq!(seen(&run(&place, Node::Front)).1[limits], "false");
    }

    #[test]
    fn migrating_needs_both_stores() {
        let (line, variables) = seen(&migrate(&place()));
        assert_eq!(line, "eventflow migrate");
        assert!(variables["EVENTFLOW_STORAGE__JOURNAL"].ends_with("/eventflow"));
        assert!(variables.contains_key("EVENTFLOW_STORAGE__COMMITS"));
    }
}
