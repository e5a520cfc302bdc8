//! Tests of the `storage` crate.

mod conformance;
mod faults;
mod project;
mod record;
mod recovery;
mod samples;
