//! Every route of the real binary, and how the process starts and ends.
//!
//! `routes/` is laid out like the URLs. What is asserted is the contract: status, body,
//! content type, roles, keys, and that what was refused has changed nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod commands;
mod limits;
mod refused_start;
mod restart;
mod routes;
mod shutdown;
mod sse;
mod stage;
