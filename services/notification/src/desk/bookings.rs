//! What became of one person's places.

use engine::{BookingId, BookingStatus};
use storage::StorageError;
use storage::notices::{Attendee, DeskStep, EventNote, NoticeKind};
use tokio::task::yield_now;
use tokio::time::Instant;

use super::{About, Desk, People};
use crate::facts::{Fact, Places, PlacesChange, What};
use crate::letters::{self, Letter};

/// Texts made in one go: others want this thread too.
const TEXTS: usize = 16;

impl Desk {
    /// Make notices of facts about places, at most [`super::STEP`].
    pub(super) async fn tell_of_places(&mut self, facts: Vec<Fact>) -> Result<(), StorageError> {
        if facts.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        let told = facts.iter().filter(|fact| self.is_told(fact.at));
        let users = told.filter_map(|fact| places(fact).map(|places| places.user)).collect();
        let mut people = People::ask(&self.shared, users).await?;
        let mut step = DeskStep::default();
        for (number, fact) in facts.iter().enumerate() {
            if number.is_multiple_of(TEXTS) {
                yield_now().await;
            }
            let Some(places) = places(fact) else { continue };
            step.attendees.extend(attendee(fact, places));
            if !self.is_told(fact.at) {
                continue;
            }
            let Some(event) = self.event(fact.event).await?.filter(|event| !event.cancelled) else {
                continue;
            };
            let (kind, booking, letter) = self.letter(&event, places);
            let about = About {
                user: places.user,
                kind,
                event: fact.event,
                booking,
                at: fact.at,
                from: &[&fact.identity()],
            };
            step.notices.push(people.notice(&self.shared, &about, letter));
        }
        self.write(step).await?;
        self.pace.rest(began).await;
        Ok(())
    }

    fn letter(
        &self,
        event: &EventNote,
        places: &Places,
    ) -> (NoticeKind, Option<BookingId>, Letter) {
        let mut letter = Letter::about(event, &self.shared.options.pages_url);
        letter.places = letters::places(places.quantity);
        let (kind, booking) = match places.change {
            PlacesChange::Made { booking, status: BookingStatus::Waitlisted } => {
                (NoticeKind::BookingWaitlisted, Some(booking))
            }
            PlacesChange::Made { booking, .. } => {
                letter.has_places = true;
                (NoticeKind::BookingConfirmed, Some(booking))
            }
            PlacesChange::Promoted { booking } => {
                letter.has_places = true;
                (NoticeKind::BookingPromoted, Some(booking))
            }
            PlacesChange::Cancelled { booking, was, cause } => {
                letter.had_places = was == engine::Was::Confirmed;
                letter.reason = letters::reason(was, cause).to_owned();
                (NoticeKind::BookingCancelled, Some(booking))
            }
            PlacesChange::HoldExpired => (NoticeKind::HoldExpired, None),
        };
        (kind, booking, letter)
    }
}

fn places(fact: &Fact) -> Option<&Places> {
    match &fact.what {
        What::Places(places) => Some(places),
        _ => None,
    }
}

/// Who has a booking now, or no more; a hold is none.
fn attendee(fact: &Fact, places: &Places) -> Option<Attendee> {
    let (booking, status) = match places.change {
        PlacesChange::Made { booking, status } => (booking, status),
        PlacesChange::Promoted { booking } => (booking, BookingStatus::Confirmed),
        PlacesChange::Cancelled { booking, .. } => (booking, BookingStatus::Cancelled),
        PlacesChange::HoldExpired => return None,
    };
    Some(Attendee {
        event: fact.event,
        user: places.user,
        booking,
        quantity: places.quantity,
        status,
        since: fact.at,
        era: fact.era,
        stamp: fact.seq,
    })
}
