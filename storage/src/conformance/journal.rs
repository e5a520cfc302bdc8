//! [`crate::Outbox`] and [`crate::Journal`]: what was committed, in order.

use engine::Seq;

use super::Fresh;
use super::commit::{apply, claim};
use super::sample::{Owner, event};
use crate::commit::{Chain, PartitionId, Position};
use crate::{Stores, chain};

/// Everything that these ports ask of an adapter.
pub async fn suite(fresh: Fresh<'_>) {
    the_outbox_is_in_order_without_gaps(&fresh()).await;
    the_journal_is_one_chain(&fresh()).await;
}

async fn the_outbox_is_in_order_without_gaps(stores: &Stores) {
    // Events of one partition, however many there are.
    let partition = stores.commit.partition_of(event(0));
    let numbers: Vec<u64> =
        (0..).filter(|n| stores.commit.partition_of(event(*n)) == partition).take(3).collect();
    let mut owners: Vec<Owner> = numbers.iter().map(|n| Owner::new(*n)).collect();
    let epoch = claim(stores, owners[0].event).await;
    let mut sent = Vec::new();
    for round in 0..4 {
        for owner in &mut owners {
            let batch = owner.batch(epoch, round);
            apply(stores, owner, batch.clone()).await;
            sent.push(batch);
        }
    }
    let last = stores.outbox.last(partition).await.expect("the last position");
    assert_eq!(last, Position(sent.len() as u64));
    let mut after = Position(0);
    let mut seen = 0;
    loop {
        let entries = stores.outbox.read(partition, after, 5).await.expect("a page");
        assert!(entries.len() <= 5, "at most as many as asked for");
        for entry in &entries {
            let batch = &sent[seen];
            assert_eq!(entry.position, Position(seen as u64 + 1), "without gaps");
            assert_eq!((entry.event, entry.epoch, entry.at), (batch.event, epoch, batch.at));
            assert_eq!(entry.first_seq, Seq(batch.base.seq.0 + 1));
            assert_eq!(entry.last_seq, batch.next.seq);
            assert_eq!((entry.chain, &entry.blob), (batch.next.chain, &batch.blob));
            seen += 1;
        }
        match entries.last() {
            Some(entry) => after = entry.position,
            None => break,
        }
    }
    assert_eq!(seen, sent.len());
    let beyond = PartitionId(stores.commit.partitions());
    let nothing = stores.outbox.read(beyond, Position(0), 5).await.expect("a page");
    assert!(nothing.is_empty(), "a partition that does not exist");
    let journal = stores.journal.follow(partition, Position(3), 5).await.expect("a page");
    let outbox = stores.outbox.read(partition, Position(3), 5).await.expect("a page");
    assert_eq!(journal, outbox, "the journal in the outbox's order");
}

async fn the_journal_is_one_chain(stores: &Stores) {
    let mut owner = Owner::new(2);
    let epoch = claim(stores, owner.event).await;
    // Booking events 1–3, none, none, 4, 5–8, none, 9.
    for n in [3, 0, 0, 1, 4, 0, 1] {
        let batch = owner.batch(epoch, n);
        apply(stores, &mut owner, batch).await;
    }
    let history = async |from, limit| {
        stores.journal.history(owner.event, Seq(from), limit).await.expect("a history")
    };
    let whole = history(1, 100).await;
    let mut link = Chain::default();
    for entry in &whole {
        link = chain::next(link, &entry.blob);
        assert_eq!(entry.chain, link);
    }
    assert_eq!(link, owner.head.chain, "the chain leads to the head");
    let positions = async |from, limit| {
        history(from, limit).await.iter().map(|entry| entry.position.0).collect::<Vec<_>>()
    };
    assert_eq!(positions(0, 100).await, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(positions(3, 100).await, [1, 2, 3, 4, 5, 6, 7], "the batch that contains it");
    assert_eq!(positions(4, 100).await, [2, 3, 4, 5, 6, 7], "with those that begin with it");
    assert_eq!(positions(5, 100).await, [5, 6, 7]);
    assert_eq!(positions(6, 2).await, [5, 6], "as many as asked for");
    assert_eq!(positions(9, 100).await, [6, 7]);
    assert_eq!(positions(10, 100).await, [0; 0], "nothing is there yet");
    let foreign = stores.journal.history(event(99), Seq(1), 100).await.expect("a history");
    assert!(foreign.is_empty());
}
