//! A server, people of every kind, and events to want something of.

use std::sync::atomic::{AtomicU64, Ordering};

use harness::accounts::{self, Account};
use harness::client::{Ask, Client, Response};
use harness::events::{create, description};
use harness::eventually::eventually;
use harness::people::Person;
use harness::server::{Home, Server, UNLIMITED};
use hyper::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::routes::{self, Described, Shape};

/// Nobody is told of too much.
const TOLD_OF_ALL: (&str, &str) = ("EVENTFLOW_NOTIFICATION__NOTICES_PER_DAY", "0");

/// The password of everybody here.
pub(crate) const PASSWORD: &str = "plum tractor 17";

/// A server and people with accounts.
pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) cast: Cast,
    pub(crate) server: Server,
    pub(crate) home: Home,
    names: AtomicU64,
}

/// People of every kind.
#[derive(Clone)]
pub(crate) struct Cast {
    /// Has bookings and a hold.
    pub(crate) owner: Account,
    /// Has bookings of the same events.
    pub(crate) attendee: Account,
    /// Made the events.
    pub(crate) organizer: Account,
    /// Has nothing to do with any of it.
    pub(crate) stranger: Account,
    pub(crate) admin: Account,
}

impl Cast {
    /// Everybody, with what they are called in messages.
    pub(crate) fn everybody(&self) -> [(&'static str, &Account); 5] {
        [
            ("the owner", &self.owner),
            ("an attendee", &self.attendee),
            ("the organizer", &self.organizer),
            ("a stranger", &self.stranger),
            ("an admin", &self.admin),
        ]
    }

    /// One person in every role.
    pub(crate) fn all_one(account: &Account) -> Self {
        let account = || account.clone();
        Self {
            owner: account(),
            attendee: account(),
            organizer: account(),
            stranger: account(),
            admin: account(),
        }
    }
}

/// Events with bookings and a hold.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// Has a booking of the owner and one of the attendee.
    pub(crate) event: Uuid,
    /// Nobody has booked it.
    pub(crate) open: Uuid,
    /// Its one place is the attendee's; the owner waits.
    pub(crate) full: Uuid,
    /// The owner holds places here.
    pub(crate) held: Uuid,
    /// The owner's.
    pub(crate) booking: String,
    /// The owner's, if the server knows holds.
    pub(crate) hold: Option<String>,
    /// The owner's.
    pub(crate) notice: String,
}

impl Scene {
    /// Its events.
    pub(crate) fn events(&self) -> [Uuid; 4] {
        [self.event, self.open, self.full, self.held]
    }

    /// A path with its variable parts filled in.
    pub(crate) fn path(&self, template: &str, owner: &Person) -> String {
        let hold = self.hold.as_deref().unwrap_or(&self.booking);
        template
            .replace("{event}", &self.event.to_string())
            .replace("{booking}", &self.booking)
            .replace("{hold}", hold)
            .replace("{user}", &owner.id.to_string())
            .replace("{notice}", &self.notice)
            .replace("{kind}", "BookingConfirmed")
    }
}

impl World {
    /// A new server with people, and no limits of rates.
    pub(crate) async fn new() -> Self {
        Self::with(&[UNLIMITED]).await
    }

    /// The same with variables of the environment. The cast books more in a minute than
    /// anybody is told of in a day, and every scene has to have a notification that was sent.
    pub(crate) async fn with(environment: &[(&str, &str)]) -> Self {
        let home = Home::new();
        let environment = [environment, &[TOLD_OF_ALL]].concat();
        let server = Server::start_in(&home, &[], &environment).await;
        let mut client = server.client();
        let mut account = async |name: &str| accounts::register(&mut client, name, PASSWORD).await;
        let cast = Cast {
            owner: account("owner").await,
            attendee: account("attendee").await,
            organizer: account("organizer").await,
            stranger: account("stranger").await,
            admin: account("admin").await,
        };
        accounts::make_admin(&home, "admin");
        let mut world = Self { client, cast, server, home, names: AtomicU64::new(0) };
        accounts::log_in(&mut world.client, &mut world.cast.admin).await;
        world
    }

    /// A request by the usual connection.
    pub(crate) async fn ask(&mut self, ask: &Ask) -> Response {
        self.client.ask(ask).await
    }

    /// New events with bookings and a hold of this cast.
    pub(crate) async fn scene(&mut self, cast: &Cast) -> Scene {
        let client = &mut self.client;
        let organizer = &cast.organizer.person;
        let event = create(client, organizer, "With bookings", 20).await;
        let open = create(client, organizer, "Open", 20).await;
        let full = create(client, organizer, "Full", 1).await;
        let held = create(client, organizer, "With a hold", 20).await;
        let booking = self.book(&cast.owner, event).await;
        if cast.owner.person.id != cast.attendee.person.id {
            self.book(&cast.attendee, event).await;
            self.book(&cast.attendee, full).await;
        }
        self.book(&cast.owner, full).await;
        let mut hold = None;
        if routes::has(&Method::POST, "/bookings/holds") {
            let body = json!({ "event_id": held.to_string(), "quantity": 2 });
            let ask = Ask::post("/bookings/holds").token(&cast.owner.person.token).json(&body);
            hold = Some(self.created(&ask).await);
        }
        let notice = self.notice(&cast.owner).await;
        Scene { event, open, full, held, booking, hold, notice }
    }

    /// What somebody was told first.
    async fn notice(&mut self, account: &Account) -> String {
        let ask = Ask::get("/notifications").token(&account.person.token);
        let client = &mut self.client;
        eventually("somebody is told of a booking", async || {
            let list = client.ask(&ask).await.json();
            let first = list.as_array().and_then(|list| list.last())?;
            first["id"].as_str().map(ToOwned::to_owned)
        })
        .await
    }

    async fn book(&mut self, account: &Account, event: Uuid) -> String {
        let body = json!({ "event_id": event.to_string() });
        self.created(&Ask::post("/bookings").token(&account.person.token).json(&body)).await
    }

    async fn created(&mut self, ask: &Ask) -> String {
        let answer = self.ask(ask).await;
        assert_eq!(answer.status, 201, "{ask:?}: {:?}", answer.body);
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// A name that nobody has yet.
    pub(crate) fn new_name(&self) -> String {
        format!("somebody-{}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// A right body for a route, called by `account`; `None` if it has none.
    pub(crate) fn body(&self, shape: Shape, scene: &Scene, account: &Account) -> Option<Value> {
        let open = scene.open.to_string();
        Some(match shape {
            Shape::Nothing => return None,
            Shape::Register => {
                let name = self.new_name();
                json!({
                    "username": name, "email": format!("{name}@example.org"),
                    "password": PASSWORD, "full_name": "Some Body",
                })
            }
            Shape::Login => json!({ "username": account.username, "password": PASSWORD }),
            Shape::Refresh => {
                json!({ "refresh_token": account.refresh_token.as_deref().unwrap_or("none") })
            }
            // With a refresh token the call needs no other proof of who is calling.
            Shape::Logout => json!({}),
            Shape::Profile => json!({ "full_name": "An Other" }),
            Shape::Event => {
                let mut body = description("Made by somebody", 20);
                body["timezone"] = json!("Europe/Berlin");
                body["booking_opens_at"] = json!("2026-01-01T00:00:00Z");
                body["booking_closes_at"] = json!("2099-06-01T18:00:00Z");
                body["waitlist"] = json!(true);
                body["max_per_booking"] = json!(4);
                body
            }
            Shape::EventChange => json!({ "capacity": 30, "title": "With more places" }),
            Shape::Booking => json!({ "event_id": open, "quantity": 2, "join_waitlist": true }),
            Shape::Hold => json!({ "event_id": open, "quantity": 2, "details": { "row": 7 } }),
            Shape::Preferences => json!({ "email": true, "kinds": { "EventReminder": true } }),
            Shape::Message => json!({
                "event_id": scene.event.to_string(), "subject": "Doors", "message": "At seven",
                "to": "everyone",
            }),
            Shape::Template => json!({ "subject": "S", "text": "T", "html": "H" }),
            Shape::HoldChange => json!({ "details": { "row": 8 }, "extend": true }),
        })
    }

    /// The call of a route as it should be.
    pub(crate) fn example(&self, route: &Described, scene: &Scene, account: &Account) -> Ask {
        let ask = self.bare(route, scene).token(&account.person.token);
        match self.body(route.row.shape, scene, account) {
            Some(body) => ask.json(&body),
            None => ask,
        }
    }

    /// The same without token and body.
    pub(crate) fn bare(&self, route: &Described, scene: &Scene) -> Ask {
        let mut path = scene.path(route.row.path, &self.cast.owner.person);
        for param in route.row.query {
            if let routes::Param::Needed(name) = param {
                path = format!("{path}?{name}=something");
            }
        }
        Ask::new(route.row.method.clone(), path)
    }

    /// Ends the test: the server lives and has not panicked.
    pub(crate) async fn finish(mut self) {
        // A part that is slow to answer once is asked again within a second.
        let ask = Ask::get("/readyz");
        eventually("it is ready", async || {
            (self.client.ask(&ask).await.status == 200).then_some(())
        })
        .await;
        self.home.assert_no_panic();
    }
}
