//! Ids of requests, and keys for writes that came without one.

use std::sync::atomic::{AtomicU64, Ordering};

use api::Entropy;
use bytes::Bytes;
use http::HeaderValue;

/// Makes ids that are never the same twice: 64 random bits of this process, then a
/// counter. A request costs no system call this way. An id need not be hard to guess:
/// a key counts only together with the person who sends it.
pub(crate) struct Ids {
    process: [u8; 16],
    next: AtomicU64,
}

impl Ids {
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        let (mut process, mut first) = ([0; 8], [0; 4]);
        entropy.fill(&mut process);
        // Starts somewhere, so that ids of a young process don't all look alike.
        entropy.fill(&mut first);
        Self {
            process: hex(u64::from_be_bytes(process)),
            next: AtomicU64::new(u64::from(u32::from_be_bytes(first))),
        }
    }

    /// A new id: 32 hexadecimal digits.
    pub(crate) fn make(&self) -> HeaderValue {
        let mut text = [0; 32];
        text[..16].copy_from_slice(&self.process);
        text[16..].copy_from_slice(&hex(self.next.fetch_add(1, Ordering::Relaxed)));
        HeaderValue::from_maybe_shared(Bytes::copy_from_slice(&text))
            .expect("hexadecimal digits are a header value")
    }
}

fn hex(n: u64) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|i| DIGITS[(n >> (60 - 4 * i)) as usize & 0xf])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn ids_differ_within_and_between_processes() {
        let (one, other) = (Ids::new(&Fixed(1)), Ids::new(&Fixed(2)));
        let made: HashSet<_> = (0..100).flat_map(|_| [one.make(), other.make()]).collect();
        assert_eq!(made.len(), 200);
        assert_eq!(Ids::new(&Fixed(0xab)).make(), "abababababababab00000000abababab");
    }
}
