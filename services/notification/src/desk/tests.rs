use api::words::Description;
use engine::{BookingEvent, BookingRef, Cause, HoldRef, Seats, Seq, Timestamp, Was};
use storage::notices::{NoticeStatus, PreferencesChange};
use tokio::time::timeout;

use super::*;
use crate::stage::{
    CLOSED, EVENT, HOUR, NOBODY, NOW, Stage, confirmed, opened, terms, user, waitlisted, words,
};

mod bounds;

/// Works off everything that is on the bus, and what its time has come for.
async fn work(stage: &Stage) -> Desk {
    let mut desk = Desk::begin(stage.service.shared_arc(), true).await.unwrap();
    settle(&mut desk).await;
    desk
}

/// Steps until there is nothing left to wait for.
async fn settle(desk: &mut Desk) {
    // Everything here is in memory, and time stands still while there is something to do.
    for _ in 0..1_000 {
        match timeout(Duration::from_millis(1), desk.step()).await {
            Ok(step) => step.unwrap(),
            Err(_) => return,
        }
    }
    panic!("it never comes to rest");
}

fn booking(person: u8, seq: u64) -> BookingRef {
    let made_at = Timestamp::from_millis(NOW);
    BookingRef { seq: Seq(seq), made_at, user: user(person), quantity: Seats::ONE }
}

fn cancelled(person: u8, seq: u64, was: Was, cause: Cause) -> BookingEvent {
    BookingEvent::BookingCancelled { booking: booking(person, seq), was, cause }
}

fn changed(version: u32, ends_at: i64, description: &Description) -> BookingEvent {
    BookingEvent::EventChanged { version, terms: terms(ends_at), words: words(description) }
}

#[tokio::test(start_paused = true)]
async fn everything_that_becomes_of_places_is_told_to_whom_it_concerns() {
    let stage = Stage::new();
    let desk = work(&stage).await;
    drop(desk);
    let start = NOW + 100 * HOUR;
    stage.happen(vec![opened(start), confirmed(1), waitlisted(2), waitlisted(3)]).await;
    stage.at(NOW + 1);
    stage
        .happen(vec![
            cancelled(1, 2, Was::Confirmed, Cause::User),
            BookingEvent::BookingPromoted { booking: booking(2, 3) },
            cancelled(3, 4, Was::Waitlisted, Cause::Expiry),
            BookingEvent::HoldEnded {
                hold: HoldRef {
                    seq: Seq(1),
                    made_at: Timestamp::from_millis(NOW),
                    user: user(4),
                    quantity: Seats::ONE,
                },
                cause: Cause::Expiry,
            },
        ])
        .await;
    work(&stage).await;
    assert_eq!(stage.kinds(1).await, ["BookingConfirmed", "BookingCancelled"]);
    assert_eq!(stage.kinds(2).await, ["BookingWaitlisted", "BookingPromoted"]);
    assert_eq!(stage.kinds(3).await, ["BookingWaitlisted", "BookingCancelled"]);
    assert_eq!(stage.kinds(4).await, ["HoldExpired"]);
    let told = stage.told(1).await;
    assert_eq!(told[0].status, NoticeStatus::Queued);
    assert_eq!(told[0].subject, "You have 1 place: Tea");
    assert!(told[0].text.contains("Hello Person 1,"), "{}", told[0].text);
    let id = engine::BookingId::compose(Timestamp::from_millis(NOW), EVENT, Seq(2));
    assert_eq!(told[0].booking, Some(id), "the same that the person was answered");
    assert!(told[1].text.contains("It was cancelled on request."), "{}", told[1].text);
    let third = stage.told(3).await;
    assert!(third.iter().any(|notice| notice.subject == "You no longer wait: Tea"));
    assert_eq!(stage.stores.bus.cursor(storage::PartitionId(0)).await.unwrap().0, 5);
}

#[tokio::test(start_paused = true)]
async fn a_fact_that_comes_again_is_told_once() {
    let mut stage = Stage::new();
    work(&stage).await;
    stage.happen(vec![opened(NOW + 100 * HOUR), confirmed(1), confirmed(2)]).await;
    let moved = Description { location: Some("Basel".to_owned()), ..Description::default() };
    stage.happen(vec![changed(2, NOW + 102 * HOUR, &moved)]).await;
    // Cut off before anything is acknowledged, again and again.
    for _ in 0..3 {
        let deliveries = stage.stores.bus.next(SUBSCRIBER, 100).await.unwrap();
        let mut desk = Desk::begin(stage.service.shared_arc(), true).await.unwrap();
        for delivery in &deliveries {
            for fact in facts(delivery).unwrap() {
                match fact.what {
                    What::Places(_) => desk.tell_of_places(vec![fact]).await.unwrap(),
                    _ => desk.tell_of_event(fact).await.unwrap(),
                }
            }
        }
        stage.restart(|_| {});
    }
    work(&stage).await;
    for person in [1, 2] {
        let mut kinds = stage.kinds(person).await;
        kinds.sort_unstable();
        assert_eq!(kinds, ["BookingConfirmed", "EventChanged"], "{person}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_repair_tells_nobody_anything_twice() {
    let stage = Stage::new();
    work(&stage).await;
    let facts = vec![opened(NOW + 100 * HOUR), confirmed(1), waitlisted(2)];
    stage.happen(facts.clone()).await;
    work(&stage).await;
    stage.repair(facts).await;
    work(&stage).await;
    assert_eq!(stage.kinds(1).await, ["BookingConfirmed"]);
    assert_eq!(stage.kinds(2).await, ["BookingWaitlisted"]);
}

#[tokio::test(start_paused = true)]
async fn what_happened_before_the_first_start_is_known_and_not_told() {
    let stage = Stage::new();
    stage.at(NOW - HOUR);
    stage.happen(vec![opened(NOW + 100 * HOUR), confirmed(1)]).await;
    stage.at(NOW);
    work(&stage).await;
    assert_eq!(stage.kinds(1).await, [""; 0]);
    let moved = Description { title: Some("Coffee".to_owned()), ..Description::default() };
    stage.happen(vec![changed(2, NOW + 102 * HOUR, &moved)]).await;
    work(&stage).await;
    assert_eq!(stage.kinds(1).await, ["EventChanged"]);
    assert!(stage.told(1).await[0].text.contains("Title: Coffee\n  (it was: Tea)"));
}

#[tokio::test(start_paused = true)]
async fn changes_are_told_to_those_who_have_to_do_with_it_and_only_what_matters() {
    let stage = Stage::new();
    work(&stage).await;
    let start = NOW + 100 * HOUR;
    stage.happen(vec![opened(start), confirmed(1), waitlisted(2), confirmed(3)]).await;
    stage.happen(vec![cancelled(3, 4, Was::Confirmed, Cause::User)]).await;
    let price = Description { price_cents: Some(100), ..Description::default() };
    stage.happen(vec![changed(2, start + 2 * HOUR, &price)]).await;
    work(&stage).await;
    assert!(!stage.kinds(1).await.contains(&"EventChanged"), "a price is not told");
    let later = Description {
        starts_at: Some(Timestamp::from_millis(start + HOUR)),
        ..Description::default()
    };
    stage.at(NOW + HOUR);
    stage.happen(vec![changed(3, start + 3 * HOUR, &later)]).await;
    stage.at(NOW + 2 * HOUR);
    stage.happen(vec![BookingEvent::EventCancelled { version: 4, bookings: 2 }]).await;
    // Whatever comes of an event that does not take place is not told.
    stage.happen(vec![cancelled(1, 2, Was::Confirmed, Cause::User)]).await;
    work(&stage).await;
    assert_eq!(stage.kinds(1).await[1..], ["EventChanged", "EventCancelled"]);
    assert_eq!(stage.kinds(2).await[1..], ["EventChanged", "EventCancelled"]);
    assert_eq!(stage.kinds(3).await.len(), 2, "who has left is told nothing");
    let text = &stage.told(2).await[1].text;
    assert!(text.contains("for which you wait") && text.contains("it was: "), "{text}");
    let event = stage.stores.notices.event(EVENT).await.unwrap().unwrap();
    assert!(event.cancelled && event.version == 4);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_want_it_or_cannot_get_it_is_not_written_to() {
    let stage = Stage::new();
    work(&stage).await;
    let set = async |person, mail, kinds| {
        let change = PreferencesChange { mail, kinds };
        stage.stores.notices.change_preferences(user(person), change).await.unwrap();
    };
    set(1, Some(false), vec![]).await;
    set(2, None, vec![(NoticeKind::BookingConfirmed, false)]).await;
    set(3, None, vec![(NoticeKind::EventChanged, false)]).await;
    let people = [1, 2, 3, CLOSED, NOBODY].map(confirmed);
    let facts = [vec![opened(NOW + 100 * HOUR)], people.to_vec()].concat();
    stage.happen(facts).await;
    work(&stage).await;
    let mut seen = Vec::new();
    for person in [1, 2, 3, CLOSED, NOBODY] {
        let [notice] = &stage.told(person).await[..] else { panic!("one notice") };
        seen.push((notice.status, notice.reason.clone().unwrap_or_default()));
    }
    let quiet = |reason: &str| (NoticeStatus::Suppressed, reason.to_owned());
    let expected = [
        quiet("No mail is wanted."),
        quiet("This kind of notification is not wanted."),
        (NoticeStatus::Queued, String::new()),
        quiet("The account is closed."),
        quiet("There is no such account."),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test(start_paused = true)]
async fn reminders_go_out_once_at_their_time_and_to_those_who_booked_before() {
    let mut stage = Stage::new();
    let mut desk = work(&stage).await;
    let start = NOW + 100 * HOUR;
    stage.happen(vec![opened(start), confirmed(1), waitlisted(2)]).await;
    settle(&mut desk).await;
    stage.at(start - 24 * HOUR - 1_000);
    settle(&mut desk).await;
    assert_eq!(stage.kinds(1).await.len(), 1, "not yet");
    stage.at(start - 24 * HOUR);
    settle(&mut desk).await;
    assert_eq!(stage.kinds(1).await[1..], ["EventReminder"]);
    assert_eq!(stage.told(1).await[1].subject, "In 24 hours: Tea");
    assert_eq!(stage.kinds(2).await.len(), 1, "who waits is not reminded");
    stage.happen(vec![confirmed(3)]).await;
    settle(&mut desk).await;
    stage.restart(|_| {});
    let mut desk = work(&stage).await;
    assert_eq!(stage.kinds(1).await.len(), 2, "not again after a restart");
    assert_eq!(stage.kinds(3).await, ["BookingConfirmed"], "who booked later knows");
    // Away over the next one's time: it comes late, while it is still of use.
    stage.at(start - HOUR / 2);
    settle(&mut desk).await;
    assert_eq!(stage.kinds(3).await, ["BookingConfirmed", "EventReminder"]);
    stage.at(start + HOUR);
    settle(&mut desk).await;
    assert_eq!(stage.kinds(1).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn after_a_long_rest_only_the_last_reminder_is_sent_and_none_after_the_start() {
    let stage = Stage::new();
    let mut desk = work(&stage).await;
    let start = NOW + 100 * HOUR;
    stage.happen(vec![opened(start), confirmed(1)]).await;
    let other = engine::EventId([0xe2; 16]);
    stage.happen_to(other, vec![opened(NOW + 50 * HOUR), confirmed(2)]).await;
    settle(&mut desk).await;
    drop(desk);
    stage.at(start - HOUR * 3 / 4);
    stage.happen(vec![confirmed(3)]).await;
    stage.at(start - HOUR / 2);
    work(&stage).await;
    assert_eq!(stage.kinds(3).await, ["BookingConfirmed"], "booked after its time");
    let told = stage.told(1).await;
    assert_eq!(
        told[1..].iter().map(|n| n.subject.as_str()).collect::<Vec<_>>(),
        ["In 30 minutes: Tea"],
        "it is late, and says how long it is then"
    );
    assert_eq!(stage.kinds(2).await, ["BookingConfirmed"], "it has begun long ago");
    assert_eq!(stage.stores.notices.next_reminders(9).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_moves_takes_its_reminders_along() {
    let stage = Stage::new();
    let mut desk = work(&stage).await;
    let start = NOW + 100 * HOUR;
    stage.happen(vec![opened(start), confirmed(1)]).await;
    settle(&mut desk).await;
    let description = Description {
        starts_at: Some(Timestamp::from_millis(start + 50 * HOUR)),
        ..Description::default()
    };
    stage.happen(vec![changed(2, start + 52 * HOUR, &description)]).await;
    settle(&mut desk).await;
    stage.at(start - HOUR);
    settle(&mut desk).await;
    assert!(!stage.kinds(1).await.contains(&"EventReminder"), "the old time means nothing");
    stage.at(start + 26 * HOUR);
    settle(&mut desk).await;
    assert!(stage.kinds(1).await.contains(&"EventReminder"));
}

#[tokio::test(start_paused = true)]
async fn a_span_that_is_new_is_for_events_of_before_too() {
    let mut stage = Stage::new();
    let mut desk = work(&stage).await;
    let start = NOW + 100 * HOUR;
    stage.happen(vec![opened(start), confirmed(1)]).await;
    settle(&mut desk).await;
    drop(desk);
    stage.restart(|options| options.reminders_s = vec![7_200]);
    let mut desk = work(&stage).await;
    stage.at(start - 2 * HOUR);
    settle(&mut desk).await;
    let told = stage.told(1).await;
    assert_eq!(told.len(), 2, "the spans that are gone remind nobody");
    assert_eq!(told[1].subject, "In 2 hours: Tea");
}

#[tokio::test(start_paused = true)]
async fn a_crowd_is_told_in_steps() {
    let stage = Stage::new();
    work(&stage).await;
    stage.happen(vec![opened(NOW + 100 * HOUR)]).await;
    let people: Vec<engine::UserId> = (0..600u32)
        .map(|n| {
            let mut id = [1; 16];
            id[..4].copy_from_slice(&n.to_be_bytes());
            engine::UserId(id)
        })
        .collect();
    let booked = people.iter().map(|user| BookingEvent::BookingConfirmed {
        user: *user,
        quantity: Seats::ONE,
        hold: None,
    });
    stage.happen(booked.collect()).await;
    stage.happen(vec![BookingEvent::EventCancelled { version: 2, bookings: 600 }]).await;
    work(&stage).await;
    assert_eq!(stage.stores.notices.waiting().await.unwrap().0, 1_200);
}

#[tokio::test(start_paused = true)]
async fn reminders_wait_for_what_happened_before_them() {
    let stage = Stage::new();
    let mut desk = work(&stage).await;
    let start = NOW + 100 * HOUR;
    stage.happen(vec![opened(start), confirmed(1), confirmed(2)]).await;
    settle(&mut desk).await;
    // While the desk is away there is more than it takes at a time; and at the end of it one
    // leaves, one comes, and the event is moved.
    stage.at(start - 25 * HOUR);
    for n in 0..DELIVERIES {
        let other =
            engine::EventId([u8::try_from(n).unwrap(), 7, 7, 7].repeat(4).try_into().unwrap());
        stage.happen_to(other, vec![opened(NOW + 900 * HOUR)]).await;
    }
    stage.happen(vec![cancelled(1, 2, Was::Confirmed, Cause::User), confirmed(3)]).await;
    let moved = Description { location: Some("Basel".to_owned()), ..Description::default() };
    stage.happen(vec![changed(2, start + 2 * HOUR, &moved)]).await;
    stage.at(start - 24 * HOUR);
    work(&stage).await;
    assert!(!stage.kinds(1).await.contains(&"EventReminder"), "who has left");
    assert!(stage.kinds(3).await.contains(&"EventReminder"), "who has come in time");
    let told = stage.told(2).await;
    let reminder = told.iter().find(|notice| notice.kind == NoticeKind::EventReminder).unwrap();
    assert!(reminder.text.contains("Basel"), "{}", reminder.text);
}

#[tokio::test(start_paused = true)]
async fn what_has_taken_place_is_not_told_of_any_more() {
    let stage = Stage::new();
    work(&stage).await;
    let start = NOW + 10 * HOUR;
    stage.happen(vec![opened(start), confirmed(1)]).await;
    stage.at(start + 2 * HOUR);
    let title = |title: &str| Description { title: Some(title.to_owned()), ..Default::default() };
    stage.happen(vec![changed(2, start + 2 * HOUR, &title("Coffee"))]).await;
    work(&stage).await;
    assert_eq!(stage.kinds(1).await, ["BookingConfirmed"], "nobody needs to know");
    let again = Description {
        starts_at: Some(Timestamp::from_millis(start + 90 * HOUR)),
        ..Description::default()
    };
    stage.happen(vec![changed(3, start + 92 * HOUR, &again)]).await;
    work(&stage).await;
    assert_eq!(stage.kinds(1).await[1..], ["EventChanged"], "it takes place once more");
    stage.at(start + 92 * HOUR);
    stage.happen(vec![BookingEvent::EventCancelled { version: 4, bookings: 1 }]).await;
    work(&stage).await;
    assert!(!stage.kinds(1).await.contains(&"EventCancelled"), "it did take place");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_reminded_of_what_turns_out_to_be_cancelled() {
    let stage = Stage::new();
    let mut desk = work(&stage).await;
    let start = NOW + 100 * HOUR;
    stage.happen(vec![opened(start), confirmed(1)]).await;
    settle(&mut desk).await;
    // As much as is taken at a time, from before the first reminder until after it; and then
    // it is cancelled.
    for n in 0..DELIVERIES {
        let hours = if n + 1 == DELIVERIES { 2 } else { 25 };
        stage.at(start - hours * HOUR + 1);
        let other = [u8::try_from(n).unwrap(), 8, 8, 8].repeat(4).try_into().unwrap();
        stage.happen_to(engine::EventId(other), vec![opened(NOW + 900 * HOUR)]).await;
    }
    stage.happen(vec![BookingEvent::EventCancelled { version: 2, bookings: 1 }]).await;
    stage.at(start - HOUR / 2);
    work(&stage).await;
    assert_eq!(stage.kinds(1).await, ["BookingConfirmed", "EventCancelled"]);
}
