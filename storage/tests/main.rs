//! Tests of the `storage` crate.

mod conformance;
