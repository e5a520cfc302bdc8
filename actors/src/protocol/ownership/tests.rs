use super::*;
use crate::protocol::placement::first;
use crate::protocol::suspicion::Pong;
use storage::{Era, Member, Position};

const PARTITIONS: u16 = 8;

fn row(node: &str, state: MemberState) -> Member {
    let (node, address) = (node.to_owned(), format!("{node}:1"));
    Member { node, incarnation: 1u64.to_be_bytes(), address, state, tick: 1 }
}

fn replica(node: &str) -> Replica {
    Replica::new(node, 1)
}

/// `b1`, ready, that has been told of other replicas.
fn ready(others: &[&str]) -> Ownership {
    let mut ownership = Ownership::new(replica("b1"), PARTITIONS, 0);
    let rows: Vec<Member> = others.iter().map(|node| row(node, MemberState::Ready)).collect();
    ownership.peers_mut().members(0, &rows);
    ownership.ready();
    ownership
}

/// All partitions at one epoch with one owner.
fn all(epoch: u64, owner: Option<&str>) -> Vec<Holder> {
    let holder = |n| Holder {
        partition: PartitionId(n),
        era: Era(1),
        epoch: Epoch(epoch),
        owner: owner.map(|node| replica(node).to_string()),
        last: Position(0),
    };
    (0..PARTITIONS).map(holder).collect()
}

fn claims(actions: &[Action]) -> Vec<(u16, bool)> {
    let claim = |action: &Action| match action {
        Action::Claim { partition, owner_is_gone, .. } => Some((partition.0, *owner_is_gone)),
        _ => None,
    };
    actions.iter().filter_map(claim).collect()
}

fn of(node: &str, nodes: &[&str]) -> Vec<u16> {
    let home = |n: &u16| first(PartitionId(*n), nodes.iter().copied()) == Some(node);
    (0..PARTITIONS).filter(home).collect()
}

/// Partition 0, claimed, won, prepared and open at epoch 1; everything else lost.
fn with_one_open() -> Ownership {
    let mut ownership = ready(&[]);
    ownership.holders(0, &all(0, None));
    for n in 1..PARTITIONS {
        ownership.claimed(10, PartitionId(n), Claimed::Lost(Epoch(1)));
    }
    ownership.claimed(10, PartitionId(0), Claimed::Won(Epoch(1)));
    let opened = ownership.prepared(20, PartitionId(0), Epoch(1), true);
    assert_eq!(opened, [Action::Open { partition: PartitionId(0), epoch: Epoch(1) }]);
    ownership
}

#[test]
fn nothing_is_claimed_before_it_is_known_who_owns_what() {
    let mut ownership = ready(&[]);
    assert_eq!(ownership.tick(0), [Action::ReadHolders]);
    assert_eq!(claims(&ownership.holders(5, &all(0, None))).len(), usize::from(PARTITIONS));
    let mut starting = Ownership::new(replica("b1"), PARTITIONS, 0);
    assert_eq!(claims(&starting.holders(5, &all(0, None))), [], "not ready yet");
}

#[test]
fn what_is_free_goes_to_where_it_belongs_and_after_a_while_to_anybody() {
    let mut ownership = ready(&["b2"]);
    let own = of("b1", &["b1", "b2"]);
    let claimed: Vec<u16> =
        claims(&ownership.holders(0, &all(0, None))).into_iter().map(|(n, _)| n).collect();
    assert_eq!(claimed, own);
    assert!(!own.is_empty() && own.len() < usize::from(PARTITIONS));
    let mut rest = Vec::new();
    for now in (100..=ANYBODY_AFTER).step_by(100) {
        ownership.peers_mut().store_answered(now);
        ownership.peers_mut().pong(now, pong("b2"));
        rest.extend(claims(&ownership.tick(now)));
    }
    let rest: Vec<u16> = rest.into_iter().map(|(n, _)| n).collect();
    assert_eq!(rest, of("b2", &["b1", "b2"]), "b2 does not take them");
}

fn pong(node: &str) -> Pong {
    let from = replica(node);
    Pong { from, state: MemberState::Ready, store_age: 0, silent: Vec::new() }
}

#[test]
fn everything_of_a_dead_owner_is_claimed_at_once() {
    let mut ownership = ready(&["b2", "b3"]);
    assert_eq!(claims(&ownership.holders(0, &all(4, Some("b2")))), [], "b2 lives");
    ownership.peers_mut().refused(&replica("b2"));
    let claimed = claims(&ownership.tick(50));
    let expected: Vec<_> = of("b1", &["b1", "b3"]).into_iter().map(|n| (n, true)).collect();
    assert_eq!(claimed, expected);
}

#[test]
fn a_partition_is_served_only_when_it_is_prepared() {
    let mut ownership = ready(&[]);
    ownership.holders(0, &all(0, None));
    let partition = PartitionId(0);
    let actions = ownership.claimed(10, partition, Claimed::Won(Epoch(1)));
    assert_eq!(actions, [Action::Prepare { partition, epoch: Epoch(1) }]);
    assert_eq!(ownership.serves(partition), None);
    assert_eq!(ownership.route(partition, 10), Route::Nowhere);
    assert_eq!(ownership.prepared(20, partition, Epoch(1), false), []);
    assert_eq!(ownership.serves(partition), None, "it failed");
    let again = ownership.tick(20 + PREPARE_AGAIN);
    assert!(again.contains(&Action::Prepare { partition, epoch: Epoch(1) }));
    ownership.prepared(300, partition, Epoch(1), true);
    assert_eq!(ownership.route(partition, 300), Route::Here(Epoch(1)));
}

#[test]
fn a_lost_claim_that_was_won_is_found_by_being_named() {
    let mut ownership = ready(&[]);
    ownership.holders(0, &all(0, None));
    for n in 0..PARTITIONS {
        ownership.claimed(10, PartitionId(n), Claimed::Unknown);
    }
    let named = claims(&ownership.holders(600, &all(1, Some("b1"))));
    assert_eq!(named.len(), usize::from(PARTITIONS));
    assert!(named.iter().all(|(_, owner_is_gone)| *owner_is_gone), "nobody to wait for");
}

#[test]
fn a_claim_won_late_is_taken() {
    let mut ownership = ready(&[]);
    ownership.holders(0, &all(0, None));
    ownership.tick(CLAIM_LIMIT);
    let partition = PartitionId(3);
    let late = ownership.claimed(CLAIM_LIMIT + 5, partition, Claimed::Won(Epoch(1)));
    assert_eq!(late, [Action::Prepare { partition, epoch: Epoch(1) }]);
}

#[test]
fn who_is_fenced_closes_and_looks_at_once() {
    let mut ownership = with_one_open();
    let partition = PartitionId(0);
    assert_eq!(ownership.fenced(partition, Epoch(7)), [], "that is not the one we have");
    let closed = ownership.fenced(partition, Epoch(1));
    assert_eq!(closed, [Action::Close { partition, epoch: Epoch(1) }]);
    assert_eq!(ownership.serves(partition), None);
    assert!(ownership.tick(30).contains(&Action::ReadHolders));
}

#[test]
fn a_newer_owner_in_the_store_ends_ours() {
    let mut ownership = with_one_open();
    ownership.peers_mut().members(100, &[row("b2", MemberState::Ready)]);
    let actions = ownership.holders(100, &all(2, Some("b2")));
    assert!(actions.contains(&Action::Close { partition: PartitionId(0), epoch: Epoch(1) }));
    let there = Route::There { node: "b2".into(), epoch: Epoch(2) };
    assert_eq!(ownership.route(PartitionId(0), 100), there);
}

#[test]
fn an_old_answer_changes_nothing_but_a_store_that_insists_is_believed() {
    let mut ownership = with_one_open();
    let partition = PartitionId(0);
    assert!(!has_close(&ownership.holders(100, &all(0, None)), partition));
    assert_eq!(ownership.serves(partition), Some(Epoch(1)), "a read begun before the claim");
    ownership.holders(200, &all(1, Some("b1")));
    assert!(!has_close(&ownership.holders(REWOUND_AFTER + 200, &all(0, None)), partition));
    assert!(!has_close(&ownership.holders(REWOUND_AFTER + 300, &all(0, None)), partition));
    let insisting = ownership.holders(2 * REWOUND_AFTER + 300, &all(0, None));
    assert!(has_close(&insisting, partition), "the store has lost our claim");
    assert!(claims(&insisting).contains(&(0, false)), "and it is claimed again");
}

fn has_close(actions: &[Action], wanted: PartitionId) -> bool {
    let close =
        |action: &Action| matches!(action, Action::Close { partition, .. } if *partition == wanted);
    actions.iter().any(close)
}

#[test]
fn a_draining_replica_gives_everything_away_and_takes_nothing() {
    let mut ownership = with_one_open();
    ownership.peers_mut().members(100, &[row("b2", MemberState::Ready)]);
    ownership.drain();
    let partition = PartitionId(0);
    let actions = ownership.tick(100);
    assert!(actions.contains(&Action::Finish { partition, epoch: Epoch(1) }));
    assert_eq!(ownership.serves(partition), None);
    assert_eq!(ownership.has_tail(partition), Some(Epoch(1)), "lists still need it");
    let release = ownership.finished(partition, Epoch(1));
    assert_eq!(release, [Action::Release { partition, epoch: Epoch(1) }]);
    let done = ownership.released(150, partition, Epoch(1), true);
    let close = Action::Close { partition, epoch: Epoch(1) };
    let hint = Action::Hint { node: "b2".into(), partition, epoch: Epoch(2) };
    assert_eq!(done, [close, hint]);
    assert!(ownership.is_free());
    assert_eq!(claims(&ownership.holders(5_000, &all(2, None))), [], "it takes nothing");
}

#[test]
fn a_hint_is_a_reason_to_claim() {
    let mut ownership = ready(&["b2"]);
    ownership.holders(0, &all(3, Some("b2")));
    let partition = PartitionId(of("b1", &["b1", "b2"])[0]);
    let claimed = claims(&ownership.hinted(10, partition, Epoch(4)));
    assert_eq!(claimed, [(partition.0, false)]);
}

#[test]
fn who_has_settled_gets_what_belongs_to_it_a_little_at_a_time() {
    let mut ownership = ready(&[]);
    ownership.holders(0, &all(0, None));
    for n in 0..PARTITIONS {
        ownership.claimed(10, PartitionId(n), Claimed::Won(Epoch(1)));
        ownership.prepared(20, PartitionId(n), Epoch(1), true);
    }
    ownership.peers_mut().members(100, &[row("b2", MemberState::Ready)]);
    let mut moved = Vec::new();
    for now in (100..SETTLED_AFTER + 2_000).step_by(50) {
        ownership.peers_mut().pong(now, pong("b2"));
        let actions = ownership.tick(now);
        let finishing = actions.iter().filter_map(|action| match action {
            Action::Finish { partition, .. } => Some(partition.0),
            _ => None,
        });
        let finishing: Vec<u16> = finishing.collect();
        assert!(finishing.len() <= 1 && (finishing.is_empty() || now >= SETTLED_AFTER));
        moved.extend(finishing);
    }
    assert_eq!(moved, of("b2", &["b1", "b2"]));
}

#[test]
fn a_broken_history_is_kept_from_everybody() {
    let mut ownership = with_one_open();
    let partition = PartitionId(0);
    let closed = ownership.broken(partition);
    assert_eq!(closed, [Action::Close { partition, epoch: Epoch(1) }]);
    assert_eq!(ownership.route(partition, 100), Route::Nowhere);
    let claimed = claims(&ownership.holders(100, &all(1, Some("b1"))));
    assert!(claimed.iter().all(|(n, _)| *n != 0), "not claimed again");
}

#[test]
fn a_claim_that_brought_nothing_waits_until_it_is_known_who_has_it() {
    for outcome in [Claimed::Lost(Epoch(1)), Claimed::TooSoon, Claimed::Unknown] {
        let mut ownership = ready(&[]);
        ownership.holders(0, &all(0, None));
        ownership.claimed(10, PartitionId(0), outcome);
        let again = |actions: &[Action]| claims(actions).iter().any(|(n, _)| *n == 0);
        for now in (60..400).step_by(50) {
            ownership.peers_mut().store_answered(now);
            assert!(!again(&ownership.tick(now)), "{outcome:?} at {now}");
        }
        assert!(again(&ownership.holders(400, &all(1, None))), "now it is known to be free");
    }
}

#[test]
fn what_is_closed_does_not_open_whatever_is_under_way() {
    let partition = PartitionId(0);
    let mut claiming = ready(&[]);
    claiming.holders(0, &all(0, None));
    assert_eq!(claiming.broken(partition), []);
    assert_eq!(claiming.claimed(10, partition, Claimed::Won(Epoch(1))), [], "not prepared");

    let mut preparing = ready(&[]);
    preparing.holders(0, &all(0, None));
    preparing.claimed(10, partition, Claimed::Won(Epoch(1)));
    let closed = Action::Close { partition, epoch: Epoch(1) };
    assert_eq!(preparing.broken(partition), [closed]);
    assert_eq!(preparing.prepared(20, partition, Epoch(1), true), [], "not opened");
}

#[test]
fn what_was_closed_by_mistake_goes_on_as_the_store_says() {
    let mut ownership = with_one_open();
    let partition = PartitionId(0);
    ownership.broken(partition);
    ownership.sound(partition);
    assert_eq!(ownership.serves(partition), None);
    let claimed = claims(&ownership.holders(100, &all(2, None)));
    assert!(claimed.iter().any(|(n, _)| *n == 0), "it is free at epoch 2");
}

#[test]
fn a_repaired_store_is_begun_anew() {
    let mut ownership = with_one_open();
    let partition = PartitionId(0);
    ownership.broken(partition);
    let actions = ownership.begin_anew(&all(1, None));
    assert_eq!(actions, [Action::Close { partition, epoch: Epoch(1) }]);
    let claimed = claims(&ownership.holders(100, &all(1, None)));
    assert_eq!(claimed.len(), usize::from(PARTITIONS), "also at an epoch that it once had");
}
