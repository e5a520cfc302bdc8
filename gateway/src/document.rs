//! What the gateway's own routes say of themselves.

use api::ErrorCode;
use api::document::schemas::{ObjectBuilder, any_object, any_text, choice};
use api::document::{Chapter, Operation};
use http::Method;

use crate::figures;
use crate::pages::{DOCS, DOCUMENT, START};

/// The chapters of the gateway itself.
#[must_use]
pub fn chapters() -> Vec<Chapter> {
    vec![about(), operations()]
}

fn about() -> Chapter {
    let unchanged = "It is still what `If-None-Match` names.";
    Chapter::new("About", "This document, as JSON and to read.")
        .with(
            get(START, "start", "What this is")
                .says("A page for browsers; for programs (`Accept: application/json`) an index.")
                .answers_as(200, "The page, or the index.", "text/html", any_text())
                .answers(200, "", any_object())
                .answers_nothing(304, unchanged),
        )
        .with(
            get(DOCUMENT, "getDocument", "This document")
                .answers(200, "OpenAPI 3.1.", any_object())
                .answers_nothing(304, unchanged),
        )
        .with(
            get(DOCS, "readDocument", "This document to read, and to try out")
                .answers_as(200, "A page that needs no network.", "text/html", any_text())
                .answers_nothing(304, unchanged),
        )
}

fn operations() -> Chapter {
    let ready = |path, id, summary| {
        get(path, id, summary).answers(200, "Requests are welcome.", state()).answers(
            503,
            "Not now: it is starting, stopping, or something is missing.",
            state(),
        )
    };
    Chapter::new("Operations", "Whether it lives, and whether it wants requests.")
        .with(ready("/health", "health", "Whether all is well"))
        .with(ready("/readyz", "readyz", "Whether requests are welcome"))
        .with(get("/livez", "livez", "Whether it lives").answers(200, "It does.", state()))
        .with(ready("/health/auth", "healthOfAuth", "Whether accounts work"))
        .with(ready("/health/catalog", "healthOfCatalog", "Whether events can be shown"))
        .with(ready("/health/booking", "healthOfBooking", "Whether places can be booked"))
        .with(ready("/health/notification", "healthOfNotification", "Whether mail goes out"))
        .with(
            get(figures::PATH, "metrics", "Figures for Prometheus")
                .says("For the addresses that `server.metrics_from` names; for others it is not there.")
                .answers_as(200, "Prometheus' text format.", "text/plain", any_text())
                .refuses(&[ErrorCode::NotFound, ErrorCode::Timeout]),
        )
}

fn get(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation::new(Method::GET, path, id, summary).own()
}

fn state() -> ObjectBuilder {
    let words = ["ok", "starting", "draining", "degraded", "failing"];
    let parts = any_object().description(Some("Each part by its name, in the same words."));
    any_object().property("status", choice(&words)).property("parts", parts).required("status")
}
