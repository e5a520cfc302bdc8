//! The people, what they do, and what they were answered.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use harness::client::{Ask, Client, Response};
use harness::eventually::PATIENCE;
use harness::people::{People, Person};
use harness::random::Random;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::judge::Told;

/// Connections over which accounts are made and crowds book.
const HANDS: usize = 12;

/// Pause before the next try when there was no server, or no answer.
const PAUSE: Duration = Duration::from_millis(10);

/// Bookings that a client has before one of them is given back.
const OPEN: usize = 3;

/// So many in a hundred are.
const GIVE_BACK: u64 = 85;

/// People with accounts, and so with addresses.
pub(crate) async fn register(address: SocketAddr, people: &People, count: usize) -> Vec<Person> {
    let mut hands = JoinSet::new();
    for hand in 0..HANDS {
        let mut client = Client::new(address);
        hands.spawn(async move {
            let mut ids = Vec::new();
            for number in (hand..count).step_by(HANDS) {
                let body = json!({
                    "username": format!("person{number}"),
                    "email": format!("person{number}@example.org"),
                    "password": format!("a long word and {number}"),
                    "full_name": format!("Person {number}"),
                });
                let answer = client.ask(&Ask::post("/auth/register").json(&body)).await;
                assert_eq!(answer.status, 201, "{:?}", answer.body);
                ids.push(id_in(&answer));
            }
            ids
        });
    }
    let ids = hands.join_all().await.into_iter().flatten();
    ids.map(|id| people.attendee(id)).collect()
}

/// All of them book a place, each its own.
pub(crate) async fn all_book(address: SocketAddr, people: &[Person], event: Uuid) -> Vec<Told> {
    let mut hands = JoinSet::new();
    for chunk in people.chunks(people.len().div_ceil(HANDS).max(1)) {
        let (mut client, chunk) = (Client::new(address), chunk.to_vec());
        hands.spawn(async move {
            let mut told = Vec::new();
            for person in chunk {
                let answer = client.ask(&book(&person, event, &event.simple().to_string())).await;
                assert_eq!(answer.status, 201, "{:?}", answer.body);
                told.extend(told_of_booking(&person, &answer));
            }
            told
        });
    }
    hands.join_all().await.into_iter().flatten().collect()
}

/// People who come and go until it is over.
pub(crate) struct Traffic {
    pub(crate) events: [Uuid; 2],
    /// Where the server listens now.
    pub(crate) address: watch::Receiver<SocketAddr>,
    pub(crate) over: watch::Receiver<bool>,
}

impl Traffic {
    /// Starts as many clients as there are groups of people. Each returns what its people
    /// were answered.
    pub(crate) fn start(self, groups: Vec<Vec<Person>>, random: &Random) -> JoinSet<Vec<Told>> {
        let shared = Arc::new(self);
        let mut clients = JoinSet::new();
        for (number, people) in groups.into_iter().enumerate() {
            let random = random.part(100 + number as u64);
            let client = Client::new(*shared.address.borrow());
            clients.spawn(Visitor { shared: Arc::clone(&shared), client, random }.visit(people));
        }
        clients
    }
}

struct Visitor {
    shared: Arc<Traffic>,
    client: Client,
    random: Random,
}

impl Visitor {
    /// One after the other books. Most give their place back somewhat later, when they may
    /// have been promoted.
    async fn visit(mut self, people: Vec<Person>) -> Vec<Told> {
        let mut told = Vec::new();
        let mut open = VecDeque::new();
        for person in people.iter().cycle() {
            if *self.shared.over.borrow() {
                break;
            }
            let which = usize::try_from(self.random.below(2)).unwrap_or(0);
            let key = self.key();
            let ask = book(person, self.shared.events[which], &key);
            if let Some(booked) = told_of_booking(person, &self.until_answered(&ask).await) {
                told.push(booked.clone());
                open.push_back((person, booked));
            }
            if open.len() > OPEN
                && let Some((person, booked)) = open.pop_front()
                && self.random.chance(GIVE_BACK)
            {
                told.push(self.cancel(person, booked).await);
            }
        }
        told
    }

    async fn cancel(&mut self, person: &Person, booked: Told) -> Told {
        let booking = booked.booking.expect("a booking has an id");
        let cancel = Ask::delete(format!("/bookings/{booking}"));
        let cancel = cancel.token(&person.token).key(&self.key());
        let answer = self.until_answered(&cancel).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        Told { kind: "BookingCancelled".to_owned(), ..booked }
    }

    /// Asks until there is an answer, with the same key, so that it happens once.
    async fn until_answered(&mut self, ask: &Ask) -> Response {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let address = *self.shared.address.borrow();
            self.client.move_to(address);
            match self.client.send(ask).await {
                Ok(answer) if answer.status != 503 => return answer,
                _ => sleep(PAUSE).await,
            }
            assert!(Instant::now() < deadline, "{} is never answered", ask.line());
        }
    }

    fn key(&mut self) -> String {
        self.random.uuid().simple().to_string()
    }
}

fn book(person: &Person, event: Uuid, key: &str) -> Ask {
    let body = json!({ "event_id": event.to_string(), "quantity": 1, "join_waitlist": true });
    Ask::post("/bookings").token(&person.token).key(key).json(&body)
}

/// What the person is to be told; nothing for a refusal.
fn told_of_booking(person: &Person, answer: &Response) -> Option<Told> {
    if answer.status == 409 {
        return None;
    }
    let body = answer.json();
    let kind = match body["status"].as_str() {
        Some("confirmed") => "BookingConfirmed",
        Some("waitlisted") => "BookingWaitlisted",
        _ => panic!("neither booked nor refused: {} {body}", answer.status),
    };
    Some(Told { user: person.id, kind: kind.to_owned(), booking: Some(id_in(answer)) })
}

fn id_in(answer: &Response) -> Uuid {
    let body = answer.json();
    let id = body["id"].as_str().and_then(|id| id.parse().ok());
    id.unwrap_or_else(|| panic!("no id in {body}"))
}
