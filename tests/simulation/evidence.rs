//! What a run leaves behind, as the checker wants it.

use std::collections::BTreeMap;
use std::fmt;

use engine::{Inventory, Seq};
use harness::checker::{Evidence, Report, check};
use harness::history::{Outcome, SeenBooking, Told};
use harness::journal::{Batch, Header, Journal};
use harness::served::{Served, ServedEvent};
use storage::record;
use uuid::Uuid;

use crate::calls::{availability, uuid};
use crate::store::partition_of;
use crate::world::World;

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Verdict {
    report: Report,
    /// What was not served at the end, although everything was whole again.
    unserved: Vec<String>,
    pub(crate) figures: Figures,
}

/// What happened in one run or in many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    calls: u64,
    answered: u64,
    refused: u64,
    unknown: u64,
    replayed: u64,
    batches: u64,
    claims: u64,
}

pub(crate) fn judge(world: &World) -> Verdict {
    let mut calls = world.history.clone();
    calls.sort_by_key(|call| (call.started, call.ended));
    let journal = journal(world);
    let served = served(world);
    let report = check(&Evidence { calls: &calls, journal: &journal, served: &served });
    let mut unserved = world.crowd.unserved.clone();
    let people = world.crowd.people().count() + world.crowd.events.len();
    if world.crowd.lists.len() != people {
        unserved.push(format!("{} of {people} lists were read back", world.crowd.lists.len()));
    }
    for event in &world.crowd.events {
        let partition = partition_of(*event);
        let owners = world.hosts.iter().filter(|host| host.ownership.serves(partition).is_some());
        if owners.count() == 0 {
            unserved.push(format!("nobody serves partition {}", partition.0));
        }
    }
    let mut figures = Figures {
        calls: calls.len() as u64,
        batches: journal.batches.len() as u64,
        claims: world.store.claims,
        ..Figures::default()
    };
    for call in &calls {
        match &call.outcome {
            Outcome::Answered(answer) => {
                figures.answered += 1;
                figures.replayed += u64::from(answer.replayed);
            }
            Outcome::Refused(_) => figures.refused += 1,
            Outcome::Unknown(_) => figures.unknown += 1,
        }
    }
    Verdict { report, unserved, figures }
}

fn journal(world: &World) -> Journal {
    let batch = |(position, entry): (u64, &_)| Batch::of(position, entry).expect("we wrote it");
    let applied = world.store.applied().iter().map(|entry| &**entry);
    let header = |header: &storage::Header| {
        let (counts, head) = (header.summary.counts, header.head);
        let stored = Header {
            seq: head.seq.0,
            chain: head.chain.0,
            booked: u64::from(counts.booked),
            held: u64::from(counts.held),
            waitlisted: counts.waitlisted,
            waitlist_entries: u64::from(counts.waitlist_entries),
            capacity: u64::from(header.summary.capacity),
            version: u64::from(header.summary.version),
        };
        (uuid(header.event.bytes()), stored)
    };
    Journal {
        batches: (1..).zip(applied).map(batch).collect(),
        headers: world.store.headers().map(header).collect(),
    }
}

fn served(world: &World) -> Served {
    let inventories = inventories(world);
    let rows = |whose: Uuid| -> Option<Vec<SeenBooking>> {
        let Some(Outcome::Answered(answer)) = world.crowd.lists.get(&whose) else { return None };
        let Told::Bookings(rows) = &answer.told else { return None };
        let mut rows = rows.clone();
        for row in &mut rows {
            let inventory = inventories.get(&row.event)?;
            row.position = inventory.waitlist_position(Seq(row.seq));
        }
        Some(rows)
    };
    let event = |header: &storage::Header| {
        let id = uuid(header.event.bytes());
        Some(ServedEvent {
            id,
            availability: availability(header),
            capacity: header.summary.capacity,
            version: header.summary.version,
            bookings: rows(id)?,
        })
    };
    let people = world.crowd.people().map(|user| uuid(user.bytes()));
    Served {
        events: world.store.headers().filter_map(event).collect(),
        users: people.filter_map(|user| Some((user, rows(user)?))).collect::<BTreeMap<_, _>>(),
    }
}

/// The inventories as whoever wakes the events now finds them. Places in the queue are
/// theirs; here lists carry none.
fn inventories(world: &World) -> BTreeMap<Uuid, Inventory> {
    let mut inventories = BTreeMap::new();
    for batch in world.store.applied() {
        let inventory = inventories
            .entry(uuid(batch.event.bytes()))
            .or_insert_with(|| Inventory::new(batch.event));
        for entry in record::decode(&batch.blob).expect("we wrote it") {
            inventory.apply(&entry);
        }
    }
    inventories
}

impl Verdict {
    pub(crate) fn is_clean(&self) -> bool {
        self.report.is_clean() && self.unserved.is_empty()
    }

    /// The checks that failed, in words.
    pub(crate) fn names(&self) -> String {
        let mut names: Vec<&str> =
            self.report.failed().into_iter().map(harness::checker::Check::name).collect();
        if !self.unserved.is_empty() {
            names.push("unserved");
        }
        names.join(", ")
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.figures, self.report)?;
        for what in &self.unserved {
            writeln!(f, "FAILED unserved: {what}")?;
        }
        Ok(())
    }
}

impl Figures {
    pub(crate) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.answered += other.answered;
        self.refused += other.refused;
        self.unknown += other.unknown;
        self.replayed += other.replayed;
        self.batches += other.batches;
        self.claims += other.claims;
    }

    /// Runs in which nothing happened would prove nothing.
    pub(crate) fn assert_it_was_a_trial(&self, runs: u64) {
        for (what, count, least) in [
            ("answered", self.answered, 50),
            ("refused", self.refused, 5),
            ("unknown", self.unknown, 5),
            ("replayed", self.replayed, 1),
            ("batches", self.batches, 20),
            ("claims", self.claims, u64::from(crate::store::PARTITIONS)),
        ] {
            assert!(count >= least * runs, "{what} only {count} times in {runs} runs");
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "  calls {}, answered {} (replayed {}), refused {}, unknown {}, batches {}, claims {}",
            self.calls,
            self.answered,
            self.replayed,
            self.refused,
            self.unknown,
            self.batches,
            self.claims
        )
    }
}
