//! What the processes of a cluster say of themselves.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::place::{Node, Place};
use crate::http;

/// How long a process may take to answer; a paused one never does.
const LIMIT: Duration = Duration::from_secs(1);

/// What a replica says at least.
const FIELDS: [&str; 10] = [
    "state",
    "incarnation",
    "era",
    "partitions",
    "preparing",
    "broken",
    "highest_epoch",
    "awake",
    "lag",
    "members",
];

/// One process at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Look {
    pub(crate) node: Node,
    /// Of its process, if it runs.
    pub(crate) pid: Option<u32>,
    pub(crate) address: SocketAddr,
    /// Whether it says that it is up.
    pub(crate) ready: bool,
    /// A replica's own words, if it answers.
    pub(crate) said: Option<Map<String, Value>>,
}

/// Looks at all of them at once: a silent one doesn't make the others older.
pub(crate) fn at(place: &Place, nodes: &[Node]) -> Result<Vec<Look>> {
    let secret = place.secret()?;
    let secret = secret.as_str();
    std::thread::scope(|scope| {
        let looks: Vec<_> =
            nodes.iter().map(|node| scope.spawn(|| Look::take(place, *node, secret))).collect();
        looks.into_iter().map(|look| look.join().expect("looking does not panic")).collect()
    })
}

impl Look {
    fn take(place: &Place, node: Node, secret: &str) -> Result<Self> {
        let pid = place.launched(node)?.map(|launched| launched.pid);
        let address = place.asked(node);
        let mut look = Self { node, pid, address, ready: false, said: None };
        // Whoever else listens there is not this one.
        if pid.is_none() {
            return Ok(look);
        }
        let ready = http::get(address, "/readyz", &[], LIMIT);
        look.ready = ready.as_ref().is_some_and(|answer| answer.status == 200);
        if ready.is_some() && node != Node::Front {
            let headers = [("eventflow-secret", secret)];
            let said = http::get(address, "/internal/status", &headers, LIMIT);
            let said = said.filter(|answer| answer.status == 200);
            look.said = said.and_then(|answer| serde_json::from_str(&answer.body).ok());
        }
        Ok(look)
    }

    /// In a word.
    pub(crate) fn state(&self) -> &str {
        match (self.pid, &self.said) {
            (None, _) => "dead",
            (Some(_), Some(said)) => said.get("state").and_then(Value::as_str).unwrap_or("odd"),
            (Some(_), None) if self.ready => "ready",
            (Some(_), None) => "silent",
        }
    }

    /// A number that it said.
    pub(crate) fn number(&self, field: &str) -> Option<u64> {
        self.said.as_ref()?.get(field)?.as_u64()
    }

    /// For programs. What a replica says beyond what we know of is handed on.
    pub(crate) fn json(&self) -> Value {
        let mut object = self.said.clone().unwrap_or_default();
        // The name under which we know it says the same.
        object.remove("node");
        object.insert("name".to_owned(), json!(self.node.to_string()));
        object.insert("pid".to_owned(), json!(self.pid));
        object.insert("address".to_owned(), json!(self.address.to_string()));
        object.insert("alive".to_owned(), json!(self.pid.is_some()));
        for field in FIELDS {
            object.entry(field).or_insert(Value::Null);
        }
        Value::Object(object)
    }
}

#[cfg(test)]
pub(super) fn sample(node: Node, said: &Value) -> Look {
    let address = SocketAddr::from(([127, 0, 0, 1], 8091));
    let said = said.as_object().cloned();
    Look { node, pid: Some(77), address, ready: said.is_some(), said }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_replica_says_is_flat_and_complete() {
        let said = json!({ "node": "b1", "state": "ready", "partitions": 341, "new": 1 });
        let json = sample(Node::Replica(1), &said).json();
        assert_eq!(json["name"], "b1");
        assert_eq!(json["alive"], true);
        assert_eq!(json["address"], "127.0.0.1:8091");
        assert_eq!(json["partitions"], 341);
        assert_eq!(json["lag"], Value::Null);
        assert_eq!(json["new"], 1);
        assert_eq!(json.as_object().unwrap().len(), 4 + FIELDS.len() + 1);
    }

    #[test]
    fn dead_silent_and_ready_are_told_apart() {
        let mut look = sample(Node::Replica(1), &json!({ "state": "draining" }));
        assert_eq!(look.state(), "draining");
        look.said = None;
        look.ready = false;
        assert_eq!(look.state(), "silent");
        look.pid = None;
        assert_eq!(look.state(), "dead");
    }
}
