//! The laws without the journal: the good history passes, and each of them is broken once.

use harness::checker::{Check, Report, check_from_outside};
use harness::history::{Outcome, SeenHold, Status, Told, Wish};
use uuid::Uuid;

use crate::story::*;

fn report(story: &Story) -> Report {
    check_from_outside(&story.calls, &story.served)
}

/// What a spoilt history must be found guilty of.
fn assert_found(story: &Story, check: Check) {
    let report = report(story);
    assert!(report.count(check) > 0, "{} was not found:\n{report}", check.name());
}

/// The story with somebody's row changed in all lists.
fn with_row(seq: u64, change: impl Fn(&mut harness::history::SeenBooking)) -> Story {
    let mut story = Story::good();
    let lists = story.served.users.values_mut().flatten();
    let rows = lists.chain(story.served.events.iter_mut().flat_map(|event| &mut event.bookings));
    rows.filter(|row| row.seq == seq).for_each(change);
    story
}

fn without_row(seq: u64) -> Story {
    let mut story = Story::good();
    for rows in story.served.users.values_mut() {
        rows.retain(|row| row.seq != seq);
    }
    story.served.events[0].bookings.retain(|row| row.seq != seq);
    story
}

fn hold(seq: u64, user: Uuid, quantity: u32) -> Outcome {
    answered(Told::Hold(SeenHold { id: id(seq), event: EVENT, user, quantity, seq }))
}

fn wish_hold(quantity: u32) -> Wish {
    Wish::Hold { event: EVENT, quantity }
}

#[test]
fn a_good_history_passes() {
    let report = report(&Story::good());
    assert!(report.is_clean(), "{report}");
}

#[test]
fn holds_come_and_go() {
    let mut story = Story::good();
    story.call(IVAN, "h1", wish_hold(1), 1, 2, hold(1, IVAN, 1));
    let confirm = Wish::Confirm { hold: id(1), event: EVENT, quantity: 1 };
    story.call(IVAN, "h2", confirm, 3, 4, unknown());
    let report = report(&story);
    assert!(report.is_clean(), "{report}");
}

#[test]
fn what_was_answered_or_shown_must_be_there_at_the_end() {
    assert_found(&without_row(3), Check::Lost);
    // Shown to Carol in a read only.
    assert_found(&without_row(4), Check::Lost);
    // A cancellation that was answered.
    assert_found(&with_row(2, |row| row.status = Status::Confirmed), Check::Lost);
    let mut story = Story::good();
    story.served.users.get_mut(&BOB).unwrap().clear();
    assert_found(&story, Check::Lost);
    story = Story::good();
    story.served.events[0].availability.as_of_seq = 4;
    assert_found(&story, Check::Lost);
}

#[test]
fn a_hold_that_was_told_is_held_at_the_end() {
    let mut story = Story::good();
    story.call(IVAN, "h1", wish_hold(1), 99, 100, hold(11, IVAN, 1));
    assert_found(&story, Check::Lost);
    let mut story = Story::good();
    story.served.events[0].availability.held = 1;
    assert_found(&story, Check::Replay);
}

#[test]
fn nobody_has_two() {
    let mut story = Story::good();
    let other = seen(11, BOB, 1, Status::Confirmed, None);
    story.served.users.get_mut(&BOB).unwrap().push(other.clone());
    story.served.events[0].bookings.push(other);
    assert_found(&story, Check::Duplicates);
    // Both are over at the end, but were seen at the same time.
    let mut story = Story::good();
    story.call(BOB, "b3", book(1), 60, 61, row(6, BOB, 1, Status::Confirmed, None));
    story.call(BOB, "b4", Wish::Cancel { booking: id(6) }, 62, 63, unknown());
    story.call(BOB, "b5", Wish::Cancel { booking: id(3) }, 64, 65, unknown());
    assert_found(&story, Check::Duplicates);
    // A hold counts as one.
    let mut story = Story::good();
    story.call(BOB, "h1", wish_hold(1), 60, 61, hold(6, BOB, 1));
    let confirm = Wish::Confirm { hold: id(6), event: EVENT, quantity: 1 };
    story.call(BOB, "h2", confirm, 70, 71, unknown());
    assert_found(&story, Check::Duplicates);
}

#[test]
fn there_are_never_more_than_there_are() {
    assert_found(&with_row(3, |row| row.quantity = 2), Check::Oversold);
    // In the middle only: six of five.
    let mut story = Story::good();
    for (n, user) in [IVAN, HELEN, FRANK].into_iter().enumerate() {
        let seq = 11 + n as u64;
        let key = format!("x{n}");
        story.call(user, &key, book(2), 60, 61, row(seq, user, 2, Status::Confirmed, None));
        story.call(user, &format!("y{n}"), cancel(seq), 80, 81, unknown());
    }
    assert_found(&story, Check::Oversold);
    let mut story = Story::good();
    if let Outcome::Answered(answer) = &mut story.calls[8].outcome {
        let Told::Availability(counts) = &mut answer.told else { panic!("counts") };
        counts.booked = 4;
    }
    assert_found(&story, Check::Oversold);
}

#[test]
fn nobody_is_passed_in_the_queue() {
    // Dave, who came after Carol, had places before her.
    let mut story = Story::good();
    story.call(DAVE, "", read(5), 53, 54, row(5, DAVE, 2, Status::Confirmed, None));
    story.call(CAROL, "", read(4), 55, 56, row(4, CAROL, 1, Status::Waitlisted, Some(1)));
    assert_found(&story, Check::QueueOrder);
    // A place in the queue that rises.
    let mut story = Story::good();
    story.call(DAVE, "", read(5), 53, 54, row(5, DAVE, 2, Status::Waitlisted, Some(1)));
    story.call(DAVE, "", read(5), 55, 56, row(5, DAVE, 2, Status::Waitlisted, Some(2)));
    assert_found(&story, Check::QueueOrder);
    // One who waits at the end although there is room.
    let story = with_row(10, |row| (row.status, row.position) = (Status::Waitlisted, Some(1)));
    let mut story = story;
    story.served.events[0].availability.free = 1;
    assert_found(&story, Check::QueueOrder);
    // And one in the wrong place.
    let story = with_row(10, |row| (row.status, row.position) = (Status::Waitlisted, Some(2)));
    assert_found(&story, Check::QueueOrder);
}

#[test]
fn a_key_has_one_effect_and_no_effect_is_without_a_key() {
    let mut story = Story::good();
    story.call(BOB, "b", book(1), 97, 98, row(6, BOB, 1, Status::Confirmed, None));
    assert_found(&story, Check::KeysWithTwoEffects);
    // Gina wanted one booking, and two are there.
    let mut story = Story::good();
    let other = seen(11, GINA, 1, Status::Cancelled, None);
    story.served.events[0].bookings.push(other.clone());
    story.served.users.get_mut(&GINA).unwrap().push(other);
    assert_found(&story, Check::KeysWithTwoEffects);
    let mut story = Story::good();
    let other = seen(11, IVAN, 1, Status::Cancelled, None);
    story.served.events[0].bookings.push(other);
    assert_found(&story, Check::Unasked);
    // Refused, and there all the same.
    let mut story = Story::good();
    story.served.events[0].bookings.push(seen(11, EVE, 1, Status::Confirmed, None));
    assert_found(&story, Check::Refusals);
}

#[test]
fn a_seq_is_one_booking() {
    let mut story = Story::good();
    story.served.events[0].bookings[1].id = id(77);
    assert_found(&story, Check::Sequence);
}

#[test]
fn reads_show_what_was_answered_before() {
    let mut story = Story::good();
    story.call(BOB, "", Wish::ReadOwn, 97, 98, answered(Told::Bookings(Vec::new())));
    assert_found(&story, Check::MissedReads);
    let mut story = Story::good();
    story.call(ALICE, "", read(2), 97, 98, row(2, ALICE, 2, Status::Confirmed, None));
    assert_found(&story, Check::MissedReads);
    // Carol has seen her promotion, and then has not.
    let mut story = Story::good();
    story.call(CAROL, "", read(4), 97, 98, row(4, CAROL, 1, Status::Waitlisted, Some(1)));
    assert_found(&story, Check::StaleReads);
    let mut story = Story::good();
    story.call(BOB, "", read(3), 97, 98, refused("not_found", None));
    assert_found(&story, Check::MissedReads);
}

#[test]
fn seqs_follow_real_time() {
    let mut story = Story::good();
    // Carol at seq 4 asks after Dave at seq 5 was told.
    let carol = story.call_of(CAROL);
    (carol.started, carol.ended) = (51, 52);
    assert_found(&story, Check::RealTime);
}

#[test]
fn refusals_need_a_reason() {
    for (user, wish, code) in [
        (IVAN, book(1), "sold_out"),
        (IVAN, book(1), "already_booked"),
        (IVAN, book(1), "has_hold"),
        (IVAN, book(1), "not_found"),
        (BOB, cancel(3), "not_found"),
    ] {
        let mut story = Story::good();
        story.call(user, "r", wish, 97, 98, refused(code, None));
        assert_found(&story, Check::Refusals);
    }
}

#[test]
fn lists_and_counts_agree_at_the_end() {
    let mut story = Story::good();
    story.served.events[0].availability.booked = 4;
    assert_found(&story, Check::Replay);
    let mut story = Story::good();
    story.served.users.get_mut(&BOB).unwrap()[0].status = Status::Cancelled;
    assert_found(&story, Check::Replay);
    let mut story = Story::good();
    let again = story.served.events[0].bookings[1].clone();
    story.served.events[0].bookings.push(again);
    assert_found(&story, Check::Replay);
}
