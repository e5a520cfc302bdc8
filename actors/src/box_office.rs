//! The one counter where commands are handed in.

use engine::{
    BookingId, BookingReply, EventId, Hold, HoldId, Phase, Seq, Terms, Timestamp, UserId,
};
use storage::{Header, StorageError};
use tokio::time::Instant;

use crate::error::{Receipt, Request, SubmitError};

/// What an event's actor tells of its event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventInfo {
    /// Who may change it.
    pub organizer: UserId,
    /// Where it is in its life.
    pub phase: Phase,
    /// Version of terms and words.
    pub version: u32,
    /// Its terms.
    pub terms: Terms,
}

/// The handle to the actor system; cheap to clone, the only door.
#[derive(Clone)]
pub struct BoxOffice {}

impl BoxOffice {
    /// Hand in a command. The answer is durable, and so is everything it depends on.
    pub async fn submit(&self, _event: EventId, _request: Request) -> Result<Receipt, SubmitError> {
        todo!()
    }

    /// A confirmed or waiting booking by its id; `None` if there is none (a cancelled one
    /// lives in the views only). Committed state.
    pub async fn booking(
        &self,
        _event: EventId,
        _id: BookingId,
        _deadline: Instant,
    ) -> Result<Option<BookingReply>, SubmitError> {
        todo!()
    }

    /// The confirmed or waiting booking of a user. Committed state.
    pub async fn booking_of(
        &self,
        _event: EventId,
        _user: UserId,
        _deadline: Instant,
    ) -> Result<Option<BookingReply>, SubmitError> {
        todo!()
    }

    /// An open hold by its id. Committed state.
    pub async fn hold(
        &self,
        _event: EventId,
        _id: HoldId,
        _deadline: Instant,
    ) -> Result<Option<Hold>, SubmitError> {
        todo!()
    }

    /// Places in the queue, from 1, of the waiting bookings made at these seqs; `None` for
    /// those that do not wait. Committed state.
    pub async fn positions(
        &self,
        _event: EventId,
        _seqs: Vec<Seq>,
        _deadline: Instant,
    ) -> Result<Vec<Option<u32>>, SubmitError> {
        todo!()
    }

    /// Organizer, phase, version and terms; `None` if the event was never opened.
    pub async fn info(
        &self,
        _event: EventId,
        _deadline: Instant,
    ) -> Result<Option<EventInfo>, SubmitError> {
        todo!()
    }

    /// The events that a booking id may belong to: one, seldom more, none if nothing was
    /// ever booked there.
    pub async fn events_of_booking(&self, _id: BookingId) -> Result<Vec<EventId>, StorageError> {
        todo!()
    }

    /// The stored summaries of these events, in the same order; wakes nobody.
    pub async fn headers(&self, _events: Vec<EventId>) -> Result<Vec<Option<Header>>, StorageError> {
        todo!()
    }

    /// Process time: the value at start plus a monotonic clock.
    pub fn now(&self) -> Timestamp {
        todo!()
    }
}
