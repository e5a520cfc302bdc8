//! The server with its mail, killed and started again.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use harness::client::{Ask, Client};
use harness::eventually::{PATIENCE, eventually};
use harness::people::{People, Person};
use harness::random::Random;
use harness::server::{Home, Server, UNLIMITED};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::folder;
use crate::judge::{Entry, Notices, Told, expected, judge, lists};
use crate::post::Post;
use crate::town::{self, Traffic};

/// Connections to the mail server.
pub(crate) const CONNECTIONS: usize = 4;

/// People with accounts; all of them book at the event that the crowd is told of.
pub(crate) const PEOPLE: usize = 600;

/// Clients of the traffic, each with its share of the people.
const CLIENTS: usize = 8;

/// A server under traffic lives so many milliseconds.
const LIFE_MS: (u64, u64) = (50, 700);

/// How often is looked whether everything was sent.
const GLANCE: Duration = Duration::from_millis(50);

/// Faults that are shown.
const SHOWN: usize = 20;

/// How the server is set: hashes that cost nothing, and no pauses where time is short.
const SETTINGS: &[(&str, &str)] = &[
    UNLIMITED,
    ("EVENTFLOW_AUTH__HASH_MEMORY_KIB", "8"),
    ("EVENTFLOW_AUTH__HASH_PASSES", "1"),
    ("EVENTFLOW_NOTIFICATION__RETRY_MS", "200"),
    ("EVENTFLOW_NOTIFICATION__RETRY_MAX_MS", "1000"),
    ("EVENTFLOW_NOTIFICATION__SHARE_PERCENT", "100"),
    // A crowd of few people does very much.
    ("EVENTFLOW_NOTIFICATION__NOTICES_PER_DAY", "0"),
];

/// A kill, and which messages had been taken by then and were not marked as sent.
pub(crate) struct Kill {
    pub(crate) stage: &'static str,
    pub(crate) under_way: BTreeSet<Uuid>,
}

/// All that a run needs and keeps.
pub(crate) struct Drill {
    pub(crate) home: Home,
    /// The mail server; without one there are files.
    pub(crate) post: Option<Post>,
    pub(crate) random: Random,
    pub(crate) organizer: Person,
    pub(crate) people: Vec<Person>,
    /// The event that everybody attends.
    pub(crate) fair: Uuid,
    /// What people were answered.
    pub(crate) answered: Vec<Told>,
    pub(crate) kills: Vec<Kill>,
    /// What was wrong right after a kill.
    pub(crate) wrong: Vec<String>,
    settings: Vec<(&'static str, String)>,
    server: Option<Server>,
    /// Messages that had been taken at the last kill.
    taken: usize,
}

/// Whether something still goes on, however slow the machine is.
struct Moving {
    last: usize,
    since: Instant,
}

impl Moving {
    fn new() -> Self {
        Self { last: 0, since: Instant::now() }
    }

    /// Whether the count has changed lately.
    fn goes_on(&mut self, count: usize) -> bool {
        if count != self.last {
            *self = Self { last: count, since: Instant::now() };
        }
        self.since.elapsed() < PATIENCE
    }
}

impl Drill {
    pub(crate) async fn begin(post: Option<Post>, random: Random) -> Self {
        let home = Home::new();
        let mut settings: Vec<(&'static str, String)> =
            SETTINGS.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        if let Some(post) = &post {
            let smtp = [
                ("EVENTFLOW_NOTIFICATION__SMTP__HOST", "127.0.0.1".to_owned()),
                ("EVENTFLOW_NOTIFICATION__SMTP__PORT", post.port().to_string()),
                ("EVENTFLOW_NOTIFICATION__SMTP__TLS", "none".to_owned()),
                ("EVENTFLOW_NOTIFICATION__SMTP__CONNECTIONS", CONNECTIONS.to_string()),
            ];
            settings.extend(smtp);
        }
        let server = start(&home, &settings).await;
        let makes = People::of(&home.data());
        let mut people = town::register(server.address(), &makes, PEOPLE + 1).await;
        let organizer = people.pop().expect("one more than people");
        let mut client = server.client();
        let fair = harness::events::create(&mut client, &organizer, "Fair", 1_000).await;
        let answered = town::all_book(server.address(), &people, fair).await;
        let (kills, wrong, taken) = (Vec::new(), Vec::new(), 0);
        let server = Some(server);
        Self {
            home,
            post,
            random,
            organizer,
            people,
            fair,
            answered,
            kills,
            wrong,
            settings,
            server,
            taken,
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.home.data()
    }

    pub(crate) fn notices(&self) -> Notices {
        Notices::of(&self.data())
    }

    pub(crate) fn post(&mut self) -> &mut Post {
        self.post.as_mut().expect("a run with a mail server")
    }

    pub(crate) fn client(&self) -> Client {
        self.server.as_ref().expect("it runs").client()
    }

    pub(crate) async fn start(&mut self) {
        self.server = Some(start(&self.home, &self.settings).await);
    }

    /// Kills the server, and learns which messages were between hand-over and mark.
    pub(crate) async fn kill(&mut self, stage: &'static str) {
        self.server.take().expect("it runs").kill();
        let mut under_way = BTreeSet::new();
        if let Some(post) = &mut self.post {
            let taken = post.taken_in_the_end().await;
            let sent = self.notices().sent();
            under_way.extend(taken[self.taken..].iter().filter(|id| !sent.contains(id)));
            self.taken = taken.len();
        } else {
            self.wrong.extend(folder::halves(&folder::of(&self.data())));
        }
        self.kills.push(Kill { stage, under_way });
    }

    /// Some people book at an event of their own.
    pub(crate) async fn some_book(&mut self, some: usize) {
        let mut client = self.client();
        let event = harness::events::create(&mut client, &self.organizer, "Small", 100).await;
        let address = self.server.as_ref().expect("it runs").address();
        let told = town::all_book(address, &self.people[..some], event).await;
        self.answered.extend(told);
    }

    /// People come and go while the server is killed so often, whatever it does just then.
    pub(crate) async fn kills_under_traffic(&mut self, kills: usize) {
        let mut client = self.client();
        let roomy = harness::events::create(&mut client, &self.organizer, "Roomy", 1_000).await;
        let tiny = harness::events::create(&mut client, &self.organizer, "Tiny", 3).await;
        let first = self.server.as_ref().expect("it runs").address();
        let (moved, address) = watch::channel(first);
        let (end, over) = watch::channel(false);
        let traffic = Traffic { events: [roomy, tiny], address, over };
        let groups = self.people.chunks(self.people.len().div_ceil(CLIENTS));
        let clients = traffic.start(groups.map(<[Person]>::to_vec).collect(), &self.random);
        for _ in 0..kills {
            sleep(self.random.millis(LIFE_MS.0, LIFE_MS.1)).await;
            self.kill("under traffic").await;
            self.start().await;
            let now = self.server.as_ref().expect("it runs").address();
            moved.send(now).expect("the clients still listen");
        }
        end.send(true).expect("the clients still listen");
        self.answered.extend(clients.join_all().await.into_iter().flatten());
    }

    /// Everybody at the fair is told something; killed while notices are made, and while they
    /// are sent.
    pub(crate) async fn kills_at_a_crowd(&mut self, kind: &'static str, ask: Ask, status: u16) {
        let answer = self.client().ask(&ask.token(&self.organizer.token)).await;
        assert_eq!(answer.status, status, "{:?}", answer.body);
        let (all, sent) =
            (format!("kind = '{kind}'"), format!("kind = '{kind}' AND status = 'sent'"));
        let notices = self.notices();
        eventually("the first are made", async || (notices.count(&all) > 0).then_some(())).await;
        self.kill("a crowd's notices are made").await;
        println!("  {kind}: killed after {} of {PEOPLE} were made", self.notices().count(&all));
        self.start().await;
        eventually("the first are sent", async || (notices.count(&sent) > 0).then_some(())).await;
        self.kill("a crowd's notices are sent").await;
        println!("  {kind}: killed after {} of {PEOPLE} were sent", self.notices().count(&sent));
        self.start().await;
        // A message to an event that is cancelled meanwhile is told to nobody.
        let mut moving = Moving::new();
        loop {
            let made = notices.count(&all);
            if made >= PEOPLE || !moving.goes_on(made) {
                break;
            }
            sleep(GLANCE).await;
        }
    }

    pub(crate) async fn kills_at_crowds(&mut self) {
        let message = json!({ "event_id": self.fair.to_string(), "subject": "The hall",
            "message": "It is hall 4.", "to": "everyone" });
        let message = Ask::post("/notifications/send").json(&message);
        self.kills_at_a_crowd("OrganizerMessage", message, 202).await;
        let cancel = Ask::delete(format!("/events/{}", self.fair));
        self.kills_at_a_crowd("EventCancelled", cancel, 200).await;
    }

    /// Waits until everything that the journal asks for is there and nothing waits any more.
    /// What is wrong then, and all lists.
    pub(crate) async fn end(&mut self) -> (Vec<String>, Vec<Entry>) {
        let mut moving = Moving::new();
        let notices = self.notices();
        let expected = loop {
            let expected = expected(&self.data(), self.fair).unwrap_or_else(|why| panic!("{why}"));
            let (made, queued) = (notices.count("1"), notices.count("status = 'queued'"));
            let done = made >= expected.len() && queued == 0;
            if done || !moving.goes_on(2 * made - queued) {
                break expected;
            }
            sleep(GLANCE).await;
        };
        let everybody = [&self.people[..], std::slice::from_ref(&self.organizer)].concat();
        let lists = lists(self.server.as_ref().expect("it runs").address(), &everybody).await;
        let mut wrong = std::mem::take(&mut self.wrong);
        wrong.extend(judge(&expected, &self.answered, &lists));
        println!("  {} answers to people, {} things to tell", self.answered.len(), expected.len());
        for kind in [
            "BookingConfirmed",
            "BookingWaitlisted",
            "BookingPromoted",
            "BookingCancelled",
            "EventCancelled",
            "OrganizerMessage",
        ] {
            let count = expected.iter().filter(|told| told.kind == kind).count();
            println!("    {kind:<20} {count:>6}");
            assert!(count > 0, "a run without {kind} proves little");
        }
        (wrong, lists)
    }

    /// # Panics
    /// With what is wrong.
    pub(crate) fn assert_right(&self, wrong: &[String]) {
        for what in wrong.iter().take(SHOWN) {
            println!("FAILED {what}");
        }
        assert!(wrong.is_empty(), "{} faults", wrong.len());
        self.home.assert_no_panic();
    }
}

async fn start(home: &Home, settings: &[(&'static str, String)]) -> Server {
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Server::start_in(home, &[], &settings).await
}
