//! The notification service: tells people what happened to their places.
//!
//! ```text
//! options     what can be tuned
//! routes      every route on one screen; routes/ has a file per resource
//! service     what the routes share; Service::new(options, parts), router(), run(shutdown)
//! facts       what the bus brings, as this service understands it
//! desk        facts, reminders and organizers' messages become notices
//! letters     a notice's texts: what is told, and the template that tells it
//! template    built-in templates and those that were set instead
//! contacts    names and addresses, from the auth service
//! carrier     notices go out, are tried again, and end
//! mail        hands messages to an SMTP server, or writes them to a folder
//! meters      what is counted
//! pace        how much of the time background work may take
//! error       failures of stores as Problems
//! ```
//!
//! Everything here follows from facts on the bus, behind the booking path and never in it:
//! when this service is slow, behind or away, nobody's booking is.
//!
//! A notice is made once (its id follows from the fact and the person), is durable before the
//! fact is acknowledged, and is marked as sent only after it was handed over. So what a crash
//! in between leaves is a message that may be handed over again, under the same `Message-ID`.
//!
//! Deliberately not here: accounts, bookings, rules.

mod carrier;
mod contacts;
mod desk;
mod error;
mod facts;
mod letters;
mod mail;
mod meters;
pub mod options;
mod pace;
mod routes;
mod service;
#[cfg(test)]
mod stage;
mod template;

use api::routes::Route;

pub use options::{Options, REMINDER_MAX_S, REMINDERS_MAX, Smtp, Tls};
pub use service::{Parts, Service, StartError};

/// Every public route of this service, with who may call it.
#[must_use]
pub fn routes() -> Vec<Route> {
    routes::routes().table()
}
