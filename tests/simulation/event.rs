//! One event's actor at a host: the engine decides, the product's staging and delivery say
//! what goes to the store and which answers may leave.

use std::sync::Arc;

use actors::protocol::commit::Ending;
use actors::protocol::delivery::{After, Delivery, Step};
use actors::protocol::staging::{Failed, Next, Staging};
use engine::{Command, Decision, Entry, Envelope, EventId, Inventory, Limits, Principal, Seq};
use harness::history::Outcome;
use storage::{
    Batch, BatchId, CommitOutcome, Epoch, Head, OutboxEntry, Position, StorageError, Summary,
    Validity, record,
};

use crate::calls::{Call, Told, Want, unavailable};
use crate::host::{Host, Purpose};
use crate::mutants::Mutant;
use crate::store::{Ask, Loaded, Said, partition_of};
use crate::world::{Effect, MILLI, Micros, Timer};

/// How long a batch is repeated.
const COMMIT_LIMIT: Micros = 2_000 * MILLI;

/// Pause before a batch is repeated.
const COMMIT_AGAIN: Micros = 20 * MILLI;

/// An answer that waits, with the call it is for.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) call: Call,
    pub(crate) outcome: Outcome,
}

/// The place of an event.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there are a few of them")]
pub(crate) enum Slot {
    Loading {
        id: u64,
        epoch: Epoch,
        waiting: Vec<Call>,
        loaded: Option<Loaded>,
        fresh: Vec<Arc<OutboxEntry>>,
    },
    Awake(Actor),
}

impl Slot {
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            Self::Loading { .. } => false,
            Self::Awake(actor) => actor.staging.is_idle(),
        }
    }
}

/// An awake event.
#[derive(Debug)]
pub(crate) struct Actor {
    pub(crate) id: u64,
    epoch: Epoch,
    inventory: Inventory,
    staging: Arc<Staging<Waiting>>,
    delivery: Option<Delivery<Waiting>>,
    /// The batch on its way, and when it is given up.
    flight: Option<(Batch, Micros)>,
}

impl Host {
    /// A call for an event that is served here.
    pub(crate) fn serve(&mut self, event: EventId, epoch: Epoch, call: Call) {
        match self.slots.get_mut(&event) {
            Some(Slot::Loading { waiting, .. }) => waiting.push(call),
            Some(Slot::Awake(_)) => self.decide(event, call),
            None => {
                let id = self.number();
                let waiting = vec![call];
                let loading = Slot::Loading { id, epoch, waiting, loaded: None, fresh: Vec::new() };
                self.slots.insert(event, loading);
                self.ask(Ask::Load(event), Purpose::Load(event, id));
            }
        }
    }

    /// Steps of loading and of delivering.
    pub(crate) fn answered_actor(&mut self, purpose: Purpose, said: Result<Said, StorageError>) {
        match (purpose, said) {
            (Purpose::Load(event, id), Ok(Said::Loaded(loaded))) => self.loaded(event, id, loaded),
            (Purpose::LoadOutbox(event, id), Ok(Said::Outbox(entries))) => {
                if let Some(Slot::Loading { id: mine, fresh, .. }) = self.slots.get_mut(&event)
                    && *mine == id
                {
                    *fresh = entries;
                    self.load_barrier(event, id);
                }
            }
            (Purpose::LoadBarrier(event, id), Ok(_)) => self.wake(event, id),
            (
                Purpose::Load(event, id)
                | Purpose::LoadOutbox(event, id)
                | Purpose::LoadBarrier(event, id),
                _,
            ) => {
                if matches!(self.slots.get(&event), Some(Slot::Loading { id: mine, .. }) if *mine == id)
                {
                    self.end_actor(event, &unavailable("the event could not be loaded"));
                }
            }
            (Purpose::Commit(event, id), said) => {
                let answer = match said {
                    Ok(Said::Commit(outcome)) => Ok(outcome),
                    Ok(other) => unreachable!("a commit was answered with {other:?}"),
                    Err(error) => Err(error),
                };
                self.committed(event, id, answer);
            }
            (Purpose::Validate(event, id), said) => {
                let answer = match said {
                    Ok(Said::Validity(validity)) => Ok(validity),
                    Ok(other) => unreachable!("a validation was answered with {other:?}"),
                    Err(error) => Err(error),
                };
                let Some(actor) = self.actor(event, id) else { return };
                let mut delivery = actor.delivery.take().expect("it asked");
                let after = delivery.validated(answer);
                self.follow(event, delivery, after);
            }
            _ => {}
        }
    }

    fn loaded(&mut self, event: EventId, id: u64, stored: Option<Loaded>) {
        let partition = partition_of(event);
        let followed = self.tails.get(&partition).map(crate::tail::Tail::followed);
        let Some(Slot::Loading { id: mine, loaded, .. }) = self.slots.get_mut(&event) else {
            return;
        };
        if *mine != id {
            return;
        }
        let contains = self.acknowledged.get(&event).is_none_or(|answered| {
            stored
                .iter()
                .flat_map(|loaded| &loaded.batches)
                .any(|batch| batch.last_seq == answered.seq && batch.chain == answered.chain)
        });
        *loaded = stored;
        if !contains {
            self.end_actor(event, &unavailable("the history lacks what was answered"));
            let actions = self.ownership.broken(partition);
            return self.act(actions);
        }
        let reread = self.died.contains_key(&event) && self.mutant != Some(Mutant::NobodyFollows);
        match followed {
            Some(after) if reread => {
                self.ask(Ask::Outbox { partition, after }, Purpose::LoadOutbox(event, id));
            }
            _ => self.load_barrier(event, id),
        }
    }

    fn load_barrier(&mut self, event: EventId, id: u64) {
        if self.mutant == Some(Mutant::NoBarrier) {
            return self.wake(event, id);
        }
        self.ask(Ask::Barrier, Purpose::LoadBarrier(event, id));
    }

    /// Everything is loaded and durable.
    fn wake(&mut self, event: EventId, id: u64) {
        match self.slots.remove(&event) {
            Some(Slot::Loading { id: mine, epoch, waiting, loaded, fresh }) if mine == id => {
                if let Some(tail) = self.tails.get_mut(&partition_of(event)) {
                    fresh.into_iter().for_each(|entry| tail.push(entry));
                }
                let mut inventory = Inventory::new(event).with_limits(&Limits::default());
                let mut head = Head::default();
                for batch in loaded.iter().flat_map(|loaded| &loaded.batches) {
                    for entry in record::decode(&batch.blob).expect("we wrote it") {
                        inventory.apply(&entry);
                    }
                    head = Head { seq: batch.last_seq, chain: batch.chain };
                }
                let staging = Arc::new(Staging::new(head));
                let actor = Actor { id, epoch, inventory, staging, delivery: None, flight: None };
                self.slots.insert(event, Slot::Awake(actor));
                for call in waiting {
                    // One of them may end the actor; then the next finds none.
                    self.serve(event, epoch, call);
                }
            }
            Some(other) => {
                self.slots.insert(event, other);
            }
            None => {}
        }
    }

    fn decide(&mut self, event: EventId, call: Call) {
        let time = self.time();
        let Some(Slot::Awake(actor)) = self.slots.get_mut(&event) else { return };
        let at = time.max(actor.inventory.last_time());
        if !actor.run_due(at) {
            return self.end_actor(event, &unavailable("an earlier commit failed"));
        }
        let next = match &call.want {
            Want::Booking(_, id) => {
                let found = actor.inventory.booking(*id).map(|b| actor.inventory.with_position(b));
                let outcome = Told::read(event, found);
                actor.staging.put_answer(Waiting { call, outcome }).map_err(|Failed(w)| Some(w))
            }
            Want::Command(_, command) => {
                let envelope = Envelope {
                    principal: call.principal(),
                    at,
                    key: call.key,
                    command: command.clone(),
                };
                match engine::decide(&actor.inventory, &envelope, &Limits::default()) {
                    Ok(Decision { entry, reply, replayed }) => {
                        let outcome = Told::granted(event, command, &reply, replayed);
                        let waiting = Waiting { call, outcome };
                        match entry {
                            Some(entry) => actor.accept(&entry, Some(waiting)).map_err(|f| f.0),
                            None => actor.staging.put_answer(waiting).map_err(|f| Some(f.0)),
                        }
                    }
                    Err(rejection) => {
                        let outcome = Told::refused(event, &rejection);
                        let waiting = Waiting { call, outcome };
                        actor.staging.put_answer(waiting).map_err(|f| Some(f.0))
                    }
                }
            }
            Want::Header(_) | Want::List(_) => unreachable!("no actor is asked this"),
        };
        match next {
            Ok(Next::Deliver) => {
                let delivery = Delivery::new(Arc::clone(&actor.staging), event, actor.epoch);
                self.deliver(event, delivery);
            }
            Ok(Next::Nothing) => {}
            Err(Some(waiting)) => {
                self.reply(&waiting.call, unavailable("an earlier commit failed"));
            }
            Err(None) => {}
        }
    }

    /// Send the next batch or question.
    fn deliver(&mut self, event: EventId, mut delivery: Delivery<Waiting>) {
        let number = self.number();
        let mut batch_id = [0; 16];
        batch_id[..8].copy_from_slice(&self.replica.incarnation.to_be_bytes());
        batch_id[8..].copy_from_slice(&number.to_be_bytes());
        let (now, mutant) = (self.now, self.mutant);
        let Some(Slot::Awake(actor)) = self.slots.get_mut(&event) else { return };
        let id = actor.id;
        match delivery.next(|| BatchId(batch_id)) {
            Step::Rest => actor.delivery = None,
            Step::Commit(batch) if mutant == Some(Mutant::AnswerBeforeCommit) => {
                self.ask(Ask::Commit(batch), Purpose::Nothing);
                let after = delivery.committed(Ok(CommitOutcome::Applied(Position(0))), true);
                self.follow(event, delivery, after);
            }
            Step::Commit(batch) => {
                actor.flight = Some((batch.clone(), now + COMMIT_LIMIT));
                actor.delivery = Some(delivery);
                self.ask(Ask::Commit(batch), Purpose::Commit(event, id));
            }
            Step::Validate { .. } if mutant == Some(Mutant::AnswerWithoutValidation) => {
                let after = delivery.validated(Ok(Validity::Current));
                self.follow(event, delivery, after);
            }
            Step::Validate { epoch, head } => {
                actor.delivery = Some(delivery);
                self.ask(Ask::Validate { event, epoch, head }, Purpose::Validate(event, id));
            }
        }
    }

    fn committed(&mut self, event: EventId, id: u64, answer: Result<CommitOutcome, StorageError>) {
        let now = self.now;
        let Some(actor) = self.actor(event, id) else { return };
        let overdue = actor.flight.as_ref().is_none_or(|(_, until)| now >= *until);
        let mut delivery = actor.delivery.take().expect("it sent a batch");
        let after = delivery.committed(answer, overdue);
        self.follow(event, delivery, after);
    }

    /// Time to send a batch again.
    pub(crate) fn commit_again(&mut self, event: EventId, id: u64) {
        let Some(actor) = self.actor(event, id) else { return };
        if let Some((batch, _)) = actor.flight.clone() {
            self.ask(Ask::Commit(batch), Purpose::Commit(event, id));
        }
    }

    fn follow(&mut self, event: EventId, delivery: Delivery<Waiting>, after: After<Waiting>) {
        match after {
            After::Repeat => {
                let Some(Slot::Awake(actor)) = self.slots.get_mut(&event) else { return };
                actor.delivery = Some(delivery);
                let again = Timer::CommitAgain(event, actor.id);
                self.effects.push(Effect::Timer(COMMIT_AGAIN, again));
            }
            After::Release { committed, answers } => {
                if let Some(committed) = committed
                    && committed.entry.position > Position(0)
                {
                    self.acknowledged.insert(event, committed.head);
                    if let Some(tail) = self.tails.get_mut(&partition_of(event)) {
                        tail.push(Arc::new(committed.entry));
                    }
                }
                for Waiting { call, outcome } in answers {
                    self.reply(&call, outcome);
                }
                self.deliver(event, delivery);
            }
            After::End { ending, answers, staged } => self.failed(event, &ending, answers, staged),
        }
    }

    fn failed(
        &mut self,
        event: EventId,
        ending: &Ending,
        answers: Vec<Waiting>,
        staged: Vec<Waiting>,
    ) {
        let Some(Slot::Awake(actor)) = self.slots.get(&event) else { return };
        let (partition, epoch) = (partition_of(event), actor.epoch);
        self.end_actor(event, &unavailable("an earlier commit failed"));
        assert!(*ending != Ending::Invalid || self.mutant.is_some(), "a batch against the law");
        for waiting in answers {
            let outcome = if ending.perhaps_written() {
                Outcome::Unknown("nobody knows".into())
            } else {
                unavailable("certainly not done")
            };
            self.reply(&waiting.call, outcome);
        }
        for waiting in staged {
            self.reply(&waiting.call, unavailable("an earlier commit failed"));
        }
        match ending {
            Ending::Fenced { .. } => self.fenced(partition, epoch),
            Ending::Behind => {
                let actions = self.ownership.broken(partition);
                self.act(actions);
            }
            _ => {}
        }
    }

    /// The actor of an event is gone, with its memory.
    pub(crate) fn end_actor(&mut self, event: EventId, outcome: &Outcome) {
        *self.died.entry(event).or_default() += 1;
        match self.slots.remove(&event) {
            Some(Slot::Loading { waiting, .. }) => {
                for call in waiting {
                    self.reply(&call, outcome.clone());
                }
            }
            // Who waits for a batch in flight hears nothing, as from a dead process.
            Some(Slot::Awake(_)) | None => {}
        }
    }
}

impl Actor {
    fn run_due(&mut self, at: engine::Timestamp) -> bool {
        while self.inventory.next_deadline().is_some_and(|deadline| deadline <= at) {
            let envelope =
                Envelope { principal: Principal::SYSTEM, at, key: None, command: Command::RunDue };
            let decision = engine::decide(&self.inventory, &envelope, &Limits::default());
            match decision {
                Ok(Decision { entry: Some(entry), .. }) => {
                    if self.accept(&entry, None).is_err() {
                        return false;
                    }
                }
                other => panic!("a deadline is due, but running it did nothing: {other:?}"),
            }
        }
        true
    }

    fn accept(
        &mut self,
        entry: &Entry,
        answer: Option<Waiting>,
    ) -> Result<Next, Box<Failed<Option<Waiting>>>> {
        let first_seq = Seq(self.inventory.seq().0 + 1);
        self.inventory.apply(entry);
        let inventory = &self.inventory;
        let summary = Summary {
            counts: inventory.counts(),
            capacity: inventory.terms().map_or(0, |terms| terms.capacity),
            phase: inventory.phase(),
            version: inventory.version(),
            next_deadline: inventory.next_deadline(),
        };
        self.staging.put(entry, first_seq, summary, answer).map_err(Box::new)
    }
}
