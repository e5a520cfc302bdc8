//! Reading everything back when nobody writes any more.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use harness::client::Client;
use harness::events::{try_list, try_read_back};
use harness::history::{SeenBooking, Status};
use harness::people::Person;
use harness::served::{Served, ServedEvent};
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

/// Connections that read.
const READERS: usize = 16;

/// How often something is read that could not be: what was killed last may still be
/// starting.
const TRIES: u32 = 8;

/// Pause before the second try; the next ones are so much longer each.
const PAUSE: Duration = Duration::from_millis(500);

/// All lists of all people and events.
///
/// # Errors
/// When something cannot be read.
pub(crate) async fn everything(
    address: SocketAddr,
    organizer: &Person,
    events: &[Uuid],
    people: &[Person],
) -> Result<Served> {
    let mut served = Served::default();
    for event in events {
        served.events.push(event_of(address, *event, organizer).await?);
    }
    let mut readers = JoinSet::new();
    for chunk in people.chunks(people.len().div_ceil(READERS).max(1)) {
        let chunk = chunk.to_vec();
        readers.spawn(async move {
            let mut lists = BTreeMap::new();
            for person in chunk {
                lists.insert(person.id, list_of(address, &person).await?);
            }
            anyhow::Ok(lists)
        });
    }
    while let Some(lists) = readers.join_next().await {
        served.users.extend(lists??);
    }
    Ok(served)
}

async fn event_of(address: SocketAddr, event: Uuid, organizer: &Person) -> Result<ServedEvent> {
    let mut client = Client::new(address);
    let mut tries = Tries::of(format!("event {event}"));
    loop {
        match try_read_back(&mut client, event, organizer).await {
            Ok(served) => return Ok(served),
            Err(why) => tries.next(&why).await?,
        }
    }
}

async fn list_of(address: SocketAddr, person: &Person) -> Result<Vec<SeenBooking>> {
    let mut client = Client::new(address);
    let mut tries = Tries::of(format!("the list of {}", person.id));
    loop {
        match try_list(&mut client, "/bookings", person).await {
            // Left out where the owner of its event did not answer in time.
            Ok(rows) if rows.iter().any(lacks_its_place) => {
                tries.next("a place in the queue is not told").await?;
            }
            Ok(rows) => return Ok(rows),
            Err(why) => tries.next(&why).await?,
        }
    }
}

fn lacks_its_place(row: &SeenBooking) -> bool {
    row.status == Status::Waitlisted && row.position.is_none()
}

/// How often something was tried.
struct Tries {
    what: String,
    failed: u32,
}

impl Tries {
    const fn of(what: String) -> Self {
        Self { what, failed: 0 }
    }

    /// Waits before the next one.
    ///
    /// # Errors
    /// When there were enough.
    async fn next(&mut self, why: &str) -> Result<()> {
        self.failed += 1;
        ensure!(self.failed < TRIES, "cannot read {} back: {why}", self.what);
        eprintln!("  {} could not be read, {} of {TRIES} times", self.what, self.failed);
        sleep(PAUSE * self.failed).await;
        Ok(())
    }
}
