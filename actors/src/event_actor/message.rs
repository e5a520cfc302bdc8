//! What an event's actor is told and asked.

use engine::{BookingId, BookingReply, Hold, HoldId, Inventory, Phase, Seq, UserId};
use tokio::sync::oneshot;
use tracing::Span;

use crate::admission::Admitted;
use crate::box_office::EventInfo;
use crate::error::{Receipt, Request, SubmitError};
use crate::protocol::commit::Ending;

/// A message to an event's actor.
pub(crate) enum Message {
    /// A command. Boxed: the mailbox moves its messages.
    Submission(Box<Submission>),
    /// A question about committed state.
    Question(Question, PendingAnswer),
    /// Something may be due.
    Due,
    /// More is due than one turn does: the next turn.
    GoOn,
    /// Time to look whether one may sleep.
    LookIdle,
    /// A commit failed: memory is worth nothing any more.
    CommitFailed(Ending),
}

/// A command with the way back to its caller.
pub(crate) struct Submission {
    pub(crate) request: Request,
    pub(crate) waiting: PendingReceipt,
}

impl Submission {
    pub(crate) fn fail(self, error: SubmitError) {
        self.waiting.with(Err(error)).release();
    }
}

/// The caller of a command, and the permit it holds until it is told.
pub(crate) struct PendingReceipt {
    pub(crate) to: oneshot::Sender<Result<Receipt, SubmitError>>,
    pub(crate) admitted: Admitted,
    /// What it is logged under.
    pub(crate) span: Span,
}

/// The caller of a question, and the permit it holds until it is told.
pub(crate) struct PendingAnswer {
    pub(crate) to: oneshot::Sender<Result<Answer, SubmitError>>,
    pub(crate) admitted: Admitted,
}

impl PendingReceipt {
    pub(crate) fn with(self, outcome: Result<Receipt, SubmitError>) -> Waiting {
        Waiting::Receipt(self, outcome)
    }
}

/// An answer that waits for the batch it depends on.
pub(crate) enum Waiting {
    Receipt(PendingReceipt, Result<Receipt, SubmitError>),
    Answer(PendingAnswer, Answer),
}

impl Waiting {
    pub(crate) fn question(answer: Answer, to: PendingAnswer) -> Self {
        Self::Answer(to, answer)
    }

    /// What its command is logged under.
    pub(crate) fn span(&self) -> Option<&Span> {
        match self {
            Self::Receipt(pending, _) => Some(&pending.span),
            Self::Answer(..) => None,
        }
    }

    /// Everything it depends on is durable: out with it. A caller that has left does not
    /// mind. The permit is given back first, so that a client's next request finds it.
    pub(crate) fn release(self) {
        match self {
            Self::Receipt(pending, outcome) => {
                drop(pending.admitted);
                let _ = pending.to.send(outcome);
            }
            Self::Answer(pending, answer) => {
                drop(pending.admitted);
                let _ = pending.to.send(Ok(answer));
            }
        }
    }

    /// What it depends on will not be.
    pub(crate) fn fail(self, error: SubmitError) {
        match self {
            Self::Receipt(pending, _) => pending.with(Err(error)).release(),
            Self::Answer(pending, _) => {
                drop(pending.admitted);
                let _ = pending.to.send(Err(error));
            }
        }
    }
}

/// A question about committed state: its answer waits like every other.
#[derive(Debug, Clone)]
pub(crate) enum Question {
    Booking(BookingId),
    BookingOf(UserId),
    Hold(HoldId),
    Positions(Vec<Seq>),
    Info,
}

/// The answer to a [`Question`].
#[derive(Debug)]
pub(crate) enum Answer {
    Booking(Option<BookingReply>),
    Hold(Option<Hold>),
    Positions(Vec<Option<u32>>),
    Info(Option<EventInfo>),
}

impl Question {
    pub(crate) fn look_up(self, inventory: &Inventory) -> Answer {
        let with_position = |booking: engine::Booking| BookingReply {
            booking,
            waitlist_position: inventory.waitlist_position(booking.seq),
        };
        match self {
            Self::Booking(id) => Answer::Booking(inventory.booking(id).map(with_position)),
            Self::BookingOf(user) => Answer::Booking(inventory.booking_of(user).map(with_position)),
            Self::Hold(id) => Answer::Hold(inventory.hold(id)),
            Self::Positions(seqs) => Answer::Positions(
                seqs.into_iter().map(|seq| inventory.waitlist_position(seq)).collect(),
            ),
            Self::Info => Answer::Info(match (inventory.phase(), inventory.terms()) {
                (Phase::Unopened, _) | (_, None) => None,
                (phase, Some(terms)) => inventory.organizer().map(|organizer| EventInfo {
                    organizer,
                    phase,
                    version: inventory.version(),
                    terms: terms.clone(),
                }),
            }),
        }
    }
}
