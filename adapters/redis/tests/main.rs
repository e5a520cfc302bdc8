//! The Redis adapter against a real Redis.

mod conformance;
mod faults;
mod recovery;
mod refusals;
mod support;
