//! The rules of booking. No dependency, no clock, no randomness, no IO.
//!
//! # Contract
//!
//! [`decide()`] reads an [`Inventory`] and answers a command with a [`Decision`] or a
//! [`Rejection`]; [`Inventory::apply`] writes. Whoever drives them
//!
//! * applies every decision's entry to the inventory it was decided from, before the next
//!   decision, and in the same order wherever it keeps a copy;
//! * hands in time with each command, which never goes backwards ([`decide()`] panics if it
//!   does: clamp a clock that jumps to [`Inventory::last_time`]);
//! * runs [`Command::RunDue`] while [`Inventory::next_deadline`] is not in the future,
//!   before any other command. Each run makes progress and is bounded by
//!   [`limits::MOVES_PER_DECISION`];
//! * tells nobody a reply before the entry, and all entries before it, are durable;
//! * throws the inventory away when `apply` panics: a broken law has no sensible way on.
//!
//! In return, whatever the commands and their order: the laws in [`invariants`] hold after
//! every entry; the same arguments give the same decision everywhere; new and replayed
//! entries take the same `apply`, so a restart cannot behave differently from the first
//! run; a rejection changes nothing; a key has one effect. All work is bounded: by the
//! sizes in [`Limits`] and [`limits`], and no decision walks all bookings.
//!
//! # Map
//!
//! | module | what |
//! | --- | --- |
//! | [`command`] | wishes, with everything the engine cannot know by itself |
//! | [`mod@decide`] | the rules: which wish becomes which facts; order of refusals, choices made |
//! | [`decision`] | answers: decisions, replies, rejections |
//! | [`booking_event`] | facts, and the entry that one decision leaves in the history |
//! | [`inventory`] | the state: accessors, and `apply`, the only way it changes |
//! | [`snapshot`] | the state as plain data |
//! | [`invariants`] | the laws, by name |
//! | [`limits`] | every bound, by name |
//! | [`id`], [`seats`], [`time`] | small values |

pub mod booking_event;
pub mod command;
pub mod decide;
pub mod decision;
pub mod id;
pub mod invariants;
pub mod inventory;
pub mod limits;
pub mod seats;
pub mod snapshot;
pub mod time;

pub use booking_event::{Answered, BookingEvent, BookingRef, Cause, Entry, HoldRef, Was, Words};
pub use command::{
    Command, CommandId, Envelope, Fingerprint, Key, KeyOrigin, Principal, Terms, TermsChange,
};
pub use decide::decide;
pub use decision::{
    BadTerms, Booking, BookingReply, BookingStatus, Decision, EventReply, Hold, HoldReply,
    Rejection, Reply,
};
pub use id::{BookingId, EventId, EventTag, HoldId, PARTITIONS, UserId};
pub use invariants::BrokenLaw;
pub use inventory::{Counts, Inventory, Phase, Seq};
pub use limits::Limits;
pub use seats::Seats;
pub use snapshot::{BrokenSnapshot, ExpiredHold, RememberedKey, Snapshot};
pub use time::{Span, Timestamp};
