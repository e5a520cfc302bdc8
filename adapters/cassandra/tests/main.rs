//! The Cassandra adapter against a real server.

mod conformance;
mod support;
mod views;
