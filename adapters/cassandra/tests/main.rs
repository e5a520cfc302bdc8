//! The Cassandra adapter against a real server.

mod conformance;
mod recovery;
mod support;
mod views;
