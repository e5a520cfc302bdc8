//! A replica: the product's protocol with a host around it that is all IO. Where production
//! awaits, this sends a question and goes on when its answer comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use actors::protocol::coverage::{Coverage, Read};
use actors::protocol::ownership::{Action, CLAIM_LIMIT, Claimed, Ownership};
use actors::protocol::routing::{Turn, turn};
use actors::protocol::suspicion::Pong;
use actors::protocol::{Moment, Replica};
use engine::{EventId, Timestamp};
use harness::history::Outcome;
use storage::{
    Claim, Epoch, Head, Holder, Member, OutboxEntry, PartitionId, Position, StorageError,
};

use crate::calls::{Call, Told, Want, unavailable};
use crate::event::{Actor, Slot};
use crate::mutants::Mutant;
use crate::store::{Ask, Said, partition_of};
use crate::tail::{List, Tail};
use crate::world::{Effect, MILLI, Message, Micros, Timer};

/// How long a host waits for an answer of the store.
pub(crate) const STORE_LIMIT: Micros = 400 * MILLI;

/// How often a host looks at everything.
pub(crate) const TICK: Micros = 50 * MILLI;

/// What a question to the store was for.
#[derive(Clone, Debug)]
pub(crate) enum Purpose {
    Holders,
    Members,
    Announce,
    Claim(PartitionId),
    Release(PartitionId, Epoch),
    Barrier(PartitionId, Epoch),
    Cursor(PartitionId, Epoch),
    Outbox(PartitionId, Epoch, Position),
    Follow(PartitionId, Epoch),
    FollowBarrier(PartitionId, Epoch, Vec<Arc<OutboxEntry>>),
    Load(EventId, u64),
    LoadOutbox(EventId, u64),
    LoadBarrier(EventId, u64),
    Commit(EventId, u64),
    Validate(EventId, u64),
    Header(Call),
    Advance(PartitionId, Epoch, Position),
    ListHolders(u64, u64),
    Nothing,
}

/// One life of a replica.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) replica: Replica,
    pub(crate) up: bool,
    /// A stopped process: nothing reaches it before.
    pub(crate) paused_until: Micros,
    born: Micros,
    /// How wrong its idea of the time is, in milliseconds.
    skew: i64,
    pub(crate) ownership: Ownership,
    pub(crate) tails: BTreeMap<PartitionId, Tail>,
    pub(crate) slots: BTreeMap<EventId, Slot>,
    /// What was answered last of each event, and which actors died.
    pub(crate) acknowledged: BTreeMap<EventId, Head>,
    pub(crate) died: BTreeMap<EventId, u32>,
    purposes: BTreeMap<u64, Purpose>,
    pub(crate) lists: BTreeMap<u64, List>,
    numbers: u64,
    ticks: u64,
    pub(crate) mutant: Option<Mutant>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) now: Micros,
}

impl Host {
    pub(crate) fn new(
        index: usize,
        incarnation: u64,
        now: Micros,
        skew: i64,
        mutant: Option<Mutant>,
    ) -> Self {
        let replica = Replica::new(&format!("b{}", index + 1), incarnation);
        Self {
            ownership: Ownership::new(replica.clone(), crate::store::PARTITIONS, 0),
            replica,
            up: true,
            paused_until: 0,
            born: now,
            skew,
            tails: BTreeMap::new(),
            slots: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            died: BTreeMap::new(),
            purposes: BTreeMap::new(),
            lists: BTreeMap::new(),
            numbers: 0,
            ticks: 0,
            mutant,
            effects: Vec::new(),
            now,
        }
    }

    /// This host's own monotonic clock.
    pub(crate) fn moment(&self) -> Moment {
        (self.now - self.born) / MILLI
    }

    /// Process time: the store's at the start, and monotonic from there.
    pub(crate) fn time(&self) -> Timestamp {
        let millis = i64::try_from(self.now / MILLI).expect("a short run");
        Timestamp::from_millis(crate::world::BEGIN + millis + self.skew)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(crate) fn ask(&mut self, ask: Ask, purpose: Purpose) {
        let request = self.number();
        let limit = match purpose {
            Purpose::Claim(_) => CLAIM_LIMIT * MILLI,
            _ => STORE_LIMIT,
        };
        self.purposes.insert(request, purpose);
        self.effects.push(Effect::Ask { request, ask });
        self.effects.push(Effect::Timer(limit, Timer::Request(request)));
    }

    pub(crate) fn reply(&mut self, call: &Call, outcome: Outcome) {
        self.effects.push(Effect::Reply { client: call.client, number: call.number, outcome });
    }

    pub(crate) fn send(&mut self, to: &str, message: Message) {
        self.effects.push(Effect::Send { to: to.to_owned(), message });
    }

    /// Everything that happens from time to time.
    pub(crate) fn tick(&mut self) {
        self.ticks += 1;
        let now = self.moment();
        if self.ticks == 1 {
            self.announce();
        }
        if self.ticks.is_multiple_of(10) {
            self.announce();
            self.ask(Ask::Members, Purpose::Members);
        }
        if self.ticks.is_multiple_of(2) {
            let peers: Vec<Replica> =
                self.ownership.peers().to_ping(now).map(|(peer, _)| peer.clone()).collect();
            for peer in peers {
                let ping = Message::Ping { to: peer.clone() };
                self.send(&peer.node, ping);
            }
        }
        let actions = self.ownership.tick(now);
        self.act(actions);
        self.look_whether_finished();
        self.project();
    }

    fn announce(&mut self) {
        let member = Member {
            node: self.replica.node.to_string(),
            incarnation: self.replica.incarnation.to_be_bytes(),
            address: self.replica.node.to_string(),
            state: self.ownership.state(),
            tick: self.ticks,
        };
        self.ask(Ask::Announce(member), Purpose::Announce);
        if self.ticks == 1 {
            self.ask(Ask::Members, Purpose::Members);
        }
    }

    pub(crate) fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::ReadHolders => self.ask(Ask::Holders, Purpose::Holders),
                Action::Claim { partition, expected, owner_is_gone } => {
                    let owner = self.replica.to_string();
                    let ask = Ask::Claim { partition, owner, expected, owner_is_gone };
                    self.ask(ask, Purpose::Claim(partition));
                }
                Action::Prepare { partition, epoch } => self.prepare(partition, epoch),
                Action::Open { .. } => {}
                Action::Close { partition, .. } => self.close(partition),
                Action::Finish { .. } => self.look_whether_finished(),
                Action::Release { partition, epoch } => {
                    let ask = Ask::Release { partition, epoch };
                    self.ask(ask, Purpose::Release(partition, epoch));
                }
                Action::Hint { node, partition, epoch } => {
                    self.send(&node, Message::Hint { partition, epoch });
                }
            }
        }
    }

    fn prepare(&mut self, partition: PartitionId, epoch: Epoch) {
        match self.mutant {
            Some(Mutant::NoBarrier) => {
                self.ask(Ask::Cursor(partition), Purpose::Cursor(partition, epoch));
            }
            Some(Mutant::ServeBeforeTail) => {
                self.tails.insert(partition, Tail::new(epoch, Position(u64::MAX)));
                let actions = self.ownership.prepared(self.moment(), partition, epoch, true);
                self.act(actions);
            }
            _ => self.ask(Ask::Barrier, Purpose::Barrier(partition, epoch)),
        }
    }

    /// Nothing of the partition is served any more: its actors end, their callers hear that
    /// nobody knows.
    fn close(&mut self, partition: PartitionId) {
        self.tails.remove(&partition);
        let events: Vec<EventId> =
            self.slots.keys().copied().filter(|event| partition_of(*event) == partition).collect();
        for event in events {
            self.end_actor(event, &Outcome::Unknown("the partition moves".into()));
        }
    }

    fn look_whether_finished(&mut self) {
        for partition in (0..crate::store::PARTITIONS).map(PartitionId) {
            if self.ownership.serves(partition).is_some() {
                continue;
            }
            let Some(epoch) = self.ownership.has_tail(partition) else { continue };
            let busy = self
                .slots
                .iter()
                .any(|(event, slot)| partition_of(*event) == partition && !slot.is_idle());
            if !busy {
                let actions = self.ownership.finished(partition, epoch);
                self.act(actions);
            }
        }
    }

    /// A message of another host, or of a client.
    pub(crate) fn hear(&mut self, message: Message) {
        match message {
            Message::Ping { .. } => {}
            Message::Pong(pong) => {
                let now = self.moment();
                self.ownership.peers_mut().pong(now, pong);
            }
            Message::Refused(replica) => self.ownership.peers_mut().refused(&replica),
            Message::Hint { partition, epoch } => {
                let actions = self.ownership.hinted(self.moment(), partition, epoch);
                self.act(actions);
            }
            Message::Call { call, expected, hops } => self.take(call, expected, hops),
            Message::TailAsk { from, list, round, wanted } => {
                let (covered, rows) = self.look_into_tails(&wanted);
                self.send(&from, Message::TailAnswer { list, round, covered, rows });
            }
            Message::TailAnswer { list, round, covered, rows } => {
                self.tail_answered(list, round, covered, rows);
            }
            Message::ViewsAnswer { list, rows } => self.views_answered(list, &rows),
            Message::Projected { partition, epoch, upto } => {
                self.ask(
                    Ask::Advance { partition, epoch, upto },
                    Purpose::Advance(partition, epoch, upto),
                );
            }
        }
    }

    /// What a ping is answered with.
    pub(crate) fn pong(&self) -> Pong {
        let now = self.moment();
        Pong {
            from: self.replica.clone(),
            state: self.ownership.state(),
            store_age: self.ownership.peers().store_age(now),
            silent: self.ownership.peers().silent(now),
        }
    }

    /// A call that has landed here.
    fn take(&mut self, call: Call, expected: Epoch, hops: u8) {
        let event = match &call.want {
            Want::List(_) => return self.begin_list(call),
            Want::Header(event) => {
                return self.ask(Ask::Header(*event), Purpose::Header(call.clone()));
            }
            Want::Command(event, _) | Want::Booking(event, _) => *event,
        };
        let route = self.ownership.route(partition_of(event), self.moment());
        match turn(route, expected, hops) {
            Turn::Serve(epoch) => self.serve(event, epoch, call),
            Turn::PassOn { node, expected, hops } => {
                self.send(&node, Message::Call { call, expected, hops });
            }
            Turn::SendBack(_) => self.reply(&call, unavailable("nobody serves it now")),
        }
    }

    /// The store answered, or did not in time.
    pub(crate) fn answered(&mut self, request: u64, said: Result<Said, StorageError>) {
        let Some(purpose) = self.purposes.remove(&request) else { return };
        let now = self.moment();
        if said.is_ok() {
            self.ownership.peers_mut().store_answered(now);
        }
        match (purpose, said) {
            (Purpose::Holders, Ok(Said::Holders(holders))) => self.learn(&holders),
            (Purpose::Members, Ok(Said::Members(rows))) => {
                self.ownership.peers_mut().members(now, &rows);
                self.ownership.ready();
            }
            (Purpose::Claim(partition), said) => {
                let claimed = match said {
                    Ok(Said::Claim(Claim::Won(epoch))) => Claimed::Won(epoch),
                    Ok(Said::Claim(Claim::Lost(epoch))) => Claimed::Lost(epoch),
                    Ok(Said::Claim(Claim::TooSoon)) => Claimed::TooSoon,
                    _ => Claimed::Unknown,
                };
                let actions = self.ownership.claimed(now, partition, claimed);
                self.act(actions);
            }
            (Purpose::Release(partition, epoch), said) => {
                let done = matches!(said, Ok(Said::Released(true)));
                let actions = self.ownership.released(now, partition, epoch, done);
                self.act(actions);
            }
            (Purpose::Barrier(partition, epoch), Ok(_)) => {
                self.ask(Ask::Cursor(partition), Purpose::Cursor(partition, epoch));
            }
            (Purpose::Cursor(partition, epoch), Ok(Said::Cursor(cursor))) => {
                let ask = Ask::Outbox { partition, after: cursor };
                self.ask(ask, Purpose::Outbox(partition, epoch, cursor));
            }
            (Purpose::Outbox(partition, epoch, cursor), Ok(Said::Outbox(entries))) => {
                self.fill_tail(partition, epoch, cursor, entries);
            }
            (
                Purpose::Barrier(partition, epoch)
                | Purpose::Cursor(partition, epoch)
                | Purpose::Outbox(partition, epoch, _),
                _,
            ) => {
                let actions = self.ownership.prepared(now, partition, epoch, false);
                self.act(actions);
            }
            (Purpose::Follow(partition, epoch), Ok(Said::Outbox(entries))) => {
                self.ask(Ask::Barrier, Purpose::FollowBarrier(partition, epoch, entries));
            }
            (Purpose::FollowBarrier(partition, epoch, entries), Ok(_)) => {
                if let Some(tail) = self.tails.get_mut(&partition).filter(|t| t.epoch == epoch) {
                    entries.into_iter().for_each(|entry| tail.push(entry));
                }
            }
            (Purpose::Header(call), said) => {
                let outcome = match said {
                    Ok(Said::Header(header)) => Told::availability(header.as_ref()),
                    _ => unavailable("the store does not answer"),
                };
                self.reply(&call, outcome);
            }
            (Purpose::Advance(partition, epoch, upto), said) => {
                self.advanced(partition, epoch, upto, &said);
            }
            (Purpose::ListHolders(list, round), Ok(Said::Holders(holders))) => {
                self.list_holders(list, round, holders);
            }
            (purpose, said) => self.answered_actor(purpose, said),
        }
    }

    pub(crate) fn learn(&mut self, holders: &[Holder]) {
        let actions = self.ownership.holders(self.moment(), holders);
        self.act(actions);
        // A batch may have landed that nobody here was told of, and nobody may ever be.
        let follows = self.mutant != Some(Mutant::NobodyFollows);
        let covered = if follows { self.covers() } else { Vec::new() };
        for (partition, read) in covered {
            let behind = holders.iter().any(|h| h.partition == partition && h.last > read.followed);
            if behind {
                let ask = Ask::Outbox { partition, after: read.followed };
                self.ask(ask, Purpose::Follow(partition, read.epoch));
            }
        }
    }

    fn fill_tail(
        &mut self,
        partition: PartitionId,
        epoch: Epoch,
        cursor: Position,
        entries: Vec<Arc<OutboxEntry>>,
    ) {
        if self.ownership.prepares(partition) != Some(epoch) {
            return;
        }
        let mut tail = Tail::new(epoch, cursor);
        entries.into_iter().for_each(|entry| tail.push(entry));
        self.tails.insert(partition, tail);
        let actions = self.ownership.prepared(self.moment(), partition, epoch, true);
        self.act(actions);
    }

    /// A store refused something of this ownership.
    pub(crate) fn fenced(&mut self, partition: PartitionId, epoch: Epoch) {
        let actions = self.ownership.fenced(partition, epoch);
        self.act(actions);
    }

    pub(crate) fn covers(&self) -> Vec<(PartitionId, Read)> {
        let covered = (0..crate::store::PARTITIONS).map(PartitionId).filter_map(|partition| {
            let epoch = self.ownership.has_tail(partition)?;
            let tail = self.tails.get(&partition)?;
            let read = Read { epoch, followed: tail.followed() };
            (tail.epoch == epoch).then_some((partition, read))
        });
        covered.collect()
    }

    pub(crate) fn actor(&mut self, event: EventId, id: u64) -> Option<&mut Actor> {
        match self.slots.get_mut(&event) {
            Some(Slot::Awake(actor)) if actor.id == id => Some(actor),
            _ => None,
        }
    }

    /// An empty coverage of all partitions.
    pub(crate) fn coverage() -> Coverage {
        Coverage::new(crate::store::PARTITIONS)
    }
}
