//! Verified tokens, remembered by their digest until they end.
//!
//! A signature costs some fifty microseconds to check; a look-up here a digest and one
//! hash look-up. The digest is its own hash, so nothing is hashed twice.

use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use dashmap::DashMap;
use engine::Timestamp;

use super::Caller;

/// How long to wait between two sweeps of a full cache, in milliseconds: a sweep looks
/// at every entry, so it must not happen for every token.
const SWEEP_EVERY_MILLIS: i64 = 5_000;

/// SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct TokenDigest(pub(super) [u8; 32]);

impl Hash for TokenDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        state.write_u64(u64::from_be_bytes(first));
    }
}

/// Passes the one number it is given through.
#[derive(Default)]
pub(super) struct PassThrough(u64);

impl Hasher for PassThrough {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Not reached: a digest writes one number. Correct all the same.
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// A verified token's caller and end.
struct Remembered {
    caller: Caller,
    ends_at: Timestamp,
}

/// The tokens that were verified, at most a bound of them.
pub(super) struct Cache {
    tokens: DashMap<TokenDigest, Remembered, BuildHasherDefault<PassThrough>>,
    bound: usize,
    // Kept beside the map because its own `len` locks every shard.
    count: AtomicUsize,
    next_sweep: AtomicI64,
}

impl Cache {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            tokens: DashMap::with_hasher(BuildHasherDefault::default()),
            bound,
            count: AtomicUsize::new(0),
            next_sweep: AtomicI64::new(i64::MIN),
        }
    }

    /// The caller of a token that was verified and is still good.
    pub(super) fn get(&self, digest: &TokenDigest, now: Timestamp) -> Option<Caller> {
        let found = self.tokens.get(digest)?;
        (now < found.ends_at).then(|| found.caller.clone())
    }

    /// Remember a verified token; when there is no room it is just not remembered.
    pub(super) fn insert(
        &self,
        digest: TokenDigest,
        caller: Caller,
        ends_at: Timestamp,
        now: Timestamp,
    ) {
        if self.count.load(Ordering::Relaxed) >= self.bound {
            self.sweep(now);
            if self.count.load(Ordering::Relaxed) >= self.bound {
                return;
            }
        }
        if self.tokens.insert(digest, Remembered { caller, ends_at }).is_none() {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Forget what has ended, unless that was done a moment ago.
    fn sweep(&self, now: Timestamp) {
        let due = self.next_sweep.load(Ordering::Relaxed);
        let next = now.millis().saturating_add(SWEEP_EVERY_MILLIS);
        let mine = now.millis() >= due
            && self
                .next_sweep
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if !mine {
            return;
        }
        let mut gone = 0;
        self.tokens.retain(|_, token| {
            let keep = now < token.ends_at;
            gone += usize::from(!keep);
            keep
        });
        self.count.fetch_sub(gone, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::UserId;

    use super::super::Role;
    use super::*;
    use crate::wire::Id;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn digest(n: u8) -> TokenDigest {
        TokenDigest([n; 32])
    }

    fn caller() -> Caller {
        Caller {
            user: UserId([1; 16]),
            role: Role::Attendee,
            username: Arc::from("ada"),
            session: Id([9; 16]),
        }
    }

    #[test]
    fn a_token_is_remembered_until_it_ends() {
        let cache = Cache::new(10);
        cache.insert(digest(1), caller(), at(100), at(0));
        assert_eq!(cache.get(&digest(1), at(99)), Some(caller()));
        assert_eq!(cache.get(&digest(1), at(100)), None);
        assert_eq!(cache.get(&digest(2), at(0)), None);
    }

    #[test]
    fn a_full_cache_makes_room_only_for_what_has_ended() {
        let cache = Cache::new(3);
        for n in 0..3 {
            cache.insert(digest(n), caller(), at(100 + i64::from(n)), at(0));
        }
        cache.insert(digest(9), caller(), at(500), at(50));
        assert_eq!(cache.get(&digest(9), at(51)), None, "no room yet");
        // The next sweep finds the first two ended.
        let later = at(50 + SWEEP_EVERY_MILLIS);
        cache.insert(digest(9), caller(), at(i64::MAX), later);
        assert_eq!(cache.get(&digest(9), later), Some(caller()));
        assert_eq!(cache.tokens.len(), 1);
        assert_eq!(cache.count.load(Ordering::Relaxed), 1);
    }
}
