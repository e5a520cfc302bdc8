//! Tails, their projection, and lists made of tails and views.

use std::collections::BTreeMap;
use std::sync::Arc;

use actors::protocol::coverage::Read;
use engine::BookingId;
use storage::{
    BookingRow, Epoch, Holder, OutboxEntry, PartitionId, Position, StorageError, ViewChange,
    project, record,
};

use crate::calls::{Call, Told, Want, Wanted, unavailable};
use crate::host::{Host, Purpose};
use crate::mutants::Mutant;
use crate::store::{Ask, Said};
use crate::world::{Effect, MILLI, Message, Micros, Timer};

/// Batches projected at a time.
const PROJECT: usize = 8;

/// How long a round of a list waits for tails.
const ROUND: Micros = 60 * MILLI;

/// How long a list is tried.
const LIST_LIMIT: Micros = 1_500 * MILLI;

/// What is committed in a partition and not yet in the views.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) epoch: Epoch,
    projected: Position,
    entries: BTreeMap<Position, Arc<OutboxEntry>>,
    projecting: bool,
}

impl Tail {
    pub(crate) fn new(epoch: Epoch, projected: Position) -> Self {
        Self { epoch, projected, entries: BTreeMap::new(), projecting: false }
    }

    pub(crate) fn push(&mut self, entry: Arc<OutboxEntry>) {
        if entry.position > self.projected {
            self.entries.entry(entry.position).or_insert(entry);
        }
    }

    /// The last position without a gap before it.
    pub(crate) fn followed(&self) -> Position {
        let mut last = self.projected;
        while self.entries.contains_key(&Position(last.0.saturating_add(1))) {
            last = Position(last.0 + 1);
        }
        last
    }

    fn ready(&self) -> Vec<Arc<OutboxEntry>> {
        let last = self.followed();
        let ready = self.entries.range(..=last).take(PROJECT);
        ready.map(|(_, entry)| Arc::clone(entry)).collect()
    }
}

/// A list that is being made.
#[derive(Debug)]
pub(crate) struct List {
    call: Call,
    wanted: Wanted,
    until: Micros,
    round: u64,
    holders: Option<Vec<Holder>>,
    covered: Vec<(PartitionId, Read)>,
    rows: Vec<BookingRow>,
    /// All tails are there; the views are asked.
    reading: bool,
}

impl Host {
    /// Bring some of the tails to the views.
    pub(crate) fn project(&mut self) {
        let mut ready = Vec::new();
        let mut gaps = Vec::new();
        for (partition, Read { epoch, .. }) in self.covers() {
            let Some(tail) = self.tails.get_mut(&partition) else { continue };
            let entries = tail.ready();
            match entries.last().map(|entry| entry.position) {
                Some(upto) if !tail.projecting => {
                    tail.projecting = true;
                    ready.push((partition, epoch, upto, entries));
                }
                None if !tail.entries.is_empty() => gaps.push((partition, epoch, tail.followed())),
                _ => {}
            }
        }
        if self.mutant == Some(Mutant::NobodyFollows) {
            gaps.clear();
        }
        for (partition, epoch, after) in gaps {
            self.ask(Ask::Outbox { partition, after }, Purpose::Follow(partition, epoch));
        }
        for (partition, epoch, upto, entries) in ready {
            let rows = entries.iter().flat_map(|entry| rows_of(entry)).collect();
            self.effects.push(Effect::Project { partition, epoch, upto, rows });
        }
    }

    pub(crate) fn advanced(
        &mut self,
        partition: PartitionId,
        epoch: Epoch,
        upto: Position,
        said: &Result<Said, StorageError>,
    ) {
        if let Some(tail) = self.tails.get_mut(&partition).filter(|tail| tail.epoch == epoch) {
            tail.projecting = false;
            if matches!(said, Ok(Said::Advanced(true))) {
                tail.projected = tail.projected.max(upto);
                tail.entries.retain(|position, _| *position > upto);
            }
        }
        if matches!(said, Ok(Said::Advanced(false))) {
            self.fenced(partition, epoch);
        }
    }

    /// What this host's tails know, and which they are.
    pub(crate) fn look_into_tails(
        &self,
        wanted: &Wanted,
    ) -> (Vec<(PartitionId, Read)>, Vec<BookingRow>) {
        let covered = self.covers();
        let tails = covered.iter().filter_map(|(partition, _)| self.tails.get(partition));
        let rows = tails
            .flat_map(|tail| tail.entries.values())
            .flat_map(|entry| rows_of(entry))
            .filter(|row| wanted.is(row))
            .collect();
        (covered, rows)
    }

    pub(crate) fn begin_list(&mut self, call: Call) {
        let Want::List(wanted) = call.want else { unreachable!("it is a list") };
        let id = self.number();
        let until = self.now + LIST_LIMIT;
        let list = List {
            call,
            wanted,
            until,
            round: 0,
            holders: None,
            covered: Vec::new(),
            rows: Vec::new(),
            reading: false,
        };
        self.lists.insert(id, list);
        self.ask_tails(id);
    }

    /// Ask everybody's tails, and who owns what.
    fn ask_tails(&mut self, id: u64) {
        let Some(list) = self.lists.get_mut(&id) else { return };
        list.round += 1;
        // What was answered before goes on to count: the first reading says what has to be
        // covered.
        let (round, wanted) = (list.round, list.wanted);
        self.ask(Ask::Holders, Purpose::ListHolders(id, round));
        let now = self.moment();
        let peers: Vec<String> =
            self.ownership.peers().to_ping(now).map(|(peer, _)| peer.node.to_string()).collect();
        let from = self.replica.node.to_string();
        for peer in peers {
            self.send(&peer, Message::TailAsk { from: from.clone(), list: id, round, wanted });
        }
        let (covered, rows) = self.look_into_tails(&wanted);
        self.tail_answered(id, round, covered, rows);
        self.effects.push(Effect::Timer(ROUND, Timer::List(id, round)));
    }

    pub(crate) fn list_holders(&mut self, id: u64, round: u64, holders: Vec<Holder>) {
        if let Some(list) = self.lists.get_mut(&id).filter(|list| list.round == round) {
            list.holders.get_or_insert(holders);
            self.complete(id);
        }
    }

    pub(crate) fn tail_answered(
        &mut self,
        id: u64,
        round: u64,
        covered: Vec<(PartitionId, Read)>,
        rows: Vec<BookingRow>,
    ) {
        if let Some(list) = self.lists.get_mut(&id).filter(|list| list.round == round) {
            list.covered.extend(covered);
            list.rows.extend(rows);
            self.complete(id);
        }
    }

    /// If all tails are there, on to the views: the tail first, then the views, so that
    /// what leaves the one in between is in the other.
    fn complete(&mut self, id: u64) {
        let mutant = self.mutant;
        let Some(list) = self.lists.get_mut(&id).filter(|list| !list.reading) else { return };
        let Some(holders) = &list.holders else { return };
        let mut coverage = Self::coverage();
        coverage.add(list.covered.iter().copied());
        let mut holders = holders.clone();
        if mutant == Some(Mutant::ListWithoutNewest) {
            holders.iter_mut().for_each(|holder| holder.last = Position(0));
        }
        let mut missing = coverage.missing(&holders);
        match mutant {
            Some(Mutant::ListWithoutCoverage) => missing.clear(),
            Some(Mutant::ListWithoutEpochCheck) => missing
                .retain(|partition| list.covered.iter().all(|(covered, _)| covered != partition)),
            _ => {}
        }
        if missing.is_empty() {
            list.reading = true;
            self.effects.push(Effect::ReadViews { list: id, wanted: list.wanted });
        }
    }

    pub(crate) fn views_answered(&mut self, id: u64, stored: &[BookingRow]) {
        let Some(list) = self.lists.remove(&id) else { return };
        let mut newest: BTreeMap<BookingId, BookingRow> = BTreeMap::new();
        for row in stored.iter().chain(&list.rows) {
            let known = newest.entry(row.id).or_insert(*row);
            if known.stamp < row.stamp {
                *known = *row;
            }
        }
        let rows: Vec<BookingRow> = newest.into_values().collect();
        self.reply(&list.call, Told::list(&rows));
    }

    /// A round of a list has taken its time.
    pub(crate) fn list_again(&mut self, id: u64, round: u64) {
        let now = self.now;
        match self.lists.get(&id) {
            Some(list) if list.round == round && !list.reading => {
                if now < list.until {
                    return self.ask_tails(id);
                }
                if let Some(list) = self.lists.remove(&id) {
                    self.reply(&list.call, unavailable("not all tails answer"));
                }
            }
            _ => {}
        }
    }
}

fn rows_of(entry: &OutboxEntry) -> Vec<BookingRow> {
    let entries = record::decode(&entry.blob).expect("we wrote it");
    let changes = project::view_changes(entry.event, &entries, entry.first_seq);
    let row = |change| match change {
        ViewChange::Put(row) => Some(row),
        ViewChange::Hold(_) | ViewChange::CancelAll { .. } => None,
    };
    changes.into_iter().filter_map(row).collect()
}
