//! Five thousand people, 64 connections, 500 places.

use std::sync::Arc;

use harness::checker::{Evidence, check};
use harness::client::{Ask, Client};
use harness::events::{create, list, read_back};
use harness::history::{History, Outcome, SeenBooking, Status, Told, Wish};
use harness::journal;
use harness::people::{People, Person};
use harness::random::Random;
use harness::recorder::{self, Recorder};
use harness::served::Served;
use harness::server::{Home, Server};
use harness::settings;
use tokio::task::JoinSet;
use uuid::Uuid;

const PEOPLE: usize = 5_000;
const CONNECTIONS: usize = 64;
const PLACES: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_go_to_the_first_and_those_given_back_to_the_next() {
    let home = Home::new();
    let server = Server::start(&home).await;
    let people = People::of(&home.data());
    let mut random = Random::new(settings::seed());
    let organizer = people.attendee(random.uuid());
    let crowd: Vec<Person> = (0..PEOPLE).map(|_| people.attendee(random.uuid())).collect();
    let capacity = u32::try_from(PLACES).expect("few");
    let event = create(&mut server.client(), &organizer, "Race", capacity).await;
    let history = Arc::new(History::default());

    let wish = Wish::Book { event, quantity: 1, join_waitlist: true };
    let wishes = crowd.iter().map(|person| (person.clone(), wish.clone())).collect();
    let mut told = call_all(&server, &history, wishes).await;
    told.sort_by_key(|row| row.seq);
    assert_eq!(told.len(), PEOPLE);
    let (first, waiting) = told.split_at(PLACES);
    assert!(first.iter().all(|row| row.status == Status::Confirmed && row.position.is_none()));
    for (position, row) in (1..).zip(waiting) {
        assert_eq!((row.status, row.position), (Status::Waitlisted, Some(position)), "{row:?}");
    }
    // What was told at the time is what can be read now, for nobody has left the queue.
    let mut now = read_all(&server, &crowd, &told).await;
    now.sort_by_key(|row| row.seq);
    assert_eq!(now, told);

    let by_id = |user: Uuid| crowd.iter().find(|person| person.id == user).expect("one of us");
    let cancellations =
        first.iter().map(|row| (by_id(row.user).clone(), Wish::Cancel { booking: row.id }));
    let cancelled = call_all(&server, &history, cancellations.collect()).await;
    assert!(cancelled.iter().all(|row| row.status == Status::Cancelled));
    assert_eq!(cancelled.len(), PLACES);

    let mut now = read_all(&server, &crowd, &told).await;
    now.sort_by_key(|row| row.seq);
    let (gone, left) = now.split_at(PLACES);
    let (promoted, behind) = left.split_at(PLACES);
    assert!(gone.iter().all(|row| row.status == Status::Cancelled));
    assert!(promoted.iter().all(|row| row.status == Status::Confirmed));
    for (position, row) in (1..).zip(behind) {
        assert_eq!((row.status, row.position), (Status::Waitlisted, Some(position)), "{row:?}");
    }
    judge(&home, server, &history, event, &organizer, &crowd).await;
}

/// The checker's opinion of the whole.
async fn judge(
    home: &Home,
    server: Server,
    history: &History,
    event: Uuid,
    organizer: &Person,
    crowd: &[Person],
) {
    let mut client = server.client();
    let mut served = Served::default();
    served.events.push(read_back(&mut client, event, organizer).await);
    for person in crowd.iter().step_by(10) {
        served.users.insert(person.id, list(&mut client, "/bookings", person).await);
    }
    assert!(server.stop().await.success(), "{}", home.log());
    home.assert_no_panic();
    let journal = journal::read(&home.data()).unwrap_or_else(|error| panic!("{error}"));
    let calls = history.take();
    let report = check(&Evidence { calls: &calls, journal: &journal, served: &served });
    println!("{report}");
    assert!(report.is_clean());
}

/// Makes all calls over all connections at once; all must be granted.
async fn call_all(
    server: &Server,
    history: &Arc<History>,
    wishes: Vec<(Person, Wish)>,
) -> Vec<SeenBooking> {
    let mut tasks = JoinSet::new();
    for (number, part) in wishes.chunks(wishes.len().div_ceil(CONNECTIONS)).enumerate() {
        let mut recorder = Recorder::new(history, number, server.client());
        let part = part.to_vec();
        tasks.spawn(async move {
            let mut told = Vec::new();
            for (person, wish) in part {
                match recorder.call(&person, &wish, None).await {
                    Some(Outcome::Answered(answer)) => match answer.told {
                        Told::Booking(row) => told.push(row),
                        other => panic!("{wish:?}: {other:?}"),
                    },
                    other => panic!("{wish:?}: {other:?}"),
                }
            }
            told
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

/// Reads each booking by its id, as its owner.
async fn read_all(server: &Server, crowd: &[Person], told: &[SeenBooking]) -> Vec<SeenBooking> {
    let tokens: std::collections::HashMap<Uuid, Arc<str>> =
        crowd.iter().map(|person| (person.id, Arc::clone(&person.token))).collect();
    let asks: Vec<Ask> = told
        .iter()
        .map(|row| Ask::get(format!("/bookings/{}", row.id)).token(&tokens[&row.user]))
        .collect();
    let mut tasks = JoinSet::new();
    for part in asks.chunks(asks.len().div_ceil(CONNECTIONS)) {
        let (mut client, part): (Client, Vec<Ask>) = (server.client(), part.to_vec());
        tasks.spawn(async move {
            let mut rows = Vec::new();
            for ask in part {
                let answer = client.ask(&ask).await;
                let row = recorder::booking(&answer.json());
                rows.push(row.unwrap_or_else(|what| panic!("no {what}: {:?}", answer.body)));
            }
            rows
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}
