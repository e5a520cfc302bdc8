//! What all HTTP faces share: the wire contract and nothing else.
//!
//! ```text
//! problem      errors as the world sees them: Problem, ErrorCode
//! refusal      a refusal by the rules as a Problem
//! fields       reading objects field by field, every error collected
//! extract      Json, Path, Query whose failures are Problems
//! identity     tokens: issuing, checking, the Caller
//! headers      Idempotency-Key and its kin
//! health       whether a service can do its work
//! page         cursors, limits, links to the next page
//! routes       routers together with the table of who may call what
//! upstream     how one face calls another
//! trail        whose request is being served, for logs and traces
//! rate         how often somebody may do something
//! clock        time and randomness, handed in
//! wire         ids, times and money as they are written
//! auth · booking · catalog · notification   requests and answers per face
//! words        an event's descriptive fields, as they travel through its history
//! internal     what the faces ask each other, never reachable from outside
//! ```
//!
//! Deliberately not here: rules, storage, actors, sockets.

pub mod auth;
pub mod booking;
pub mod catalog;
pub mod clock;
pub mod extract;
pub mod fields;
pub mod headers;
pub mod health;
pub mod identity;
pub mod internal;
pub mod notification;
pub mod page;
pub mod problem;
pub mod rate;
pub mod refusal;
pub mod routes;
pub mod trail;
pub mod upstream;
pub mod wire;
pub mod words;

pub use clock::{Clock, Entropy};
pub use extract::{Json, Path, Query};
pub use fields::Fields;
pub use headers::IdempotencyKey;
pub use identity::{Caller, Verifier};
pub use problem::{ErrorCode, Problem};
pub use upstream::Upstream;
