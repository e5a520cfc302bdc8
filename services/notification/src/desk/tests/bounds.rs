//! How much a person is sent, and what organizers write.

use super::*;

#[tokio::test(start_paused = true)]
async fn nobody_is_sent_more_than_so_many_within_a_day() {
    let options = crate::Options { share_percent: 100, notices_per_day: 3, ..Default::default() };
    let stage = Stage::with(options);
    work(&stage).await;
    stage.happen(vec![opened(NOW + 100 * HOUR), confirmed(1), confirmed(2)]).await;
    for _ in 0..4 {
        stage.happen(vec![cancelled(1, 2, Was::Confirmed, Cause::User), confirmed(1)]).await;
        work(&stage).await;
    }
    let told = stage.told(1).await;
    let (queued, quiet): (Vec<_>, Vec<_>) =
        told.iter().partition(|notice| notice.status == NoticeStatus::Queued);
    assert_eq!((queued.len(), quiet.len()), (3, 6));
    for notice in quiet {
        assert_eq!(notice.status, NoticeStatus::Suppressed);
        assert_eq!(notice.reason.as_deref(), Some(TOO_MANY));
        assert!(!notice.text.is_empty(), "it is read on the list");
        assert_eq!(notice.html, "", "nobody is sent it");
    }
    assert_eq!(stage.told(2).await[0].status, NoticeStatus::Queued, "others are not concerned");
    stage.at(NOW + 24 * HOUR + 1);
    stage.happen(vec![cancelled(1, 2, Was::Confirmed, Cause::User)]).await;
    work(&stage).await;
    assert_eq!(stage.told(1).await.last().unwrap().status, NoticeStatus::Queued, "another day");
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_event_is_not_known_holds_up_no_other() {
    let stage = Stage::new();
    let mut desk = work(&stage).await;
    stage.happen(vec![opened(NOW + 100 * HOUR), confirmed(1)]).await;
    let message = |n: u8, event| storage::notices::Announcement {
        id: storage::notices::NoticeId([n; 16]),
        event,
        sender: user(9),
        to: storage::notices::Audience::Everyone,
        subject: format!("Message {n}"),
        message: "Doors at two".to_owned(),
        key: [n; 16],
        fingerprint: [n; 8],
        created_at: Timestamp::from_millis(NOW),
        recipients: 0,
    };
    let unknown = engine::EventId([0xe9; 16]);
    for message in [message(1, unknown), message(2, EVENT)] {
        stage.service.shared().announce(message).await.unwrap();
    }
    settle(&mut desk).await;
    let told = stage.told(1).await;
    assert!(told.iter().any(|notice| notice.subject == "Message 2 (Tea)"), "{told:?}");
    let waiting = async || stage.stores.notices.announcements(9).await.unwrap().len();
    assert_eq!(waiting().await, 1, "its event may still come by");
    stage.at(NOW + HOUR);
    stage.happen(vec![confirmed(2)]).await;
    settle(&mut desk).await;
    assert_eq!(waiting().await, 0, "it was forgotten");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_forgotten_and_takes_place_again_is_told_of() {
    let stage = Stage::new();
    let mut desk = work(&stage).await;
    stage.happen(vec![opened(NOW + 10 * HOUR), confirmed(1)]).await;
    settle(&mut desk).await;
    let kept = i64::try_from(crate::Options::default().keep.as_millis()).unwrap();
    let start = NOW + kept + 20 * HOUR;
    stage.at(start);
    // Its hour comes, as far as the one that forgets can tell.
    tokio::time::advance(FORGET_EVERY).await;
    stage.happen_to(engine::EventId([0xe3; 16]), vec![opened(start + HOUR)]).await;
    settle(&mut desk).await;
    assert_eq!(stage.stores.notices.attendees(EVENT, None, 9).await.unwrap(), []);
    let again = Description {
        starts_at: Some(Timestamp::from_millis(start + 90 * HOUR)),
        ..Description::default()
    };
    stage.happen(vec![changed(2, start + 92 * HOUR, &again), confirmed(2)]).await;
    settle(&mut desk).await;
    assert_eq!(stage.kinds(2).await, ["BookingConfirmed"]);
    stage.at(start + 66 * HOUR);
    settle(&mut desk).await;
    assert_eq!(stage.kinds(2).await, ["BookingConfirmed", "EventReminder"]);
}

#[tokio::test(start_paused = true)]
async fn no_organizer_keeps_a_person_from_hearing_of_their_own_bookings() {
    let options = crate::Options { share_percent: 100, notices_per_day: 4, ..Default::default() };
    let stage = Stage::with(options);
    work(&stage).await;
    stage.happen(vec![opened(NOW + 100 * HOUR), confirmed(1)]).await;
    for version in 2..6 {
        let title = Some(format!("Tea {version}"));
        let title = Description { title, ..Description::default() };
        stage.happen(vec![changed(version, NOW + 102 * HOUR, &title)]).await;
    }
    stage.happen(vec![cancelled(1, 2, Was::Confirmed, Cause::User), confirmed(1)]).await;
    work(&stage).await;
    let told = stage.told(1).await;
    let sent = told.iter().filter(|notice| notice.status == NoticeStatus::Queued);
    let mut sent: Vec<_> = sent.map(|notice| notice.kind.as_str()).collect();
    sent.sort_unstable();
    let expected = ["BookingCancelled", "BookingConfirmed", "BookingConfirmed", "EventChanged"];
    assert_eq!((sent.as_slice(), told.len()), (&expected[..], 7));
}

#[tokio::test(start_paused = true)]
async fn a_message_waits_for_whoever_booked_before_it_was_written() {
    let stage = Stage::new();
    let mut desk = work(&stage).await;
    stage.happen(vec![opened(NOW + 100 * HOUR), confirmed(1)]).await;
    let written = Timestamp::from_millis(NOW + 5);
    let message = storage::notices::Announcement {
        id: storage::notices::NoticeId([1; 16]),
        event: EVENT,
        sender: user(9),
        to: storage::notices::Audience::Everyone,
        subject: "Doors".to_owned(),
        message: "at two".to_owned(),
        key: [1; 16],
        fingerprint: [1; 8],
        created_at: written,
        recipients: 0,
    };
    stage.service.shared().announce(message).await.unwrap();
    // The desk looks at the bus before it is written, and at the messages afterwards.
    assert!(desk.announce(Timestamp::from_millis(NOW + 4)).await.unwrap(), "it was written later");
    assert!(!stage.kinds(1).await.contains(&"OrganizerMessage"));
    stage.happen(vec![confirmed(2)]).await;
    stage.at(NOW + 5);
    settle(&mut desk).await;
    assert!(stage.kinds(2).await.contains(&"OrganizerMessage"));
}
