//! The running hash over an inventory's history, which turns a coincidence of sequence
//! numbers after a rewind into a difference that a commit sees.

use sha2::{Digest, Sha256};

use crate::commit::Chain;

/// The chain after a batch: the first 128 bits of SHA-256 over the chain before it and
/// its stored blob. Whoever has the journal can verify it.
#[must_use]
pub fn next(previous: Chain, blob: &[u8]) -> Chain {
    let digest = Sha256::new().chain_update(previous.0).chain_update(blob).finalize();
    let mut chain = [0; 16];
    chain.copy_from_slice(&digest[..16]);
    Chain(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sha_256_cut_in_half() {
        // SHA-256 of sixteen zero bytes and "abc", from an independent implementation.
        let hex: String =
            next(Chain::default(), b"abc").0.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "277e7ff6d232b9763f4a66e8d05d210d");
    }

    #[test]
    fn every_byte_before_it_counts() {
        let one = next(Chain::default(), b"abc");
        assert_ne!(one, next(one, b"abc"));
        assert_ne!(one, next(Chain::default(), b"abd"));
    }
}
