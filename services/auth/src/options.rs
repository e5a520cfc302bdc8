//! What can be tuned.

use engine::Span;

/// A day in seconds.
const DAY: u32 = 24 * 3_600;

/// Options of the auth service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether the commonest passwords are refused.
    pub refuse_common: bool,
    /// Memory of one password hash, in KiB.
    pub hash_memory_kib: u32,
    /// Passes of one password hash over its memory.
    pub hash_passes: u32,
    /// Lanes of one password hash.
    pub hash_lanes: u32,
    /// Most password hashes computed at once; each takes a whole core and its memory.
    pub hashes_at_once: usize,
    /// Most requests that wait for a hash; who comes after is told 503 and when to try
    /// again.
    pub hash_queue: usize,
    /// For how long a session may be without a refresh; above a token's life.
    pub session_idle: Span,
    /// How long a session may last in all.
    pub session_life: Span,
    /// Most sessions of one account; the oldest makes room.
    pub sessions_per_account: usize,
    /// Whether attempts are limited at all.
    pub limit_attempts: bool,
    /// Log-ins, registrations, refreshes and the like of one address a minute.
    pub attempts_per_address: u32,
    /// Passwords tried at one account from one address a minute; from everywhere together
    /// ten times as many.
    pub attempts_per_account: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            refuse_common: true,
            // The first of the sets that OWASP recommends for Argon2id.
            hash_memory_kib: 19 * 1024,
            hash_passes: 2,
            hash_lanes: 1,
            hashes_at_once: 1,
            hash_queue: 64,
            session_idle: Span::seconds(14 * DAY),
            session_life: Span::seconds(30 * DAY),
            sessions_per_account: 50,
            limit_attempts: true,
            attempts_per_address: 120,
            attempts_per_account: 10,
        }
    }
}
