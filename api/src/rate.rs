//! How often somebody may do something: a token bucket a key.

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

/// After so many checks the buckets that are full again are forgotten.
const SWEEP_EVERY: u32 = 16_384;

/// How often one key may do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// At once, after a rest. At least 1.
    pub burst: u32,
    /// From then on, so many a minute. At least 1.
    pub per_minute: u32,
}

/// What is left after a check that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// So many more at once.
    pub remaining: u32,
}

/// A check that did not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// In so many seconds, rounded up, it may pass.
    pub seconds: u32,
}

/// A token bucket a key, at most as many buckets as were asked for: keys are spread over
/// them by a hash that nobody outside can compute, so two of many keys may share one.
pub struct Rate {
    limiter: RateLimiter<u32, DashMapStateStore<u32>, DefaultClock, StateInformationMiddleware>,
    clock: DefaultClock,
    hasher: RandomState,
    buckets: u32,
    checks: AtomicU32,
}

impl Rate {
    /// No more than `allowance` for each key, over at most `buckets` buckets.
    #[must_use]
    pub fn new(allowance: Allowance, buckets: u32) -> Self {
        let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(at_least_one(allowance.per_minute))
            .allow_burst(at_least_one(allowance.burst));
        Self {
            limiter: RateLimiter::dashmap(quota).with_middleware(),
            clock: DefaultClock::default(),
            hasher: RandomState::new(),
            buckets: buckets.max(1),
            checks: AtomicU32::new(0),
        }
    }

    /// Take one from the bucket of `key`.
    ///
    /// # Errors
    /// How long to wait, if it is empty.
    pub fn check<K: Hash>(&self, key: &K) -> Result<Left, Wait> {
        if self.checks.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.limiter.retain_recent();
        }
        let bucket = self.hasher.hash_one(key) % u64::from(self.buckets);
        match self.limiter.check_key(&(bucket as u32)) {
            Ok(state) => Ok(Left { remaining: state.remaining_burst_capacity() }),
            Err(not_until) => {
                let wait = not_until.wait_time_from(self.clock.now());
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Err(Wait { seconds: u32::try_from(seconds).unwrap_or(u32::MAX).max(1) })
            }
        }
    }
}

/// What counts as one address: an IPv4 address, or the network of an IPv6 one (/64), of
/// which one subscriber has all addresses.
#[must_use]
pub fn subscriber(address: IpAddr) -> [u8; 16] {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets[8..].fill(0);
            octets
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_one_by_one() {
        let rate = Rate::new(Allowance { burst: 3, per_minute: 1 }, 1_000_000);
        for remaining in [2, 1, 0] {
            assert_eq!(rate.check(&"ada"), Ok(Left { remaining }));
        }
        let Err(wait) = rate.check(&"ada") else { panic!("the bucket is empty") };
        assert!((1..=60).contains(&wait.seconds), "{wait:?}");
        assert!(rate.check(&"zoe").is_ok(), "another one's is not");
    }

    #[test]
    fn there_are_no_more_buckets_than_asked_for() {
        let rate = Rate::new(Allowance { burst: 5, per_minute: 1 }, 7);
        let passed = (0..1_000).filter(|n| rate.check(n).is_ok()).count();
        assert_eq!((passed, rate.limiter.len()), (35, 7));
    }

    #[test]
    fn a_network_of_the_sixth_version_is_one_subscriber() {
        let of = |text: &str| subscriber(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
    }
}
