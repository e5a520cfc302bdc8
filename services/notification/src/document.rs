//! What the routes of this service say of themselves.

use api::ErrorCode::{Forbidden, NotFailed, NotFound, TooManyMessages};
use api::document::schemas::{
    ObjectBuilder, PartialSchema, Shape, ToSchema, at, boolean, choice, cursor, fields, id,
    integer, list,
};
use api::document::{Chapter, Operation};
use api::notification::{
    NotificationBody, PreferencesBody, ResentBody, SendBody, SendRequest, StatusBody, TemplateBody,
    TemplateChange,
};
use axum::http::Method;
use serde_json::json;
use storage::notices::NoticeKind;

use crate::routes::{CURSOR_BYTES, LIMIT, LIMIT_MAX};

/// An id in examples.
const ID: &str = "0198c0de-0000-7000-8000-0123456789ab";

/// The chapters of this service.
#[must_use]
pub fn chapters() -> Vec<Chapter> {
    vec![notifications(), templates()]
}

fn kind() -> ObjectBuilder {
    let names: Vec<_> = NoticeKind::ALL.iter().map(|kind| kind.as_str()).collect();
    choice(&names)
}

fn notifications() -> Chapter {
    let (default, most) = (LIMIT as i64, LIMIT_MAX as i64);
    let states = ["queued", "sent", "failed", "suppressed"];
    let of_id = |method, path, id_, summary| {
        Operation::new(method, path, id_, summary).path("id", "The notification.", id())
    };
    let one = [("id", "$response.body#/0/id")];
    let get = Method::GET;
    Chapter::new("Notifications", "What people were told of their places, and what they want told.")
        .schema::<NotificationBody>()
        .schema::<StatusBody>()
        .schema::<PreferencesBody>()
        .schema::<PreferencesChange>()
        .schema::<SendRequest>()
        .schema::<SendBody>()
        .schema::<ResentBody>()
        .with(
            Operation::new(get, "/notifications", "listNotifications", "One's own notifications")
                .query("kind", "Only those of this kind.", kind())
                .query("status", "Only those of this status.", choice(&states))
                .query(
                    "limit",
                    "How many at most.",
                    integer(&(1..=most)).default(Some(default.into())),
                )
                .query("cursor", "Where the page begins; out of `Link`.", cursor(CURSOR_BYTES))
                .answers(200, "A page, newest first.", list(at::<NotificationBody>()))
                .pages()
                .leads_to("getNotification", &one)
                .leads_to("getNotificationStatus", &one),
        )
        .with(
            of_id(Method::GET, "/notifications/{id}", "getNotification", "One notification")
                .answers(200, "The notification.", at::<NotificationBody>()),
        )
        .with(
            of_id(
                Method::GET,
                "/notifications/status/{id}",
                "getNotificationStatus",
                "How a notification stands",
            )
            .answers(200, "How it stands.", at::<StatusBody>()),
        )
        .with(
            of_id(
                Method::POST,
                "/notifications/{id}/resend",
                "resendNotification",
                "Send it again",
            )
            .says("For its owner if it failed; for administrators in any case.")
            .answers(202, "It is queued.", at::<NotificationBody>())
            .refuses(&[NotFailed]),
        )
        .with(
            Operation::new(
                Method::POST,
                "/notifications/resend",
                "resendFailed",
                "Send again what failed",
            )
            .says("Some at a time.")
            .answers(202, "They are queued.", at::<ResentBody>()),
        )
        .with(
            Operation::new(
                Method::GET,
                "/notifications/preferences",
                "getPreferences",
                "What one wants to be told",
            )
            .answers(
                200,
                "Every kind, with whether it is wanted.",
                at::<PreferencesBody>(),
            ),
        )
        .with(
            Operation::new(
                Method::PUT,
                "/notifications/preferences",
                "putPreferences",
                "Change what one wants to be told",
            )
            .says("What is not named stays as it is.")
            .takes(at::<PreferencesChange>(), json!({"kinds": {"EventReminder": false}}))
            .answers(200, "All of it as it is now.", at::<PreferencesBody>()),
        )
        .with(
            Operation::new(
                Method::POST,
                "/notifications/send",
                "sendMessage",
                "Write to the attendees of an event",
            )
            .says("So many a day for one event.")
            .keyed()
            .takes(
                at::<SendRequest>(),
                json!({"event_id": ID, "subject": "Doors", "message": "They open at six."}),
            )
            .answers(202, "It is queued.", at::<SendBody>())
            .refuses(&[Forbidden, NotFound, TooManyMessages]),
        )
}

fn templates() -> Chapter {
    let path = "/notifications/templates/{kind}";
    let of_kind = |method, id_, summary| {
        Operation::new(method, path, id_, summary).path("kind", "Which kind.", kind())
    };
    let example = json!({
        "subject": "About {{ title }}",
        "text": "Hello {{ name }}",
        "html": "<p>Hello {{ name }}</p>",
    });
    Chapter::new("Templates", "What notifications say. For administrators.")
        .schema::<TemplateBody>()
        .schema::<TemplateChange>()
        .with(
            Operation::new(
                Method::GET,
                "/notifications/templates",
                "listTemplates",
                "All templates",
            )
            .answers(200, "Of every kind.", list(at::<TemplateBody>())),
        )
        .with(of_kind(Method::GET, "getTemplate", "The template of a kind").answers(
            200,
            "As it is used.",
            at::<TemplateBody>(),
        ))
        .with(
            of_kind(Method::PUT, "putTemplate", "Set the template of a kind")
                .says("MiniJinja. One that cannot be rendered is refused.")
                .takes(at::<TemplateChange>(), example)
                .answers(200, "As it is used from now on.", at::<TemplateBody>()),
        )
        .with(of_kind(Method::DELETE, "deleteTemplate", "Back to the built-in template").answers(
            200,
            "As it is used from now on.",
            at::<TemplateBody>(),
        ))
}

/// The body of `PUT /notifications/preferences`: the reader is generous about kinds, the
/// route is not.
struct PreferencesChange;

impl PartialSchema for PreferencesChange {
    fn schema() -> Shape {
        let kinds = NoticeKind::ALL
            .iter()
            .fold(fields(), |kinds, kind| kinds.property(kind.as_str(), boolean()));
        fields()
            .property("email", boolean().description(Some("Whether mail may be sent at all.")))
            .property("kinds", kinds)
            .into()
    }
}

impl ToSchema for PreferencesChange {}
