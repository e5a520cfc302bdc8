//! What everybody had to be told, by the journal, and what they were told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use engine::{BookingId, EventId, Seq, Timestamp};
use harness::client::{Ask, Client};
use harness::events::next_page;
use harness::journal::{self, Fact};
use harness::people::Person;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tokio::task::JoinSet;
use uuid::Uuid;

/// Connections that read the lists.
const READERS: usize = 8;

/// Most pages of one list.
const PAGES: usize = 100;

/// Something that a person is told once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Told {
    pub(crate) user: Uuid,
    pub(crate) kind: String,
    pub(crate) booking: Option<Uuid>,
}

/// A notification in somebody's list.
pub(crate) struct Entry {
    pub(crate) id: Uuid,
    pub(crate) told: Told,
    pub(crate) status: String,
}

/// What follows from the journal: what became of places, and who had a booking at an event
/// when it was cancelled, or when its organizer wrote.
pub(crate) fn expected(data: &Path, written_to: Uuid) -> Result<BTreeSet<Told>, String> {
    let journal = journal::read(data)?;
    let mut told = BTreeSet::new();
    let mut ids = BTreeMap::new();
    let mut attendees: BTreeMap<Uuid, BTreeMap<Uuid, Uuid>> = BTreeMap::new();
    for batch in &journal.batches {
        let mut seq = batch.first_seq;
        let attendees = attendees.entry(batch.event).or_default();
        for decision in &batch.decisions {
            for fact in &decision.facts {
                let mut tell = |user: Uuid, kind: &str, booking: Uuid| {
                    let (kind, booking) = (kind.to_owned(), Some(booking));
                    told.insert(Told { user, kind, booking });
                };
                match fact {
                    Fact::Confirmed(user, ..) | Fact::Waitlisted(user, ..) => {
                        let id = booking_id(decision.at, batch.event, seq);
                        let waits = matches!(fact, Fact::Waitlisted(..));
                        let kind = if waits { "BookingWaitlisted" } else { "BookingConfirmed" };
                        tell(*user, kind, id);
                        ids.insert((batch.event, seq), id);
                        attendees.insert(*user, id);
                    }
                    Fact::Promoted(of) => {
                        tell(of.user, "BookingPromoted", ids[&(batch.event, of.seq)]);
                    }
                    Fact::Cancelled(of, ..) => {
                        tell(of.user, "BookingCancelled", ids[&(batch.event, of.seq)]);
                        attendees.remove(&of.user);
                    }
                    Fact::EventCancelled(..) => {
                        attendees.iter().for_each(|(user, id)| tell(*user, "EventCancelled", *id));
                    }
                    _ => {}
                }
                seq += 1;
            }
        }
    }
    let written = attendees.remove(&written_to).unwrap_or_default().into_iter();
    let kind = "OrganizerMessage".to_owned();
    told.extend(written.map(|(user, id)| Told { user, kind: kind.clone(), booking: Some(id) }));
    Ok(told)
}

fn booking_id(at: i64, event: Uuid, seq: u64) -> Uuid {
    let event = EventId(event.into_bytes());
    Uuid::from_bytes(BookingId::compose(Timestamp::from_millis(at), event, Seq(seq)).0)
}

/// All lists of all people.
pub(crate) async fn lists(address: SocketAddr, people: &[Person]) -> Vec<Entry> {
    let mut readers = JoinSet::new();
    for chunk in people.chunks(people.len().div_ceil(READERS).max(1)) {
        let (mut client, chunk) = (Client::new(address), chunk.to_vec());
        readers.spawn(async move {
            let mut entries = Vec::new();
            for person in chunk {
                entries.extend(list(&mut client, &person).await);
            }
            entries
        });
    }
    readers.join_all().await.into_iter().flatten().collect()
}

async fn list(client: &mut Client, person: &Person) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut next = "/notifications?limit=100".to_owned();
    for _ in 0..PAGES {
        let page = client.ask(&Ask::get(&next).token(&person.token)).await;
        assert_eq!(page.status, 200, "{:?}", page.body);
        let body = page.json();
        entries.extend(body.as_array().expect("a list").iter().map(|one| entry(person, one)));
        match next_page(&page) {
            Some(link) => next = link,
            None => return entries,
        }
    }
    panic!("a list of more than {PAGES} pages");
}

fn entry(person: &Person, one: &Value) -> Entry {
    let uuid = |name: &str| one[name].as_str().and_then(|id| id.parse().ok());
    let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let told = Told { user: person.id, kind: text("kind"), booking: uuid("booking_id") };
    Entry { id: uuid("id").expect("an id"), told, status: text("status") }
}

/// Exactly what was expected is in the lists, once each, and was sent.
pub(crate) fn judge(expected: &BTreeSet<Told>, answered: &[Told], lists: &[Entry]) -> Vec<String> {
    let mut wrong = Vec::new();
    for told in answered.iter().filter(|told| !expected.contains(told)) {
        wrong.push(format!("answered and not in the journal: {told:?}"));
    }
    let mut times: BTreeMap<&Told, usize> = BTreeMap::new();
    for entry in lists {
        *times.entry(&entry.told).or_default() += 1;
        if entry.status != "sent" {
            wrong.push(format!("{}: {:?}", entry.status, entry.told));
        }
        if !expected.contains(&entry.told) {
            wrong.push(format!("told without a cause: {:?}", entry.told));
        }
    }
    for told in expected {
        match times.get(told) {
            Some(1) => {}
            Some(times) => wrong.push(format!("{times} times in the list: {told:?}")),
            None => wrong.push(format!("lost, nobody was told: {told:?}")),
        }
    }
    wrong
}

/// What was handed over: everything in the lists, and each as often as the kills explain.
pub(crate) fn judge_copies(
    taken: &[Uuid],
    lists: &[Entry],
    under_way: &[BTreeSet<Uuid>],
) -> Vec<String> {
    let mut copies: BTreeMap<Uuid, usize> = BTreeMap::new();
    taken.iter().for_each(|id| *copies.entry(*id).or_default() += 1);
    let known: BTreeSet<Uuid> = lists.iter().map(|entry| entry.id).collect();
    let mut wrong = Vec::new();
    for id in known.iter().filter(|id| !copies.contains_key(id)) {
        wrong.push(format!("lost, marked as sent and never handed over: {id}"));
    }
    for (id, copies) in copies {
        let explained = under_way.iter().filter(|ids| ids.contains(&id)).count();
        if copies > 1 + explained {
            wrong.push(format!("{id} arrived {copies} times, of which kills explain {explained}"));
        }
        if !known.contains(&id) {
            wrong.push(format!("{id} arrived and is in nobody's list"));
        }
    }
    wrong
}

/// The notices as they lie on disk.
pub(crate) struct Notices(Connection);

impl Notices {
    pub(crate) fn of(data: &Path) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = Connection::open_with_flags(data.join("app.db"), flags);
        let file = file.unwrap_or_else(|error| panic!("no notices: {error}"));
        file.busy_timeout(harness::eventually::PATIENCE).expect("a timeout can be set");
        Self(file)
    }

    /// How many there are where this holds.
    pub(crate) fn count(&self, clause: &str) -> usize {
        let query = format!("SELECT count(*) FROM notice WHERE {clause}");
        let count = self.0.query_row(&query, [], |row| row.get::<_, i64>(0));
        count.ok().and_then(|count| usize::try_from(count).ok()).expect("a count")
    }

    /// How many different people have a notice in the queue.
    pub(crate) fn people_waiting(&self) -> usize {
        let query = "SELECT count(DISTINCT user) FROM notice WHERE status = 'queued'";
        let count = self.0.query_row(query, [], |row| row.get::<_, i64>(0));
        count.ok().and_then(|count| usize::try_from(count).ok()).expect("a count")
    }

    pub(crate) fn sent(&self) -> BTreeSet<Uuid> {
        let mut sent = self.0.prepare("SELECT id FROM notice WHERE status = 'sent'").expect("SQL");
        let ids = sent.query_map([], |row| row.get(0).map(Uuid::from_bytes)).expect("rows");
        ids.collect::<Result<_, _>>().expect("ids")
    }

    /// Nobody else writes until this is given up or dropped.
    pub(crate) fn lock(&self) {
        self.0.execute_batch("BEGIN IMMEDIATE").expect("the file can be locked");
    }

    pub(crate) fn unlock(&self) {
        self.0.execute_batch("ROLLBACK").expect("the file was locked");
    }
}
