//! What the bus brings, as this service understands it.

use api::words::Description;
use engine::{
    BookingEvent, BookingId, BookingStatus, Cause, EventId, HoldRef, Seats, Seq, Terms, Timestamp,
    UserId, Was,
};
use storage::{Delivery, Era, StorageError, record};

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) era: Era,
    pub(crate) event: EventId,
    pub(crate) seq: Seq,
    pub(crate) at: Timestamp,
    pub(crate) what: What,
}

/// What a fact says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The event came into being.
    Opened { organizer: UserId, terms: Terms, words: Description },
    /// Terms or words changed.
    Changed { version: u32, terms: Terms, words: Description },
    /// The event does not take place.
    EventCancelled { version: u32 },
    /// Something became of one person's places.
    Places(Places),
}

/// What became of one person's places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) user: UserId,
    pub(crate) quantity: Seats,
    pub(crate) change: PlacesChange,
}

/// In which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlacesChange {
    /// There is a new booking.
    Made { booking: BookingId, status: BookingStatus },
    /// Who waited has places now.
    Promoted { booking: BookingId },
    /// A booking ended.
    Cancelled { booking: BookingId, was: Was, cause: Cause },
    /// Places were set aside until now.
    HoldExpired,
}

/// The facts of a message.
///
/// # Errors
/// [`StorageError::Damaged`] if it cannot be read, now or ever.
pub(crate) fn facts(delivery: &Delivery) -> Result<Vec<Fact>, StorageError> {
    let (era, event) = (delivery.era, delivery.event);
    let entries = record::decode(&delivery.body)?;
    let all = entries.iter().flat_map(|entry| entry.events.iter().map(|fact| (entry.at, fact)));
    let facts = all.zip(delivery.seq.0..).filter_map(|((at, fact), seq)| {
        let seq = Seq(seq);
        match what(event, seq, at, fact) {
            Ok(Some(what)) => Some(Ok(Fact { era, event, seq, at, what })),
            Ok(None) => None,
            Err(error) => Some(Err(StorageError::Damaged(error.to_string()))),
        }
    });
    facts.collect()
}

fn what(
    event: EventId,
    seq: Seq,
    at: Timestamp,
    fact: &BookingEvent,
) -> Result<Option<What>, api::words::UnreadableWords> {
    let booking =
        |booking: &engine::BookingRef| BookingId::compose(booking.made_at, event, booking.seq);
    let made = |user, quantity, status| {
        let change = PlacesChange::Made { booking: BookingId::compose(at, event, seq), status };
        What::Places(Places { user, quantity, change })
    };
    Ok(Some(match fact {
        BookingEvent::EventOpened { organizer, terms, words } => What::Opened {
            organizer: *organizer,
            terms: terms.clone(),
            words: Description::from_words(words)?,
        },
        BookingEvent::EventChanged { version, terms, words } => What::Changed {
            version: *version,
            terms: terms.clone(),
            words: Description::from_words(words)?,
        },
        BookingEvent::EventCancelled { version, .. } => What::EventCancelled { version: *version },
        BookingEvent::BookingConfirmed { user, quantity, .. } => {
            made(*user, *quantity, BookingStatus::Confirmed)
        }
        BookingEvent::BookingWaitlisted { user, quantity } => {
            made(*user, *quantity, BookingStatus::Waitlisted)
        }
        BookingEvent::BookingPromoted { booking: of } => What::Places(Places {
            user: of.user,
            quantity: of.quantity,
            change: PlacesChange::Promoted { booking: booking(of) },
        }),
        BookingEvent::BookingCancelled { booking: of, was, cause } => What::Places(Places {
            user: of.user,
            quantity: of.quantity,
            change: PlacesChange::Cancelled { booking: booking(of), was: *was, cause: *cause },
        }),
        BookingEvent::HoldEnded { hold: HoldRef { user, quantity, .. }, cause: Cause::Expiry } => {
            let change = PlacesChange::HoldExpired;
            What::Places(Places { user: *user, quantity: *quantity, change })
        }
        BookingEvent::HoldEnded { .. }
        | BookingEvent::HoldPlaced { .. }
        | BookingEvent::HoldChanged { .. } => return Ok(None),
    }))
}
