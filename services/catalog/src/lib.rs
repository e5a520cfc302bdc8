//! The catalog: what events say of themselves.
//!
//! ```text
//! service        Service::new(options, parts), router(), internal_router(), run(shutdown)
//! routes         every route on one screen; a file per resource below
//! changes        every change is one command to the event's actor
//! keys           kept answers, so that a repeated key is told the same
//! draft          a body to create an event, checked
//! document       what the routes say of themselves
//! edit           a body to change an event, checked against what it is now
//! fields         the fields that both have, and their bounds
//! times          times as people write them
//! listing        which events a list shows
//! rebuild        all documents anew from the facts
//! projection     the document from the facts, at once and from the bus
//! availability   live counts in one batched call
//! render         an event as it is shown
//! ```
//!
//! The documents are a projection of the events' facts: nothing is stored here that did
//! not go through an event's actor first, so there is no second source of truth.
//!
//! Deliberately not here: rules (engine), actors, bookings.

mod availability;
mod changes;
pub mod document;
mod draft;
mod edit;
mod error;
mod fields;
mod keys;
mod listing;
mod options;
mod projection;
mod rebuild;
mod render;
mod routes;
mod service;
mod times;

use api::routes::Route;

pub use options::Options;
pub use rebuild::{Rebuilt, rebuild};
pub use service::{Parts, Service};

/// Every public route of this service, with who may call it.
#[must_use]
pub fn routes() -> Vec<Route> {
    routes::routes().table()
}
