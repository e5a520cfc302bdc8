//! The composition root: the only crate that knows all the others.
//!
//! ```text
//! cli        what may be said on the command line
//! config     all settings: flags, environment, file, defaults
//! node       starts everything in order, stops it backwards
//! faces      the services and the gateway in front of them
//! roles      which parts of the system a process runs
//! front      what replicas learn from the process with auth, catalog and bus
//! stores     opens the data folder
//! servers    connects to the servers of a cluster
//! keys       the signing key and what is derived from it
//! listen     the HTTP server
//! shutdown   signals
//! clock      wall clock and randomness, which nobody else may read
//! telemetry  what is logged and traced, and where to
//! figures    what is counted
//! files      how many files may be open
//! ```

pub mod cli;
pub mod clock;
pub mod config;
mod faces;
pub mod figures;
pub mod files;
pub mod front;
pub mod keys;
pub mod listen;
pub mod node;
pub mod roles;
pub mod servers;
pub mod shutdown;
pub mod stores;
pub mod telemetry;

pub use config::Config;
pub use faces::routes;
pub use node::Node;

/// Every request makes and drops some dozens of small things on whatever thread it is
/// on; this allocator does that in less time than the system's, and gives the large
/// blocks of password hashing back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
