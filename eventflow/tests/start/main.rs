//! The node in this process and the binary as a process, one test binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;
mod documents;
mod figures;
mod node;
#[cfg(unix)]
mod process;
mod trail;
mod work;
