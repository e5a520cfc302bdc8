//! What goes first, and what does not go any more.

use engine::{BookingId, BookingStatus, Seats, Seq};
use storage::Era;
use storage::notices::{Attendee, DeskStep, EventNote, Reminder};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_letter_to_many_and_what_people_do_hold_each_other_up_by_a_round_at_most() {
    let stage = Stage::new();
    stage.at(NOW + HOUR);
    let half = u8::try_from(PAGE / 2).unwrap();
    let mut crowd = Vec::new();
    for n in 1..=2 * half {
        crowd.push(queue_kind(&stage, n, n, NoticeKind::OrganizerMessage).await);
    }
    let (own, other) = (queue(&stage, 201, 201).await, queue(&stage, 202, 202).await);
    // To one of those who have not been written to yet, and so behind that letter.
    let behind = queue(&stage, 203, 2 * half).await;
    round(&stage).await;
    assert_eq!(sent(&stage)[..2], [(address(201), own.0), (address(202), other.0)]);
    assert_eq!(sent(&stage).len(), PAGE, "what is left of a page is for the many");
    round(&stage).await;
    let last = [(address(2 * half), crowd[usize::from(2 * half) - 1].0)];
    assert!(sent(&stage).ends_with(&last), "in order: {:?}", sent(&stage).last());
    round(&stage).await;
    assert!(sent(&stage).ends_with(&[(address(2 * half), behind.0)]));
}

#[tokio::test(start_paused = true)]
async fn many_who_book_do_not_keep_an_organizer_from_being_heard() {
    let stage = Stage::new();
    stage.at(NOW + HOUR);
    let half = u8::try_from(PAGE / 2).unwrap();
    for n in 1..=2 * half {
        queue(&stage, n, n).await;
    }
    for n in 2 * half + 1..=4 * half {
        queue_kind(&stage, n, n, NoticeKind::EventCancelled).await;
    }
    round(&stage).await;
    let crowd = (2 * half + 1..=3 * half).map(address);
    let expected: Vec<_> = (1..=half).map(address).chain(crowd).collect();
    let seen: Vec<_> = sent(&stage).into_iter().map(|(address, _)| address).collect();
    assert_eq!(seen, expected, "half and half, the longest due first");
}

#[tokio::test(start_paused = true)]
async fn of_one_person_none_goes_beside_another() {
    let stage = Stage::new();
    stage.at(NOW + HOUR);
    let letter = queue_kind(&stage, 1, 1, NoticeKind::OrganizerMessage).await;
    let other = queue_kind(&stage, 2, 2, NoticeKind::OrganizerMessage).await;
    let now = engine::Timestamp::from_millis(NOW + HOUR);
    let reason = text("550 no");
    stage.stores.notices.settle(vec![(letter, Settled::Failed { reason })]).await.unwrap();
    let booked = queue(&stage, 3, 1).await;
    let due = async |reach| stage.stores.notices.due(now, reach, PAGE).await.unwrap();
    let person = due(Reach::Person).await;
    // Put back after the one read and before the other.
    stage.stores.notices.requeue(letter, now, true).await.unwrap().unwrap();
    let ids: Vec<_> =
        page(person, due(Reach::Crowd).await).into_iter().map(|notice| notice.id).collect();
    assert_eq!(ids, [booked, other], "the letter that failed goes next time");
}

const SPAN_S: u32 = 9 * 3_600;

/// What a reminder that waits was made from: the day of the event, nine hours and one
/// millisecond after `NOW`, one millisecond after `NOW`.
struct Told {
    event: EventNote,
    reminders: Vec<Reminder>,
    attendee: Option<Attendee>,
}

fn at(millis: i64) -> engine::Timestamp {
    engine::Timestamp::from_millis(NOW + millis)
}

/// A reminder as it is stored, of an event that starts then.
fn reminder(span_s: u32, starts_at: i64) -> Reminder {
    let due_at = at(starts_at - i64::from(span_s) * 1_000);
    Reminder { event: EVENT, span_s, due_at, starts_at: at(starts_at), done: true }
}

impl Told {
    fn new() -> Self {
        let event = EventNote {
            id: EVENT,
            organizer: user(1),
            version: 1,
            title: text("Tea"),
            location: text("Bern"),
            starts_at: at(START),
            ends_at: at(11 * HOUR),
            timezone: None,
            cancelled: false,
        };
        let attendee = Attendee {
            event: EVENT,
            user: user(1),
            booking: BookingId([1; 16]),
            quantity: Seats::ONE,
            status: BookingStatus::Confirmed,
            since: at(0),
            era: Era(1),
            stamp: Seq(1),
        };
        let reminders = vec![reminder(SPAN_S, START), reminder(SPAN_S / 9, START)];
        Self { event, reminders, attendee: Some(attendee) }
    }
}

const START: i64 = 9 * HOUR + 1;

/// What becomes of the reminder when its time comes then.
async fn becomes(change: impl FnOnce(&mut Told), then: i64) -> (NoticeStatus, String) {
    let stage = Stage::new();
    let mut told = Told::new();
    let made = NewNotice {
        id: crate::desk::reminder_id(&told.event, SPAN_S, user(1)),
        booking: told.attendee.map(|attendee| attendee.booking),
        ..notice(1, 1, NoticeKind::EventReminder)
    };
    let id = made.id;
    change(&mut told);
    let step = DeskStep {
        notices: vec![made],
        event: Some(told.event),
        reminders: told.reminders,
        attendees: told.attendee.into_iter().collect(),
        ..DeskStep::default()
    };
    stage.stores.notices.take(step).await.unwrap();
    let booked = queue(&stage, 2, 2).await;
    stage.at(NOW + then);
    round(&stage).await;
    assert_eq!(state(&stage, booked).await.0, NoticeStatus::Sent, "all else is still true");
    let (status, _, _, reason) = state(&stage, id).await;
    (status, reason)
}

#[tokio::test(start_paused = true)]
async fn a_reminder_that_is_not_true_any_more_is_not_sent() {
    let quiet = |reason: &str| (NoticeStatus::Suppressed, text(reason));
    let goes = (NoticeStatus::Sent, String::new());
    let soon = HOUR;
    assert_eq!(becomes(|_| (), soon).await, goes);
    assert_eq!(becomes(|_| (), START).await, quiet("The event has begun."));
    let cancelled = |told: &mut Told| told.event.cancelled = true;
    assert_eq!(becomes(cancelled, soon).await, quiet("The event does not take place."));
    // Moved by so little that no other reminder comes for it, and by more.
    let moved = |told: &mut Told| told.event.starts_at = at(START + HOUR);
    assert_eq!(becomes(moved, soon).await, quiet("The event starts at another time."));
    let moved_far = |told: &mut Told| {
        told.event.starts_at = at(START + 50 * HOUR);
        told.reminders = vec![reminder(SPAN_S, START + 50 * HOUR)];
    };
    assert_eq!(becomes(moved_far, soon).await, quiet("The event starts at another time."));
    // There and back again: what was planned anew in between announces no start.
    let back = |told: &mut Told| told.reminders[0].starts_at = engine::Timestamp::EPOCH;
    assert_eq!(becomes(back, soon).await, goes);
    let hour_before = START - HOUR;
    assert_eq!(becomes(|_| (), hour_before - 1).await, goes);
    assert_eq!(becomes(|_| (), hour_before).await, quiet("A later reminder is due."));
}

#[tokio::test(start_paused = true)]
async fn who_has_given_up_the_places_is_not_reminded_of_them() {
    let quiet = (NoticeStatus::Suppressed, text("The places were given up."));
    for status in [BookingStatus::Cancelled, BookingStatus::Waitlisted] {
        let left = |told: &mut Told| told.attendee.as_mut().unwrap().status = status;
        assert_eq!(becomes(left, HOUR).await, quiet, "{status:?}");
    }
    assert_eq!(becomes(|told| told.attendee = None, HOUR).await, quiet);
    // They have booked again since, which the reminder knows nothing of.
    let again = |told: &mut Told| told.attendee.as_mut().unwrap().booking = BookingId([2; 16]);
    assert_eq!(becomes(again, HOUR).await, quiet);
}
