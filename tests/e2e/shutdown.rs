//! SIGTERM: what has come in is answered, then the process ends with 0.

use std::sync::Arc;

use harness::client::{Ask, Client, NoAnswer};
use harness::events::create;
use harness::eventually::eventually;
use harness::history::{History, Outcome, Wish};
use harness::journal::{self, Fact};
use harness::people::People;
use harness::recorder::Recorder;
use harness::server::{Home, Server};
use tokio::task::JoinSet;

use crate::sse::Events;
use crate::stage::new_id;

/// Connections that book while the server is asked to end.
const CLIENTS: usize = 16;

/// Bookings before it is asked.
const BEFORE: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_in_flight_are_answered() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let people = Arc::new(People::of(&home.data()));
    let organizer = people.attendee(new_id());
    let event = create(&mut server.client(), &organizer, "The last one", 1_000_000).await;
    let history = Arc::new(History::default());
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let mut recorder = Recorder::new(&history, number, server.client());
        let people = Arc::clone(&people);
        clients.spawn(async move {
            let wish = Wish::Book { event, quantity: 1, join_waitlist: true };
            // Until nobody is there to ask, or says not to ask any more.
            while let Some(Outcome::Answered(_)) =
                recorder.call(&people.attendee(new_id()), &wish, None).await
            {}
        });
    }
    eventually("bookings come in", async || (history.len() >= BEFORE).then_some(())).await;
    server.ask_to_stop();
    let status = server.ended().await;
    assert!(status.success(), "{status}\n{}", home.log());
    clients.join_all().await;
    home.assert_no_panic();

    let calls = history.take();
    // A request that was being sent when its connection was closed has not come in; all
    // that have are answered.
    let granted = calls.iter().filter(|call| call.told().is_some()).count();
    let journal = journal::read(&home.data()).unwrap_or_else(|error| panic!("{error}"));
    let facts = journal.batches.iter().flat_map(|batch| &batch.decisions);
    let booked = facts.flat_map(|decision| &decision.facts);
    let booked = booked.filter(|fact| matches!(fact, Fact::Confirmed(..))).count();
    assert_eq!(booked, granted, "a booking was made and not answered, or answered and not made");
    assert!(granted >= BEFORE);
}

#[tokio::test]
async fn a_server_that_has_ended_takes_no_requests() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let mut client = server.client();
    assert_eq!(client.ask(&Ask::get("/readyz")).await.status, 200);
    // An idle connection that is kept open does not keep the server.
    let address = server.address();
    assert!(server.stop().await.success());
    let answer = Client::new(address).send(&Ask::get("/readyz")).await;
    assert!(matches!(answer, Err(NoAnswer::NotSent(_))), "{answer:?}");
}

#[tokio::test]
async fn open_streams_are_told_and_do_not_keep_it() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let organizer = People::of(&home.data()).attendee(new_id());
    let event = create(&mut server.client(), &organizer, "Watched to the end", 2).await;
    let path = format!("/events/{event}/availability/stream");
    let mut events = Events::open(server.address(), &path).await;
    assert_eq!(events.next().await.unwrap().name, "availability");
    server.ask_to_stop();
    let closed = events.next().await.unwrap();
    assert_eq!((closed.name.as_str(), closed.data.contains("stopping")), ("closed", true));
    assert_eq!(events.next().await, None);
    assert!(server.ended().await.success(), "{}", home.log());
    assert!(!home.log().contains("cut off"), "{}", home.log());
    home.assert_no_panic();
}

#[tokio::test]
async fn an_interrupt_ends_it_too() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let status = server.interrupt().await;
    assert!(status.success(), "{status}\n{}", home.log());
}
