//! Snapshots: chunks under names of their own that expire, until one call flips to them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use engine::EventId;
use storage::{CommitStore, PartitionId, SnapshotToKeep, StorageError};

use crate::Store;

/// Bytes of a chunk.
pub(crate) const CHUNK: usize = 256 * 1024;

/// Chunks that nobody flips to are gone after this, in seconds.
const EXPIRE: u32 = 600;

/// Chunks read or written at a time.
pub(crate) const AT_ONCE: usize = 4;

impl Store {
    pub(crate) async fn keep(&self, snapshot: SnapshotToKeep) -> Result<bool, StorageError> {
        let SnapshotToKeep { epoch, event, head, blob } = snapshot;
        let partition = self.partition_of(event);
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        // Nobody else's name: a late writer must not touch what was flipped to.
        let name = format!("{}:{:016x}-{number}", head.seq.0, self.incarnation);
        let prefix = self.keys.snapshots(partition, event);
        let link = self.commits_of(event);
        let chunks: Vec<&[u8]> = blob.chunks(CHUNK).collect();
        for (group, first) in chunks.chunks(AT_ONCE).zip((0..).step_by(AT_ONCE)) {
            let mut write = redis::pipe();
            for (chunk, i) in group.iter().zip(first..) {
                let key = chunk_key(&prefix, name.as_bytes(), i);
                write.cmd("SET").arg(key).arg(*chunk).arg("EX").arg(EXPIRE).ignore();
            }
            let () = link.send_all(&write).await?;
        }
        let mut flip = redis::cmd("FCALL");
        flip.arg("ef1_flip").arg(3).arg(self.keys.own(partition));
        flip.arg(self.keys.header(partition, event)).arg(self.keys.log(partition, event));
        flip.arg(epoch.0).arg(head.seq.0).arg(&head.chain.0[..]).arg(chunks.len());
        flip.arg(&name).arg(prefix);
        let flipped: u8 = link.send(&flip).await?;
        Ok(flipped == 1)
    }

    /// The chunks of a snapshot; none if it has been replaced meanwhile.
    pub(crate) async fn snapshot(
        &self,
        partition: PartitionId,
        event: EventId,
        name: &[u8],
        chunks: usize,
    ) -> Result<Option<Arc<[u8]>>, StorageError> {
        let prefix = self.keys.snapshots(partition, event);
        let mut whole = Vec::new();
        let numbers: Vec<usize> = (0..chunks).collect();
        for group in numbers.chunks(AT_ONCE) {
            let mut ask = redis::cmd("MGET");
            for i in group {
                ask.arg(chunk_key(&prefix, name, *i));
            }
            let found: Vec<Option<Vec<u8>>> = self.reads.ask(&ask).await?;
            for chunk in found {
                let Some(chunk) = chunk else { return Ok(None) };
                whole.extend(chunk);
            }
        }
        Ok(Some(Arc::from(whole)))
    }
}

pub(crate) fn chunk_key(prefix: &[u8], name: &[u8], i: usize) -> Vec<u8> {
    [prefix, name, format!(":{i}").as_bytes()].concat()
}
