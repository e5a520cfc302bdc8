//! Tests of the `adapter-sqlite` crate.

mod conformance;
mod folder;
