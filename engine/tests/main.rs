//! What the engine promises, in one test binary.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

mod memory;
mod properties;
mod scenarios;
mod script;
mod snapshots;
