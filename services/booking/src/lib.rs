//! The HTTP face of the actors: bookings, holds, their lists, availability, and the door
//! through which the catalog opens, changes and cancels events.
//!
//! ```text
//! service    Service::new(options, parts), router(), internal_router()
//! routes     every route on one screen; a file per resource below
//! read       what lists need besides rows: positions, events, ticket codes
//! error      failures of actors and stores as Problems
//! meters     what is counted of commands
//! streams    how many streams of availability are open
//! replica    what a replica is to others of its installation
//! ticket     the code that an owner shows at the door
//! ```
//!
//! Deliberately not here: rules (engine), durability (actors), descriptions of events
//! (catalog). Booking a place never asks the catalog.

mod error;
mod meters;
mod options;
mod read;
mod replica;
mod routes;
mod service;
mod streams;
mod ticket;

use api::routes::Route;

pub use options::Options;
pub use replica::{HttpPeers, Replica, TailEntry, read_tail};
pub use service::{Parts, Service};

/// Every public route of this service, with who may call it.
#[must_use]
pub fn routes() -> Vec<Route> {
    routes::routes().table()
}
