//! One supervised actor per awake event; knows nothing of HTTP.
//!
//! ```text
//! BoxOffice::submit ─▶ permits ─▶ directory ─▶ event actor ─▶ staging ─▶ committer ─▶ store
//!   box_office        admission   slot         decide,apply   batches      one commit   │
//!                     permits     supervisor                                at a time   ▼
//!        answer ◀──────────────────────────────────────────────────────── released ◀─ tail
//!                                                                                       │
//!        FreshViews = tail, then views ◀──────────────────── projector ◀────────────────┘
//! ```
//!
//! What ractor promises: one message at a time per actor; a panic or an error ends the
//! actor and its supervisor hears of it. What it does not promise is made here: a bound in
//! front of the mailbox ([`Options::in_flight_per_event`]), restarts, passivation, and
//! answers that leave only when they are durable.
//!
//! Beside them: `sweeper` wakes sleeping events whose deadlines have come, `watchers` tell
//! whoever watches an event of each commit, `meters` count for whoever watches the process.
//!
//! Deliberately not here: HTTP, adapters, the wall clock. `protocol` has neither IO nor
//! async.

mod admission;
mod box_office;
mod clock;
mod committer;
mod directory;
mod error;
mod event_actor;
mod fresh_views;
mod look;
mod meters;
mod options;
mod peers;
mod permits;
mod projector;
pub mod protocol;
mod shared;
mod slot;
mod steward;
mod supervisor;
mod sweeper;
mod sync;
mod system;
mod tail;
mod watchers;

pub use box_office::{BoxOffice, EventInfo, POSITIONS};
pub use clock::Clock;
pub use error::{Crowd, Elsewhere, Receipt, Request, SubmitError};
pub use fresh_views::{FreshViews, PAGE_ROWS};
pub use options::Options;
pub use peers::{PeerError, Peers, TailAnswer, TailQuestion};
pub use steward::{Identity, ReplicaStatus, Steward};
pub use system::{Gauges, StartError, System, join, start};
pub use tail::{TailRows, Wanted};
pub use watchers::{CommittedState, Watch};
