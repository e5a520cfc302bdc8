//! From a history to what a store keeps of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use engine::{EventId, Inventory, Limits, Seq};

use super::merge::{Found, History};
use super::repair::RestoredEvent;
use super::report::Sealed;
use crate::commit::{BatchId, Head, Header, Position, Summary};
use crate::error::StorageError;
use crate::outbox::OutboxEntry;
use crate::record;

/// A history, replayed as far as it goes.
pub(super) struct Replayed {
    pub(super) event: RestoredEvent,
    /// Batches of the history that could be replayed.
    pub(super) good: usize,
    /// Why not all of them, if not.
    pub(super) sealed: Option<Sealed>,
}

/// Whether a snapshot is one of this event at this head.
pub(super) fn is_usable(event: EventId, head: Head, blob: &[u8]) -> bool {
    let inventory = catch_unwind(|| begin(event, Some(blob), &Limits::default()));
    matches!(inventory, Ok(Ok(inventory)) if inventory.seq() == head.seq)
}

/// Replay a history. One that breaks a law of the engine is kept as it is behind the last
/// batch that does not: whoever loads it is refused as before, and nothing of it is lost.
pub(super) fn replay(
    event: EventId,
    history: &History,
    base: Option<&[u8]>,
    limits: &Limits,
) -> Result<Replayed, StorageError> {
    let Some(last) = history.batches.last().map(|found| &found.entry) else {
        return nothing_but_the_base(event, history, base, limits);
    };
    let (good, broken) = try_all(event, &history.batches, base, limits)?;
    // Seq 0 stands for no snapshot: before the first booking event all is log.
    let has_events = good > 0 && history.batches[good - 1].entry.last_seq > Seq(0);
    let good = if has_events { good } else { 0 };
    // A panic leaves the inventory in the middle of something: up to there once more.
    let mut inventory = begin(event, base, limits)?;
    for found in &history.batches[..good] {
        for entry in record::decode(&found.entry.blob)? {
            inventory.apply(&entry);
        }
    }
    let snapshot_head = match good.checked_sub(1) {
        Some(n) => head_after(&history.batches[n].entry),
        None => history.base,
    };
    let log: Vec<OutboxEntry> =
        history.batches[good..].iter().map(|found| found.entry.clone()).collect();
    let sealed = broken.map(|reason| Sealed {
        event,
        from: log.first().map_or(history.head.seq, |entry| entry.first_seq),
        reason,
    });
    let restored = of_inventory(&inventory, history.head, snapshot_head, last, log);
    Ok(Replayed { event: restored, good, sealed })
}

/// A history of which a snapshot is all there is.
fn nothing_but_the_base(
    event: EventId,
    history: &History,
    base: Option<&[u8]>,
    limits: &Limits,
) -> Result<Replayed, StorageError> {
    let inventory = begin(event, base, limits)?;
    let last = OutboxEntry {
        position: Position(0),
        event,
        first_seq: Seq(history.head.seq.0 + 1),
        last_seq: history.head.seq,
        epoch: crate::Epoch(0),
        chain: history.head.chain,
        at: inventory.last_time(),
        blob: Arc::from([]),
    };
    let restored = of_inventory(&inventory, history.head, history.base, &last, Vec::new());
    Ok(Replayed { event: restored, good: 0, sealed: None })
}

const fn head_after(entry: &OutboxEntry) -> Head {
    Head { seq: entry.last_seq, chain: entry.chain }
}

fn of_inventory(
    inventory: &Inventory,
    head: Head,
    snapshot_head: Head,
    last: &OutboxEntry,
    log: Vec<OutboxEntry>,
) -> RestoredEvent {
    let summary = Summary {
        counts: inventory.counts(),
        capacity: inventory.terms().map_or(0, |terms| terms.capacity),
        phase: inventory.phase(),
        version: inventory.version(),
        // Nobody can be woken whose history cannot be replayed.
        next_deadline: inventory.next_deadline().filter(|_| log.is_empty()),
    };
    let has_snapshot = snapshot_head.seq != Seq(0);
    let snapshot =
        has_snapshot.then(|| (snapshot_head, record::encode_snapshot(&inventory.snapshot())));
    let header = Header {
        event: inventory.event(),
        head,
        // Batches of the old ownerships are fenced, so nobody will repeat this one.
        batch: BatchId(head.chain.0),
        summary,
        at: last.at,
        snapshot_seq: snapshot.as_ref().map_or(Seq(0), |(head, _)| head.seq),
    };
    RestoredEvent { header, position: last.position, snapshot, log }
}

/// How many batches can be replayed, and why not all, if not.
fn try_all(
    event: EventId,
    batches: &[Found],
    base: Option<&[u8]>,
    limits: &Limits,
) -> Result<(usize, Option<String>), StorageError> {
    let mut inventory = begin(event, base, limits)?;
    for (n, found) in batches.iter().enumerate() {
        let entries = match record::decode(&found.entry.blob) {
            Ok(entries) => entries,
            Err(error) => return Ok((n, Some(error.to_string()))),
        };
        let applied = catch_unwind(AssertUnwindSafe(|| {
            entries.iter().for_each(|entry| inventory.apply(entry));
            inventory.seq()
        }));
        match applied {
            Err(_) => return Ok((n, Some("replay broke a law of the engine".to_owned()))),
            Ok(seq) if seq != found.entry.last_seq => {
                let reason =
                    format!("it ends at {}, its place says {}", seq.0, found.entry.last_seq.0);
                return Ok((n, Some(reason)));
            }
            Ok(_) => {}
        }
    }
    Ok((batches.len(), None))
}

fn begin(event: EventId, base: Option<&[u8]>, limits: &Limits) -> Result<Inventory, StorageError> {
    let inventory = match base {
        None => Inventory::new(event),
        Some(blob) => Inventory::restore(record::decode_snapshot(blob)?)
            .map_err(|broken| StorageError::Damaged(format!("snapshot of {event}: {broken:?}")))?,
    };
    if inventory.event() != event {
        return Err(StorageError::Damaged(format!("the snapshot of {event} is of another event")));
    }
    Ok(inventory.with_limits(limits))
}
