//! [`crate::NoticeStore`]: a notice once, in order per person, settled once; the newest
//! state of attendees; reminders; organizers' messages.

use engine::{BookingId, BookingStatus, EventId, Seats, Seq, Timestamp, UserId};

use super::Fresh;
use crate::commit::Era;
use crate::notices::{
    Announced, Announcement, AnnouncementLimit, Attendee, Audience, DeskStep, EventNote, NewNotice,
    NoticeId, NoticeKind, NoticePage, NoticeStatus, NoticeStore, Preferences, PreferencesChange,
    Reach, Reminder, Settled, StoredTemplate, Tried,
};

/// Everything that this port asks of an adapter.
pub async fn suite(fresh: Fresh<'_>) {
    the_first_beginning_is_kept(&*fresh().notices).await;
    a_notice_comes_back_once(&*fresh().notices).await;
    one_that_waits_holds_up_its_person(&*fresh().notices).await;
    each_reach_has_its_own_queue(&*fresh().notices).await;
    a_notice_is_settled_once(&*fresh().notices).await;
    tries_are_counted_from_the_first(&*fresh().notices).await;
    failed_ones_can_be_sent_again(&*fresh().notices).await;
    what_a_person_was_told_is_counted(&*fresh().notices).await;
    lists_are_newest_first(&*fresh().notices).await;
    attendees_are_as_the_newest_fact_says(&*fresh().notices).await;
    events_and_their_reminders(&*fresh().notices).await;
    messages_of_organizers(&*fresh().notices).await;
    preferences_and_templates(&*fresh().notices).await;
    what_is_old_is_forgotten(&*fresh().notices).await;
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn event(n: u8) -> EventId {
    EventId([n; 16])
}

fn user(n: u8) -> UserId {
    UserId([n; 16])
}

/// An id as notices have it: it begins with the time.
fn id(millis: i64, n: u8) -> NoticeId {
    let mut id = [n; 16];
    id[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
    NoticeId(id)
}

fn new(n: u8, of: UserId, millis: i64) -> NewNotice {
    NewNotice {
        id: id(millis, n),
        user: of,
        kind: NoticeKind::BookingConfirmed,
        event: event(1),
        booking: Some(BookingId([n; 16])),
        subject: format!("subject {n}"),
        text: "text".to_owned(),
        html: "<p>text</p>".to_owned(),
        suppressed: None,
        created_at: at(millis),
        queued_at: at(millis),
    }
}

async fn add(store: &dyn NoticeStore, notices: &[NewNotice]) {
    let step = DeskStep { notices: notices.to_vec(), ..DeskStep::default() };
    store.take(step).await.expect("a step");
}

async fn due(store: &dyn NoticeStore, now: i64) -> Vec<NoticeId> {
    due_in(store, Reach::Person, now).await
}

async fn due_in(store: &dyn NoticeStore, reach: Reach, now: i64) -> Vec<NoticeId> {
    let due = store.due(at(now), reach, 10).await.expect("those that are due");
    due.into_iter().map(|notice| notice.id).collect()
}

async fn settle(store: &dyn NoticeStore, id: NoticeId, outcome: Settled) {
    store.settle(vec![(id, outcome)]).await.expect("it is settled");
}

fn later(millis: i64) -> Settled {
    tried(Tried::Refused, 1, millis)
}

fn tried(tried: Tried, now: i64, next: i64) -> Settled {
    Settled::Later { at: at(now), next_at: at(next), reason: "not now".to_owned(), tried }
}

async fn the_first_beginning_is_kept(store: &dyn NoticeStore) {
    assert_eq!(store.began(at(5)).await.expect("a time"), at(5));
    assert_eq!(store.began(at(9)).await.expect("a time"), at(5));
}

async fn a_notice_comes_back_once(store: &dyn NoticeStore) {
    let (first, second) = (new(1, user(1), 10), new(2, user(2), 11));
    assert_eq!(store.next_due().await.expect("an answer"), None);
    add(store, std::slice::from_ref(&first)).await;
    let changed = NewNotice { subject: "other".to_owned(), ..first.clone() };
    add(store, &[changed, second.clone()]).await;
    assert_eq!(store.waiting().await.expect("counts"), (2, 0));
    assert_eq!(store.next_due().await.expect("an answer"), Some(at(10)));
    let stored = store.get(first.id).await.expect("an answer").expect("it is there");
    assert_eq!((stored.subject, stored.text), (first.subject, first.text), "the first stays");
    assert_eq!((stored.user, stored.kind, stored.event), (first.user, first.kind, first.event));
    assert_eq!((stored.booking, stored.html), (first.booking, first.html));
    assert_eq!((stored.status, stored.reason), (NoticeStatus::Queued, None));
    assert_eq!((stored.attempts, stored.sent_at), (0, None));
    assert_eq!((stored.created_at, stored.next_at), (at(10), at(10)));
    assert_eq!(due(store, 10).await, [first.id], "the other one's time has not come");
    assert_eq!(due(store, 11).await, [first.id, second.id]);
    assert_eq!(store.due(at(11), Reach::Person, 1).await.expect("due").len(), 1);
    let quiet = NewNotice { suppressed: Some("unwanted".to_owned()), ..new(3, user(3), 12) };
    add(store, std::slice::from_ref(&quiet)).await;
    let stored = store.get(quiet.id).await.expect("an answer").expect("it is there");
    assert_eq!(stored.status, NoticeStatus::Suppressed);
    assert_eq!(stored.reason.as_deref(), Some("unwanted"));
    assert_eq!(due(store, 99).await.len(), 2, "never queued");
    assert_eq!(store.get(id(1, 99)).await.expect("an answer"), None);
}

async fn one_that_waits_holds_up_its_person(store: &dyn NoticeStore) {
    // Made first, although what it tells happened later.
    let (first, second) = (new(1, user(1), 20), new(2, user(1), 10));
    let other = new(3, user(2), 15);
    add(store, &[first.clone(), second.clone(), other.clone()]).await;
    assert_eq!(due(store, 50).await, [other.id, first.id], "the longest due first");
    settle(store, first.id, later(100)).await;
    assert_eq!(due(store, 50).await, [other.id]);
    settle(store, other.id, later(200)).await;
    let next = store.next_due().await.expect("an answer");
    assert_eq!(next, Some(at(100)), "whoever waits for the one behind it looks for nothing");
    settle(store, other.id, later(15)).await;
    assert_eq!(due(store, 100).await, [other.id, first.id]);
    settle(store, first.id, Settled::Sent { at: at(101) }).await;
    assert_eq!(due(store, 100).await, [second.id, other.id]);
    assert_eq!(store.next_due().await.expect("an answer"), Some(at(10)));
}

async fn each_reach_has_its_own_queue(store: &dyn NoticeStore) {
    let to_many =
        |n, of, millis| NewNotice { kind: NoticeKind::OrganizerMessage, ..new(n, of, millis) };
    let all = [
        to_many(1, user(1), 10),
        new(2, user(1), 11),
        new(3, user(2), 12),
        to_many(4, user(2), 13),
        to_many(5, user(3), 9),
    ];
    add(store, &all).await;
    assert_eq!(due_in(store, Reach::Person, 50).await, [all[2].id], "not what is behind another");
    assert_eq!(due_in(store, Reach::Crowd, 50).await, [all[4].id, all[0].id]);
    assert_eq!(due_in(store, Reach::Crowd, 9).await, [all[4].id]);
    assert_eq!(store.due(at(50), Reach::Crowd, 1).await.expect("due").len(), 1);
    let next = async || store.next_due().await.expect("an answer");
    assert_eq!(next().await, Some(at(9)), "of the many");
    for sent in [&all[4], &all[0]] {
        settle(store, sent.id, Settled::Sent { at: at(51) }).await;
    }
    assert_eq!(next().await, Some(at(11)), "of a person");
    assert_eq!(due_in(store, Reach::Person, 50).await, [all[1].id, all[2].id]);
    settle(store, all[2].id, Settled::Sent { at: at(52) }).await;
    assert_eq!(due_in(store, Reach::Crowd, 50).await, [all[3].id]);
}

async fn a_notice_is_settled_once(store: &dyn NoticeStore) {
    let [sent, failed, quiet] = [1, 2, 3].map(|n| new(n, user(n), 10));
    add(store, &[sent.clone(), failed.clone(), quiet.clone()]).await;
    let reason = || "refused".to_owned();
    settle(store, failed.id, later(20)).await;
    let stored = store.get(failed.id).await.expect("an answer").expect("it is there");
    assert_eq!((stored.attempts, stored.next_at), (1, at(20)));
    assert_eq!(stored.reason.as_deref(), Some("not now"));
    store
        .settle(vec![
            (sent.id, Settled::Sent { at: at(30) }),
            (failed.id, Settled::Failed { reason: reason() }),
            (quiet.id, Settled::Suppressed { reason: reason() }),
        ])
        .await
        .expect("they are settled");
    for id in [sent.id, failed.id, quiet.id] {
        // Too late: it is not queued any more.
        settle(store, id, later(99)).await;
        settle(store, id, Settled::Sent { at: at(99) }).await;
    }
    let mut found = Vec::new();
    for id in [sent.id, failed.id, quiet.id] {
        let stored = store.get(id).await.expect("an answer").expect("it is there");
        found.push((stored.status, stored.attempts, stored.sent_at, stored.reason));
    }
    let expected = [
        (NoticeStatus::Sent, 1, Some(at(30)), None),
        (NoticeStatus::Failed, 2, None, Some(reason())),
        (NoticeStatus::Suppressed, 0, None, Some(reason())),
    ];
    assert_eq!(found, expected);
    assert_eq!(store.waiting().await.expect("counts"), (0, 1));
}

async fn tries_are_counted_from_the_first(store: &dyn NoticeStore) {
    let notice = NewNotice { queued_at: at(15), ..new(1, user(1), 10) };
    add(store, std::slice::from_ref(&notice)).await;
    let seen = async |expected: (u32, u32, i64), why: &str| {
        let stored = store.get(notice.id).await.expect("an answer").expect("it is there");
        let seen = (stored.attempts, stored.unclear, stored.tried_since.millis());
        assert_eq!(seen, expected, "{why}");
    };
    seen((0, 0, 15), "not tried yet").await;
    settle(store, notice.id, tried(Tried::Away, 20, 30)).await;
    seen((0, 0, 15), "nobody was there").await;
    settle(store, notice.id, tried(Tried::Refused, 40, 50)).await;
    seen((1, 0, 40), "the first try").await;
    settle(store, notice.id, tried(Tried::Unclear, 60, 70)).await;
    seen((2, 1, 40), "the second").await;
    settle(store, notice.id, tried(Tried::Away, 80, 90)).await;
    seen((2, 1, 40), "nobody was there").await;
    settle(store, notice.id, Settled::Failed { reason: "no".to_owned() }).await;
    assert!(store.requeue(notice.id, at(200), true).await.expect("an answer").is_some());
    seen((0, 0, 200), "from the beginning").await;
}

async fn what_a_person_was_told_is_counted(store: &dyn NoticeStore) {
    let quiet = NewNotice { suppressed: Some("unwanted".to_owned()), ..new(4, user(1), 40) };
    add(store, &[new(1, user(1), 10), new(2, user(1), 20), new(3, user(2), 30), quiet]).await;
    let told = async |since, most| {
        let users = vec![user(2), user(1), user(9), user(1)];
        store.told_since(users, at(since), most).await.expect("counts")
    };
    settle(store, id(20, 2), Settled::Sent { at: at(50) }).await;
    assert_eq!(told(0, 9).await, [1, 2, 0, 2], "what was not sent does not count");
    assert_eq!(told(20, 9).await, [1, 1, 0, 1], "what happened at that very time counts");
    assert_eq!(told(21, 9).await, [1, 0, 0, 0]);
    assert_eq!(told(0, 1).await, [1, 1, 0, 1], "nobody counts further");
}

async fn failed_ones_can_be_sent_again(store: &dyn NoticeStore) {
    let all = [1, 2, 3].map(|n| new(n, user(n), 10));
    add(store, &all).await;
    for notice in &all {
        settle(store, notice.id, Settled::Failed { reason: "no".to_owned() }).await;
    }
    let again = store.requeue(all[2].id, at(50), true).await;
    let again = again.expect("an answer").expect("it is there");
    assert_eq!((again.status, again.attempts), (NoticeStatus::Queued, 0));
    assert_eq!((again.next_at, again.reason), (at(50), None));
    assert_eq!(due(store, 49).await, []);
    assert_eq!(store.requeue_failed(at(60), 1).await.expect("a count"), 1);
    assert_eq!(store.requeue_failed(at(60), 5).await.expect("a count"), 1);
    assert_eq!(store.requeue_failed(at(60), 5).await.expect("a count"), 0);
    assert_eq!(due(store, 60).await, [all[2].id, all[0].id, all[1].id]);
    assert_eq!(store.requeue(id(1, 99), at(1), false).await.expect("an answer"), None);
    let other = store.requeue(all[2].id, at(70), true).await.expect("an answer");
    assert_eq!(other, None, "it has not failed again");
    assert_eq!(due(store, 60).await.len(), 3, "and is left alone");
    let short = NewNotice {
        suppressed: Some("too many".to_owned()),
        html: String::new(),
        ..new(4, user(4), 10)
    };
    add(store, std::slice::from_ref(&short)).await;
    let unfit = store.requeue(short.id, at(70), false).await.expect("an answer");
    assert_eq!(unfit, None, "it was not made to be sent");
    let any = store.requeue(all[2].id, at(70), false).await.expect("an answer");
    assert_eq!(any.map(|notice| notice.next_at), Some(at(70)));
}

async fn lists_are_newest_first(store: &dyn NoticeStore) {
    let mut all: Vec<_> = (1..=5).map(|n| new(n, user(1), i64::from(n) * 10)).collect();
    all[1].kind = NoticeKind::EventChanged;
    all.push(new(6, user(2), 60));
    add(store, &all).await;
    settle(store, all[0].id, Settled::Sent { at: at(99) }).await;
    let page = NoticePage { before: None, kind: None, status: None, limit: 3 };
    let list = async |page| -> Vec<NoticeId> {
        let list = store.list(user(1), page).await.expect("a list");
        list.into_iter().map(|notice| notice.id).collect()
    };
    assert_eq!(list(page).await, [all[4].id, all[3].id, all[2].id]);
    let rest = NoticePage { before: Some(all[2].id), ..page };
    assert_eq!(list(rest).await, [all[1].id, all[0].id]);
    let kind = NoticePage { kind: Some(NoticeKind::EventChanged), ..page };
    assert_eq!(list(kind).await, [all[1].id]);
    let status = NoticePage { status: Some(NoticeStatus::Sent), ..page };
    assert_eq!(list(status).await, [all[0].id]);
    let both = NoticePage { status: Some(NoticeStatus::Sent), ..kind };
    assert_eq!(list(both).await, []);
}

fn attendee(n: u8, status: BookingStatus, era: u32, stamp: u64) -> Attendee {
    Attendee {
        event: event(1),
        user: user(n),
        booking: BookingId([n; 16]),
        quantity: Seats::ONE,
        status,
        since: at(stamp as i64),
        era: Era(era),
        stamp: Seq(stamp),
    }
}

async fn attendees_are_as_the_newest_fact_says(store: &dyn NoticeStore) {
    use BookingStatus::{Cancelled, Confirmed, Waitlisted};
    let put = async |attendees: &[Attendee]| {
        let step = DeskStep { attendees: attendees.to_vec(), ..DeskStep::default() };
        store.take(step).await.expect("a step");
    };
    let of = async |event: EventId, after, limit| {
        store.attendees(event, after, limit).await.expect("attendees")
    };
    let promoted = Attendee { booking: BookingId([9; 16]), ..attendee(2, Confirmed, 1, 7) };
    put(&[attendee(1, Confirmed, 1, 1), attendee(2, Waitlisted, 1, 2)]).await;
    put(&[attendee(3, Waitlisted, 1, 3), promoted]).await;
    assert_eq!(
        of(event(1), None, 10).await,
        [attendee(1, Confirmed, 1, 1), promoted, attendee(3, Waitlisted, 1, 3)]
    );
    assert_eq!(of(event(1), Some(user(1)), 1).await, [promoted], "in pages");
    // What is told again, or late, changes nothing.
    put(&[attendee(2, Waitlisted, 1, 2), attendee(2, Cancelled, 1, 7)]).await;
    assert_eq!(of(event(1), Some(user(1)), 1).await, [promoted]);
    put(&[attendee(2, Cancelled, 1, 8), attendee(1, Waitlisted, 2, 1)]).await;
    assert_eq!(
        of(event(1), None, 10).await,
        [attendee(1, Waitlisted, 2, 1), attendee(3, Waitlisted, 1, 3)],
        "a later era counts for more than a later seq"
    );
    assert_eq!(of(event(2), None, 10).await, []);
    let one = async |at, n| store.attendee(at, user(n)).await.expect("an answer");
    assert_eq!(one(event(1), 1).await, Some(attendee(1, Waitlisted, 2, 1)));
    assert_eq!(one(event(1), 2).await, Some(attendee(2, Cancelled, 1, 8)), "a cancelled one too");
    assert_eq!((one(event(1), 9).await, one(event(2), 1).await), (None, None));
}

fn note(n: u8, starts_at: i64) -> EventNote {
    EventNote {
        id: event(n),
        organizer: user(1),
        version: 1,
        title: format!("Event {n}"),
        location: "Hall".to_owned(),
        starts_at: at(starts_at),
        ends_at: at(starts_at + 10),
        timezone: Some("Europe/Zurich".to_owned()),
        cancelled: false,
    }
}

fn reminder(n: u8, span_s: u32, due_at: i64) -> Reminder {
    let starts_at = at(due_at + i64::from(span_s) * 1_000);
    Reminder { event: event(n), span_s, due_at: at(due_at), starts_at, done: false }
}

async fn put_event(store: &dyn NoticeStore, event: EventNote, reminders: &[Reminder]) {
    let reminders = reminders.to_vec();
    let step = DeskStep { event: Some(event), reminders, ..DeskStep::default() };
    store.take(step).await.expect("a step");
}

async fn events_and_their_reminders(store: &dyn NoticeStore) {
    assert_eq!(store.event(event(1)).await.expect("an answer"), None);
    let early = reminder(1, 60, 100);
    put_event(store, note(1, 1_000), &[reminder(1, 3_600, 200), early]).await;
    put_event(store, note(2, 2_000), &[reminder(2, 60, 150)]).await;
    assert_eq!(store.event(event(1)).await.expect("an answer"), Some(note(1, 1_000)));
    let next = async |limit| store.next_reminders(limit).await.expect("reminders");
    assert_eq!(next(2).await, [early, reminder(2, 60, 150)]);
    // Moved, done, and the event is another one.
    let moved = EventNote { version: 2, cancelled: true, timezone: None, ..note(1, 3_000) };
    let done = Reminder { done: true, ..early };
    put_event(store, moved.clone(), &[done, reminder(1, 3_600, 20)]).await;
    assert_eq!(store.event(event(1)).await.expect("an answer"), Some(moved));
    assert_eq!(next(9).await, [reminder(1, 3_600, 20), reminder(2, 60, 150)]);
    let of = store.reminders(event(1)).await.expect("reminders");
    assert_eq!(of, [done, reminder(1, 3_600, 20)]);
    put_event(store, note(3, 500), &[]).await;
    let upcoming = async |now, after, limit| {
        let events = store.upcoming(at(now), after, limit).await.expect("events");
        events.into_iter().map(|event| event.id).collect::<Vec<_>>()
    };
    assert_eq!(upcoming(499, None, 9).await, [event(2), event(3)], "the first is cancelled");
    assert_eq!(upcoming(499, None, 1).await, [event(2)]);
    assert_eq!(upcoming(499, Some(event(2)), 9).await, [event(3)]);
    assert_eq!(upcoming(500, None, 9).await, [event(2)]);
}

async fn messages_of_organizers(store: &dyn NoticeStore) {
    let message = |n: u8, millis| Announcement {
        id: id(millis, n),
        event: event(1),
        sender: user(7),
        to: Audience::Everyone,
        subject: "Doors".to_owned(),
        message: "at seven".to_owned(),
        key: [n; 16],
        fingerprint: [n; 8],
        created_at: at(millis),
        recipients: 0,
    };
    use BookingStatus::{Cancelled, Confirmed, Waitlisted};
    let attendees = [(1, Confirmed), (2, Waitlisted), (3, Cancelled), (4, Confirmed)];
    let attendees = attendees.map(|(n, status)| attendee(n, status, 1, 1)).to_vec();
    store.take(DeskStep { attendees, ..DeskStep::default() }).await.expect("a step");
    let limit = AnnouncementLimit { most: 2, since: at(10) };
    let announce = async |message| store.announce(message, limit).await.expect("an answer");
    let open = async |limit| store.announcements(limit).await.expect("an answer");
    assert_eq!(open(9).await, []);
    let to = |to, recipients, message| Announcement { to, recipients, ..message };
    let first = to(Audience::Everyone, 3, message(1, 9));
    let second = to(Audience::Confirmed, 2, message(2, 10));
    let third = to(Audience::Waitlisted, 1, message(3, 11));
    // An old one does not count.
    for stored in [&first, &second, &third] {
        let asked = Announcement { recipients: 0, ..stored.clone() };
        assert_eq!(announce(asked).await, Announced::Stored(stored.clone()));
    }
    assert_eq!(announce(message(4, 12)).await, Announced::TooMany);
    let again = Announcement { id: id(50, 50), ..message(3, 50) };
    assert_eq!(announce(again).await, Announced::Known(third.clone()));
    let elsewhere = Announcement { event: event(2), ..message(5, 13) };
    assert_eq!(announce(elsewhere.clone()).await, Announced::Stored(elsewhere.clone()));
    assert_eq!(open(2).await, [first.clone(), second.clone()]);
    let step = DeskStep { announced: Some(second.id), ..DeskStep::default() };
    store.take(step).await.expect("a step");
    assert_eq!(open(9).await, [first, third, elsewhere]);
    assert_eq!(store.forget(at(11), 9).await.expect("a count"), 1, "the one that everybody has");
    let anew = announce(message(2, 60)).await;
    assert!(matches!(anew, Announced::Stored(_)), "its key is forgotten: {anew:?}");
}

async fn preferences_and_templates(store: &dyn NoticeStore) {
    use NoticeKind::{BookingConfirmed, EventReminder};
    let change = async |mail, kinds: &[(NoticeKind, bool)]| {
        let change = PreferencesChange { mail, kinds: kinds.to_vec() };
        store.change_preferences(user(1), change).await.expect("they are changed")
    };
    let refused = vec![BookingConfirmed, EventReminder];
    let set = Preferences { no_mail: true, refused: refused.clone() };
    let changed = change(Some(false), &[(EventReminder, false), (BookingConfirmed, false)]).await;
    assert_eq!(changed, set);
    let read = store.preferences(vec![user(2), user(1)]).await.expect("preferences");
    assert_eq!(read, [Preferences::default(), set]);
    let less = Preferences { no_mail: true, refused: vec![EventReminder] };
    assert_eq!(change(None, &[(BookingConfirmed, true)]).await, less, "the rest stays");
    let least = Preferences { no_mail: false, ..less };
    assert_eq!(change(Some(true), &[]).await, least);
    assert_eq!(store.preferences(vec![user(1)]).await.expect("preferences"), [least]);

    let template = |subject: &str| StoredTemplate {
        kind: EventReminder,
        subject: subject.to_owned(),
        text: "text".to_owned(),
        html: "html".to_owned(),
    };
    assert_eq!(store.templates().await.expect("templates"), []);
    store.set_template(template("one")).await.expect("it is set");
    store.set_template(template("two")).await.expect("it is set");
    assert_eq!(store.templates().await.expect("templates"), [template("two")]);
    assert!(store.remove_template(EventReminder).await.expect("an answer"));
    assert!(!store.remove_template(EventReminder).await.expect("an answer"));
    assert_eq!(store.templates().await.expect("templates"), []);
}

async fn what_is_old_is_forgotten(store: &dyn NoticeStore) {
    let all = [1, 2, 3, 4].map(|n| new(n, user(n), i64::from(n) * 10));
    add(store, &all).await;
    for notice in &all[1..] {
        settle(store, notice.id, Settled::Sent { at: at(99) }).await;
    }
    put_event(store, note(1, 20), &[reminder(1, 60, 5)]).await;
    put_event(store, note(2, 50), &[reminder(2, 60, 5)]).await;
    let cancelled = EventNote { cancelled: true, ..note(3, 10) };
    put_event(store, cancelled, &[reminder(3, 60, 5)]).await;
    let attendees = [1, 2].map(|n| attendee(n, BookingStatus::Confirmed, 1, 1)).to_vec();
    store.take(DeskStep { attendees, ..DeskStep::default() }).await.expect("a step");
    let forget = async |limit| store.forget(at(40), limit).await.expect("a count");
    assert_eq!(forget(1).await, 2, "one notice, and the event that was over first");
    assert_eq!(forget(1).await, 2, "one notice and one attendee");
    assert_eq!(forget(9).await, 2, "the other attendee, and with that the event");
    assert_eq!(forget(9).await, 0);
    let there = async |n: usize| store.get(all[n].id).await.expect("an answer").is_some();
    assert!(there(0).await, "it is queued still");
    assert!(!there(1).await && !there(2).await && there(3).await);
    assert_eq!(store.event(event(3)).await.expect("an answer"), None, "it was cancelled");
    let kept = store.event(event(1)).await.expect("an answer");
    assert_eq!(kept, Some(note(1, 20)), "it may be given another date");
    assert_eq!(store.attendees(event(1), None, 9).await.expect("attendees"), []);
    assert_eq!(store.next_reminders(9).await.expect("reminders"), [reminder(2, 60, 5)]);
    // With another date it can be over once more.
    put_event(store, note(1, 60), &[reminder(1, 60, 55)]).await;
    assert_eq!(store.forget(at(71), 9).await.expect("a count"), 3, "one notice and two events");
    assert_eq!(store.next_reminders(9).await.expect("reminders"), []);
}
