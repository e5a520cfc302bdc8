//! The Cassandra adapter against a real server.

mod conformance;
mod journal;
mod support;
mod views;
