//! Requests and answers of the notification service.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::document::schemas::{
    ObjectBuilder, PartialSchema, Shape, ToSchema, anything, choice, fields, id, line, or_null,
    text,
};
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Notification)]
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
    #[schema(required)]
    pub booking_id: Option<Id>,
    /// When what it tells happened.
    pub created_at: Time,
    /// When it was handed over.
    #[schema(required)]
    pub sent_at: Option<Time>,
    /// How often it was tried to send it.
    pub attempts: u32,
    /// A sentence on how it stands, if there is more to say.
    #[schema(required)]
    pub details: Option<String>,
}

/// How a notification stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = NotificationStatus)]
pub struct StatusBody {
    /// Which one.
    pub notification_id: Id,
    /// `queued`, `sent`, `failed` or `suppressed`.
    pub status: String,
    /// A sentence on how it stands, if there is more to say.
    #[schema(required)]
    pub details: Option<String>,
}

/// What somebody wants to be told, by kind.
pub type WantedKinds = serde_json::Map<String, Value>;

/// What somebody wants to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Preferences)]
pub struct PreferencesBody {
    /// Whether mail may be sent at all.
    pub email: bool,
    /// Every kind, with whether it is wanted.
    #[schema(value_type = std::collections::HashMap<String, bool>)]
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

impl PartialSchema for SendRequest {
    fn schema() -> Shape {
        let to =
            or_null(choice(&AUDIENCES)).description(Some("`confirmed` unless said otherwise."));
        fields()
            .property("event_id", id().description(Some("To whose attendees.")))
            .property("subject", line(&SUBJECT_CHARS))
            .property("message", text(&MESSAGE_CHARS))
            .property("to", to)
            .required("event_id")
            .required("subject")
            .required("message")
            .into()
    }
}

impl ToSchema for SendRequest {
    fn name() -> std::borrow::Cow<'static, str> {
        std::borrow::Cow::Borrowed("Message")
    }
}

/// What becomes of an organizer's message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = SentMessage)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Template)]
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

impl PartialSchema for TemplateChange {
    fn schema() -> Shape {
        let change = fields()
            .property("subject", line(&SUBJECT_TEMPLATE_CHARS))
            .property("text", text(&BODY_TEMPLATE_CHARS))
            .property("html", text(&BODY_TEMPLATE_CHARS));
        let change = ["subject", "text", "html"].into_iter().fold(change, ObjectBuilder::required);
        ["kind", "overridden"]
            .into_iter()
            .fold(change, |change, name| {
                change.property(name, anything().description(Some("Means nothing here.")))
            })
            .into()
    }
}

impl ToSchema for TemplateChange {}

/// How many that failed were put back into the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Resent)]
pub struct ResentBody {
    /// How many.
    pub queued: usize,
    /// Whether there may be more: then it is asked again.
    pub more: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::document::probe::disagreements;

    #[test]
    fn the_schemas_say_what_is_read() {
        let message = json!({
            "event_id": "0198c0de-0000-7000-8000-0123456789ab", "subject": "Doors",
            "message": "They open\nat six.", "to": "everyone",
        });
        let found = disagreements::<SendRequest>(&message, |body| {
            Fields::read::<SendRequest>(body).map(drop)
        });
        assert_eq!(found, Vec::<String>::new());
        let template = json!({"subject": "a", "text": "b", "html": "c", "kind": "x"});
        let found = disagreements::<TemplateChange>(&template, |body| {
            Fields::read::<TemplateChange>(body).map(drop)
        });
        assert_eq!(found, Vec::<String>::new());
    }
}
