//! What the benchmarks share: a load generator and the servers that it drives.
//!
//! ```text
//! load       closed-loop load over keep-alive connections, every answer checked
//! open_loop  requests at a fixed rate, each with its latency
//! hands      clients that only weigh: idle, slow, flooding with log-ins
//! http       one connection: a request out, an answer in, as little as possible between
//! post       a mail server that only counts, or is away, or silent
//! people     users and their tokens, signed beforehand with the server's own key
//! process    servers as child processes; their memory and processor time
//! spread     median, least and greatest of a few runs
//! ```
//!
//! `figures/` is the binary that measures, `engine.rs` the criterion benchmark of the
//! rules. Deliberately not here: any figure. Those are in `RESULTS.md`, with the command
//! that makes them.

pub mod hands;
pub mod http;
pub mod load;
pub mod open_loop;
pub mod people;
pub mod post;
pub mod process;
pub mod spread;
