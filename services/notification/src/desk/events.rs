//! An event came into being, changed, or was cancelled.

use api::words::Description;
use engine::{Terms, Timestamp, UserId};
use storage::StorageError;
use storage::notices::{DeskStep, EventNote, NoticeKind};

use super::crowd::News;
use super::{Desk, reminders};
use crate::facts::{Fact, What};
use crate::letters::{self, Letter};

impl Desk {
    /// People are told first and the event is written last: cut off in between, it begins
    /// again, and who was told is not told twice.
    pub(super) async fn tell_of_event(&mut self, fact: Fact) -> Result<(), StorageError> {
        let before = self.event(fact.event).await?;
        let known = before.as_ref().map_or(0, |event| event.version);
        let after = match (&fact.what, &before) {
            (What::Opened { organizer, terms, words }, None) => {
                let mut event = blank(&fact, *organizer);
                describe(&mut event, terms, words);
                event
            }
            (What::Changed { version, terms, words }, Some(before)) if *version > known => {
                let mut event = EventNote { version: *version, ..before.clone() };
                describe(&mut event, terms, words);
                let changes = letters::changes(before, &event);
                let over = before.ends_at <= fact.at && event.ends_at <= fact.at;
                let told = self.is_told(fact.at) && !before.cancelled && !over;
                if !changes.is_empty() && told {
                    let mut letter = self.letter_about(&event);
                    letter.changes = changes;
                    self.tell_all(&fact, &event, NoticeKind::EventChanged, letter).await?;
                }
                event
            }
            (What::EventCancelled { version }, Some(before)) if *version > known => {
                let event = EventNote { version: *version, cancelled: true, ..before.clone() };
                // Who was there need not be told that it did not take place.
                if self.is_told(fact.at) && before.ends_at > fact.at {
                    let letter = self.letter_about(&event);
                    self.tell_all(&fact, &event, NoticeKind::EventCancelled, letter).await?;
                }
                event
            }
            // Told before, or of an event that is forgotten.
            _ => return Ok(()),
        };
        let old = before.as_ref().map(|event| event.starts_at);
        let reminders = if old == Some(after.starts_at) && !after.cancelled {
            Vec::new()
        } else {
            let stored = self.shared.store().reminders(after.id).await?;
            reminders::planned(&after, &stored, &self.shared.options.reminders_s, fact.at)
        };
        let step = DeskStep { event: Some(after.clone()), reminders, ..DeskStep::default() };
        self.write(step).await?;
        self.remember(after);
        self.learn_next_reminder().await
    }

    fn letter_about(&self, event: &EventNote) -> Letter {
        Letter::about(event, &self.shared.options.pages_url)
    }

    async fn tell_all(
        &self,
        fact: &Fact,
        event: &EventNote,
        kind: NoticeKind,
        letter: Letter,
    ) -> Result<(), StorageError> {
        let news = News { kind, at: fact.at, from: &[&fact.identity()], letter };
        self.tell_attendees(event, &news, |_| true).await
    }
}

fn blank(fact: &Fact, organizer: UserId) -> EventNote {
    EventNote {
        id: fact.event,
        organizer,
        version: 1,
        title: String::new(),
        location: String::new(),
        starts_at: Timestamp::EPOCH,
        ends_at: Timestamp::EPOCH,
        timezone: None,
        cancelled: false,
    }
}

fn describe(event: &mut EventNote, terms: &Terms, words: &Description) {
    event.ends_at = terms.ends_at;
    if let Some(title) = &words.title {
        event.title.clone_from(title);
    }
    if let Some(location) = &words.location {
        event.location.clone_from(location);
    }
    if let Some(starts_at) = words.starts_at {
        event.starts_at = starts_at;
    }
    if let Some(timezone) = &words.timezone {
        event.timezone.clone_from(timezone);
    }
}
