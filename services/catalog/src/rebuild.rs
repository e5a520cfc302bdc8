//! All documents anew from the facts, by the same fold that keeps them in step.

use std::collections::HashMap;

use engine::EventId;
use storage::{CatalogEntry, CatalogStore, Outbox, PartitionId, Position, StorageError, record};

use crate::projection::Fact;

/// Batches read at a time.
const BATCHES: usize = 512;

/// What a rebuild found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Documents that were as they must be.
    pub same: u64,
    /// Documents that were different, and are written anew.
    pub different: u64,
    /// Documents that were not there, and are written.
    pub missing: u64,
    /// Facts that make no document; each is an error of its own.
    pub unreadable: u64,
}

/// Make every document anew and write those that are missing or different. It can be
/// ended at any point and be run again. Nothing else may write meanwhile. All documents
/// are in memory for it, some 1 kB and its texts each.
///
/// # Errors
/// Those of the stores.
pub async fn rebuild(
    outbox: &dyn Outbox,
    partitions: u16,
    store: &dyn CatalogStore,
    progress: &mut (dyn FnMut(Position) + Send),
) -> Result<Rebuilt, StorageError> {
    let mut rebuilt = Rebuilt::default();
    for partition in (0..partitions).map(PartitionId) {
        let documents = fold(outbox, partition, &mut rebuilt, progress).await?;
        for (id, document) in documents {
            let stored = store.get(id).await?;
            let count = match &stored {
                Some(stored) if *stored == document => &mut rebuilt.same,
                Some(_) => &mut rebuilt.different,
                None => &mut rebuilt.missing,
            };
            *count += 1;
            if stored.as_ref() != Some(&document) {
                store.replace(document).await?;
            }
        }
    }
    Ok(rebuilt)
}

async fn fold(
    outbox: &dyn Outbox,
    partition: PartitionId,
    rebuilt: &mut Rebuilt,
    progress: &mut (dyn FnMut(Position) + Send),
) -> Result<HashMap<EventId, CatalogEntry>, StorageError> {
    let mut documents: HashMap<EventId, CatalogEntry> = HashMap::new();
    let mut at = Position(0);
    loop {
        let batches = outbox.read(partition, at, BATCHES).await?;
        let Some(last) = batches.last() else { return Ok(documents) };
        at = last.position;
        for batch in &batches {
            for entry in record::decode(&batch.blob)? {
                for fact in &entry.events {
                    let after = match Fact::from_booking_event(batch.event, entry.at, fact) {
                        Ok(None) => continue,
                        Ok(Some(fact)) => fact.fold(documents.remove(&batch.event)),
                        Err(_) => None,
                    };
                    if let Some(document) = after {
                        documents.insert(batch.event, document);
                    } else {
                        tracing::error!(event = %batch.event, "a fact makes no document");
                        rebuilt.unreadable += 1;
                    }
                }
            }
        }
        progress(at);
    }
}
