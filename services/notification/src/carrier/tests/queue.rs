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

/// What a reminder that waits was made from.
struct Told {
    event: EventNote,
    reminder: Reminder,
    attendee: Option<Attendee>,
}

impl Told {
    /// As it was when it was made, one millisecond after `NOW`.
    fn new() -> Self {
        let at = |millis| engine::Timestamp::from_millis(NOW + millis);
        let event = EventNote {
            id: EVENT,
            organizer: user(1),
            version: 1,
            title: text("Tea"),
            location: text("Bern"),
            starts_at: at(9 * HOUR + 1),
            ends_at: at(11 * HOUR),
            timezone: None,
            cancelled: false,
        };
        let starts_at = event.starts_at;
        let reminder =
            Reminder { event: EVENT, span_s: 9 * 3_600, due_at: at(1), starts_at, done: true };
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
        Self { event, reminder, attendee: Some(attendee) }
    }
}

/// What becomes of the reminder when its time comes then.
async fn becomes(told: Told, then: i64) -> (NoticeStatus, String) {
    let stage = Stage::new();
    let step = DeskStep {
        event: Some(told.event),
        reminders: vec![told.reminder],
        attendees: told.attendee.into_iter().collect(),
        ..DeskStep::default()
    };
    stage.stores.notices.take(step).await.unwrap();
    let reminder = queue_kind(&stage, 1, 1, NoticeKind::EventReminder).await;
    let booked = queue(&stage, 2, 2).await;
    stage.at(then);
    round(&stage).await;
    assert_eq!(state(&stage, booked).await.0, NoticeStatus::Sent, "all else is still true");
    let (status, _, _, reason) = state(&stage, reminder).await;
    (status, reason)
}

#[tokio::test(start_paused = true)]
async fn a_reminder_that_is_not_true_any_more_is_not_sent() {
    let start = NOW + 9 * HOUR + 1;
    let quiet = |reason: &str| (NoticeStatus::Suppressed, text(reason));
    assert_eq!(becomes(Told::new(), start - 1).await, (NoticeStatus::Sent, String::new()));
    assert_eq!(becomes(Told::new(), start).await, quiet("The event has begun."));
    let before = start - 1;
    let mut told = Told::new();
    told.event.cancelled = true;
    assert_eq!(becomes(told, before).await, quiet("The event does not take place."));
    let later = engine::Timestamp::from_millis(start + HOUR);
    let mut told = Told::new();
    told.event.starts_at = later;
    assert_eq!(becomes(told, before).await, quiet("The event starts at another time."));
    let mut told = Told::new();
    told.event.starts_at = later;
    told.reminder.starts_at = later;
    told.reminder.due_at = engine::Timestamp::from_millis(NOW + HOUR + 1);
    assert_eq!(becomes(told, before).await, quiet("The event starts at another time."));
    for status in [Some(BookingStatus::Cancelled), Some(BookingStatus::Waitlisted), None] {
        let mut told = Told::new();
        told.attendee = status.and_then(|status| Some(Attendee { status, ..told.attendee? }));
        assert_eq!(becomes(told, before).await, quiet("The places were given up."), "{status:?}");
    }
}
