//! The store of the simulated cluster: what a commit is checked against, and how much of it
//! outlives a crash. The checks are `storage`'s own; only the tables are modelled.
//!
//! Like the real one it does one thing after the other, syncs now and then, and answers a
//! write when it is synced. What it shows of a write before that depends on the run: a
//! *strict* store holds every answer back until everything before it is synced, as Redis
//! does that syncs always; a *loose* one holds back only what promises durability.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{BookingId, EventId};
use storage::commit::{Known, TENURE, compare, judge};
use storage::{
    Batch, BatchId, BookingRow, Claim, CommitOutcome, Epoch, Era, Head, Header, Holder, Member,
    OutboxEntry, PartitionId, Position, Validity,
};

use crate::mutants::Mutant;
use crate::world::Micros;

/// Partitions of the simulated store.
pub(crate) const PARTITIONS: u16 = 6;

/// Nothing is repaired here, so there is only one history.
const ERA: Era = Era(1);

/// Where an event belongs.
pub(crate) fn partition_of(event: EventId) -> PartitionId {
    PartitionId(event.partition() % PARTITIONS)
}

/// A question to the store.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Holders,
    Members,
    Announce(Member),
    Claim { partition: PartitionId, owner: String, expected: Epoch, owner_is_gone: bool },
    Release { partition: PartitionId, epoch: Epoch },
    Barrier,
    Load(EventId),
    Commit(Batch),
    Validate { event: EventId, epoch: Epoch, head: Head },
    Outbox { partition: PartitionId, after: Position },
    Cursor(PartitionId),
    Advance { partition: PartitionId, epoch: Epoch, upto: Position },
    Header(EventId),
}

/// Its answer.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Holders(Vec<Holder>),
    Members(Vec<Member>),
    Done,
    Claim(Claim),
    Released(bool),
    Loaded(Option<Loaded>),
    Commit(CommitOutcome),
    Validity(Validity),
    Outbox(Vec<Arc<OutboxEntry>>),
    Cursor(Position),
    Advanced(bool),
    Header(Option<Header>),
}

/// Everything of an event: no snapshots here, so the whole history.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) batches: Vec<Arc<OutboxEntry>>,
}

#[derive(Clone, Debug, Default)]
struct State {
    partitions: Vec<Partition>,
    events: BTreeMap<EventId, Event>,
    members: BTreeMap<String, Member>,
    /// Every batch, in the order in which they were applied.
    applied: Vec<Arc<OutboxEntry>>,
}

#[derive(Clone, Debug, Default)]
struct Partition {
    epoch: Epoch,
    owner: Option<String>,
    since: Micros,
    outbox: Vec<Arc<OutboxEntry>>,
    cursor: Position,
}

#[derive(Clone, Debug)]
struct Event {
    header: Header,
    position: Position,
    batches: Vec<Arc<OutboxEntry>>,
}

/// The store.
#[derive(Debug)]
pub(crate) struct Store {
    state: State,
    /// What is synced.
    durable: State,
    dirty: bool,
    strict: bool,
    mutant: Option<Mutant>,
    /// How often a partition changed hands.
    pub(crate) claims: u64,
}

/// When an answer may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Now,
    Synced,
}

impl Store {
    pub(crate) fn new(strict: bool, mutant: Option<Mutant>) -> Self {
        let partitions = vec![Partition::default(); usize::from(PARTITIONS)];
        let state = State { partitions, ..State::default() };
        let durable = state.clone();
        Self { state, durable, dirty: false, strict, mutant, claims: 0 }
    }

    /// Whether something is there that a crash would take.
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Everything so far is durable.
    pub(crate) fn sync(&mut self) {
        self.durable = self.state.clone();
        self.dirty = false;
    }

    /// The power went: what was not synced is gone.
    pub(crate) fn crash(&mut self) {
        self.state = self.durable.clone();
        self.dirty = false;
    }

    /// Every batch, in the order in which they were applied.
    pub(crate) fn applied(&self) -> &[Arc<OutboxEntry>] {
        &self.state.applied
    }

    /// The headers of all events.
    pub(crate) fn headers(&self) -> impl Iterator<Item = &Header> {
        self.state.events.values().map(|event| &event.header)
    }

    /// Do what is asked.
    pub(crate) fn answer(&mut self, now: Micros, ask: &Ask) -> (Said, When) {
        let said = self.act(now, ask);
        let promises = match ask {
            Ask::Commit(_)
            | Ask::Barrier
            | Ask::Release { .. }
            | Ask::Advance { .. }
            | Ask::Header(_) => true,
            _ => self.strict,
        };
        let synced = promises && self.dirty;
        (said, if synced { When::Synced } else { When::Now })
    }

    fn act(&mut self, now: Micros, ask: &Ask) -> Said {
        match ask {
            Ask::Holders => Said::Holders(self.holders()),
            Ask::Members => Said::Members(self.state.members.values().cloned().collect()),
            Ask::Announce(member) => {
                self.dirty = true;
                self.state.members.insert(member.node.clone(), member.clone());
                Said::Done
            }
            Ask::Claim { partition, owner, expected, owner_is_gone } => {
                Said::Claim(self.claim(now, *partition, owner, *expected, *owner_is_gone))
            }
            Ask::Release { partition, epoch } => Said::Released(self.release(*partition, *epoch)),
            Ask::Barrier => Said::Done,
            Ask::Load(event) => Said::Loaded(
                self.state.events.get(event).map(|event| Loaded { batches: event.batches.clone() }),
            ),
            Ask::Commit(batch) => Said::Commit(self.commit(batch)),
            Ask::Validate { event, epoch, head } => {
                let current = self.partition(partition_of(*event)).epoch;
                let stored = self.state.events.get(event).map(|event| event.header.head);
                Said::Validity(compare(current, stored.unwrap_or_default(), *epoch, *head))
            }
            Ask::Outbox { partition, after } => {
                let skip = usize::try_from(after.0).expect("a short run");
                let outbox = &self.partition(*partition).outbox;
                Said::Outbox(outbox.iter().skip(skip).cloned().collect())
            }
            Ask::Cursor(partition) => Said::Cursor(self.partition(*partition).cursor),
            Ask::Advance { partition, epoch, upto } => {
                self.dirty = true;
                let partition = self.partition_mut(*partition);
                let current = partition.epoch == *epoch;
                if current {
                    partition.cursor = partition.cursor.max(*upto);
                }
                Said::Advanced(current)
            }
            Ask::Header(event) => {
                Said::Header(self.state.events.get(event).map(|event| event.header))
            }
        }
    }

    fn partition(&self, partition: PartitionId) -> &Partition {
        &self.state.partitions[usize::from(partition.0)]
    }

    fn partition_mut(&mut self, partition: PartitionId) -> &mut Partition {
        &mut self.state.partitions[usize::from(partition.0)]
    }

    fn holders(&self) -> Vec<Holder> {
        let holder = |(partition, held): (u16, &Partition)| Holder {
            partition: PartitionId(partition),
            era: ERA,
            epoch: held.epoch,
            owner: held.owner.clone(),
            last: Position(held.outbox.len() as u64),
        };
        (0..).zip(&self.state.partitions).map(holder).collect()
    }

    fn claim(
        &mut self,
        now: Micros,
        partition: PartitionId,
        owner: &str,
        expected: Epoch,
        owner_is_gone: bool,
    ) -> Claim {
        let tenure = u64::try_from(TENURE.as_micros()).expect("a short tenure");
        let held = self.partition(partition);
        if held.epoch != expected {
            return Claim::Lost(held.epoch);
        }
        if held.owner.is_some() && !owner_is_gone && now.saturating_sub(held.since) < tenure {
            return Claim::TooSoon;
        }
        self.dirty = true;
        self.claims += 1;
        let held = self.partition_mut(partition);
        (held.epoch, held.owner, held.since) = (Epoch(expected.0 + 1), Some(owner.into()), now);
        Claim::Won(held.epoch)
    }

    fn release(&mut self, partition: PartitionId, epoch: Epoch) -> bool {
        let held = self.partition_mut(partition);
        let released = held.epoch == epoch && held.owner.is_some();
        if released {
            (held.epoch, held.owner) = (Epoch(epoch.0 + 1), None);
            self.dirty = true;
        }
        released
    }

    fn commit(&mut self, batch: &Batch) -> CommitOutcome {
        let home = partition_of(batch.event);
        let stored = self.state.events.get(&batch.event);
        let mut known = Known {
            epoch: self.partition(home).epoch,
            head: stored.map(|event| event.header.head).unwrap_or_default(),
            last: stored.map(|event| (event.header.batch, event.position)),
        };
        match self.mutant {
            Some(Mutant::NoEpoch) => known.epoch = batch.epoch,
            Some(Mutant::NoSequence) => (known.head, known.last) = (batch.base, None),
            _ => {}
        }
        if let Some(outcome) = judge(batch, batch.broken_law().is_none(), &known) {
            return outcome;
        }
        self.dirty = true;
        let state = &mut self.state;
        let partition = &mut state.partitions[usize::from(home.0)];
        let position = Position(partition.outbox.len() as u64 + 1);
        let entry = Arc::new(OutboxEntry {
            position,
            event: batch.event,
            first_seq: engine::Seq(batch.base.seq.0 + 1),
            last_seq: batch.next.seq,
            epoch: batch.epoch,
            chain: batch.next.chain,
            at: batch.at,
            blob: Arc::clone(&batch.blob),
        });
        partition.outbox.push(Arc::clone(&entry));
        state.applied.push(Arc::clone(&entry));
        let event = state.events.entry(batch.event).or_insert_with(|| Event {
            header: Header {
                event: batch.event,
                head: Head::default(),
                batch: BatchId::default(),
                summary: batch.summary,
                at: batch.at,
                snapshot_seq: engine::Seq(0),
            },
            position,
            batches: Vec::new(),
        });
        event.batches.push(entry);
        event.position = position;
        event.header = Header {
            head: batch.next,
            batch: batch.id,
            summary: batch.summary,
            at: batch.at,
            ..event.header
        };
        CommitOutcome::Applied(position)
    }
}

/// The booking lists: a store of their own that loses nothing and takes writes in any
/// order, because every row has a stamp.
#[derive(Debug, Default)]
pub(crate) struct Views {
    rows: BTreeMap<BookingId, BookingRow>,
}

impl Views {
    pub(crate) fn put(&mut self, row: BookingRow) {
        let stored = self.rows.entry(row.id).or_insert(row);
        if stored.stamp < row.stamp {
            *stored = row;
        }
    }

    pub(crate) fn rows(&self, wanted: impl Fn(&BookingRow) -> bool) -> Vec<BookingRow> {
        self.rows.values().filter(|row| wanted(row)).copied().collect()
    }
}
