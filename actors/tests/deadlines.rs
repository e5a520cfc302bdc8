//! Deadlines survive sleep and restarts; what is due comes first.

use std::time::Duration;

use engine::{BookingStatus, Command, Seats, Words};

use crate::support::{Stage, eventually, quick, user};

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
        let header = stage.office().headers(vec![crate::support::EVENT]).await.unwrap();
        header[0].unwrap().summary.counts.booked == 1
    })
    .await;
}
