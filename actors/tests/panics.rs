//! A panic costs one command, not an event.

use actors::SubmitError;

use crate::support::{EVENT, Stage, book, user};

#[tokio::test]
async fn a_command_that_panics_twice_is_quarantined_and_the_event_goes_on() {
    let stage = Stage::new().await;
    stage.open(5).await;
    stage.book(1).await.unwrap();
    stage.clock.set_broken(true);
    let poison = stage.request(user(2), book());
    assert_eq!(stage.office().submit(EVENT, poison.clone()).await, Err(SubmitError::Quarantined));
    stage.clock.set_broken(false);
    assert_eq!(
        stage.office().submit(EVENT, poison).await,
        Err(SubmitError::Quarantined),
        "it is not tried a third time"
    );
    assert_eq!(stage.book(3).await.unwrap().booking.seq.0, 3, "the event goes on");
    assert!(stage.status(1).await.is_some(), "and what was answered is there");
    assert_eq!(stage.status(2).await, None);
}
