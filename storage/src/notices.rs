//! Notices: what people were told or are to be told, and what is needed for that.
//!
//! One *desk* turns facts into notices and is the only one that takes steps; one *carrier*
//! brings notices to people and settles them. Whoever asks for a list sees both.

use engine::{BookingId, BookingStatus, EventId, Seats, Seq, Timestamp, UserId};
use futures_util::future::BoxFuture;

use crate::commit::Era;
use crate::error::StorageError;

mod kinds;

pub use kinds::{NoticeKind, NoticeStatus, Reach};

/// The id of a notice: a UUID of version 7 that follows from what it tells and whom, so
/// that the same fact never makes two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NoticeId(pub [u8; 16]);

/// A notice that is not stored yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNotice {
    /// Its id; one that is stored already is left as it is.
    pub id: NoticeId,
    /// Who is told.
    pub user: UserId,
    /// What about.
    pub kind: NoticeKind,
    /// Which event.
    pub event: EventId,
    /// Which booking, if it is about one.
    pub booking: Option<BookingId>,
    /// One line.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The body as HTML.
    pub html: String,
    /// Why it is not sent at all; `None` puts it into the queue.
    pub suppressed: Option<String>,
    /// When what it tells happened.
    pub created_at: Timestamp,
    /// When it is put into the queue: later, if facts had to wait.
    pub queued_at: Timestamp,
}

/// A stored notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its id.
    pub id: NoticeId,
    /// Who is told.
    pub user: UserId,
    /// What about.
    pub kind: NoticeKind,
    /// Which event.
    pub event: EventId,
    /// Which booking, if it is about one.
    pub booking: Option<BookingId>,
    /// One line.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The body as HTML.
    pub html: String,
    /// How it stands.
    pub status: NoticeStatus,
    /// Why it stands so, if there is more to say.
    pub reason: Option<String>,
    /// How often it was tried to send it, and the server said something of it or began to
    /// take it.
    pub attempts: u32,
    /// How many of these ended so that it may have arrived.
    pub unclear: u32,
    /// When it was first tried, or put into the queue if it was not yet.
    pub tried_since: Timestamp,
    /// When what it tells happened.
    pub created_at: Timestamp,
    /// It is not tried before.
    pub next_at: Timestamp,
    /// When it was handed over.
    pub sent_at: Option<Timestamp>,
}

/// What became of a notice that was due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It was handed over.
    Sent {
        /// When.
        at: Timestamp,
    },
    /// It is tried again.
    Later {
        /// When it was tried.
        at: Timestamp,
        /// When it is tried again.
        next_at: Timestamp,
        /// Why it did not go.
        reason: String,
        /// What this try says of it.
        tried: Tried,
    },
    /// It is not tried again.
    Failed {
        /// Why.
        reason: String,
    },
    /// It turned out that it must not go.
    Suppressed {
        /// Why.
        reason: String,
    },
}

/// What a try that did not succeed says of the notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    /// Nothing: whoever takes mail was away. It does not count.
    Away,
    /// It was not taken.
    Refused,
    /// It may have arrived.
    Unclear,
}

/// Somebody with a booking at an event, as the facts so far say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attendee {
    /// Which event.
    pub event: EventId,
    /// Who.
    pub user: UserId,
    /// The newest booking.
    pub booking: BookingId,
    /// How many places.
    pub quantity: Seats,
    /// What it is worth.
    pub status: BookingStatus,
    /// Since when it has this status.
    pub since: Timestamp,
    /// With the seq of the last fact about it, what decides which of two is newer.
    pub era: Era,
    /// See `era`.
    pub stamp: Seq,
}

/// An event, as far as people are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventNote {
    /// Its id.
    pub id: EventId,
    /// Who may write to its attendees.
    pub organizer: UserId,
    /// Version of terms and words.
    pub version: u32,
    /// Its title.
    pub title: String,
    /// Where it takes place.
    pub location: String,
    /// When it starts.
    pub starts_at: Timestamp,
    /// When it ends.
    pub ends_at: Timestamp,
    /// The IANA zone its times are meant in.
    pub timezone: Option<String>,
    /// Whether it was cancelled.
    pub cancelled: bool,
}

/// One reminder of one event, for everybody who has places there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reminder {
    /// Of which event.
    pub event: EventId,
    /// How long before the start, in seconds.
    pub span_s: u32,
    /// When it goes out.
    pub due_at: Timestamp,
    /// The start that it announces.
    pub starts_at: Timestamp,
    /// Whether it has gone out, or never will.
    pub done: bool,
}

/// What the desk writes in one stroke.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeskStep {
    /// Notices that are new; those that are there already are left alone.
    pub notices: Vec<NewNotice>,
    /// Attendees; an older state never replaces a newer one.
    pub attendees: Vec<Attendee>,
    /// An event as it is from now on.
    pub event: Option<EventNote>,
    /// Reminders as they are from now on, by event and span.
    pub reminders: Vec<Reminder>,
    /// An organizer's message that everybody has.
    pub announced: Option<NoticeId>,
}

/// To whom an organizer writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Whoever has places.
    Confirmed,
    /// Whoever waits.
    Waitlisted,
    /// Both.
    Everyone,
}

impl Audience {
    /// Whether somebody with a booking of this status is written to.
    #[must_use]
    pub const fn includes(self, status: BookingStatus) -> bool {
        match status {
            BookingStatus::Confirmed => matches!(self, Self::Confirmed | Self::Everyone),
            BookingStatus::Waitlisted => matches!(self, Self::Waitlisted | Self::Everyone),
            BookingStatus::Cancelled => false,
        }
    }
}

/// An organizer's message to the attendees of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Its id.
    pub id: NoticeId,
    /// To whose attendees.
    pub event: EventId,
    /// Who wrote it.
    pub sender: UserId,
    /// To which of them.
    pub to: Audience,
    /// One line.
    pub subject: String,
    /// What it says.
    pub message: String,
    /// Digest of who used which key: the same key is the same message.
    pub key: [u8; 16],
    /// Digest of what was asked for.
    pub fingerprint: [u8; 8],
    /// When it was written.
    pub created_at: Timestamp,
    /// How many people it went to when it was stored; the store counts them.
    pub recipients: u32,
}

/// What became of an [`Announcement`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announced {
    /// It is stored, and will go out, to so many.
    Stored(Announcement),
    /// The key was used before, for this one.
    Known(Announcement),
    /// There are too many for this event already.
    TooMany,
}

/// How many an event may have within how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnouncementLimit {
    /// Most of them.
    pub most: u32,
    /// Written since then.
    pub since: Timestamp,
}

/// A template as an administrator has set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTemplate {
    /// Of which kind of notice.
    pub kind: NoticeKind,
    /// The template of the subject.
    pub subject: String,
    /// That of the plain text.
    pub text: String,
    /// That of the HTML.
    pub html: String,
}

/// What a person does not want to be told. Nothing is refused unless somebody says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preferences {
    /// No mail at all.
    pub no_mail: bool,
    /// None of these kinds.
    pub refused: Vec<NoticeKind>,
}

/// A change of [`Preferences`]; what is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PreferencesChange {
    /// Whether mail is wanted at all.
    pub mail: Option<bool>,
    /// Whether these kinds are wanted.
    pub kinds: Vec<(NoticeKind, bool)>,
}

impl Preferences {
    /// As they are after a change.
    #[must_use]
    pub fn changed(mut self, change: &PreferencesChange) -> Self {
        if let Some(mail) = change.mail {
            self.no_mail = !mail;
        }
        for (kind, wanted) in &change.kinds {
            self.refused.retain(|refused| refused != kind);
            if !wanted {
                self.refused.push(*kind);
            }
        }
        self.refused.sort_unstable();
        self
    }
}

/// Which notices of a person are wanted, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoticePage {
    /// Only those before this one.
    pub before: Option<NoticeId>,
    /// Only of this kind.
    pub kind: Option<NoticeKind>,
    /// Only with this status.
    pub status: Option<NoticeStatus>,
    /// Most of them.
    pub limit: usize,
}

/// An answer of a [`NoticeStore`].
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

/// Notices, and what they follow from.
pub trait NoticeStore: Send + Sync {
    /// When the first desk on this store began: `now`, if this is the first.
    fn began(&self, now: Timestamp) -> Answer<'_, Timestamp>;

    /// Write a step in one stroke.
    fn take(&self, step: DeskStep) -> Answer<'_, ()>;

    /// An event.
    fn event(&self, id: EventId) -> Answer<'_, Option<EventNote>>;

    /// Events that start after `now` and are not cancelled, by id, after `after`.
    fn upcoming(
        &self,
        now: Timestamp,
        after: Option<EventId>,
        limit: usize,
    ) -> Answer<'_, Vec<EventNote>>;

    /// Those whose booking at an event is not cancelled, by user, after `after`.
    fn attendees(
        &self,
        event: EventId,
        after: Option<UserId>,
        limit: usize,
    ) -> Answer<'_, Vec<Attendee>>;

    /// What somebody's booking at an event last became, a cancelled one too; `None` if there
    /// was none.
    fn attendee(&self, event: EventId, user: UserId) -> Answer<'_, Option<Attendee>>;

    /// All reminders of an event.
    fn reminders(&self, event: EventId) -> Answer<'_, Vec<Reminder>>;

    /// The reminders that are next to go out, the earliest first.
    fn next_reminders(&self, limit: usize) -> Answer<'_, Vec<Reminder>>;

    /// Queued notices of a reach whose time has come, the longest due first; of each person
    /// at most the first that is queued of either, so that one that waits holds up what
    /// was made after it.
    fn due(&self, now: Timestamp, reach: Reach, limit: usize) -> Answer<'_, Vec<Notice>>;

    /// When the next queued notice may be tried, of each person the first one, whatever its
    /// reach; `None` if nothing is queued.
    fn next_due(&self) -> Answer<'_, Option<Timestamp>>;

    /// Write what became of notices. One that is not queued any more is left alone.
    fn settle(&self, outcomes: Vec<(NoticeId, Settled)>) -> Answer<'_, ()>;

    /// One notice.
    fn get(&self, id: NoticeId) -> Answer<'_, Option<Notice>>;

    /// A page of a person's notices, newest first.
    fn list(&self, user: UserId, page: NoticePage) -> Answer<'_, Vec<Notice>>;

    /// Put one back into the queue, to be tried from `now` on, its attempts forgotten; with
    /// `only_failed` only if it failed. `None` if there is none such, or if it was suppressed
    /// and has no HTML, so was not made to be sent.
    fn requeue(
        &self,
        id: NoticeId,
        now: Timestamp,
        only_failed: bool,
    ) -> Answer<'_, Option<Notice>>;

    /// The same for at most `limit` that failed; how many there were.
    fn requeue_failed(&self, now: Timestamp, limit: usize) -> Answer<'_, usize>;

    /// How many are queued, and how many failed.
    fn waiting(&self) -> Answer<'_, (u64, u64)>;

    /// How many notices these people were sent, or are to be, of what happened since then, in
    /// order; nobody's are counted beyond `most`.
    fn told_since(&self, users: Vec<UserId>, since: Timestamp, most: u32) -> Answer<'_, Vec<u32>>;

    /// What these people do not want, in order.
    fn preferences(&self, users: Vec<UserId>) -> Answer<'_, Vec<Preferences>>;

    /// Change what a person does not want, in one stroke; what it is then.
    fn change_preferences(
        &self,
        user: UserId,
        change: PreferencesChange,
    ) -> Answer<'_, Preferences>;

    /// All templates that were set.
    fn templates(&self) -> Answer<'_, Vec<StoredTemplate>>;

    /// Set a template.
    fn set_template(&self, template: StoredTemplate) -> Answer<'_, ()>;

    /// Forget a template; `false` if there was none.
    fn remove_template(&self, kind: NoticeKind) -> Answer<'_, bool>;

    /// Store an organizer's message, unless there are too many, with the number of those it
    /// goes to.
    fn announce(
        &self,
        announcement: Announcement,
        limit: AnnouncementLimit,
    ) -> Answer<'_, Announced>;

    /// At most `limit` messages that not everybody has yet, the oldest first.
    fn announcements(&self, limit: usize) -> Answer<'_, Vec<Announcement>>;

    /// Forget what is older than `before`, at most `limit` of each: notices that are not
    /// queued, organizers' messages that everybody has, and attendees and reminders of events
    /// that ended then. An event itself is kept, since it may be given another date; one that
    /// was cancelled goes too. How many rows there were, events counted as one.
    fn forget(&self, before: Timestamp, limit: usize) -> Answer<'_, usize>;
}
