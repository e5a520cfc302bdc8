//! How much one address and one person may ask for, and how much may be under way.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use api::identity::{Checked, Verifier};
use api::rate::{Allowance, Left, Rate, Wait, subscriber};
use api::{ErrorCode, Problem};
use http::header::{AUTHORIZATION, HeaderName};
use http::{Extensions, HeaderMap, HeaderValue};

use crate::options::{Options, RateLimit};

/// What may be asked for: `"address";q=burst;w=seconds`, as the IETF's draft has it.
pub(crate) const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What is left of it: `"address";r=requests;t=seconds`.
pub(crate) const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// After how many seconds somebody who came when too much was under way may try again.
const RETRY_BUSY: u32 = 1;

/// One kind of limit.
struct Limit {
    name: &'static str,
    rate: Rate,
    burst: u32,
    per_second: u32,
    policy: HeaderValue,
}

/// A refusal, with what is told of the limit.
pub(crate) type Refused = Box<(Problem, Standing)>;

/// Where a request stands in a limit, for the headers of its answer.
pub(crate) struct Standing {
    policy: HeaderValue,
    left: HeaderValue,
}

impl Limit {
    fn new(name: &'static str, per_second: u32, burst: u32, buckets: u32) -> Self {
        let per_minute = per_second.saturating_mul(60);
        let window = burst.div_ceil(per_second.max(1));
        let policy = format!("\"{name}\";q={burst};w={window}");
        Self {
            name,
            rate: Rate::new(Allowance { burst, per_minute }, buckets),
            burst,
            per_second,
            policy: HeaderValue::from_str(&policy).expect("letters and numbers"),
        }
    }

    fn check<K: std::hash::Hash>(&self, key: &K) -> Result<Standing, Refused> {
        match self.rate.check(key) {
            Ok(Left { remaining }) => {
                let spent = self.burst.saturating_sub(remaining);
                Ok(self.standing(remaining, spent.div_ceil(self.per_second.max(1))))
            }
            Err(Wait { seconds }) => {
                let detail = format!("Too many requests. Try again in {seconds} s.");
                let problem = Problem::new(ErrorCode::TooManyRequests, detail).retry_after(seconds);
                Err(Box::new((problem, self.standing(0, seconds))))
            }
        }
    }

    fn standing(&self, remaining: u32, seconds: u32) -> Standing {
        let left = format!("\"{}\";r={remaining};t={seconds}", self.name);
        let left = HeaderValue::from_str(&left).expect("letters and numbers");
        Standing { policy: self.policy.clone(), left }
    }
}

impl Standing {
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        headers.insert(POLICY, self.policy);
        headers.insert(LEFT, self.left);
    }
}

/// All limits of rates, if there are any.
pub(crate) struct Limits {
    address: Limit,
    user: Limit,
    verifier: Arc<Verifier>,
}

impl Limits {
    pub(crate) fn new(options: &RateLimit, verifier: Arc<Verifier>) -> Self {
        let RateLimit { address_per_s, address_burst, user_per_s, user_burst, buckets } = *options;
        Self {
            address: Limit::new("address", address_per_s, address_burst, buckets),
            user: Limit::new("user", user_per_s, user_burst, buckets),
            verifier,
        }
    }

    /// Count a request: by its address, and by its person if it has a good token. The
    /// person's own limit is what the answer tells of then.
    pub(crate) fn check(
        &self,
        address: Option<IpAddr>,
        headers: &HeaderMap,
        extensions: &mut Extensions,
    ) -> Result<Option<Standing>, Refused> {
        let standing = match address {
            Some(address) => Some(self.address.check(&subscriber(address))?),
            None => None,
        };
        // A token that is not good is the service's business: it says what is wrong.
        let Some(caller) = bearer(headers).and_then(|token| self.verifier.verify(token).ok())
        else {
            return Ok(standing);
        };
        let standing = self.user.check(&caller.user.0)?;
        extensions.insert(Checked(caller));
        Ok(Some(standing))
    }
}

/// The one token of a request; with more than one of them there is none.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Counts what is under way.
pub(crate) struct InFlight {
    count: AtomicUsize,
    most: usize,
}

/// A request under way, until it is dropped.
pub(crate) struct Entered<'a>(&'a InFlight);

impl InFlight {
    pub(crate) const fn new(options: &Options) -> Self {
        Self { count: AtomicUsize::new(0), most: options.max_in_flight }
    }

    /// How many are under way.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// One more, or a refusal at once: whoever waits in a queue that is too long is
    /// served when nobody waits for the answer any more.
    pub(crate) fn enter(&self) -> Result<Entered<'_>, Problem> {
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        let entered = Entered(self);
        if before >= self.most {
            let detail = "Too much is under way. Try again in a moment.";
            return Err(Problem::new(ErrorCode::Overloaded, detail).retry_after(RETRY_BUSY));
        }
        Ok(entered)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}
