//! The journal never overwrites and never skips.

use std::sync::Arc;

use engine::Seq;
use storage::conformance::sample::Owner;
use storage::{Batch, Conflict, Epoch, Era, OutboxEntry, PartitionId, Position, chain};

use crate::support::Made;

const HERE: PartitionId = PartitionId(7);

fn entry(batch: &Batch, position: u64) -> Arc<OutboxEntry> {
    Arc::new(OutboxEntry {
        position: Position(position),
        event: batch.event,
        first_seq: Seq(batch.base.seq.0 + 1),
        last_seq: batch.next.seq,
        epoch: batch.epoch,
        chain: batch.next.chain,
        at: batch.at,
        blob: batch.blob.clone(),
    })
}

/// So many batches of one event, from position 1.
fn history(owner: &mut Owner, sizes: &[u64]) -> Vec<Arc<OutboxEntry>> {
    let mut entries = Vec::new();
    for (size, position) in sizes.iter().zip(1..) {
        let batch = owner.batch(Epoch(3), *size);
        owner.follow(&batch);
        entries.push(entry(&batch, position));
    }
    entries
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_already_stays_as_it_is() {
    let made = Made::default();
    let journal = made.cassandra().await.journal();
    let mut owner = Owner::new(1);
    let entries = history(&mut owner, &[2, 0, 3, 1]);
    for upto in [2, 4, 4] {
        let appended = journal.append(HERE, Era(1), entries[..upto].to_vec()).await;
        assert_eq!(appended.expect("it is there"), None, "repeated, and gone on with");
    }
    let plain: Vec<OutboxEntry> = entries.iter().map(|entry| (**entry).clone()).collect();
    assert_eq!(journal.history(owner.event, Seq(1), 100).await.expect("a history"), plain);
    assert_eq!(journal.follow(HERE, Position(0), 100).await.expect("a page"), plain);
    assert_eq!(journal.follow(HERE, Position(1), 2).await.expect("a page"), plain[1..3]);
    assert_eq!(journal.follow(PartitionId(8), Position(0), 9).await.expect("a page"), []);
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_batch_in_a_place_is_a_conflict_and_writes_nothing() {
    let made = Made::default();
    let journal = made.cassandra().await.journal();
    let mut owner = Owner::new(1);
    let entries = history(&mut owner, &[2, 1]);
    assert_eq!(journal.append(HERE, Era(1), entries.clone()).await.expect("appended"), None);
    // The same place of the outbox, another batch; and the same seq at another place.
    let other_blob: Arc<[u8]> = storage::record::encode(Seq(3), &[]);
    let other = OutboxEntry {
        blob: other_blob.clone(),
        chain: chain::next(entries[0].chain, &other_blob),
        ..(*entries[1]).clone()
    };
    let elsewhere = OutboxEntry { position: Position(9), ..other.clone() };
    let next = OutboxEntry { position: Position(3), first_seq: Seq(4), ..(*entries[1]).clone() };
    for different in [other, elsewhere] {
        let batches = vec![Arc::new(different), Arc::new(next.clone())];
        let found = journal.append(HERE, Era(1), batches).await.expect("an answer");
        assert_eq!(found, Some(Conflict { event: owner.event, first_seq: Seq(3) }));
        let kept = journal.history(owner.event, Seq(1), 100).await.expect("a history");
        assert_eq!(kept.len(), 2, "nothing was written, nor what came behind it");
        assert_eq!(kept[1].chain, entries[1].chain);
    }
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_read_over_its_buckets() {
    let made = Made::default();
    let journal = made.cassandra().await.journal();
    let mut owner = Owner::new(1);
    let entries = history(&mut owner, &[400; 60]);
    for part in entries.chunks(16) {
        assert_eq!(journal.append(HERE, Era(1), part.to_vec()).await.expect("appended"), None);
    }
    for from in [1, 9_999, 10_001, 12_345, 23_999] {
        let read = journal.history(owner.event, Seq(from), 1_000).await.expect("a history");
        let expected = entries.iter().filter(|entry| entry.last_seq.0 >= from);
        assert_eq!(read, expected.map(|entry| (**entry).clone()).collect::<Vec<_>>(), "{from}");
    }
    made.clear().await;
}
