use std::time::Duration;

use engine::BookingEvent;
use storage::notices::{NewNotice, NoticeKind, NoticeStatus, PreferencesChange};

use super::*;
use crate::stage::{CLOSED, EVENT, HOUR, NOW, Stage, address, user};

mod queue;

const MINUTE: i64 = 60_000;

/// Puts a notice into the queue; the later ones are younger.
async fn queue(stage: &Stage, n: u8, person: u8) -> NoticeId {
    queue_kind(stage, n, person, NoticeKind::BookingConfirmed).await
}

async fn queue_kind(stage: &Stage, n: u8, person: u8, kind: NoticeKind) -> NoticeId {
    let notice = notice(n, person, kind);
    let id = notice.id;
    let step = storage::notices::DeskStep { notices: vec![notice], ..Default::default() };
    stage.stores.notices.take(step).await.unwrap();
    id
}

fn notice(n: u8, person: u8, kind: NoticeKind) -> NewNotice {
    let created_at = engine::Timestamp::from_millis(NOW + i64::from(n));
    let mut id = [n; 16];
    id[..6].copy_from_slice(&created_at.millis().to_be_bytes()[2..]);
    NewNotice {
        id: NoticeId(id),
        user: user(person),
        kind,
        event: EVENT,
        booking: None,
        subject: "subject".to_owned(),
        text: "text".to_owned(),
        html: "html".to_owned(),
        suppressed: None,
        created_at,
        queued_at: created_at,
    }
}

async fn round(stage: &Stage) -> Round {
    stage.service.carrier().round().await.unwrap()
}

/// Status, attempts, time of the next try, reason.
async fn state(stage: &Stage, id: NoticeId) -> (NoticeStatus, u32, i64, String) {
    let notice = stage.stores.notices.get(id).await.unwrap().unwrap();
    let reason = notice.reason.unwrap_or_default();
    (notice.status, notice.attempts, notice.next_at.millis() - NOW, reason)
}

fn sent(stage: &Stage) -> Vec<(String, [u8; 16])> {
    stage.post.sent.lock().clone()
}

fn refuse(stage: &Stage, with: NotSent) {
    stage.post.next.lock().push(Err(with));
}

fn text(text: &str) -> String {
    text.to_owned()
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_is_handed_over_and_marked() {
    let stage = Stage::new();
    stage.at(NOW + 100);
    let (one, other) = (queue(&stage, 1, 1).await, queue(&stage, 2, 2).await);
    assert!(matches!(round(&stage).await, Round::Worked(Heard::Answered)));
    assert_eq!(sent(&stage), [(address(1), one.0), (address(2), other.0)]);
    let notice = stage.stores.notices.get(one).await.unwrap().unwrap();
    assert_eq!(
        (notice.status, notice.sent_at.map(|at| at.millis())),
        (NoticeStatus::Sent, Some(NOW + 100))
    );
    assert!(matches!(round(&stage).await, Round::Idle));
    assert_eq!(sent(&stage).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_that_waits_holds_up_its_person_and_nobody_else() {
    let stage = Stage::new();
    stage.at(NOW + 100);
    let first = queue(&stage, 1, 1).await;
    let (second, other) = (queue(&stage, 2, 1).await, queue(&stage, 3, 2).await);
    refuse(&stage, NotSent::Later(text("451 busy")));
    round(&stage).await;
    assert_eq!(sent(&stage), [(address(2), other.0)]);
    assert_eq!(
        state(&stage, first).await,
        (NoticeStatus::Queued, 1, 100 + MINUTE, text("451 busy"))
    );
    assert!(matches!(round(&stage).await, Round::Idle), "the second one waits behind it");
    stage.at(NOW + 100 + MINUTE);
    round(&stage).await;
    round(&stage).await;
    assert_eq!(sent(&stage)[1..], [(address(1), first.0), (address(1), second.0)]);
}

#[tokio::test(start_paused = true)]
async fn pauses_double_up_to_the_longest_and_then_it_is_given_up() {
    let stage = Stage::new();
    let id = queue(&stage, 0, 1).await;
    let mut at = 0;
    let mut pauses = Vec::new();
    for _ in 0..9 {
        stage.at(NOW + at);
        refuse(&stage, NotSent::Later(text("450 later")));
        round(&stage).await;
        let next = state(&stage, id).await.2;
        pauses.push((next - at) / MINUTE);
        at = next;
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    stage.at(NOW + 3 * 24 * HOUR);
    refuse(&stage, NotSent::Later(text("451 busy")));
    round(&stage).await;
    let (status, _, _, reason) = state(&stage, id).await;
    assert_eq!((status, reason), (NoticeStatus::Failed, text("Given up: 451 busy")));
    assert!(matches!(round(&stage).await, Round::Idle));
}

#[tokio::test(start_paused = true)]
async fn one_that_had_to_wait_for_its_first_try_has_all_of_them() {
    let stage = Stage::new();
    let id = queue(&stage, 1, 1).await;
    let days = |n: i64| n * 24 * HOUR;
    stage.at(NOW + days(4));
    for (at, expected) in [
        (days(4), NoticeStatus::Queued),
        (days(7) - 1, NoticeStatus::Queued),
        (days(7) + 3 * HOUR, NoticeStatus::Failed),
    ] {
        stage.at(NOW + at);
        refuse(&stage, NotSent::Later(text("451 busy")));
        round(&stage).await;
        assert_eq!(state(&stage, id).await.0, expected, "{at}");
    }
    // Somebody wants it to be tried again, and that is from the beginning too.
    let now = engine::Timestamp::from_millis(NOW + days(9));
    stage.stores.notices.requeue(id, now, true).await.unwrap().unwrap();
    stage.at(NOW + days(9));
    refuse(&stage, NotSent::Later(text("451 busy")));
    round(&stage).await;
    assert_eq!(state(&stage, id).await.0, NoticeStatus::Queued);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_is_no_try_and_not_waited_for_for_ever() {
    let stage = Stage::new();
    stage.at(NOW + 100);
    let id = queue(&stage, 1, 1).await;
    for days in 0..3 {
        stage.at(NOW + 100 + days * 24 * HOUR);
        refuse(&stage, NotSent::Down(text("connection refused")));
        assert!(matches!(round(&stage).await, Round::Down(_)));
        let (status, attempts, _, _) = state(&stage, id).await;
        assert_eq!((status, attempts), (NoticeStatus::Queued, 0), "{days}");
    }
    stage.at(NOW + 100 + 3 * 24 * HOUR);
    refuse(&stage, NotSent::Down(text("connection refused")));
    round(&stage).await;
    assert_eq!(state(&stage, id).await.0, NoticeStatus::Failed);
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_the_same_one_again_and_again() {
    let stage = Stage::new();
    stage.at(NOW + 100);
    let id = queue(&stage, 1, 1).await;
    let mut handed_over = 0;
    while state(&stage, id).await.0 == NoticeStatus::Queued {
        stage.at(NOW + 100 + handed_over * 2 * HOUR);
        refuse(&stage, NotSent::Unknown(text("no answer")));
        assert!(matches!(round(&stage).await, Round::Worked(Heard::Silent(_))));
        handed_over += 1;
    }
    assert_eq!(handed_over, i64::from(UNCLEAR_MAX));
    let (status, _, _, reason) = state(&stage, id).await;
    assert_eq!((status, reason), (NoticeStatus::Failed, text("Given up: no answer")));
}

#[tokio::test(start_paused = true)]
async fn mail_is_down_until_the_server_answers_for_a_message() {
    let unclear = || NotSent::Unknown(text("no answer"));
    let mut rounds = vec![
        (vec![Err(NotSent::Down(text("refused")))], true),
        // Nothing was handed over: the second person wants no mail.
        (Vec::new(), true),
        (vec![Err(unclear())], true),
        (vec![Err(NotSent::Unfit(text("no address")))], true),
        (vec![Err(NotSent::Later(text("451 busy")))], false),
        (vec![Err(NotSent::Silent(text("no answer")))], true),
        (vec![Err(NotSent::Never(text("550 no")))], false),
        (vec![Err(unclear())], true),
        (vec![Ok(())], false),
    ];
    let stage = Stage::new();
    let change = PreferencesChange { mail: Some(false), kinds: Vec::new() };
    stage.stores.notices.change_preferences(user(2), change).await.unwrap();
    for (n, (answers, down)) in (1..).zip(rounds.drain(..)) {
        stage.at(NOW + i64::from(n) * 1_000);
        let of = if answers.is_empty() { 2 } else { 10 + n };
        queue(&stage, n, of).await;
        *stage.post.next.lock() = answers;
        // One round, and then it waits.
        let carrier = stage.service.carrier();
        let round = match carrier.round().await.unwrap() {
            Round::Worked(Heard::Nothing) | Round::Idle => None,
            Round::Worked(Heard::Answered) => Some(None),
            Round::Worked(Heard::Silent(why)) | Round::Down(why) => Some(Some(why)),
        };
        if let Some(why) = round {
            carrier.is_down(why.as_deref());
        }
        assert_eq!(stage.service.mail_is_down(), down, "round {n}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_good_is_not_tried_again() {
    let stage = Stage::new();
    stage.at(NOW + 100);
    let (first, second) = (queue(&stage, 1, 1).await, queue(&stage, 2, 1).await);
    refuse(&stage, NotSent::Never(text("550 no such person")));
    round(&stage).await;
    let (status, attempts, _, reason) = state(&stage, first).await;
    assert_eq!((status, attempts, reason), (NoticeStatus::Failed, 1, text("550 no such person")));
    round(&stage).await;
    assert_eq!(sent(&stage), [(address(1), second.0)], "and holds nobody up");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_makes_all_wait() {
    let stage = Stage::new();
    stage.at(NOW + 100);
    for n in 1..=20 {
        queue(&stage, n, n).await;
    }
    for _ in 0..20 {
        refuse(&stage, NotSent::Down(text("connection refused")));
    }
    assert!(matches!(round(&stage).await, Round::Down(why) if why == "connection refused"));
    let tried = 20 - stage.post.next.lock().len();
    assert!(tried <= 4, "only those that were begun: {tried}");
    assert_eq!(stage.stores.notices.waiting().await.unwrap(), (20, 0));
    // The same ones are not tried first again: one of them may be why.
    stage.post.next.lock().clear();
    round(&stage).await;
    assert_eq!(sent(&stage).len(), 20 - tried);
    stage.at(NOW + 100 + MINUTE);
    round(&stage).await;
    assert_eq!(sent(&stage).len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_answers_for_none_gets_no_more_in_this_round() {
    let stage = Stage::new();
    stage.at(NOW + 100);
    for n in 1..=20 {
        queue(&stage, n, n).await;
    }
    let answers = |first| {
        let silent = || Err(NotSent::Unknown(text("no answer")));
        std::iter::once(first).chain(std::iter::repeat_with(silent).take(9)).collect()
    };
    *stage.post.next.lock() = answers(Err(NotSent::Unknown(text("no answer"))));
    assert!(matches!(round(&stage).await, Round::Worked(Heard::Silent(_))));
    let tried = 10 - stage.post.next.lock().len();
    assert!(tried <= 4, "only those that were begun: {tried}");
    *stage.post.next.lock() = answers(Ok(()));
    assert!(matches!(round(&stage).await, Round::Worked(Heard::Answered)));
    assert!(stage.post.next.lock().is_empty(), "one that answers is not silent");
}

/// How many are marked as sent.
async fn marked(stage: &Stage, all: &[NoticeId]) -> usize {
    let mut marked = 0;
    for id in all {
        marked += usize::from(state(stage, *id).await.0 == NoticeStatus::Sent);
    }
    marked
}

#[tokio::test(start_paused = true)]
async fn one_is_marked_before_the_next_one_takes_its_place() {
    let stage = Stage::new();
    stage.at(NOW + 100);
    let mut all = Vec::new();
    for n in 1..=20 {
        all.push(queue(&stage, n, n).await);
    }
    *stage.post.silent_after.lock() = Some(10);
    let carrier = stage.service.carrier();
    let cut_off = tokio::time::timeout(Duration::from_secs(9), carrier.round()).await;
    assert!(cut_off.is_err(), "the server is silent");
    assert_eq!(sent(&stage).len(), 14, "four at once");
    assert_eq!(marked(&stage, &all).await, 10, "all that were answered");
}

#[tokio::test(start_paused = true)]
async fn a_bug_met_once_is_outlived() {
    let stage = Stage::new();
    stage.at(NOW + 100);
    let id = queue(&stage, 1, 1).await;
    stage.post.breaks.store(true, Ordering::Relaxed);
    stage.service.carrier().run(sleep(Duration::from_secs(60))).await;
    assert!(!stage.post.breaks.load(Ordering::Relaxed), "it was met");
    assert_eq!(state(&stage, id).await.0, NoticeStatus::Sent);
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_at_a_stop_comes_to_its_end_within_bounds() {
    for (slowness, expected) in [(Duration::from_secs(2), (8, 8)), (2 * END, (0, 0))] {
        let stage = Stage::new();
        stage.at(NOW + 100);
        let mut all = Vec::new();
        for n in 1..=20 {
            all.push(queue(&stage, n, n).await);
        }
        *stage.post.slowness.lock() = slowness;
        let began = Instant::now();
        stage.service.carrier().run(sleep(Duration::from_secs(3))).await;
        assert_eq!((sent(&stage).len(), marked(&stage, &all).await), expected);
        assert!(began.elapsed() <= Duration::from_secs(3) + END, "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_marked_that_is_not_safe_where_it_went() {
    let stage = Stage::new();
    stage.at(NOW + 100);
    let id = queue(&stage, 1, 1).await;
    *stage.post.unsettled.lock() = Some(text("the disk is full"));
    assert!(matches!(round(&stage).await, Round::Down(why) if why == "the disk is full"));
    assert_eq!(state(&stage, id).await.0, NoticeStatus::Queued);
    *stage.post.unsettled.lock() = None;
    round(&stage).await;
    assert_eq!(state(&stage, id).await.0, NoticeStatus::Sent);
    assert_eq!(sent(&stage), [(address(1), id.0), (address(1), id.0)], "the same message");
}

#[tokio::test(start_paused = true)]
async fn who_has_changed_their_mind_meanwhile_is_not_written_to() {
    let stage = Stage::new();
    stage.at(NOW + 100);
    let (one, closed) = (queue(&stage, 1, 1).await, queue(&stage, 2, CLOSED).await);
    let change = PreferencesChange { mail: Some(false), kinds: Vec::new() };
    stage.stores.notices.change_preferences(user(1), change).await.unwrap();
    round(&stage).await;
    assert_eq!(sent(&stage), []);
    let quiet = |reason: &str| (NoticeStatus::Suppressed, text(reason));
    for (id, expected) in
        [(one, quiet("No mail is wanted.")), (closed, quiet("The account is closed."))]
    {
        let (status, _, _, reason) = state(&stage, id).await;
        assert_eq!((status, reason), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_back_is_known_without_a_message() {
    let stage = Stage::new();
    let id = queue(&stage, 1, 1).await;
    // So old that the first failure is the last.
    stage.at(NOW + 4 * 24 * HOUR);
    stage.post.away.store(true, Ordering::Relaxed);
    refuse(&stage, NotSent::Down(text("connection refused")));
    let (service, (end, ended)) = (stage.service.clone(), tokio::sync::oneshot::channel::<()>());
    let running = tokio::spawn(async move {
        service
            .run(async {
                let _closed = ended.await;
            })
            .await;
    });
    let is_down = async |expected| {
        while stage.service.mail_is_down() != expected {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let long = Duration::from_secs(600);
    tokio::time::timeout(long, is_down(true)).await.expect("it is away");
    assert_eq!(state(&stage, id).await.0, NoticeStatus::Failed, "and nothing waits for it");
    tokio::time::timeout(long, is_down(false)).await.expect_err("nobody opens");
    stage.post.away.store(false, Ordering::Relaxed);
    tokio::time::timeout(long, is_down(false)).await.expect("it is back");
    assert_eq!(sent(&stage), []);
    drop(end);
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn desk_and_carrier_together_bring_a_booking_to_its_person() {
    let stage = Stage::new();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let running = stage.service.clone();
    let running = tokio::spawn(async move {
        running
            .run(async {
                let _closed = ended.await;
            })
            .await;
    });
    // It begins before anything happens.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let booked: Vec<BookingEvent> = (1..=3).map(crate::stage::confirmed).collect();
    stage.happen([vec![crate::stage::opened(NOW + 9 * HOUR)], booked].concat()).await;
    let all = async {
        while sent(&stage).len() < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(600), all).await.expect("they come");
    drop(end);
    running.await.unwrap();
    assert_eq!(stage.stores.notices.waiting().await.unwrap(), (0, 0));
}
