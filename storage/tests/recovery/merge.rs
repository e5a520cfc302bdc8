//! The merge: pure, so everything is a table.

use engine::{EventId, Seq};
use storage::recovery::{Anchor, Fork, Gap, History, Merged, Source, merge};
use storage::{Head, OutboxEntry, Position};

use super::{more, opened};

use Source::{Journal, Store, Tail};

fn merged(sources: &[(Source, &[OutboxEntry])]) -> Merged {
    merge(sources.iter().map(|(source, entries)| (*source, entries.to_vec())).collect(), &[])
}

fn only(merged: &Merged) -> &History {
    assert_eq!(merged.histories.len(), 1);
    merged.histories.values().next().expect("one event")
}

fn chains(entries: &[OutboxEntry]) -> Vec<[u8; 16]> {
    entries.iter().map(|entry| entry.chain.0).collect()
}

#[track_caller]
fn is_history(merged: &Merged, expected: &[OutboxEntry]) {
    let history = only(merged);
    let found: Vec<[u8; 16]> = history.batches.iter().map(|found| found.entry.chain.0).collect();
    assert_eq!(found, chains(expected));
    let last = expected.last().map(|e| Head { seq: e.last_seq, chain: e.chain });
    assert_eq!(history.head, last.unwrap_or_default());
}

fn gap(event: EventId, first: u64, last: u64, unusable: u64) -> Gap {
    Gap { event, first: Seq(first), last: Seq(last), unusable, bridged: false }
}

#[test]
fn nothing_is_nothing() {
    assert_eq!(merged(&[]), Merged::default());
    assert_eq!(merged(&[(Journal, &[]), (Tail, &[])]), Merged::default());
}

#[test]
fn whatever_the_sources_have_together_is_one_history() {
    // Seqs: 1 | 2 3 | - | 4 | - | 5 6 7
    let (_, all) = opened(1, &[2, 0, 1, 0, 3]);
    for (journal, store, tail) in [
        (0..6, 0..0, 0..0),
        (0..0, 0..0, 0..6),
        (0..6, 0..6, 0..6),
        (0..2, 2..4, 4..6),
        (4..6, 2..4, 0..2),
        (0..3, 0..5, 2..6),
        (0..0, 0..6, 5..6),
    ] {
        let what = format!("{journal:?} {store:?} {tail:?}");
        let sources = [(Journal, &all[journal]), (Store, &all[store]), (Tail, &all[tail])];
        let merged = merged(&sources);
        is_history(&merged, &all);
        assert_eq!((merged.gaps.len(), merged.forks.len()), (0, 0), "{what}");
        assert_eq!(merged.unreadable, [], "{what}");
        assert_eq!(only(&merged).lost, [], "{what}");
    }
}

#[test]
fn a_batch_counts_once_wherever_it_lies() {
    let (_, all) = opened(1, &[2, 1]);
    let moved: Vec<OutboxEntry> = all
        .iter()
        .map(|entry| OutboxEntry { position: Position(entry.position.0 + 70), ..entry.clone() })
        .collect();
    let of_a_log: Vec<OutboxEntry> =
        all.iter().map(|entry| OutboxEntry { epoch: storage::Epoch(0), ..entry.clone() }).collect();
    let merged = merged(&[(Tail, &all), (Store, &of_a_log), (Journal, &moved), (Tail, &all)]);
    is_history(&merged, &all);
    for (found, entry) in only(&merged).batches.iter().zip(&moved) {
        assert_eq!(found.entry, *entry, "at the journal's place, with its epoch");
        assert!(found.journal && found.store && found.tail);
    }
}

#[test]
fn what_is_missing_is_named() {
    // Seqs: 1 | 2 3 | 4 | 5 6 | - | 7 | 8
    let (owner, all) = opened(1, &[2, 1, 2, 0, 1, 1]);
    let event = owner.event;
    for (missing, kept, gaps) in [
        (&[0][..], 0, vec![gap(event, 1, 1, 6)]),
        (&[1], 1, vec![gap(event, 2, 3, 5)]),
        (&[1, 2], 1, vec![gap(event, 2, 4, 4)]),
        (&[1, 3], 1, vec![gap(event, 2, 3, 1), gap(event, 5, 6, 3)]),
        (&[4], 4, vec![gap(event, 7, 6, 2)]),
        (&[2, 6], 2, vec![gap(event, 4, 4, 3)]),
        (&[6], 6, vec![]),
    ] {
        let there = all.iter().enumerate().filter(|(n, _)| !missing.contains(n));
        let there: Vec<OutboxEntry> = there.map(|(_, entry)| entry.clone()).collect();
        let merged = merged(&[(Journal, &there)]);
        is_history(&merged, &all[..kept]);
        assert_eq!(merged.gaps, gaps, "{missing:?}");
        assert_eq!(merged.forks, [], "{missing:?}");
        assert_eq!(only(&merged).lost, there[kept..], "{missing:?}");
    }
}

#[test]
fn a_header_tells_of_an_end_that_nobody_has() {
    let (owner, all) = opened(1, &[2, 1, 0]);
    let (event, head) = (owner.event, owner.head);
    let anchor = |head| Anchor { event, head, snapshot: None };
    for (there, gaps) in [
        (4, vec![]),
        (3, vec![gap(event, 5, 4, 0)]),
        (2, vec![gap(event, 4, 4, 0)]),
        (0, vec![gap(event, 1, 4, 0)]),
    ] {
        let merged = merge(vec![(Journal, all[..there].to_vec())], &[anchor(head)]);
        is_history(&merged, &all[..there]);
        assert_eq!(merged.gaps, gaps, "{there}");
    }
    let behind = Head { seq: all[1].last_seq, chain: all[1].chain };
    let merged = merge(vec![(Journal, all.clone())], &[anchor(behind)]);
    is_history(&merged, &all);
    assert_eq!(merged.gaps, [], "a header that lies behind is just older");
}

#[test]
fn a_snapshot_reaches_over_what_the_journal_has_lost() {
    let (owner, all) = opened(1, &[2, 1, 1, 1]);
    let event = owner.event;
    let snapshot = Some(Head { seq: all[2].last_seq, chain: all[2].chain });
    let anchor = [Anchor { event, head: owner.head, snapshot }];
    let merged = merge(vec![(Journal, all[..1].to_vec()), (Store, all[3..].to_vec())], &anchor);
    let history = only(&merged);
    assert_eq!((Some(history.base), history.head), (snapshot, owner.head));
    assert_eq!((history.batches.len(), history.lost.len()), (2, 0));
    assert_eq!(merged.gaps, [Gap { bridged: true, ..gap(event, 2, 4, 0) }]);
    assert_eq!(merged.forks, []);
    let merged = merge(vec![(Journal, all)], &anchor);
    assert_eq!(only(&merged).base, Head::default(), "it is not needed");
}

/// Two histories with a common beginning of three batches (seqs 1 to 4).
struct Two {
    common: Vec<OutboxEntry>,
    long: Vec<OutboxEntry>,
    short: Vec<OutboxEntry>,
}

fn two() -> Two {
    let (mut owner, common) = opened(1, &[2, 1]);
    let mut other = owner.clone();
    let long = more(&mut owner, 4, &[1, 2, 1]);
    // The same places: a store that lost something gives them anew.
    let short = more(&mut other, 4, &[3]);
    Two { common, long, short }
}

#[track_caller]
fn fork(merged: &Merged) -> Fork {
    assert_eq!(merged.forks.len(), 1);
    assert_eq!(merged.gaps, []);
    merged.forks[0]
}

#[test]
fn of_two_histories_the_acknowledged_one_is_taken() {
    let Two { common, long, short } = two();
    let late: Vec<OutboxEntry> =
        short.iter().map(|entry| OutboxEntry { position: Position(99), ..entry.clone() }).collect();
    for (long_in, short_in, takes_short, why) in [
        (Journal, Tail, true, "an owner has it"),
        (Store, Tail, true, "an owner has it"),
        (Tail, Journal, false, "an owner has it"),
        (Tail, Tail, false, "the longer"),
        (Store, Journal, true, "the journal has it"),
        (Journal, Store, false, "the journal has it"),
        (Store, Store, false, "the longer"),
        (Journal, Journal, true, "it has the later place in the journal"),
    ] {
        let short = if (long_in, short_in) == (Journal, Journal) { &late } else { &short };
        let sources = [(Journal, &common[..]), (long_in, &long), (short_in, short)];
        let merged = merged(&sources);
        let (taken, left) = if takes_short { (short, &long) } else { (&long, short) };
        let whole: Vec<OutboxEntry> = common.iter().chain(taken).cloned().collect();
        is_history(&merged, &whole);
        let fork = fork(&merged);
        assert_eq!((fork.after, fork.proven), (Seq(4), true), "{why}");
        assert_eq!(fork.taken.batches, taken.len() as u64, "{why}");
        assert_eq!(fork.left.batches, left.len() as u64, "{why}");
        assert_eq!(fork.left.last, left.last().expect("one").last_seq, "{why}");
        assert_eq!(only(&merged).lost.len(), left.len(), "{why}");
        assert_eq!(only(&merged).forked_after, Some(Seq(4)), "{why}");
    }
}

#[test]
fn another_history_without_its_beginning_is_told_as_well() {
    let Two { common, long, .. } = two();
    let (mut other, _) = opened(1, &[2, 1]);
    let strange = more(&mut other, 4, &[2, 1]);
    let sources = [(Journal, &common[..]), (Journal, &long), (Store, &strange[1..])];
    let merged = merged(&sources);
    let whole: Vec<OutboxEntry> = common.iter().chain(&long).cloned().collect();
    is_history(&merged, &whole);
    let fork = fork(&merged);
    assert_eq!((fork.after, fork.proven, fork.left.batches), (Seq(6), false, 1));
}

#[test]
fn a_damaged_copy_hides_no_good_one() {
    let (owner, all) = opened(1, &[2, 1, 1]);
    let mut torn = all[2].clone();
    torn.blob = torn.blob[..torn.blob.len() - 1].into();
    let with_torn = [all[0].clone(), all[1].clone(), torn, all[3].clone()];
    let merged_both = merged(&[(Journal, &with_torn), (Tail, &all[2..3])]);
    is_history(&merged_both, &all);
    assert_eq!(merged_both.gaps, []);
    assert_eq!(merged_both.unreadable.len(), 1);
    assert_eq!(only(&merged_both).lost, [], "it is no other history");
    let merged_torn = merged(&[(Journal, &with_torn)]);
    is_history(&merged_torn, &all[..2]);
    assert_eq!(merged_torn.gaps, [gap(owner.event, 4, 4, 1)], "it is there, and of no use");
    assert_eq!(merged_torn.unreadable[0].first_seq, Seq(4));
    assert_eq!(merged_torn.unreadable[0].position, Position(3));
}

#[test]
fn events_do_not_meet() {
    let (one, all_of_one) = opened(1, &[2, 1]);
    let (two, all_of_two) = opened(2, &[1, 1]);
    let mixed: Vec<OutboxEntry> = all_of_two.iter().chain(&all_of_one[..1]).cloned().collect();
    let merged = merged(&[(Journal, &mixed), (Tail, &all_of_one[2..])]);
    assert_eq!(merged.histories[&two.event].head, two.head);
    assert_eq!(merged.histories[&one.event].head.seq, Seq(1));
    assert_eq!(merged.gaps, [gap(one.event, 2, 3, 1)]);
}
