//! Values as columns have them.

use storage::{Chain, Era, StorageError};

use crate::error::damaged;

/// Bits of a timestamp that the seq takes; the era is above.
const SEQ_BITS: u32 = 40;

/// The timestamp of a write: what is newer by era, then by seq, wins.
pub(crate) fn stamp(era: Era, seq: u64) -> i64 {
    (i64::from(era.0) << SEQ_BITS) | int(seq)
}

/// A count as a column has it. Ours stay far below.
pub(crate) fn int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(crate) fn count(n: i64) -> Result<u64, StorageError> {
    u64::try_from(n).map_err(|_| damaged("a count"))
}

pub(crate) fn sixteen(bytes: &[u8]) -> Result<[u8; 16], StorageError> {
    bytes.try_into().map_err(|_| damaged("an id"))
}

pub(crate) fn chain(bytes: &[u8]) -> Result<Chain, StorageError> {
    sixteen(bytes).map(Chain)
}
