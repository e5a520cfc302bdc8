//! Deadlines survive sleep and restarts; what is due comes first.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::{BookingStatus, Command, Seats, Words};
use tokio::time::Instant;

use crate::support::{EVENT, Stage, book, booking, eventually, quick, user};

fn hold() -> Command {
    Command::PlaceHold { quantity: Seats::ONE, details: Words::default() }
}

const SPAN: Duration = Duration::from_secs(600);

#[tokio::test]
async fn an_expired_hold_goes_to_the_first_who_waits() {
    let stage = Stage::new().await;
    stage.open(1).await;
    stage.submit(user(1), hold()).await.unwrap();
    assert_eq!(stage.book(2).await.unwrap().booking.status, BookingStatus::Waitlisted);
    stage.clock.advance(SPAN + Duration::from_millis(1));
    eventually("the waiting person is promoted", async || {
        stage.status(2).await == Some(BookingStatus::Confirmed)
    })
    .await;
}

#[tokio::test]
async fn what_is_due_comes_before_any_other_command() {
    // The sweep never comes and the alarm follows real time: only the command can run it.
    let options = actors::Options { deadline_sweep: Duration::from_secs(3_600), ..quick() };
    let stage = Stage::with(options).await;
    stage.open(1).await;
    stage.submit(user(1), hold()).await.unwrap();
    stage.book(2).await.unwrap();
    stage.clock.advance(SPAN + Duration::from_millis(1));
    assert_eq!(stage.book(3).await.unwrap().waitlist_position, Some(1));
    assert_eq!(stage.status(2).await, Some(BookingStatus::Confirmed));
}

#[tokio::test]
async fn a_deadline_wakes_a_sleeping_event_after_a_restart() {
    let stage = Stage::new().await;
    stage.open(1).await;
    stage.submit(user(1), hold()).await.unwrap();
    stage.book(2).await.unwrap();
    let stage = stage.restart(quick()).await;
    assert_eq!(stage.system.awake(), 0);
    stage.clock.advance(SPAN + Duration::from_millis(1));
    eventually("nobody asked, and yet the header shows a booking", async || {
        let header = stage.office().headers(vec![EVENT]).await.unwrap();
        header[0].unwrap().summary.counts.booked == 1
    })
    .await;
}

/// More holds than one turn of the actor ends: four decisions of 256 moves.
const MANY: u32 = 1_500;

#[tokio::test]
async fn much_that_is_due_lets_questions_in_between_and_still_comes_before_commands() {
    // Only the command can run what is due, as above.
    let options = actors::Options { deadline_sweep: Duration::from_secs(3_600), ..quick() };
    let stage = Stage::with(options).await;
    stage.open(MANY).await;
    for who in 1..=MANY {
        stage.submit(user(who), hold()).await.unwrap();
    }
    for who in 1..=MANY {
        stage.book(MANY + who).await.unwrap();
    }
    stage.clock.advance(SPAN + Duration::from_millis(1));
    // Tasks are run in the order they were spawned and woken: so the messages come in this
    // order, and who is answered first says so first.
    let told = Arc::new(Mutex::new(Vec::new()));
    let command = |who| {
        let (office, told) = (stage.office(), Arc::clone(&told));
        let request = stage.request(user(who), book());
        tokio::spawn(async move {
            let receipt = office.submit(EVENT, request).await.unwrap();
            told.lock().unwrap().push("command");
            booking(&receipt).waitlist_position
        })
    };
    let (first, second) = (command(3 * MANY), command(3 * MANY + 1));
    let question = {
        let (office, told) = (stage.office(), Arc::clone(&told));
        let deadline = Instant::now() + Duration::from_secs(10);
        tokio::spawn(async move {
            office.info(EVENT, deadline).await.unwrap();
            told.lock().unwrap().push("question");
        })
    };
    question.await.unwrap();
    let positions = [first.await.unwrap(), second.await.unwrap()];
    assert_eq!(*told.lock().unwrap(), ["question", "command", "command"]);
    assert_eq!(positions, [Some(1), Some(2)], "behind all who waited, in the order they came");
    for who in [1, MANY / 2, MANY] {
        assert_eq!(stage.status(MANY + who).await, Some(BookingStatus::Confirmed));
    }
}
