//! The stored form of entries: binary, versioned, written and read by hand.
//!
//! ```text
//! blob   = version (1 byte) · seq of the first booking event (varint) · entries
//! ```
//!
//! What an entry looks like depends on the version; see [`v1`]. Blobs are kept verbatim
//! for ever, so a version, once released, is read for ever: a new form of anything gets
//! a new version and leaves the old module as it is. Golden files keep that true.
//!
//! Engine types are kept apart from it on purpose: a derive would silently turn them
//! into a contract with files that already exist.

use std::sync::Arc;

use engine::{Entry, Seq, Snapshot};

use crate::error::StorageError;

mod bytes;
pub mod v1;

pub use v1::Encoder;

use bytes::{Damage, Reader};

/// The version that is written today.
pub const VERSION: u8 = v1::VERSION;

/// Most bytes that one entry takes in stored form: the largest words, and as many moves
/// as a decision may have. Whoever fills a batch stops when less than this is left of
/// [`crate::BATCH_BYTES`].
pub const ENTRY_BYTES: usize = 96 * 1024;

/// The stored form of entries that follow each other, the first of whose booking events
/// has `first_seq`.
#[must_use]
pub fn encode(first_seq: Seq, entries: &[Entry]) -> Arc<[u8]> {
    let mut encoder = Encoder::new(first_seq);
    for entry in entries {
        encoder.append(entry);
    }
    encoder.finish()
}

/// The entries of a blob, exactly as they were encoded.
///
/// # Errors
/// [`StorageError::Damaged`] for anything that an encoder cannot have written, among it
/// versions from the future. Never panics, and needs memory in proportion to the input.
pub fn decode(blob: &[u8]) -> Result<Vec<Entry>, StorageError> {
    let mut reader = Reader::new(blob);
    match reader.byte().map_err(damaged)? {
        v1::VERSION => v1::decode_entries(&mut reader).map_err(damaged),
        version => Err(unknown_version(version)),
    }
}

/// The seq of the first booking event of a blob; if it has none, the one that the next
/// booking event would have had.
///
/// # Errors
/// [`StorageError::Damaged`] if the blob's head is not one of ours.
pub fn first_seq(blob: &[u8]) -> Result<Seq, StorageError> {
    let mut reader = Reader::new(blob);
    match reader.byte().map_err(damaged)? {
        v1::VERSION => reader.varint().map(Seq).map_err(damaged),
        version => Err(unknown_version(version)),
    }
}

/// The stored form of a snapshot.
#[must_use]
pub fn encode_snapshot(snapshot: &Snapshot) -> Arc<[u8]> {
    let mut bytes = vec![VERSION];
    v1::snapshot::put(&mut bytes, snapshot);
    Arc::from(bytes)
}

/// A snapshot, exactly as it was encoded. Whether it can be an inventory is the engine's
/// question: [`engine::Inventory::restore`].
///
/// # Errors
/// [`StorageError::Damaged`] as for [`decode`].
pub fn decode_snapshot(blob: &[u8]) -> Result<Snapshot, StorageError> {
    let mut reader = Reader::new(blob);
    match reader.byte().map_err(damaged)? {
        v1::VERSION => v1::snapshot::take(&mut reader).map_err(damaged),
        version => Err(unknown_version(version)),
    }
}

fn unknown_version(version: u8) -> StorageError {
    StorageError::Damaged(format!("a record of version {version}, which nobody here can read"))
}

fn damaged(damage: Damage) -> StorageError {
    StorageError::Damaged(format!("a record {}", damage.0))
}
