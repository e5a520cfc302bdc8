//! The names of keys. All keys of a partition carry its hash tag, so that one function
//! finds them in one slot of a Redis Cluster.

use engine::EventId;
use storage::PartitionId;

/// Names keys.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    /// In front of every key; for tests that share a server.
    prefix: String,
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    fn of(&self, partition: PartitionId, rest: &[u8]) -> Vec<u8> {
        let mut key = format!("{}{{p{}}}:", self.prefix, partition.0).into_bytes();
        key.extend_from_slice(rest);
        key
    }

    fn of_event(&self, partition: PartitionId, kind: &str, event: EventId) -> Vec<u8> {
        self.of(partition, format!("{kind}:{event}").as_bytes())
    }

    pub(crate) fn own(&self, partition: PartitionId) -> Vec<u8> {
        self.of(partition, b"own")
    }

    pub(crate) fn outbox(&self, partition: PartitionId) -> Vec<u8> {
        self.of(partition, b"ob")
    }

    pub(crate) fn cursors(&self, partition: PartitionId) -> Vec<u8> {
        self.of(partition, b"cur")
    }

    pub(crate) fn due(&self, partition: PartitionId) -> Vec<u8> {
        self.of(partition, b"due")
    }

    pub(crate) fn events(&self, partition: PartitionId) -> Vec<u8> {
        self.of(partition, b"ev")
    }

    pub(crate) fn header(&self, partition: PartitionId, event: EventId) -> Vec<u8> {
        self.of_event(partition, "h", event)
    }

    pub(crate) fn log(&self, partition: PartitionId, event: EventId) -> Vec<u8> {
        self.of_event(partition, "log", event)
    }

    /// In front of the names of an event's snapshot chunks.
    pub(crate) fn snapshots(&self, partition: PartitionId, event: EventId) -> Vec<u8> {
        self.of(partition, format!("snap:{event}:").as_bytes())
    }

    pub(crate) fn members(&self) -> Vec<u8> {
        format!("{}members", self.prefix).into_bytes()
    }
}
