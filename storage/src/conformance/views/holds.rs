//! Holds in the views: folded from changes, by stamp; released with their event;
//! forgotten when they are over.

use engine::{HoldId, Seats, Seq, Words};

use super::super::Fresh;
use super::super::sample::{Dice, at, event, user};
use super::apply;
use crate::views::{HoldChange, HoldRow, HoldStatus, HoldStep, ViewChange};
use crate::{BookingViews, Stores};

pub(super) async fn suite(fresh: Fresh<'_>) {
    holds_come_back_with_their_details(&fresh()).await;
    a_hold_follows_its_changes(&fresh()).await;
    replays_change_nothing(&fresh()).await;
    a_new_era_beats_every_seq(&fresh()).await;
    a_cancelled_event_releases_its_holds(&fresh()).await;
}

pub(super) async fn suite_of_forgetting(fresh: Fresh<'_>) {
    holds_that_are_over_are_forgotten_in_steps(&fresh()).await;
}

fn id_of(what: u64, seq: u64) -> HoldId {
    HoldId::compose(at(seq as i64), event(what), Seq(seq))
}

/// A step in the life of the hold made at `made`, one millisecond per seq.
fn step(what: u64, made: u64, seq: u64, step: HoldStep) -> ViewChange {
    ViewChange::Hold(HoldChange {
        id: id_of(what, made),
        event: event(what),
        stamp: Seq(seq),
        at: at(seq as i64),
        step,
    })
}

fn placed(what: u64, seq: u64, details: &[u8]) -> ViewChange {
    let placed = HoldStep::Placed {
        user: user(seq),
        quantity: Seats::new(3).expect("more than zero"),
        expires_at: at(seq as i64 + 600),
        details: Words::new(details),
    };
    step(what, seq, seq, placed)
}

fn changed(details: Option<&[u8]>, extensions: u8, ends: i64) -> HoldStep {
    HoldStep::Changed { expires_at: at(ends), extensions, details: details.map(Words::new) }
}

fn fresh_row(what: u64, seq: u64, details: &[u8]) -> HoldRow {
    HoldRow {
        id: id_of(what, seq),
        event: event(what),
        user: user(seq),
        quantity: Seats::new(3).expect("more than zero"),
        status: HoldStatus::Held,
        seq: Seq(seq),
        made_at: at(seq as i64),
        changed_at: at(seq as i64),
        expires_at: at(seq as i64 + 600),
        details: Words::new(details),
        extended: Vec::new(),
        stamp: Seq(seq),
    }
}

async fn stored(views: &dyn BookingViews, what: u64, seq: u64) -> Option<HoldRow> {
    views.hold(id_of(what, seq)).await.expect("a read")
}

async fn holds_come_back_with_their_details(stores: &Stores) {
    let views = &*stores.views;
    assert_eq!(stored(views, 1, 1).await, None);
    let long = vec![0xab; 64 * 1024];
    apply(views, 1, &[placed(1, 1, b"{}"), placed(1, 2, &long)], 1).await;
    assert_eq!(stored(views, 1, 1).await, Some(fresh_row(1, 1, b"{}")));
    assert_eq!(stored(views, 1, 2).await, Some(fresh_row(1, 2, &long)));
    assert_eq!(stored(views, 2, 1).await, None, "another event's");
    // A hold that is not known, because it was forgotten, is not made by a change.
    apply(views, 1, &[step(1, 5, 9, HoldStep::Ended(HoldStatus::Expired))], 2).await;
    assert_eq!(stored(views, 1, 5).await, None);
}

async fn a_hold_follows_its_changes(stores: &Stores) {
    let views = &*stores.views;
    let changes = [
        placed(1, 1, b"one"),
        step(1, 1, 2, changed(None, 1, 700)),
        step(1, 1, 3, changed(Some(b"two"), 1, 700)),
        step(1, 1, 4, changed(Some(b"three"), 2, 800)),
        step(1, 1, 5, changed(None, 3, 900)),
        step(1, 1, 6, HoldStep::Ended(HoldStatus::Expired)),
        step(1, 1, 8, HoldStep::Ended(HoldStatus::Confirmed)),
    ];
    // Some in one call, some in the next.
    apply(views, 1, &changes[..3], 1).await;
    apply(views, 1, &changes[3..], 2).await;
    let expected = HoldRow {
        status: HoldStatus::Confirmed,
        changed_at: at(8),
        expires_at: at(900),
        details: Words::new(b"three"),
        extended: vec![(1, Words::new(b"one")), (3, Words::new(b"three"))],
        stamp: Seq(8),
        ..fresh_row(1, 1, b"one")
    };
    assert_eq!(stored(views, 1, 1).await, Some(expected));
}

async fn replays_change_nothing(stores: &Stores) {
    let views = &*stores.views;
    let mut dice = Dice(12);
    let mut history = Vec::new();
    for seq in 1..=80 {
        let made = 1 + dice.below(seq);
        history.push(match dice.below(10) {
            0..=3 => placed(made % 2, seq, &seq.to_be_bytes()),
            4..=5 => step(made % 2, made, seq, changed(Some(&seq.to_be_bytes()), 1, 900)),
            6..=7 => step(made % 2, made, seq, changed(None, dice.below(4) as u8, 950)),
            8 => step(made % 2, made, seq, HoldStep::Ended(HoldStatus::Released)),
            _ => {
                ViewChange::CancelAll { event: event(seq % 5), stamp: Seq(seq), at: at(seq as i64) }
            }
        });
    }
    apply(views, 1, &history, 80).await;
    let all = async || {
        let mut rows = Vec::new();
        for seq in 1..=80 {
            rows.extend(stored(views, 0, seq).await);
            rows.extend(stored(views, 1, seq).await);
        }
        rows
    };
    let before = all().await;
    assert!(before.iter().any(|row| row.stamp > row.seq), "some were changed");
    for from in [0, 1, 33, 79] {
        apply(views, 1, &history[from..], 80).await;
        assert_eq!(all().await, before, "replayed from {from}");
        for change in &history[from..] {
            apply(views, 1, std::slice::from_ref(change), 80).await;
        }
        assert_eq!(all().await, before, "replayed from {from}, one by one");
    }
}

async fn a_new_era_beats_every_seq(stores: &Stores) {
    let views = &*stores.views;
    let first = [placed(1, 1, b"lost"), step(1, 1, 9, changed(None, 1, 700))];
    apply(views, 1, &first, 1).await;
    let again = [placed(1, 1, b"new"), step(1, 1, 3, changed(None, 1, 700))];
    apply(views, 2, &again, 2).await;
    let expected = HoldRow {
        changed_at: at(3),
        expires_at: at(700),
        extended: vec![(1, Words::new(b"new"))],
        stamp: Seq(3),
        ..fresh_row(1, 1, b"new")
    };
    assert_eq!(stored(views, 1, 1).await, Some(expected.clone()));
    apply(views, 1, &[step(1, 1, 99, HoldStep::Ended(HoldStatus::Expired))], 3).await;
    assert_eq!(stored(views, 1, 1).await, Some(expected), "a lost era never wins");
}

async fn a_cancelled_event_releases_its_holds(stores: &Stores) {
    let views = &*stores.views;
    let all = ViewChange::CancelAll { event: event(1), stamp: Seq(9), at: at(70) };
    let expired = step(1, 2, 4, HoldStep::Ended(HoldStatus::Expired));
    let changes = [placed(1, 1, b"a"), placed(1, 2, b"b"), expired, placed(2, 3, b"c"), all];
    apply(views, 1, &changes, 1).await;
    let released = HoldRow {
        status: HoldStatus::Released,
        changed_at: at(70),
        stamp: Seq(9),
        ..fresh_row(1, 1, b"a")
    };
    assert_eq!(stored(views, 1, 1).await, Some(released));
    let over = stored(views, 1, 2).await.expect("a row");
    assert_eq!((over.status, over.stamp), (HoldStatus::Expired, Seq(4)), "it was over before");
    assert_eq!(stored(views, 2, 3).await, Some(fresh_row(2, 3, b"c")), "another event's");
}

async fn holds_that_are_over_are_forgotten_in_steps(stores: &Stores) {
    let views = &*stores.views;
    let mut changes = Vec::new();
    for seq in 1..=10 {
        changes.push(placed(1, seq, b"x"));
        changes.push(step(1, seq, seq + 20, changed(None, 1, 700)));
        // The last two stay open, the one before is over later than the others.
        if seq <= 8 {
            let end = if seq == 8 { 90 } else { 40 + seq };
            changes.push(step(1, seq, end, HoldStep::Ended(HoldStatus::Expired)));
        }
    }
    changes.sort_by_key(|change| match change {
        ViewChange::Hold(change) => change.stamp,
        _ => Seq(0),
    });
    apply(views, 1, &changes, 1).await;
    let forget = async |before, limit| views.forget_holds(at(before), limit).await.expect("a step");
    assert_eq!(forget(41, 100).await, 0, "what is over for a shorter time stays");
    assert_eq!(forget(90, 5).await, 5, "as many as asked for");
    assert_eq!(forget(90, 5).await, 2, "and the rest");
    assert_eq!(forget(90, 5).await, 0);
    for seq in 1..=10 {
        assert_eq!(stored(views, 1, seq).await.is_some(), seq >= 8, "{seq}");
    }
    // The same id anew, as when the views are built again: nothing of the old one is left.
    apply(views, 1, &[placed(1, 1, b"x")], 2).await;
    assert_eq!(stored(views, 1, 1).await, Some(fresh_row(1, 1, b"x")));
}
