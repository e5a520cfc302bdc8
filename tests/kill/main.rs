//! The real binary, killed twenty times under load and started again on the same folder.
//!
//! 64 clients book, wait, cancel and repeat by key on three events: one of three places,
//! one of a thousand, and one whose capacity goes up and down meanwhile. Then everything
//! is read back, and the checker judges the history of all calls, the journal on disk
//! and what is served.

mod crowd;
mod killer;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use harness::checker::{Evidence, check, check_from_outside};
use harness::client::Client;
use harness::events::{create, list, read_back};
use harness::history::{Call, History, Outcome};
use harness::journal::{self, Fact, Journal};
use harness::people::{People, Person};
use harness::random::Random;
use harness::served::Served;
use harness::server::{Home, Server};
use harness::settings;
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use crowd::{Crowd, Event};

/// How many clients call at the same time.
const CLIENTS: usize = 64;

/// How often the server is killed.
const KILLS: usize = 20;

/// How many connections read everything back.
const READERS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_answered_is_lost_when_the_server_is_killed() {
    let seed = settings::seed();
    println!("seed {seed} (another one by {}=…)", settings::SEED);
    let random = Random::new(seed);

    let home = Home::new();
    let server = Server::start(&home).await;
    let people = Arc::new(People::of(&home.data()));
    let organizer = people.attendee(random.part(1).uuid());
    let events = set_up(&mut server.client(), &organizer).await;

    let history = Arc::new(History::default());
    let (moved, address) = watch::channel(server.address());
    let (end, over) = watch::channel(false);
    let never_told = Arc::default();
    let crowd = Crowd {
        history: Arc::clone(&history),
        people,
        events,
        address,
        over,
        never_told: Arc::clone(&never_told),
    };
    let clients = crowd.start(CLIENTS, &random, &organizer);
    let server = killer::kill_and_restart(server, KILLS, &home, &history, &moved, &random).await;
    end.send(true).expect("the clients still listen");
    let visitors = crowd::joined(clients).await;

    // Whatever goes wrong from here on, the checker has its say: it tells why.
    let mut failures = Vec::new();
    match never_told.load(Ordering::Relaxed) {
        0 => {}
        calls => failures.push(format!("never_told: {calls} calls got no answer")),
    }
    let reading = read_everything(server.address(), organizer, events, visitors.clone());
    let served = tokio::spawn(reading).await.unwrap_or_else(|error| {
        failures.push(format!("reading back: {error}"));
        Served::default()
    });
    let status = server.stop().await;
    if !status.success() {
        failures.push(format!("SIGTERM: {status}"));
    }
    let journal = journal::read(&home.data()).unwrap_or_else(|error| {
        failures.push(format!("journal: {error}"));
        Journal::default()
    });

    let calls = history.take();
    let report = check(&Evidence { calls: &calls, journal: &journal, served: &served });
    print_figures(seed, &calls, &journal, &visitors);
    println!("{report}");
    // What sees less may find less, but nothing else: drills judge by it alone.
    let from_outside = check_from_outside(&calls, &served);
    if !from_outside.is_clean() {
        failures.push(format!("from outside:\n{from_outside}"));
    }
    for failure in &failures {
        println!("FAILED {failure}");
    }
    assert!(report.is_clean() && failures.is_empty(), "seed {seed}");
    home.assert_no_panic();
    assert_it_was_a_trial(&calls, &journal);
}

async fn set_up(client: &mut Client, organizer: &Person) -> [Event; 3] {
    let mut events = Vec::new();
    for (title, capacity, keeps, waits) in [
        ("Tiny", 3, 10, 85),
        ("Large", 1_000, 85, 85),
        // With a queue that is never empty the capacity could only go up.
        ("Changing", crowd::FIRST_CAPACITY, 10, 60),
    ] {
        let id = create(client, organizer, title, capacity).await;
        events.push(Event { id, keeps, waits });
    }
    events.try_into().unwrap_or_else(|_| panic!("three events"))
}

/// All lists of all people and events.
async fn read_everything(
    address: SocketAddr,
    organizer: Person,
    events: [Event; 3],
    visitors: Vec<Person>,
) -> Served {
    let mut served = Served::default();
    for event in events {
        served.events.push(read_back(&mut Client::new(address), event.id, &organizer).await);
    }
    let mut readers = JoinSet::new();
    for chunk in visitors.chunks(visitors.len().div_ceil(READERS).max(1)) {
        let (mut client, chunk) = (Client::new(address), chunk.to_vec());
        readers.spawn(async move {
            let mut lists = BTreeMap::new();
            for person in chunk {
                lists.insert(person.id, list(&mut client, "/bookings", &person).await);
            }
            lists
        });
    }
    served.users = readers.join_all().await.into_iter().flatten().collect();
    served
}

fn print_figures(seed: u64, calls: &[Call], journal: &Journal, visitors: &[Person]) {
    let count =
        |wanted: fn(&Outcome) -> bool| calls.iter().filter(|call| wanted(&call.outcome)).count();
    let happened = |wanted: fn(&Fact) -> bool| facts(journal).filter(|fact| wanted(fact)).count();
    let figures: [(&str, usize); 13] = [
        ("clients", CLIENTS),
        ("people", visitors.len()),
        ("kills and restarts", KILLS),
        ("calls", calls.len()),
        ("answered", count(|outcome| matches!(outcome, Outcome::Answered(_)))),
        ("refused by a rule", count(|outcome| matches!(outcome, Outcome::Refused(_)))),
        ("unknown outcome", count(|outcome| matches!(outcome, Outcome::Unknown(_)))),
        ("repeated by key", repeats(calls)),
        ("booking events in the journal", facts(journal).count()),
        ("  confirmed at once", happened(is_confirmed)),
        ("  waiting, then promoted", happened(is_promoted)),
        ("  cancelled", happened(is_cancelled)),
        ("  changes of capacity", happened(is_changed)),
    ];
    println!("\nkill test, seed {seed}");
    for (name, figure) in figures {
        println!("  {name:<48} {figure:>7}");
    }
}

/// Calls whose key had been sent before.
fn repeats(calls: &[Call]) -> usize {
    let mut seen = HashSet::new();
    calls.iter().filter_map(|call| call.key.as_ref()).filter(|key| !seen.insert(*key)).count()
}

fn facts(journal: &Journal) -> impl Iterator<Item = &Fact> {
    journal.batches.iter().flat_map(|batch| &batch.decisions).flat_map(|decision| &decision.facts)
}

fn is_confirmed(fact: &Fact) -> bool {
    matches!(fact, Fact::Confirmed(..))
}

fn is_promoted(fact: &Fact) -> bool {
    matches!(fact, Fact::Promoted(..))
}

fn is_cancelled(fact: &Fact) -> bool {
    matches!(fact, Fact::Cancelled(..))
}

fn is_changed(fact: &Fact) -> bool {
    matches!(fact, Fact::Changed(..))
}

/// A run in which nothing happened would prove nothing.
fn assert_it_was_a_trial(calls: &[Call], journal: &Journal) {
    let happened = |wanted: fn(&Fact) -> bool| facts(journal).filter(|fact| wanted(fact)).count();
    let replayed = calls
        .iter()
        .filter(|call| matches!(&call.outcome, Outcome::Answered(answer) if answer.replayed));
    let unknown = calls.iter().filter(|call| matches!(call.outcome, Outcome::Unknown(_)));
    for (what, count) in [
        ("confirmed", happened(is_confirmed)),
        ("promoted", happened(is_promoted)),
        ("cancelled", happened(is_cancelled)),
        ("changed", happened(is_changed)),
        ("replayed", replayed.count()),
        ("unknown", unknown.count()),
    ] {
        assert!(count >= KILLS, "{what} only {count} times");
    }
    let epochs: BTreeSet<u64> = journal.batches.iter().map(|batch| batch.epoch).collect();
    assert!(epochs.len() > KILLS, "commits in {} lives of the server only", epochs.len());
}

/// A new key: unique in the run, and the same in each run of a seed.
fn new_key(random: &mut Random) -> Arc<str> {
    let id: Uuid = random.uuid();
    id.simple().to_string().into()
}
