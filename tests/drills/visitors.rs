//! The people of a drill and its events, made through the public address like anybody's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use harness::client::{Ask, Client, Response};
use harness::events::description;
use harness::people::Person;
use harness::random::Random;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// People that register at the same time. Each costs two hashes, and the server computes
/// few at a time.
const AT_ONCE: usize = 8;

/// How long one thing may take before the load, repeats included.
const SET_UP_LIMIT: Duration = Duration::from_secs(30);

/// Pause before something is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// Nobody else's.
const PASSWORD: &str = "a drill is no disaster";

/// Places of each event that is not the hot one.
const PLACES: u32 = 200;

/// Registers so many people and logs them in.
///
/// # Errors
/// When one is refused.
pub(crate) async fn people(
    address: SocketAddr,
    count: usize,
    random: &Random,
) -> Result<Vec<Person>> {
    let mut tasks = JoinSet::new();
    for group in 0..AT_ONCE {
        let size = (count + AT_ONCE - 1 - group) / AT_ONCE;
        let mut random = random.part(1_000 + group as u64);
        tasks.spawn(async move {
            let mut client = Client::new(address);
            let mut people = Vec::with_capacity(size);
            for _ in 0..size {
                let name = format!("drill-{}", random.uuid().simple());
                people.push(person(&mut client, &name).await?);
            }
            anyhow::Ok(people)
        });
    }
    let mut all = Vec::with_capacity(count);
    while let Some(group) = tasks.join_next().await {
        all.extend(group??);
    }
    Ok(all)
}

async fn person(client: &mut Client, username: &str) -> Result<Person> {
    let body = json!({
        "username": username,
        "email": format!("{username}@example.org"),
        "password": PASSWORD,
    });
    let made = granted(client, &Ask::post("/auth/register").json(&body)).await?;
    let id = id(&made, "id").context("an account without an id")?;
    let body = json!({ "username": username, "password": PASSWORD });
    let logged_in = granted(client, &Ask::post("/auth/login").json(&body)).await?;
    let token = logged_in["access_token"].as_str().context("a log-in without a token")?;
    Ok(Person { id, token: Arc::from(token) })
}

/// Makes the hot event and `others` more; the hot one comes first.
///
/// # Errors
/// When one is refused.
pub(crate) async fn events(
    address: SocketAddr,
    organizer: &Person,
    hot_places: u32,
    others: usize,
) -> Result<Vec<Uuid>> {
    let mut client = Client::new(address);
    let mut events = Vec::with_capacity(others + 1);
    for number in 0..=others {
        let places = if number == 0 { hot_places } else { PLACES };
        let body = description(&format!("Drill {number}"), places);
        let key = format!("{}-{number}", organizer.id.simple());
        let ask = Ask::post("/events").token(&organizer.token).key(&key).json(&body);
        let event = granted(&mut client, &ask).await?;
        events.push(id(&event, "id").context("an event without an id")?);
    }
    Ok(events)
}

/// An answer that must be granted, perhaps not at once: between two drills a cluster may
/// still be coming to rest.
async fn granted(client: &mut Client, ask: &Ask) -> Result<Value> {
    let deadline = Instant::now() + SET_UP_LIMIT;
    loop {
        match client.send(ask).await {
            Ok(answer) if answer.status.is_success() => return Ok(answer.json()),
            Ok(answer) if answer.status.is_server_error() && Instant::now() < deadline => {}
            Ok(answer) => return Err(refused(&answer)),
            Err(_) if Instant::now() < deadline => {}
            Err(why) => bail!("the server cannot be reached: {why}"),
        }
        sleep(PAUSE).await;
    }
}

fn refused(answer: &Response) -> anyhow::Error {
    let hint = if answer.status.as_u16() == 429 {
        "; a drill needs a server without limits of rates \
         (EVENTFLOW_GATEWAY__RATE_LIMIT__ENABLED=false)"
    } else {
        ""
    };
    anyhow::anyhow!("refused before the load: {} {}{hint}", answer.status, answer.json())
}

fn id(body: &Value, name: &str) -> Option<Uuid> {
    body[name].as_str()?.parse().ok()
}

/// The address of `http://host:port`.
///
/// # Errors
/// When it is none, or the host is unknown.
pub(crate) async fn address_of(url: &str) -> Result<SocketAddr> {
    let rest = url.strip_prefix("http://").context("the address must begin with http://")?;
    let host = rest.trim_end_matches('/');
    ensure!(!host.contains('/'), "the address must be http://host:port, without a path");
    let host = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let mut found = tokio::net::lookup_host(&host).await.with_context(|| format!("no {host}"))?;
    found.next().with_context(|| format!("no address of {host}"))
}
