//! The rules of booking. No dependency, no clock, no randomness, no IO.
//!
//! `decide` reads an [`Inventory`] and answers a command with a [`Decision`] or a
//! [`Rejection`]; `Inventory::apply` writes. New and replayed entries take the same
//! `apply`, so a restart cannot behave differently from the first run.

pub mod booking_event;
pub mod command;
pub mod decision;
pub mod id;
pub mod inventory;
pub mod limits;
pub mod seats;
pub mod time;

pub use booking_event::{Answered, BookingEvent, BookingRef, Cause, Entry, HoldRef, Was, Words};
pub use command::{
    Command, CommandId, Envelope, Fingerprint, Key, KeyOrigin, Principal, Terms, TermsChange,
};
pub use decision::{
    BadTerms, Booking, BookingReply, BookingStatus, Decision, EventReply, Hold, HoldReply,
    Rejection, Reply,
};
pub use id::{BookingId, EventId, EventTag, HoldId, PARTITIONS, UserId};
pub use inventory::{Counts, Phase, Seq};
pub use limits::Limits;
pub use seats::Seats;
pub use time::{Span, Timestamp};
