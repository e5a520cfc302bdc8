//! Whether a server keeps what it acknowledges.

use std::collections::HashMap;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use storage::StorageError;
use tokio::time::timeout;

use crate::error::not_sent;

/// How long the server may take to tell how it is set.
const LIMIT: Duration = Duration::from_secs(1);

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// Every acknowledged write is synced: `appendfsync always`. What EventFlow promises
    /// needs this.
    #[default]
    Always,
    /// A crash of the machine, or of the process, may take up to two seconds of what was
    /// acknowledged. For trying things out, by name only.
    EverySecond,
}

/// Every setting that would lose acknowledged writes.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("appendonly", "yes", "nothing would be kept"),
    ("no-appendfsync-on-rewrite", "no", "a rewrite of its file would stop it from syncing"),
    ("maxmemory-policy", "noeviction", "it would throw bookings away when memory runs low"),
];

/// Refuse a server that would lose what it acknowledges.
pub(crate) async fn check(
    connection: &mut MultiplexedConnection,
    wanted: Durability,
) -> Result<(), StorageError> {
    let mut ask = redis::cmd("CONFIG");
    ask.arg("GET").arg("appendfsync");
    SETTINGS.iter().for_each(|(name, _, _)| {
        ask.arg(*name);
    });
    let mut both = redis::pipe();
    both.add_command(ask).cmd("ROLE");
    let answer = timeout(LIMIT, both.query_async(connection)).await;
    let (settings, role): (HashMap<String, String>, Vec<redis::Value>) = answer
        .map_err(|_| StorageError::NotDone("Redis did not tell how it is set".into()))?
        .map_err(|error| not_sent(&error))?;
    for (name, right, otherwise) in SETTINGS {
        let found = settings.get(*name).map_or("unknown", String::as_str);
        if found != *right {
            return Err(refused(name, found, right, otherwise));
        }
    }
    let found = settings.get("appendfsync").map_or("unknown", String::as_str);
    let enough = match wanted {
        Durability::Always => found == "always",
        Durability::EverySecond => matches!(found, "always" | "everysec"),
    };
    if !enough {
        let otherwise = "a crash would take acknowledged bookings along";
        return Err(refused("appendfsync", found, "always", otherwise));
    }
    let is_master = matches!(role.first(), Some(redis::Value::BulkString(role)) if role == b"master")
        || matches!(role.first(), Some(redis::Value::SimpleString(role)) if role == "master");
    if !is_master {
        return Err(StorageError::NotDone(
            "this Redis is a replica: name its master, a replica may lose what it acknowledged"
                .into(),
        ));
    }
    Ok(())
}

fn refused(name: &str, found: &str, right: &str, otherwise: &str) -> StorageError {
    StorageError::NotDone(format!(
        "Redis has {name} {found}, and {otherwise}: set it to {right}, or name the weaker level \
         in the configuration"
    ))
}
