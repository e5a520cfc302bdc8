//! The history checker on hand-made histories: a good one passes, and for every check
//! there is a bad one that is caught by that check's name.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad;
mod outside;
mod story;

use harness::checker::Check;
use harness::history::{Status, Wish};
use harness::journal::{Cause, Fact, Was};

use story::*;

#[test]
fn a_good_history_passes() {
    let report = Story::good().report();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn outcomes_that_stay_unknown_may_have_happened_or_not() {
    let mut story = Story::good();
    // Nobody will ever know of Frank's call; Gina's is in the journal. The other way
    // round is as good.
    story.batches[6] = vec![decision(7, vec![Fact::Confirmed(FRANK, 1, None)])];
    story.row(10).user = FRANK;
    let report = story.report();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn calls_at_the_same_time_may_come_in_either_order() {
    let mut story = Story::good();
    // Carol's call and the two before it overlap now.
    story.call_of(CAROL).started = 12;
    let report = story.report();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn a_refusal_needs_only_one_moment() {
    let mut story = Story::good();
    // Began while there were places, ended when there were none.
    let eve = story.call_of(EVE);
    (eve.started, eve.ended) = (5, 25);
    let report = story.report();
    assert!(report.is_clean(), "{report}");
}

#[test]
fn a_long_decision_may_leave_places_to_its_continuation() {
    let mut story = Story::crowd(300);
    let report = story.report();
    assert!(report.is_clean(), "{report}");

    // Without the continuation somebody waits for ever.
    story.batches.pop();
    assert_eq!(story.report().count(Check::QueueOrder), 1);

    // And 299 moves are no reason to stop in the middle.
    let mut halved = Story::crowd(299);
    let moved = halved.batches.last_mut().and_then(|batch| batch.last_mut());
    moved.expect("the continuation").facts.truncate(3);
    assert!(halved.report().count(Check::QueueOrder) > 0);
}

#[test]
fn a_cancelled_event_ends_everything() {
    let mut story = Story::good();
    story.batches.push(vec![decision(8, vec![Fact::EventCancelled(3, 4)])]);
    story.served.events.clear();
    for row in story.served.users.values_mut().flatten() {
        (row.status, row.position) = (Status::Cancelled, None);
    }
    story.sums = Sums { version: 3, ..Sums::of(5, 0) };
    let report = story.report();
    assert!(report.is_clean(), "{report}");

    story.batches[7] = vec![decision(8, vec![Fact::EventCancelled(3, 5)])];
    assert_eq!(story.report().failed(), [Check::Answers]);
}

#[test]
fn a_reduced_capacity_sends_away_only_what_no_longer_fits() {
    let cut = |sent_away| {
        let mut story = Story::good();
        // Ivan waits for five places, then the capacity falls to four.
        story.batches[6] = vec![
            decision(7, vec![Fact::Waitlisted(IVAN, 5)]),
            decision(8, vec![Fact::Changed(3, terms(4)), sent_away]),
        ];
        story.call(IVAN, "i", book(5), 95, 96, unknown());
        story.call(
            ORGANIZER,
            "o2",
            Wish::SetCapacity { event: EVENT, capacity: 4 },
            97,
            98,
            unknown(),
        );
        story
    };
    let ivan = named(10, IVAN, 5);
    let fair = cut(Fact::Cancelled(ivan, Was::Waitlisted, Cause::Capacity)).report();
    assert_eq!(fair.count(Check::QueueOrder), 0, "{fair}");

    let fitting = named(9, DAVE, 2);
    let unfair = cut(Fact::Cancelled(fitting, Was::Confirmed, Cause::Capacity)).report();
    assert!(unfair.count(Check::QueueOrder) > 0, "{unfair}");
}
