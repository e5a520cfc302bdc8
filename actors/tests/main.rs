//! The actor system on a store in memory whose commits fail on purpose.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

mod answers;
mod apart;
mod deadlines;
mod holds;
mod overload;
mod panics;
mod passivation;
mod projection;
mod replicas;
mod restart;
mod watch;
