//! One bad history, or several, for every check.

use harness::checker::Check;
use harness::history::{Outcome, Status, Told, Wish};
use harness::journal::{Fact, Was};

use crate::story::*;

/// The spoiled story is caught by these checks, and by no other.
#[track_caller]
fn caught(story: &Story, checks: &[Check]) {
    let report = story.report();
    assert_eq!(report.failed(), checks, "\n{report}");
}

#[test]
fn every_check_has_a_name_of_its_own() {
    let mut names: Vec<&str> = Check::ALL.iter().map(|check| check.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Check::ALL.len());
}

#[test]
fn an_answered_booking_that_is_not_there_is_lost() {
    let mut story = Story::good();
    story.call(IVAN, "i", book(1), 99, 100, row(11, IVAN, 1, Status::Confirmed, None));
    caught(&story, &[Check::Lost]);
}

#[test]
fn an_answered_booking_whose_place_somebody_else_has_is_lost() {
    let mut story = Story::good();
    let wish = book(1);
    story.call(IVAN, "i", wish, 99, 100, row(10, IVAN, 1, Status::Confirmed, None));
    assert!(story.report().count(Check::Lost) > 0);
}

#[test]
fn an_answered_cancellation_that_is_not_there_is_lost() {
    let mut story = Story::good();
    story.call(BOB, "bc", cancel(3), 99, 100, row(3, BOB, 1, Status::Cancelled, None));
    caught(&story, &[Check::Lost]);
}

#[test]
fn an_answered_change_that_is_not_there_is_lost() {
    let mut story = Story::good();
    let told = Told::Event { version: 3, capacity: 7 };
    story.call(ORGANIZER, "o3", capacity(7), 99, 100, answered(told));
    caught(&story, &[Check::Lost]);
}

#[test]
fn what_was_shown_and_is_not_there_is_lost() {
    let mut story = Story::good();
    let list = Told::Bookings(vec![seen(11, IVAN, 1, Status::Confirmed, None)]);
    story.call(IVAN, "", Wish::ReadOwn, 99, 100, answered(list));
    caught(&story, &[Check::Lost]);
}

#[test]
fn counts_of_what_never_came_are_lost() {
    let mut story = Story::good();
    let mut counts = story.served.events[0].availability;
    counts.as_of_seq = 11;
    let look = Wish::ReadAvailability { event: EVENT };
    story.call(IVAN, "", look, 99, 100, answered(Told::Availability(counts)));
    caught(&story, &[Check::Lost]);
}

#[test]
fn two_bookings_of_one_person_are_duplicates() {
    let mut story = Story::good();
    story.batches[6] = vec![decision(7, vec![Fact::Confirmed(BOB, 1, None)])];
    story.call(BOB, "b3", book(1), 95, 96, unknown());
    story.row(10).user = BOB;
    // What his own list shows is another question.
    story.served.users.remove(&BOB);
    caught(&story, &[Check::Duplicates]);
}

#[test]
fn more_booked_than_there_is_is_oversold() {
    let mut story = Story::good();
    story.batches[6] = vec![decision(7, vec![Fact::Confirmed(GINA, 2, None)])];
    story.call_of(GINA).wish = book(2);
    assert!(story.report().count(Check::Oversold) > 0);
}

#[test]
fn a_capacity_below_what_is_booked_is_oversold() {
    let mut story = Story::good();
    story.batches.push(vec![decision(8, vec![Fact::Changed(3, terms(4))])]);
    story.call(ORGANIZER, "o4", capacity(4), 99, 100, unknown());
    assert!(story.report().count(Check::Oversold) > 0);
}

#[test]
fn a_cancellation_without_the_promotion_breaks_the_queue() {
    let mut story = Story::good();
    let promotion = story.batches[4][0].facts.split_off(1);
    story.batches.insert(5, vec![decision(5, promotion)]);
    caught(&story, &[Check::QueueOrder]);
}

#[test]
fn a_promotion_past_the_head_breaks_the_queue() {
    let mut story = Story::good();
    // Dave's two places would be free, but Carol came first.
    story.batches[4][0].facts[1] = Fact::Promoted(named(5, DAVE, 2));
    story.batches[5][0].facts[1] = Fact::Promoted(named(4, CAROL, 1));
    assert!(story.report().count(Check::QueueOrder) > 0);
}

#[test]
fn a_newcomer_who_passes_breaks_the_queue() {
    let mut story = Story::good();
    // One place is free, and Dave waits for two.
    story.batches.swap(5, 6);
    assert!(story.report().count(Check::QueueOrder) > 0);
}

#[test]
fn waiting_beside_free_places_breaks_the_queue() {
    let mut story = Story::good();
    story.batches[6] = vec![decision(7, vec![Fact::Waitlisted(GINA, 1)])];
    assert!(story.report().count(Check::QueueOrder) > 0);
}

#[test]
fn a_key_answered_by_two_decisions_has_two_effects() {
    let mut story = Story::good();
    story.batches[2][0].key = Some([1; 16]);
    story.batches[3][0].key = Some([1; 16]);
    caught(&story, &[Check::KeysWithTwoEffects]);
}

#[test]
fn a_key_answered_with_two_bodies_has_two_effects() {
    let mut story = Story::good();
    let Outcome::Answered(answer) = &mut story.last_call_of(CAROL).outcome else { panic!() };
    let told = answer.told.clone();
    story.call(CAROL, "c", book(1), 75, 76, answered(told));
    caught(&story, &[Check::KeysWithTwoEffects]);
}

#[test]
fn a_key_that_booked_twice_has_two_effects() {
    let mut story = Story::good();
    // Gina called once, cancelled, and was booked once more.
    story.batches.push(vec![
        decision(
            8,
            vec![Fact::Cancelled(
                named(10, GINA, 1),
                Was::Confirmed,
                harness::journal::Cause::User,
            )],
        ),
        decision(8, vec![Fact::Confirmed(GINA, 1, None)]),
    ]);
    story.call(GINA, "gc", cancel(10), 97, 98, row(10, GINA, 1, Status::Cancelled, None));
    assert!(story.report().count(Check::KeysWithTwoEffects) > 0);
}

#[test]
fn a_read_without_the_own_cancellation_missed_it() {
    let mut story = Story::good();
    story.call(ALICE, "", read(2), 75, 76, row(2, ALICE, 2, Status::Confirmed, None));
    caught(&story, &[Check::MissedReads]);
}

#[test]
fn a_list_without_the_own_booking_missed_it() {
    let mut story = Story::good();
    story.call(BOB, "", Wish::ReadOwn, 57, 58, answered(Told::Bookings(Vec::new())));
    caught(&story, &[Check::MissedReads]);
}

#[test]
fn an_own_booking_that_is_not_found_was_missed() {
    let mut story = Story::good();
    story.call(BOB, "", read(3), 57, 58, refused("not_found", None));
    caught(&story, &[Check::MissedReads]);
}

#[test]
fn a_read_without_the_promotion_by_another_is_stale() {
    let mut story = Story::good();
    // Alice was told at 70 that she has cancelled, and that promoted Carol.
    story.last_call_of(CAROL).outcome = row(4, CAROL, 1, Status::Waitlisted, Some(1));
    caught(&story, &[Check::StaleReads]);
}

#[test]
fn readers_that_go_backwards_are_stale() {
    let mut story = Story::good();
    // While Alice's call still runs, Carol sees her promotion, and then not any more.
    story.last_call_of(CAROL).started = 61;
    story.last_call_of(CAROL).ended = 62;
    story.call(CAROL, "", read(4), 63, 64, row(4, CAROL, 1, Status::Waitlisted, Some(1)));
    caught(&story, &[Check::StaleReads]);
}

#[test]
fn a_gap_breaks_the_sequence() {
    let story = Story::good();
    let mut journal = story.journal();
    journal.batches[6].first_seq += 1;
    journal.batches[6].last_seq += 1;
    assert!(story.report_on(&journal).count(Check::Sequence) > 0);
    let mut journal = story.journal();
    journal.batches[6].position += 1;
    assert_eq!(story.report_on(&journal).failed(), [Check::Sequence]);
}

#[test]
fn a_falling_epoch_breaks_the_sequence() {
    let mut story = Story::good();
    story.epochs[6] = 1;
    caught(&story, &[Check::Sequence]);
}

#[test]
fn a_changed_blob_breaks_the_sequence() {
    let story = Story::good();
    let mut journal = story.journal();
    journal.batches[3].blob.push(b'x');
    assert_eq!(story.report_on(&journal).failed(), [Check::Sequence]);
}

#[test]
fn a_batch_stored_twice_breaks_the_sequence_and_its_keys() {
    let mut story = Story::good();
    story.batches[6][0].key = Some([7; 16]);
    let mut journal = story.journal();
    let mut again = journal.batches[6].clone();
    again.position += 1;
    journal.batches.push(again);
    let report = story.report_on(&journal);
    for check in [Check::Sequence, Check::KeysWithTwoEffects, Check::Duplicates, Check::Oversold] {
        assert!(report.count(check) > 0, "{}\n{report}", check.name());
    }
}

#[test]
fn time_that_goes_backwards_breaks_the_sequence() {
    let mut story = Story::good();
    story.batches[5][0].at = 4;
    caught(&story, &[Check::Sequence]);
}

#[test]
fn an_order_against_real_time_is_caught() {
    let mut story = Story::good();
    // Bob's seq is before Carol's, who had her answer before Bob called.
    let bob = story.call_of(BOB);
    (bob.started, bob.ended) = (35, 36);
    caught(&story, &[Check::RealTime]);
}

#[test]
fn an_answer_that_the_journal_contradicts_is_caught() {
    let mut story = Story::good();
    story.call_of(CAROL).outcome = row(4, CAROL, 1, Status::Confirmed, None);
    caught(&story, &[Check::Answers]);

    let mut story = Story::good();
    story.call_of(CAROL).outcome = row(4, CAROL, 1, Status::Waitlisted, Some(2));
    caught(&story, &[Check::Answers]);
}

#[test]
fn an_answer_that_cannot_be_read_is_caught() {
    let mut story = Story::good();
    story.last_call_of(CAROL).outcome = answered(Told::Garbled("nothing".to_owned()));
    caught(&story, &[Check::Answers]);
}

#[test]
fn counts_that_are_wrong_for_their_seq_are_caught() {
    let mut story = Story::good();
    let mut counts = story.served.events[0].availability;
    counts.waitlist_entries = 1;
    let look = Wish::ReadAvailability { event: EVENT };
    story.call(EVE, "", look, 99, 100, answered(Told::Availability(counts)));
    caught(&story, &[Check::Answers]);
}

#[test]
fn what_is_shown_before_it_came_about_is_caught() {
    let mut story = Story::good();
    story.call(DAVE, "", read(5), 53, 54, row(5, DAVE, 2, Status::Confirmed, None));
    // The change that promoted Dave was wanted only at 80.
    caught(&story, &[Check::RealTime, Check::Answers]);
}

#[test]
fn a_refusal_without_a_reason_is_caught() {
    let spoil = |spoil: fn(&mut Story)| {
        let mut story = Story::good();
        spoil(&mut story);
        caught(&story, &[Check::Refusals]);
    };
    spoil(|story| {
        // Before anybody had booked.
        let eve = story.call_of(EVE);
        (eve.started, eve.ended) = (8, 9);
    });
    // Eve was ready to wait.
    spoil(|story| story.call_of(EVE).wish = book(1));
    // It isn't Bob's booking that stands in the way.
    spoil(|story| story.last_call_of(BOB).outcome = refused("already_booked", Some(id(2))));
    spoil(|story| story.last_call_of(HELEN).wish = book(5));
    spoil(|story| {
        story.call(ORGANIZER, "o5", capacity(9), 99, 100, refused("capacity_below_sold", None));
    });
    spoil(|story| story.call(BOB, "bc", cancel(3), 99, 100, refused("not_found", None)));
    spoil(|story| story.call(IVAN, "i", book(1), 99, 100, refused("no_such_code", None)));
}

#[test]
fn an_effect_that_nobody_wanted_is_caught() {
    let mut story = Story::good();
    story.calls.retain(|call| call.user != GINA);
    caught(&story, &[Check::Unasked]);

    let mut story = Story::good();
    story.calls.retain(|call| call.wish != cancel(2));
    caught(&story, &[Check::Unasked]);
}

#[test]
fn a_refused_key_has_no_effect() {
    let mut story = Story::good();
    // Too many requests: says nothing of the event, but that nothing happened.
    let Outcome::Refused(mut refusal) = refused("too_many_requests", None) else { panic!() };
    refusal.status = 429;
    story.call_of(GINA).outcome = Outcome::Refused(refusal);
    let report = story.report();
    assert_eq!(report.failed(), [Check::Refusals], "{report}");
}

#[test]
fn what_is_served_must_be_what_the_journal_says() {
    let spoil = |spoil: fn(&mut Story)| {
        let mut story = Story::good();
        spoil(&mut story);
        caught(&story, &[Check::Replay]);
    };
    spoil(|story| story.served.events[0].availability.booked -= 1);
    spoil(|story| story.served.events[0].capacity -= 1);
    spoil(|story| story.served.events[0].version += 1);
    spoil(|story| story.served.events[0].bookings[1].status = Status::Cancelled);
    spoil(|story| story.served.events[0].bookings[1].position = Some(1));
    spoil(|story| {
        story.served.events[0].bookings.pop();
    });
    spoil(|story| story.served.users.get_mut(&BOB).unwrap().clear());
    spoil(|story| {
        let row = story.served.events[0].bookings[1].clone();
        story.served.users.get_mut(&BOB).unwrap().push(row);
    });
    spoil(|story| story.sums.booked += 1);
    spoil(|story| story.sums.version += 1);
}

#[test]
fn one_id_for_two_bookings_is_caught() {
    let mut story = Story::good();
    story.served.events[0].bookings[1].id = id(2);
    assert!(story.report().count(Check::Answers) > 0);
}

#[test]
fn a_failure_is_printed_with_the_name_of_its_check() {
    let mut story = Story::good();
    story.sums.booked += 1;
    let text = story.report().to_string();
    assert!(text.contains("FAILED replay: "), "{text}");
    assert!(text.contains("journal replays to what is served"), "{text}");
}
