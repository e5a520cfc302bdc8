//! Requests and answers of the notification service.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fields::{Fields, FromFields};
use crate::wire::{Id, Time};

/// Length of the subject of an organizer's message, in characters.
pub const SUBJECT_CHARS: std::ops::RangeInclusive<usize> = 1..=200;

/// Length of an organizer's message, in characters.
pub const MESSAGE_CHARS: std::ops::RangeInclusive<usize> = 1..=10_000;

/// Length of the template of a subject, in characters.
pub const SUBJECT_TEMPLATE_CHARS: std::ops::RangeInclusive<usize> = 1..=500;

/// Length of the template of a body, in characters.
pub const BODY_TEMPLATE_CHARS: std::ops::RangeInclusive<usize> = 1..=20_000;

/// A notification as the person sees it that it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationBody {
    /// Its id.
    pub id: Id,
    /// Its id once more.
    pub notification_id: Id,
    /// What it is about, e.g. `BookingConfirmed`.
    pub kind: String,
    /// How it goes: `email`.
    pub channel: String,
    /// `queued`, `sent`, `failed` or `suppressed`.
    pub status: String,
    /// One line.
    pub subject: String,
    /// What it says, as plain text.
    pub body: String,
    /// About which event.
    pub event_id: Id,
    /// About which booking, if it is about one.
    pub booking_id: Option<Id>,
    /// When what it tells happened.
    pub created_at: Time,
    /// When it was handed over.
    pub sent_at: Option<Time>,
    /// How often it was tried to send it.
    pub attempts: u32,
    /// A sentence on how it stands, if there is more to say.
    pub details: Option<String>,
}

/// How a notification stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusBody {
    /// Which one.
    pub notification_id: Id,
    /// `queued`, `sent`, `failed` or `suppressed`.
    pub status: String,
    /// A sentence on how it stands, if there is more to say.
    pub details: Option<String>,
}

/// What somebody wants to be told, by kind.
pub type WantedKinds = serde_json::Map<String, Value>;

/// What somebody wants to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreferencesBody {
    /// Whether mail may be sent at all.
    pub email: bool,
    /// Every kind, with whether it is wanted.
    pub kinds: WantedKinds,
}

/// `PUT /notifications/preferences`: `None` leaves a part as it is. Which kinds there are
/// the service knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreferencesChange {
    /// Whether mail may be sent at all.
    pub email: Option<bool>,
    /// Kinds with whether they are wanted.
    pub kinds: Option<WantedKinds>,
}

impl FromFields for PreferencesChange {
    fn from_fields(fields: &mut Fields) -> Self {
        fields.refuse_null(&["email", "kinds"]);
        let email = fields.optional_bool("email");
        let kinds = match fields.take("kinds") {
            Some(Value::Object(kinds)) => Some(kinds),
            Some(_) => {
                fields.error("kinds", "must be an object");
                None
            }
            None => None,
        };
        Self { email, kinds }
    }
}

/// `POST /notifications/send`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendRequest {
    /// To whose attendees.
    pub event: Id,
    /// One line.
    pub subject: String,
    /// What it says.
    pub message: String,
    /// To which of them: one of [`AUDIENCES`].
    pub to: &'static str,
}

/// To whom an organizer may write; the first if nothing is said.
pub const AUDIENCES: [&str; 3] = ["confirmed", "waitlisted", "everyone"];

impl FromFields for SendRequest {
    fn from_fields(fields: &mut Fields) -> Self {
        let event = fields.id("event_id");
        let subject = fields.string("subject", SUBJECT_CHARS);
        let message = fields.text("message", MESSAGE_CHARS);
        let to = match fields.take("to") {
            None => Some(AUDIENCES[0]),
            Some(Value::String(text)) => AUDIENCES.into_iter().find(|to| *to == text),
            Some(_) => None,
        };
        if to.is_none() {
            fields.error("to", "must be confirmed, waitlisted or everyone");
        }
        Self { event, subject, message, to: to.unwrap_or(AUDIENCES[0]) }
    }
}

/// What becomes of an organizer's message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendBody {
    /// Its id.
    pub id: Id,
    /// To whose attendees.
    pub event_id: Id,
    /// To which of them.
    pub to: String,
    /// To how many people it goes, as of now.
    pub recipients: u32,
    /// `queued`.
    pub status: String,
}

/// The templates of one kind of notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateBody {
    /// Of which kind.
    pub kind: String,
    /// The template of the subject.
    pub subject: String,
    /// That of the plain text.
    pub text: String,
    /// That of the HTML.
    pub html: String,
    /// Whether an administrator has set it.
    pub overridden: bool,
}

/// `PUT /notifications/templates/{kind}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateChange {
    /// The template of the subject.
    pub subject: String,
    /// That of the plain text.
    pub text: String,
    /// That of the HTML.
    pub html: String,
}

impl FromFields for TemplateChange {
    fn from_fields(fields: &mut Fields) -> Self {
        // What was read may be sent back.
        fields.ignore(&["kind", "overridden"]);
        Self {
            subject: fields.string("subject", SUBJECT_TEMPLATE_CHARS),
            text: fields.text("text", BODY_TEMPLATE_CHARS),
            html: fields.text("html", BODY_TEMPLATE_CHARS),
        }
    }
}

/// How many that failed were put back into the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResentBody {
    /// How many.
    pub queued: usize,
    /// Whether there may be more: then it is asked again.
    pub more: bool,
}
