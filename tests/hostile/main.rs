//! Bad input, other people's objects, bad tokens and heavy hands, against the real
//! binary: nothing changes, nothing breaks, and nothing secret is told.
//!
//! | module | is |
//! | --- | --- |
//! | `routes` | every route: how it is called rightly, what its fields and parameters are |
//! | `world` | a server, people of every kind, and events to want something of |
//! | `picture` | everything that can be read, to be compared before and after |
//! | `judge` | what a refusal must look like |
//! | `roles` | who may do what: every route with every kind of person |
//! | `bodies`, `values`, `heads`, `addresses` | bad input, made from the right one |
//! | `tokens` | tokens that are not good |
//! | `chance` | random changes to right requests |
//! | `endless` | bodies that are too large, too slow or never end |
//! | `secrets` | what must not be in a log |
//! | `full_disk` | no room in the middle of bookings |
//!
//! The tests go through `eventflow::routes()`: a route that is added and not described in
//! `routes` fails `routes::every_route_is_described`, by its name.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod addresses;
mod bodies;
mod chance;
mod endless;
mod full_disk;
mod heads;
mod judge;
mod picture;
mod roles;
mod routes;
mod secrets;
mod tokens;
mod values;
mod world;
