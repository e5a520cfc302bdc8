//! What the tests of this crate share.

use std::sync::atomic::{AtomicU8, Ordering};

use api::Entropy;

use crate::options::Options;

/// Randomness that is never the same twice, and known.
#[derive(Default)]
pub(crate) struct CountingEntropy(AtomicU8);

impl Entropy for CountingEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Hashes that cost next to nothing.
pub(crate) fn cheap() -> Options {
    Options { hash_memory_kib: 8, hash_passes: 1, ..Options::default() }
}
