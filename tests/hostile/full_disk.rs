//! No room on the disk in the middle of bookings: clear answers, nothing acknowledged is
//! lost, reads go on, and so does everything when there is room again.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use harness::client::{Ask, Response};
use harness::disk::SmallDisk;
use harness::events::{create, list};
use harness::eventually::eventually;
use harness::people::{People, Person};
use harness::random::Random;
use harness::server::{Home, Server};
use harness::settings;
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

/// Size of the disk, in MiB: room for a start, and not for much more.
const DISK: u32 = 24;

/// People who book at the same time, each one booking after the other.
const CROWD: u64 = 8;

/// Bookings that must be refused for want of room before there is room again.
const REFUSED: usize = 20;

/// A booking that somebody asked for, and what came of it.
#[derive(Clone)]
struct Wish {
    person: Person,
    key: String,
    answer: Response,
}

impl Wish {
    fn ask(person: &Person, key: &str, event: Uuid) -> Ask {
        let body = json!({ "event_id": event.to_string() });
        Ask::post("/bookings").token(&person.token).key(key).json(&body)
    }

    fn granted(&self) -> bool {
        self.answer.status == 201
    }

    fn id(&self) -> String {
        self.answer.json()["id"].as_str().unwrap().to_owned()
    }
}

/// Books as one new person after the other until told to stop.
async fn book(server: Arc<Server>, people: Arc<People>, event: Uuid, part: u64, stop: Arc<Flags>) {
    let mut random = Random::new(settings::seed()).part(part);
    let mut client = server.client();
    while !stop.ended.load(Ordering::Relaxed) {
        let person = people.attendee(random.uuid());
        let key = random.uuid().simple().to_string();
        let answer = client.ask(&Wish::ask(&person, &key, event)).await;
        let refused = answer.status != 201;
        stop.wishes.lock().await.push(Wish { person, key, answer });
        if refused {
            // Whoever is told to come back later does not come back at once.
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

#[derive(Default)]
struct Flags {
    ended: AtomicBool,
    wishes: tokio::sync::Mutex<Vec<Wish>>,
}

impl Flags {
    async fn count(&self, granted: bool) -> usize {
        self.wishes.lock().await.iter().filter(|wish| wish.granted() == granted).count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_loses_nothing_and_stops_nothing_else() {
    let home = Home::new();
    let Some(disk) = SmallDisk::under(&home, DISK) else {
        // Past the capture of a test's output: who runs this should know.
        let _ = writeln!(std::io::stderr(), "SKIPPED: full disk: mounting needs root");
        return;
    };
    let server = Arc::new(Server::start(&home).await);
    let people = Arc::new(People::of(&home.data()));
    let organizer = people.attendee(Uuid::from_u128(1));
    let event = create(&mut server.client(), &organizer, "No room", 100_000).await;
    let flags = Arc::new(Flags::default());
    let mut crowd = JoinSet::new();
    for part in 0..CROWD {
        crowd.spawn(book(server.clone(), people.clone(), event, part, flags.clone()));
    }
    eventually("a few bookings", async || (flags.count(true).await >= 100).then_some(())).await;
    disk.fill();
    eventually("bookings are refused", async || {
        (flags.count(false).await >= REFUSED).then_some(())
    })
    .await;
    reads_go_on(&server, event, &organizer, &flags).await;
    other_writes_are_clear(&server, &organizer).await;
    disk.empty();
    let before = flags.count(true).await;
    eventually("bookings go on", async || (flags.count(true).await >= before + 100).then_some(()))
        .await;
    flags.ended.store(true, Ordering::Relaxed);
    while let Some(ended) = crowd.join_next().await {
        ended.unwrap();
    }
    let mut wishes = flags.wishes.lock().await.clone();
    answers_were_clear(&wishes);
    repeat_the_refused(&server, event, &mut wishes).await;
    all_are_there(&server, event, &organizer, &wishes).await;
    let server = Arc::into_inner(server).expect("the crowd has gone");
    assert!(server.stop().await.success(), "{}", home.log());
    let server = Server::start(&home).await;
    all_are_there(&server, event, &organizer, &wishes).await;
    assert!(server.stop().await.success(), "{}", home.log());
    home.assert_no_panic();
    drop(disk);
}

/// While there is no room everything can be read, what was booked a moment ago too. Two
/// reads ask the event's actor, which starts anew after each failed commit, and pauses
/// before that: these may be told to come back.
async fn reads_go_on(server: &Server, event: Uuid, organizer: &Person, flags: &Flags) {
    let granted = flags.wishes.lock().await.iter().rfind(|wish| wish.granted()).cloned().unwrap();
    let token = &granted.person.token;
    let mut client = server.client();
    for (ask, from_the_actor) in [
        (Ask::get("/readyz"), false),
        (Ask::get("/events"), false),
        (Ask::get(format!("/events/{event}")), false),
        (Ask::get(format!("/events/{event}/availability")), false),
        (Ask::get("/bookings").token(token), false),
        (Ask::get(format!("/bookings/{}", granted.id())).token(token), true),
        (Ask::get(format!("/events/{event}/bookings")).token(&organizer.token), true),
    ] {
        let answer = client.ask(&ask).await;
        if from_the_actor && answer.status == 503 {
            is_clear(&answer);
        } else {
            assert_eq!(answer.status, 200, "{ask:?}: {:?}", answer.body);
        }
    }
}

/// What is written elsewhere finds a little room, or is told that there is none.
async fn other_writes_are_clear(server: &Server, organizer: &Person) {
    let account = json!({
        "username": "latecomer", "email": "late@example.org", "password": "plum tractor 17",
    });
    let event = harness::events::description("Too late", 10);
    for ask in [
        Ask::post("/events").token(&organizer.token).json(&event),
        Ask::post("/auth/register").json(&account),
    ] {
        let answer = server.client().ask(&ask).await;
        if answer.status != 201 {
            is_clear(&answer);
        }
    }
}

/// Whoever got nothing was told so in a way that can be acted on.
fn answers_were_clear(wishes: &[Wish]) {
    for wish in wishes.iter().filter(|wish| !wish.granted()) {
        is_clear(&wish.answer);
    }
}

fn is_clear(answer: &Response) {
    let body = answer.json();
    assert_eq!(answer.status, 503, "{:?}", answer.body);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(body["retryable"], true, "{body}");
    assert!(body["detail"].as_str().is_some_and(|detail| detail.ends_with('.')), "{body}");
    assert!(!body.to_string().to_lowercase().contains("sqlite"), "{body}");
}

/// Everybody who got nothing asks once more, with the same key; now all have one booking.
async fn repeat_the_refused(server: &Server, event: Uuid, wishes: &mut [Wish]) {
    let mut client = server.client();
    for wish in wishes.iter_mut().filter(|wish| !wish.granted()) {
        wish.answer = client.ask(&Wish::ask(&wish.person, &wish.key, event)).await;
        assert_eq!(wish.answer.status, 201, "{:?}", wish.answer.body);
    }
}

/// What was acknowledged is what is there, and nothing else is.
async fn all_are_there(server: &Server, event: Uuid, organizer: &Person, wishes: &[Wish]) {
    let mut client = server.client();
    let path = format!("/events/{event}/bookings");
    let there: BTreeMap<Uuid, String> = list(&mut client, &path, organizer)
        .await
        .into_iter()
        .map(|seen| (seen.id, format!("{:?}", seen.status)))
        .collect();
    for wish in wishes {
        let id: Uuid = wish.id().parse().unwrap();
        assert!(there.contains_key(&id), "the booking {id} was acknowledged and is gone");
    }
    assert_eq!(there.len(), wishes.len(), "there are bookings that nobody was told of");
    let counts = client.ask(&Ask::get(format!("/events/{event}/availability"))).await.json();
    assert_eq!(counts["booked"], wishes.len(), "{counts}");
}
