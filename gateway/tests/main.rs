//! Tests of the `gateway` crate.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod figures;
mod front_door;
mod health;
mod stage;
