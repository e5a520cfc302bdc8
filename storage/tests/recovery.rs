//! Histories out of several sources.

use storage::conformance::sample::Owner;
use storage::{Epoch, OutboxEntry};

mod merge;
mod run;

/// Batches that go on from where an owner stands, from a place on. A size of 0 is a batch
/// that only answers a key.
fn more(owner: &mut Owner, place: u64, sizes: &[u64]) -> Vec<OutboxEntry> {
    let mut entries = Vec::new();
    for (size, place) in sizes.iter().zip(place..) {
        let batch = owner.batch(Epoch(3), *size);
        entries.push(Owner::placed(&batch, place));
        owner.follow(&batch);
    }
    entries
}

/// An event that was opened at place 1, and so many batches behind.
fn opened(n: u64, sizes: &[u64]) -> (Owner, Vec<OutboxEntry>) {
    let mut owner = Owner::new(n);
    let batch = owner.opening(Epoch(3));
    let mut entries = vec![Owner::placed(&batch, 1)];
    owner.follow(&batch);
    entries.extend(more(&mut owner, 2, sizes));
    (owner, entries)
}
