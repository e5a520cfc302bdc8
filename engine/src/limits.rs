//! Every bound of the engine by name.

use crate::time::Span;

/// Bounds that an installation may set. The defaults are those of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most places an event may have.
    pub capacity: u32,
    /// Most entries a waitlist may have; who comes after is told `waitlist_full`.
    pub waitlist_entries: u32,
    /// Most open holds of one event.
    pub holds: u32,
    /// How long places are set aside.
    pub hold_span: Span,
    /// How often a hold may be extended to a full span.
    pub hold_extensions: u8,
    /// How long an expired hold is remembered, so that a late confirmation of it can
    /// still be granted.
    pub expired_hold_memory: Span,
    /// Most expired holds remembered per event; the oldest is forgotten first.
    pub expired_holds: u32,
    /// How long the outcome of a key sent by the client is kept.
    pub client_key_memory: Span,
    /// How long the outcome of a key made by the edge is kept.
    pub edge_key_memory: Span,
    /// Most remembered keys of one principal at one event.
    pub keys_per_principal: u32,
}

/// Most promotions plus expiries in one decision; the rest is done by a continuation.
pub const MOVES_PER_DECISION: usize = 256;

/// Most bytes of an event's words or a hold's details that the engine passes on.
pub const WORDS_BYTES: usize = 64 * 1024;

impl Default for Limits {
    fn default() -> Self {
        Self {
            capacity: 1_000_000,
            waitlist_entries: 1_000_000,
            holds: 100_000,
            hold_span: Span::minutes(10),
            hold_extensions: 3,
            expired_hold_memory: Span::hours(1),
            expired_holds: 10_000,
            client_key_memory: Span::hours(24),
            edge_key_memory: Span::minutes(5),
            keys_per_principal: 64,
        }
    }
}
