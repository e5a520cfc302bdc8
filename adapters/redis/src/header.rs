//! Headers as they are stored.

use std::collections::HashMap;

use engine::{Counts, EventId, Phase, Seq, Timestamp};
use storage::{BatchId, Chain, Head, Header, StorageError, Summary};

use crate::error::damaged;

/// A header and where its snapshot lies.
pub(crate) struct Stored {
    pub(crate) header: Header,
    /// The head of the snapshot, and the name and number of its chunks.
    pub(crate) snapshot: Option<(Head, Vec<u8>, usize)>,
}

/// The first byte of sums in this form.
const VERSION: u8 = 1;

/// Bytes of sums in this form.
const SUMS: usize = 39;

/// The sums of an event, packed: every commit rewrites them.
pub(crate) fn pack(summary: &Summary) -> Vec<u8> {
    let Summary { counts, capacity, phase, version, next_deadline } = summary;
    let mut bytes = Vec::with_capacity(SUMS);
    bytes.push(VERSION);
    bytes.extend(counts.booked.to_be_bytes());
    bytes.extend(counts.held.to_be_bytes());
    bytes.extend(counts.waitlisted.to_be_bytes());
    bytes.extend(counts.waitlist_entries.to_be_bytes());
    bytes.extend(capacity.to_be_bytes());
    bytes.push(match phase {
        Phase::Unopened => 0,
        Phase::Open => 1,
        Phase::Cancelled => 2,
    });
    bytes.extend(version.to_be_bytes());
    bytes.push(u8::from(next_deadline.is_some()));
    bytes.extend(next_deadline.map_or(0, Timestamp::millis).to_be_bytes());
    bytes
}

fn unpack(bytes: &[u8]) -> Option<Summary> {
    let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let long = |at: usize| Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    if bytes.len() != SUMS || bytes[0] != VERSION {
        return None;
    }
    let deadline = i64::from_be_bytes(bytes[31..39].try_into().ok()?);
    Some(Summary {
        counts: Counts {
            booked: word(1)?,
            held: word(5)?,
            waitlisted: long(9)?,
            waitlist_entries: word(17)?,
        },
        capacity: word(21)?,
        phase: match bytes[25] {
            0 => Phase::Unopened,
            1 => Phase::Open,
            2 => Phase::Cancelled,
            _ => return None,
        },
        version: word(26)?,
        next_deadline: (bytes[30] == 1).then(|| Timestamp::from_millis(deadline)),
    })
}

/// A header out of the fields of its hash; none if there are none.
pub(crate) fn read(
    event: EventId,
    fields: &HashMap<Vec<u8>, Vec<u8>>,
) -> Result<Option<Stored>, StorageError> {
    if fields.is_empty() {
        return Ok(None);
    }
    parse(event, fields).map(Some).ok_or_else(|| damaged("a header"))
}

fn parse(event: EventId, fields: &HashMap<Vec<u8>, Vec<u8>>) -> Option<Stored> {
    let field = |name: &[u8]| fields.get(name).map(Vec::as_slice);
    let header = Header {
        event,
        head: Head { seq: Seq(decimal(field(b"q")?)?), chain: chain(field(b"c")?)? },
        batch: BatchId(field(b"b")?.try_into().ok()?),
        summary: unpack(field(b"s")?)?,
        at: Timestamp::from_millis(std::str::from_utf8(field(b"t")?).ok()?.parse().ok()?),
        snapshot_seq: Seq(field(b"z").map_or(Some(0), decimal)?),
    };
    let snapshot = match field(b"z") {
        None => None,
        Some(_) => {
            let head = Head { seq: header.snapshot_seq, chain: chain(field(b"x")?)? };
            let chunks = usize::try_from(decimal(field(b"n")?)?).ok()?;
            Some((head, field(b"y")?.to_vec(), chunks))
        }
    };
    Some(Stored { header, snapshot })
}

pub(crate) fn decimal(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

pub(crate) fn chain(bytes: &[u8]) -> Option<Chain> {
    Some(Chain(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_come_back_as_they_were() {
        for (phase, next_deadline) in
            [(Phase::Open, None), (Phase::Cancelled, Some(Timestamp::from_millis(-5)))]
        {
            let summary = Summary {
                counts: Counts { booked: 1, held: 2, waitlisted: u64::MAX, waitlist_entries: 4 },
                capacity: u32::MAX,
                phase,
                version: 7,
                next_deadline,
            };
            let packed = pack(&summary);
            assert_eq!(packed.len(), SUMS);
            assert_eq!(unpack(&packed), Some(summary));
            assert_eq!(unpack(&packed[..SUMS - 1]), None, "cut short");
        }
    }
}
