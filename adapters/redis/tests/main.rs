//! The Redis adapter against a real Redis.

mod conformance;
mod faults;
mod refusals;
mod support;
