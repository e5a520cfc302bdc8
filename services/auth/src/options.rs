//! What can be tuned.

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
        }
    }
}
