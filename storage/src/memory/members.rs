//! The table of replicas in memory.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::now;
use crate::error::StorageError;
use crate::members::{Member, Members};

/// The table of replicas in memory, for replicas in one process.
#[derive(Debug, Default)]
pub struct MemoryMembers {
    rows: Mutex<BTreeMap<String, Member>>,
}

impl Members for MemoryMembers {
    fn announce<'a>(&'a self, member: &'a Member) -> BoxFuture<'a, Result<(), StorageError>> {
        self.rows.lock().insert(member.node.clone(), member.clone());
        now(())
    }

    fn all(&self) -> BoxFuture<'_, Result<Vec<Member>, StorageError>> {
        now(self.rows.lock().values().cloned().collect())
    }

    fn leave<'a>(
        &'a self,
        node: &'a str,
        incarnation: [u8; 8],
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        let mut rows = self.rows.lock();
        if rows.get(node).is_some_and(|row| row.incarnation == incarnation) {
            rows.remove(node);
        }
        now(())
    }
}
