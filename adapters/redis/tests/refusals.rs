//! What Redis has to refuse, asked past every check of ours as well.

use std::time::Instant;

use engine::EventId;
use storage::commit::TENURE;
use storage::conformance::commit::{apply, books, claim};
use storage::conformance::sample::Owner;
use storage::{
    Claim, CommitOutcome, Epoch, Era, Member, MemberState, PartitionId, SnapshotToKeep,
    StorageError,
};

use crate::support::{Made, raw, stores};

/// Arguments of a commit that would be applied, after the six keys.
fn arguments(epoch: u64) -> Vec<Vec<u8>> {
    let sixteen = |n: u8| vec![n; 16];
    let text = |n: u64| n.to_string().into_bytes();
    vec![
        text(epoch),
        sixteen(7),
        text(5),
        sixteen(1),
        text(0),
        sixteen(0),
        text(1),
        sixteen(2),
        text(1),
        text(0),
        text(10),
        text(1),
        Vec::new(),
        text(1_000),
        b"sums".to_vec(),
        b"blob".to_vec(),
    ]
}

const KEYS: [&str; 6] = ["own", "h:x", "log:x", "ob", "due", "ev"];

/// All keys of partition 0 under a prefix, with what they are.
async fn dump(prefix: &str) -> Vec<(String, Vec<u8>)> {
    let mut connection = raw().await;
    let mut keys: Vec<String> = redis::cmd("KEYS")
        .arg(format!("{prefix}*"))
        .query_async(&mut connection)
        .await
        .expect("keys");
    keys.sort();
    let mut dumped = Vec::new();
    for key in keys {
        let value = redis::cmd("DUMP").arg(&key).query_async(&mut connection).await.expect("one");
        dumped.push((key, value));
    }
    dumped
}

async fn raw_commit(
    prefix: &str,
    keys: &[&str],
    arguments: &[Vec<u8>],
) -> Result<(String, u64), redis::RedisError> {
    let mut call = redis::cmd("FCALL");
    call.arg("ef1_commit").arg(keys.len());
    for key in keys {
        call.arg(format!("{prefix}{{p0}}:{key}"));
    }
    for argument in arguments {
        call.arg(&argument[..]);
    }
    call.query_async(&mut raw().await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_looks_at_everything_before_it_writes_anything() {
    let made = Made::default();
    let options = made.options();
    adapter_redis::Redis::create(&options).await.expect("partitions");
    let redis = adapter_redis::Redis::connect(&options).await.expect("a connection");
    let won = redis.commit().claim(PartitionId(0), "one", Epoch(0), false).await;
    assert_eq!(won.expect("a claim"), Claim::Won(Epoch(1)));
    let prefix = &options.prefix;
    let good = arguments(1);
    let before = dump(prefix).await;

    let mut bad: Vec<(Vec<Vec<u8>>, &str)> = Vec::new();
    bad.push((good[..15].to_vec(), "an argument is missing"));
    bad.push(([good.clone(), vec![Vec::new()]].concat(), "there is one too many"));
    for (at, why) in [
        (0, "epoch"),
        (4, "base seq"),
        (6, "next seq"),
        (8, "booked"),
        (9, "held"),
        (10, "capacity"),
        (13, "time"),
    ] {
        for not in [&b"x"[..], b"", b"-1.5"] {
            let mut arguments = good.clone();
            arguments[at] = not.to_vec();
            bad.push((arguments, why));
        }
    }
    for (at, why) in [(1, "event"), (3, "batch"), (5, "base chain"), (7, "next chain")] {
        let mut arguments = good.clone();
        arguments[at].pop();
        bad.push((arguments, why));
    }
    let mut deadline = good.clone();
    deadline[12] = b"soon".to_vec();
    bad.push((deadline, "deadline"));
    for (arguments, why) in bad {
        let answer = raw_commit(prefix, &KEYS, &arguments).await;
        assert!(answer.is_err(), "{why}: {answer:?}");
        assert_eq!(dump(prefix).await, before, "{why}: something was written");
    }
    assert!(raw_commit(prefix, &KEYS[..5], &good).await.is_err(), "a key is missing");
    // A key of another kind, for each key: nothing may have been written before it is met.
    for wrong in KEYS {
        let keys: Vec<String> = KEYS
            .iter()
            .map(|key| if *key == wrong { "members2".into() } else { (*key).into() })
            .collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let of_another_kind = format!("{prefix}{{p0}}:members2");
        let set = redis::cmd("SET").arg(&of_another_kind).arg("text").clone();
        let () = set.query_async(&mut raw().await).await.expect("a text");
        let before = dump(prefix).await;
        assert!(raw_commit(prefix, &keys, &good).await.is_err(), "{wrong} is a text");
        assert_eq!(dump(prefix).await, before, "{wrong}: something was written");
    }
    for (at, value, code, why) in [
        (0, "2", "F", "an epoch that is not yet"),
        (0, "0", "F", "before any claim"),
        (4, "3", "D", "another base"),
        (8, "11", "I", "more places gone than there are"),
        (11, "0", "I", "found against the law by the client"),
    ] {
        let mut arguments = good.clone();
        arguments[at] = value.as_bytes().to_vec();
        let before = dump(prefix).await;
        let (outcome, _) = raw_commit(prefix, &KEYS, &arguments).await.expect("an outcome");
        assert_eq!(outcome, code, "{why}");
        assert_eq!(dump(prefix).await, before, "{why}: something was written");
    }
    let applied = raw_commit(prefix, &KEYS, &good).await.expect("an outcome");
    assert_eq!(applied, ("O".into(), 1));
    let again = raw_commit(prefix, &KEYS, &good).await.expect("an outcome");
    assert_eq!(again, ("A".into(), 1), "a resent one");
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owned_partition_does_not_change_hands_all_the_time() {
    let made = Made::default();
    let store = made.redis().await.commit();
    let claim = async |owner, epoch, gone| {
        store.claim(PartitionId(0), owner, Epoch(epoch), gone).await.expect("a claim")
    };
    let mut epoch = 0;
    // A machine that pauses for longer than a tenure has not asked too soon.
    let taken = loop {
        let begun = Instant::now();
        assert_eq!(claim("one", epoch, true).await, Claim::Won(Epoch(epoch + 1)));
        epoch += 1;
        let answer = claim("two", epoch, false).await;
        if begun.elapsed() < TENURE {
            break answer;
        }
        epoch += u64::from(answer != Claim::TooSoon);
        assert!(epoch < 100, "it is never asked in time");
    };
    assert_eq!(taken, Claim::TooSoon);
    assert_eq!(claim("two", epoch, true).await, Claim::Won(Epoch(epoch + 1)), "it is gone");
    assert!(store.release(PartitionId(0), Epoch(epoch + 1)).await.expect("a release"));
    let free = Claim::Won(Epoch(epoch + 3));
    assert_eq!(claim("one", epoch + 2, false).await, free, "it was free");
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_claim_at_once_one_wins() {
    let made = Made::default();
    let store = made.redis().await.commit();
    for epoch in 0..20 {
        let claims = (0..16).map(|_| store.claim(PartitionId(1), "one", Epoch(epoch), true));
        let claims = futures_util::future::join_all(claims).await;
        let won = claims.iter().filter(|claim| matches!(claim, Ok(Claim::Won(_)))).count();
        assert_eq!(won, 1, "{claims:?}");
    }
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_flip_of_an_owner_that_is_gone_does_nothing() {
    let made = Made::default();
    let stores = stores(&made.redis().await);
    let mut owner = Owner::new(1);
    let epoch = claim(&stores, owner.event).await;
    let batch = owner.batch(epoch, 3);
    apply(&stores, &mut owner, batch).await;
    let (event, head) = (owner.event, owner.head);
    let late = SnapshotToKeep { epoch, event, head, blob: b"late".as_slice().into() };
    let next = claim(&stores, event).await;
    let before = books(&stores, &[event]).await;
    assert!(!stores.commit.keep_snapshot(late.clone()).await.expect("an answer"));
    assert_eq!(books(&stores, &[event]).await, before);
    let large = vec![9; 3 * 256 * 1024 + 17];
    let own = SnapshotToKeep { epoch: next, blob: large.clone().into(), ..late };
    assert!(stores.commit.keep_snapshot(own.clone()).await.expect("an answer"));
    assert!(!stores.commit.keep_snapshot(own).await.expect("an answer"), "no progress");
    let loaded = stores.commit.load(event).await.expect("a load").expect("a history");
    assert_eq!(loaded.snapshot.as_deref(), Some(&large[..]), "in chunks, and whole");
    made.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go() {
    let made = Made::default();
    let members = made.redis().await.members();
    let member = |node: &str, incarnation: u8, tick| Member {
        node: node.into(),
        incarnation: [incarnation; 8],
        address: "127.0.0.1:1".into(),
        state: MemberState::Ready,
        tick,
    };
    assert_eq!(members.all().await.expect("rows"), []);
    for member in [member("b2", 1, 1), member("b1", 1, 1), member("b1", 2, 7)] {
        members.announce(&member).await.expect("a row");
    }
    assert_eq!(members.all().await.expect("rows"), [member("b1", 2, 7), member("b2", 1, 1)]);
    members.leave("b1", [1; 8]).await.expect("nothing to do");
    assert_eq!(members.all().await.expect("rows").len(), 2, "that was an earlier life");
    members.leave("b1", [2; 8]).await.expect("gone");
    assert_eq!(members.all().await.expect("rows"), [member("b2", 1, 1)]);
    made.clear().await;
}

/// Who was paused must not close what another has taken over since; and what is closed is
/// closed to everybody, and told apart from what was never there.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_is_closed_by_its_own_epoch_only_and_then_to_everybody() {
    let made = Made::default();
    let stores = stores(&made.redis().await);
    let mut owner = Owner::new(1);
    let (store, event) = (&*stores.commit, owner.event);
    let here = store.partition_of(event);
    let first = claim(&stores, event).await;
    let batch = owner.batch(first, 1);
    apply(&stores, &mut owner, batch).await;
    let second = claim(&stores, event).await;
    assert!(!store.close(here, first).await.expect("an answer"), "that is of the past");
    assert_eq!(store.epoch(here).await.expect("an epoch"), second);
    assert!(store.close(here, second).await.expect("an answer"));
    let holders = store.holders().await.expect("holders");
    let held = &holders[usize::from(here.0)];
    assert_eq!((held.era, held.owner.as_deref()), (Era(0), None));
    let claimed = store.claim(here, "three", Epoch(second.0 + 1), true).await;
    assert!(matches!(claimed, Err(StorageError::Damaged(_))), "{claimed:?}");
    let late = owner.batch(second, 1);
    assert_eq!(store.commit(late).await.expect("an outcome"), CommitOutcome::Fenced);
    // Another event of the same partition, which was never there.
    let other = (0..=u8::MAX).map(|n| EventId([n; 16]));
    let other = other.filter(|other| *other != event && store.partition_of(*other) == here);
    let absent = store.headers(other.take(1).collect()).await;
    assert!(absent.is_err(), "what is closed may have had it: {absent:?}");
    made.clear().await;
}
