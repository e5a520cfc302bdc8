//! The actor of one event: decide, stage, hand the batch on. Answers are released by the
//! committer once everything they depend on is durable.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use engine::{Command, Decision, Entry, Envelope, Inventory, Phase, Principal, Seq, Timestamp};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use storage::{Epoch, Summary};
use tokio::time::Instant;

use crate::committer::{Committer, keep_snapshot};
use crate::directory::Place;
use crate::error::{Receipt, SubmitError};
use crate::protocol::staging::{Failed, Next, Staging};
use crate::shared::Shared;

mod message;
mod recovery;

pub(crate) use message::{
    Answer, Message, PendingAnswer, PendingReceipt, Question, Submission, Waiting,
};
pub(crate) use recovery::{Recovered, recover};

/// Most decisions about what is due in one turn; then other messages have theirs. Commands
/// wait until all is done, so the rule that what is due comes first holds for them.
const DUE_ROUNDS: usize = 4;

/// How often an actor looks whether it may sleep, in parts of the idle time.
const IDLE_LOOKS: u32 = 4;

/// An event that was never opened need not stay awake for another request about nothing.
const UNOPENED_IDLE: Duration = Duration::from_secs(1);

/// The longest an alarm is set ahead; the sweep of the durable deadlines does the rest.
const ALARM_MAX: Duration = Duration::from_secs(3_600);

/// The behaviour; everything that changes is in [`State`].
pub(crate) struct EventActor;

/// What an actor is started with.
pub(crate) struct Arguments {
    pub(crate) shared: Arc<Shared>,
    pub(crate) place: Arc<Place>,
    pub(crate) generation: u64,
    pub(crate) recovered: Recovered,
}

/// One awake event.
pub(crate) struct State {
    shared: Arc<Shared>,
    place: Arc<Place>,
    generation: u64,
    /// Ahead of the store by what is staged; dropped as soon as a commit fails.
    inventory: Inventory,
    staging: Arc<Staging<Waiting>>,
    /// The ownership under which this memory was loaded.
    epoch: Epoch,
    /// The seq of the newest snapshot that was taken.
    snapshot_seq: Seq,
    /// The alarm that is set, if any.
    alarm: Option<Timestamp>,
    /// Commands that wait until what is due is done, in the order they came. Each holds one
    /// of the event's permits.
    deferred: VecDeque<Submission>,
    /// A message to go on with what is due is on its way.
    going_on: bool,
    last_used: Instant,
    myself: ActorRef<Message>,
}

#[ractor::async_trait]
impl Actor for EventActor {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(
        &self,
        myself: ActorRef<Message>,
        arguments: Arguments,
    ) -> Result<State, ActorProcessingErr> {
        let Arguments { shared, place, generation, recovered } = arguments;
        shared.directory.woke();
        place.waits(recovered.inventory.counts().waitlist_entries);
        shared.supervision.born(myself.get_id(), Arc::clone(&place), generation);
        let mut state = State {
            shared,
            place,
            generation,
            staging: Arc::new(Staging::new(recovered.head)),
            epoch: recovered.epoch,
            snapshot_seq: recovered.snapshot_seq,
            inventory: recovered.inventory,
            alarm: None,
            deferred: VecDeque::new(),
            going_on: false,
            last_used: Instant::now(),
            myself,
        };
        state.look_again_later();
        state.set_alarm();
        Ok(state)
    }

    async fn handle(
        &self,
        myself: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Submission(submission) => return state.submission(*submission),
            Message::Question(question, answer) => {
                state.last_used = Instant::now();
                let found = question.look_up(&state.inventory);
                state.put_answer(Waiting::question(found, answer));
            }
            Message::Due => {
                state.alarm = None;
                return state.go_on();
            }
            Message::GoOn => {
                state.going_on = false;
                return state.go_on();
            }
            Message::LookIdle => state.look_idle(&myself),
            Message::CommitFailed(ending) => {
                return Err(format!("a commit failed: {ending:?}").into());
            }
        }
        Ok(())
    }
}

impl State {
    /// The actor's time: never before the last time given out.
    fn now(&self) -> Timestamp {
        self.shared.clock.now().max(self.inventory.last_time())
    }

    fn submission(&mut self, submission: Submission) -> Result<(), ActorProcessingErr> {
        self.last_used = Instant::now();
        if self.deferred.is_empty() {
            return self.decide_or_defer(submission);
        }
        self.deferred.push_back(submission);
        Ok(())
    }

    /// Decide a command, or put it back to the front of those that wait.
    fn decide_or_defer(&mut self, submission: Submission) -> Result<(), ActorProcessingErr> {
        if Instant::now() >= submission.request.deadline {
            submission.fail(SubmitError::DeadlinePassed);
            return Ok(());
        }
        let command = submission.request.key.digest;
        let span = submission.waiting.span.clone();
        let _entered = span.enter();
        // A panic in the rules must not take the whole event along for ever: the command is
        // remembered, the memory it may have spoilt is dropped, the successor loads.
        match catch_unwind(AssertUnwindSafe(|| self.decide(submission))) {
            Ok(()) => Ok(()),
            Err(_) => {
                tracing::warn!(event = %self.place.event, "a command made its actor panic");
                self.place.suspect(command);
                Err("a command made the actor panic".into())
            }
        }
    }

    /// Do what is due, then decide what waited for that.
    fn go_on(&mut self) -> Result<(), ActorProcessingErr> {
        let ran = catch_unwind(AssertUnwindSafe(|| {
            self.run_due(self.now());
            self.set_alarm();
        }));
        ran.map_err(|_| "what was due made the actor panic")?;
        while !self.going_on {
            let Some(submission) = self.deferred.pop_front() else { break };
            self.decide_or_defer(submission)?;
        }
        Ok(())
    }

    fn decide(&mut self, submission: Submission) {
        let at = self.now();
        if !self.run_due(at) {
            self.deferred.push_front(submission);
            return;
        }
        let Submission { request, waiting } = submission;
        let envelope = Envelope {
            principal: request.principal,
            at,
            key: Some(request.key),
            command: request.command,
        };
        match engine::decide(&self.inventory, &envelope, &self.shared.options.limits) {
            Ok(Decision { entry, reply, replayed }) => {
                let waiting = waiting.with(Ok(Receipt { reply, replayed }));
                match entry {
                    Some(entry) => self.accept(&entry, Some(waiting)),
                    None => self.put_answer(waiting),
                }
            }
            Err(rejection) => {
                self.put_answer(waiting.with(Err(SubmitError::Refused(rejection))));
            }
        }
        self.set_alarm();
    }

    /// Do what is due before anything else is decided: expiries, promotions left over from
    /// a long decision. Each round does a bounded number of moves and makes progress. Says
    /// whether all is done; if not, a message to go on is on its way.
    fn run_due(&mut self, at: Timestamp) -> bool {
        for _ in 0..DUE_ROUNDS {
            if self.inventory.next_deadline().is_none_or(|deadline| deadline > at) {
                return true;
            }
            let envelope =
                Envelope { principal: Principal::SYSTEM, at, key: None, command: Command::RunDue };
            let decision = engine::decide(&self.inventory, &envelope, &self.shared.options.limits);
            match decision {
                Ok(Decision { entry: Some(entry), .. }) => self.accept(&entry, None),
                other => panic!("a deadline is due, but running it did nothing: {other:?}"),
            }
        }
        let done = self.inventory.next_deadline().is_none_or(|deadline| deadline > at);
        if !done && !self.going_on {
            // To itself, behind what has come meanwhile. An actor that cannot be told any
            // more is ending; its successor finds the deadline.
            self.going_on = self.myself.cast(Message::GoOn).is_ok();
        }
        done
    }

    /// Apply a decision and stage it.
    fn accept(&mut self, entry: &Entry, answer: Option<Waiting>) {
        let first_seq = Seq(self.inventory.seq().0 + 1);
        self.inventory.apply(entry);
        match self.staging.put(entry, first_seq, self.summary(), answer) {
            Ok(Next::Deliver) => self.call_committer(),
            Ok(Next::Nothing) => {}
            Err(Failed(answer)) => drop_answer(answer),
        }
        self.snapshot_if_long_ago();
    }

    fn put_answer(&mut self, answer: Waiting) {
        match self.staging.put_answer(answer) {
            Ok(Next::Deliver) => self.call_committer(),
            Ok(Next::Nothing) => {}
            Err(Failed(answer)) => drop_answer(Some(answer)),
        }
    }

    fn call_committer(&self) {
        let committer = Committer {
            shared: Arc::clone(&self.shared),
            place: Arc::clone(&self.place),
            staging: Arc::clone(&self.staging),
            epoch: self.epoch,
            actor: self.myself.clone(),
        };
        tokio::spawn(committer.run());
    }

    fn summary(&self) -> Summary {
        let inventory = &self.inventory;
        Summary {
            counts: inventory.counts(),
            capacity: inventory.terms().map_or(0, |terms| terms.capacity),
            phase: inventory.phase(),
            version: inventory.version(),
            next_deadline: inventory.next_deadline(),
        }
    }

    /// Snapshots come geometrically: their cost per booking stays constant however large
    /// the event gets, and so does the part of a load that is replay.
    fn snapshot_if_long_ago(&mut self) {
        let rows = self.inventory.rows() as u64;
        if self.since_snapshot() > self.shared.options.snapshot_every.max(rows / 2)
            && self.staging.attach_snapshot(|| self.inventory.snapshot())
        {
            self.snapshot_seq = self.inventory.seq();
        }
    }

    /// Wake up at the next deadline. An earlier alarm that is set already comes first and
    /// sets the next one.
    fn set_alarm(&mut self) {
        let Some(deadline) = self.inventory.next_deadline() else { return };
        if self.alarm.is_some_and(|alarm| alarm <= deadline) {
            return;
        }
        let ahead = deadline.millis().saturating_sub(self.now().millis()).max(0);
        let ahead = Duration::from_millis(ahead.unsigned_abs()).min(ALARM_MAX);
        self.alarm = Some(deadline);
        drop(self.myself.send_after(ahead, || Message::Due));
    }

    fn since_snapshot(&self) -> u64 {
        self.inventory.seq().0 - self.snapshot_seq.0
    }

    fn idle_after(&self) -> Duration {
        let idle = self.shared.options.idle_after;
        if self.inventory.phase() == Phase::Open { idle } else { idle.min(UNOPENED_IDLE) }
    }

    fn look_again_later(&self) {
        drop(self.myself.send_after(self.idle_after() / IDLE_LOOKS, || Message::LookIdle));
    }

    /// Sleep if nobody wants anything. `retire` decides: it fails as long as a permit is
    /// out, so nothing sent to this actor can be lost.
    fn look_idle(&mut self, myself: &ActorRef<Message>) {
        let idle = self.last_used.elapsed() >= self.idle_after()
            && self.staging.is_idle()
            && !self.going_on;
        if idle && self.since_snapshot() > self.shared.options.snapshot_before_sleep {
            // Nothing is staged, so memory is what is stored; the next look lets it sleep.
            let snapshot = self.inventory.snapshot();
            let (event, head) = (self.place.event, self.staging.head());
            keep_snapshot(&self.shared, event, self.epoch, snapshot, head);
            self.snapshot_seq = self.inventory.seq();
            self.look_again_later();
        } else if idle && self.place.slot.retire(self.generation) {
            myself.stop(None);
        } else {
            self.look_again_later();
        }
    }
}

/// An earlier commit of this actor failed, and it does not know yet.
fn drop_answer(answer: Option<Waiting>) {
    if let Some(answer) = answer {
        answer.fail(SubmitError::Unavailable("an earlier commit of this event failed".into()));
    }
}
