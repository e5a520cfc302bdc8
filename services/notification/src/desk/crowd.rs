//! Something that all attendees of an event are told, in steps of bounded size.

use engine::Timestamp;
use storage::StorageError;
use storage::notices::{Announcement, Attendee, DeskStep, EventNote, NoticeKind};
use tokio::time::Instant;

use super::{About, Desk, People, STEP};
use crate::letters::{self, Letter};

/// How long a message waits for the event that it is about to come by on the bus, in
/// milliseconds. After that it is one that was forgotten.
const PATIENCE_MS: i64 = 10 * 60 * 1_000;

/// Most organizers' messages looked at in one step; those that wait for their event are among
/// them.
const MESSAGES: usize = 1_000;

/// What everybody is told.
pub(super) struct News<'a> {
    pub(super) kind: NoticeKind,
    pub(super) at: Timestamp,
    /// What makes it another one than all others of its kind for this event.
    pub(super) from: &'a [&'a [u8]],
    /// The letter, but for what differs from person to person.
    pub(super) letter: Letter,
}

impl Desk {
    /// Tell those attendees of an event who are concerned. Who came or went meanwhile is
    /// in a message that is still to come.
    pub(super) async fn tell_attendees(
        &self,
        event: &EventNote,
        news: &News<'_>,
        concerned: impl Fn(&Attendee) -> bool,
    ) -> Result<(), StorageError> {
        let mut after = None;
        loop {
            let began = Instant::now();
            let page = self.shared.store().attendees(event.id, after, STEP).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.user);
            let told: Vec<&Attendee> = page.iter().filter(|attendee| concerned(attendee)).collect();
            let users = told.iter().map(|attendee| attendee.user).collect();
            let mut people = People::ask(&self.shared, users).await?;
            let notices = told.into_iter().map(|attendee| {
                let mut letter = news.letter.clone();
                letter.places = letters::places(attendee.quantity);
                letter.has_places = letters::has_places(attendee.status);
                let about = About {
                    user: attendee.user,
                    kind: news.kind,
                    event: event.id,
                    booking: Some(attendee.booking),
                    at: news.at,
                    from: news.from,
                };
                people.notice(&self.shared, &about, letter)
            });
            let step = DeskStep { notices: notices.collect(), ..DeskStep::default() };
            self.write(step).await?;
            self.pace.rest(began).await;
        }
    }

    /// Send what organizers wrote until then and not everybody has yet. One whose event has not
    /// come by yet waits, and holds up no other. Whether any was written later.
    pub(super) async fn announce(&mut self, until: Timestamp) -> Result<bool, StorageError> {
        let mut later = false;
        for message in self.shared.store().announcements(MESSAGES).await? {
            if message.created_at > until {
                later = true;
                continue;
            }
            let event = self.event(message.event).await?;
            let waited = self.shared.now().millis().saturating_sub(message.created_at.millis());
            match event {
                None if waited < PATIENCE_MS => continue,
                None => tracing::warn!(event = %message.event, "a message about no known event"),
                Some(event) if event.cancelled => {}
                Some(event) => self.tell_message(&event, &message).await?,
            }
            self.write(DeskStep { announced: Some(message.id), ..DeskStep::default() }).await?;
        }
        Ok(later)
    }

    async fn tell_message(
        &self,
        event: &EventNote,
        message: &Announcement,
    ) -> Result<(), StorageError> {
        let mut letter = Letter::about(event, &self.shared.options.pages_url);
        letter.subject.clone_from(&message.subject);
        letter.message.clone_from(&message.message);
        let news = News {
            kind: NoticeKind::OrganizerMessage,
            at: message.created_at,
            from: &[&message.id.0],
            letter,
        };
        let concerned = |attendee: &Attendee| message.to.includes(attendee.status);
        self.tell_attendees(event, &news, concerned).await
    }
}
