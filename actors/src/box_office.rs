//! The one counter where commands are handed in.

use std::sync::Arc;

use engine::{
    BookingId, BookingReply, Command, EventId, Hold, HoldId, Phase, Seq, Terms, Timestamp, UserId,
};
use ractor::ActorRef;
use storage::{Header, StorageError};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument, Span};

use crate::admission::{Admitted, AtTheDoor};
use crate::directory::{Place, StartWaiter};
use crate::error::{Crowd, Receipt, Request, SubmitError};
use crate::event_actor::{Answer, Message, PendingAnswer, PendingReceipt, Question, Submission};
use crate::shared::Shared;
use crate::slot::Entered;
use crate::supervisor;
use crate::watchers::{CommittedState, Watch};

/// How often a command whose actor died is handed in again, by the same key.
const ATTEMPTS: usize = 4;

/// Most waiting bookings asked for at a time by [`BoxOffice::positions`].
pub const POSITIONS: usize = 1_000;

/// What an event's actor tells of its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventInfo {
    /// Who may change it.
    pub organizer: UserId,
    /// Where it is in its life.
    pub phase: Phase,
    /// Version of terms and words.
    pub version: u32,
    /// Its terms; of a cancelled event the last ones.
    pub terms: Terms,
}

/// The handle to the actor system; cheap to clone, the only door.
#[derive(Clone)]
pub struct BoxOffice {
    shared: Arc<Shared>,
}

/// Why an attempt brought no receipt.
enum Unanswered {
    /// The actor said why, or was never asked.
    Failed(SubmitError),
    /// The actor died with the command in its hands.
    Died,
}

impl From<SubmitError> for Unanswered {
    fn from(error: SubmitError) -> Self {
        Self::Failed(error)
    }
}

impl BoxOffice {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Hand in a command. The answer is durable, and so is everything it depends on.
    ///
    /// When the actor dies meanwhile, the command is handed to its successor by the same
    /// key: it is either found answered there, or decided afresh.
    ///
    /// # Errors
    /// [`SubmitError`]; only `Unknown` leaves open whether it happened.
    pub async fn submit(&self, event: EventId, request: Request) -> Result<Receipt, SubmitError> {
        let (mut unknown, mut died) = (false, false);
        for attempt in 1..=ATTEMPTS {
            if attempt > 1 {
                // The supervisor hears of a death a moment after the callers do.
                let pause = self.shared.options.restart_pause;
                tokio::time::sleep_until((Instant::now() + pause).min(request.deadline)).await;
            }
            let span =
                tracing::debug_span!("submit", %event, command = request.command.name(), attempt);
            match self.submit_once(event, request.clone()).instrument(span).await {
                Err(Unanswered::Died) => died = true,
                Err(Unanswered::Failed(SubmitError::Unknown)) => unknown = true,
                Err(Unanswered::Failed(refused @ SubmitError::Refused(_))) => return Err(refused),
                // Its actor died deciding it, twice: that got no further, but an attempt
                // whose commit nobody knows may have.
                Err(Unanswered::Failed(SubmitError::Quarantined)) if !unknown => {
                    return Err(SubmitError::Quarantined);
                }
                // Not tried now; but an attempt before may have been, and have landed.
                Err(Unanswered::Failed(_)) if unknown || died => return Err(SubmitError::Unknown),
                Err(Unanswered::Failed(error)) => return Err(error),
                Ok(receipt) => return Ok(receipt),
            }
            if Instant::now() >= request.deadline {
                break;
            }
        }
        Err(SubmitError::Unknown)
    }

    async fn submit_once(&self, event: EventId, request: Request) -> Result<Receipt, Unanswered> {
        self.is_open(event)?;
        if self.shared.tail.is_full(self.shared.partition_of(event))
            && matches!(
                request.command,
                Command::Book { .. } | Command::PlaceHold { .. } | Command::ChangeHold { .. }
            )
        {
            return Err(SubmitError::ProjectionBehind.into());
        }
        let deadline = request.deadline;
        let door = self.door(Some(request.principal.user))?;
        let place = self.shared.directory.place(event);
        if place.is_quarantined(request.key.digest) {
            return Err(SubmitError::Quarantined.into());
        }
        let (actor, admitted) = self.actor(&place, door, deadline).await?;
        let (to, answer) = oneshot::channel();
        let waiting = PendingReceipt { to, admitted, span: Span::current() };
        let message = Message::Submission(Box::new(Submission { request, waiting }));
        // Refused at once: the actor is dead already and cannot have seen it. The successor
        // is asked by the loop above.
        actor.cast(message).map_err(|_| Unanswered::Died)?;
        match timeout_at(deadline, answer).await {
            Ok(Ok(outcome)) => outcome.map_err(Unanswered::Failed),
            Ok(Err(_)) => Err(Unanswered::Died),
            Err(_) => Err(SubmitError::Unknown.into()),
        }
    }

    /// A confirmed or waiting booking by its id; `None` if there is none (a cancelled one
    /// lives in the views only). Committed state.
    ///
    /// # Errors
    /// [`SubmitError`]; it changed nothing in any case.
    pub async fn booking(
        &self,
        event: EventId,
        id: BookingId,
        deadline: Instant,
    ) -> Result<Option<BookingReply>, SubmitError> {
        match self.ask(event, Question::Booking(id), deadline).await? {
            Answer::Booking(found) => Ok(found),
            other => mismatched(&other),
        }
    }

    /// The confirmed or waiting booking of a user. Committed state.
    ///
    /// # Errors
    /// [`SubmitError`]; it changed nothing in any case.
    pub async fn booking_of(
        &self,
        event: EventId,
        user: UserId,
        deadline: Instant,
    ) -> Result<Option<BookingReply>, SubmitError> {
        match self.ask(event, Question::BookingOf(user), deadline).await? {
            Answer::Booking(found) => Ok(found),
            other => mismatched(&other),
        }
    }

    /// An open hold by its id. Committed state.
    ///
    /// # Errors
    /// [`SubmitError`]; it changed nothing in any case.
    pub async fn hold(
        &self,
        event: EventId,
        id: HoldId,
        deadline: Instant,
    ) -> Result<Option<Hold>, SubmitError> {
        match self.ask(event, Question::Hold(id), deadline).await? {
            Answer::Hold(found) => Ok(found),
            other => mismatched(&other),
        }
    }

    /// Places in the queue, from 1, of the waiting bookings made at these seqs; `None` for
    /// those that do not wait, and for those beyond the first [`POSITIONS`]. Committed
    /// state.
    ///
    /// # Errors
    /// [`SubmitError`]; it changed nothing in any case.
    pub async fn positions(
        &self,
        event: EventId,
        seqs: Vec<Seq>,
        deadline: Instant,
    ) -> Result<Vec<Option<u32>>, SubmitError> {
        let wanted = seqs.len();
        let asked = seqs.into_iter().take(POSITIONS).collect();
        match self.ask(event, Question::Positions(asked), deadline).await? {
            Answer::Positions(mut found) => {
                found.resize(wanted, None);
                Ok(found)
            }
            other => mismatched(&other),
        }
    }

    /// Organizer, phase, version and terms; `None` if the event was never opened.
    ///
    /// # Errors
    /// [`SubmitError`]; it changed nothing in any case.
    pub async fn info(
        &self,
        event: EventId,
        deadline: Instant,
    ) -> Result<Option<EventInfo>, SubmitError> {
        match self.ask(event, Question::Info, deadline).await? {
            Answer::Info(found) => Ok(found),
            other => mismatched(&other),
        }
    }

    /// The events that a booking id may belong to: one, seldom more, none if nothing was
    /// ever booked there.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn events_of_booking(&self, id: BookingId) -> Result<Vec<EventId>, StorageError> {
        self.events_of(id.tag()).await
    }

    /// The events that a hold id may belong to, as with bookings.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn events_of_hold(&self, id: HoldId) -> Result<Vec<EventId>, StorageError> {
        self.events_of(id.tag()).await
    }

    async fn events_of(&self, tag: Option<engine::EventTag>) -> Result<Vec<EventId>, StorageError> {
        match tag {
            Some(tag) => self.shared.stores.commit.events_by_tag(tag).await,
            None => Ok(Vec::new()),
        }
    }

    /// The stored summaries of these events, in the same order; wakes nobody.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn headers(&self, events: Vec<EventId>) -> Result<Vec<Option<Header>>, StorageError> {
        self.shared.stores.commit.headers(events).await
    }

    /// Watch an event: its committed state now, then whenever it changes. Keeps nobody
    /// awake. `None` if the event was never opened.
    ///
    /// # Errors
    /// [`SubmitError`]: the store's, or that the event is served elsewhere.
    pub async fn watch(&self, event: EventId) -> Result<Option<Watch>, SubmitError> {
        // Listen first, read afterwards: a commit in between is seen twice, never missed.
        let mut watch = self.shared.watchers.watch(&self.shared, event);
        // Elsewhere nobody would tell of commits.
        self.is_open(event)?;
        let header = self.headers(vec![event]).await;
        let header = header.map_err(|error| SubmitError::Unavailable(error.to_string()))?;
        Ok(header
            .into_iter()
            .next()
            .flatten()
            .filter(|header| header.summary.phase != Phase::Unopened)
            .map(|header| {
                watch.begin(CommittedState { seq: header.head.seq, summary: header.summary });
                watch
            }))
    }

    /// Whether commands can be decided here: the system takes them, no part of the events is
    /// closed for repair, commits come to an end, and the store answers a small read. Among
    /// replicas the parts that are served are theirs to say.
    pub async fn decides(&self) -> bool {
        let shared = &self.shared;
        let mut partitions = shared.ownership.partitions();
        let mut whole = || partitions.all(|partition| shared.ownership.is_open(partition));
        !shared.is_draining()
            && (shared.cluster.is_some() || whole())
            && !shared.commits.is_stuck()
            && shared.stores.commit.era().await.is_ok()
    }

    /// Process time: the value at start plus a monotonic clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Wake an event so that it does what is due. One that is awake has its own alarm.
    /// Passes the process' bound: what is due is not the crowd's fault.
    pub(crate) async fn wake(&self, event: EventId, deadline: Instant) -> Result<(), SubmitError> {
        self.not_draining()?;
        let door = AtTheDoor::internal();
        let place = self.shared.directory.place(event);
        let (actor, _admitted) = self.actor(&place, door, deadline).await?;
        actor.cast(Message::Due).map_err(|_| SubmitError::Unknown)
    }

    /// A question changes nothing: when the actor dies over something else meanwhile, its
    /// successor is asked.
    async fn ask(
        &self,
        event: EventId,
        question: Question,
        deadline: Instant,
    ) -> Result<Answer, SubmitError> {
        for _ in 1..ATTEMPTS {
            match self.ask_once(event, question.clone(), deadline).await? {
                Some(answer) => return Ok(answer),
                None if Instant::now() >= deadline => break,
                None => {
                    let pause = self.shared.options.restart_pause;
                    tokio::time::sleep_until((Instant::now() + pause).min(deadline)).await;
                }
            }
        }
        let answer = self.ask_once(event, question, deadline).await?;
        answer.ok_or_else(|| SubmitError::Unavailable("the event's actor has just died".into()))
    }

    /// The answer; nothing if the actor died before it gave one.
    async fn ask_once(
        &self,
        event: EventId,
        question: Question,
        deadline: Instant,
    ) -> Result<Option<Answer>, SubmitError> {
        self.is_open(event)?;
        let door = self.door(None)?;
        let place = self.shared.directory.place(event);
        let (actor, admitted) = self.actor(&place, door, deadline).await?;
        let (to, answer) = oneshot::channel();
        let message = Message::Question(question, PendingAnswer { to, admitted });
        if actor.cast(message).is_err() {
            return Ok(None);
        }
        match wait(answer, deadline).await {
            Ok(answer) => Ok(Some(answer)),
            // What it would have waited for was not written, or nobody knows.
            Err(SubmitError::Unknown | SubmitError::Unavailable(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    fn door(&self, user: Option<UserId>) -> Result<AtTheDoor, SubmitError> {
        self.not_draining()?;
        self.shared.admission.enter(user)
    }

    /// Whether the event's part of all events is served: an actor that is awake must not go
    /// on with a history that has gone wrong.
    fn is_open(&self, event: EventId) -> Result<(), SubmitError> {
        let partition = self.shared.partition_of(event);
        if self.shared.ownership.is_open(partition) {
            return Ok(());
        }
        Err(self.shared.not_served(partition))
    }

    fn not_draining(&self) -> Result<(), SubmitError> {
        if self.shared.is_draining() {
            return Err(SubmitError::Unavailable("the system is stopping".into()));
        }
        Ok(())
    }

    /// The awake actor of a place, started if need be.
    async fn actor(
        &self,
        place: &Arc<Place>,
        door: AtTheDoor,
        deadline: Instant,
    ) -> Result<(ActorRef<Message>, Admitted), SubmitError> {
        // Ends at the deadline at the latest: every round waits for a start.
        loop {
            let mut started = None;
            let entered = place.slot.enter(|| {
                let (bell, rung) = oneshot::channel();
                started = Some(rung);
                StartWaiter(bell)
            });
            match entered {
                Entered::Found(actor, permit) => return Ok((actor, door.with_event(permit))),
                Entered::Full => return Err(SubmitError::Overloaded(Crowd::Event)),
                Entered::Wait => {}
                Entered::MustStart(generation) => {
                    // A task of its own: this caller may leave in the middle of the start.
                    let (shared, place) = (Arc::clone(&self.shared), Arc::clone(place));
                    tokio::spawn(supervisor::start(shared, place, generation));
                }
            }
            let rung = started.expect("who has to wait left a bell");
            match timeout_at(deadline, rung).await {
                Ok(Ok(outcome)) => outcome?,
                Ok(Err(_)) => {
                    return Err(SubmitError::Unavailable("the start was given up".into()));
                }
                Err(_) => return Err(SubmitError::DeadlinePassed),
            }
        }
    }
}

/// Wait for an answer. None in time, or an actor that died before it answered, leave open
/// what happened.
async fn wait<T>(
    answer: oneshot::Receiver<Result<T, SubmitError>>,
    deadline: Instant,
) -> Result<T, SubmitError> {
    match timeout_at(deadline, answer).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) | Err(_) => Err(SubmitError::Unknown),
    }
}

fn mismatched<T>(answer: &Answer) -> T {
    unreachable!("an actor answers what it was asked, not {answer:?}")
}
