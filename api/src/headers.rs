//! Headers of our own, above all the `Idempotency-Key`.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::response::Response;
use engine::{CommandId, Fingerprint, Key, KeyOrigin, UserId};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use sha2::{Digest, Sha256};

use crate::clock::Entropy;
use crate::problem::{ErrorCode, Problem};

/// The key under which an accepted write is remembered.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// `true` in an answer that repeats an earlier one.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// `edge` when the gateway made the key because the client sent none. The gateway takes
/// this header away from what comes from outside.
pub const KEY_ORIGIN: HeaderName = HeaderName::from_static("eventflow-key-origin");

/// The value of [`KEY_ORIGIN`].
pub const ORIGIN_EDGE: &str = "edge";

/// Identifies a request in logs, from the gateway on.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The address that a request came from, told by the gateway to the auth service. The
/// gateway takes this header away from what comes from outside.
pub const CLIENT_ADDRESS: HeaderName = HeaderName::from_static("eventflow-client-address");

/// The secret of an installation, by which its processes know one another. The gateway takes
/// this header away from what comes from outside.
pub const SECRET: HeaderName = HeaderName::from_static("eventflow-secret");

/// On a request that one replica passes on to another: the partition, the ownership that is
/// expected, how often it has been passed on. `17 4 1`.
pub const FORWARDED: HeaderName = HeaderName::from_static("eventflow-forwarded");

/// When a copy of a request is to be refused, by the replicas' clock, in milliseconds since
/// 1970. A copy that was delayed on its way must not be done after its sender has gone on.
pub const DEADLINE: HeaderName = HeaderName::from_static("eventflow-deadline");

/// What a replica's clock shows, in milliseconds since 1970.
pub const CLOCK: HeaderName = HeaderName::from_static("eventflow-clock");

/// On an answer, for whoever balances: which partition is served where. `17 10.0.0.2:8091`.
pub const OWNER: HeaderName = HeaderName::from_static("eventflow-owner");

/// On a request whose token belongs to a session that was ended, as the gateway knows a moment
/// before services in other processes do.
pub const SESSION_ENDED: HeaderName = HeaderName::from_static("eventflow-session-ended");

/// As of when live counts in an answer are, when booking could not be asked.
pub const AVAILABILITY_AS_OF: HeaderName = HeaderName::from_static("availability-as-of");

/// Longest `Idempotency-Key`, in characters.
pub const KEY_CHARS: usize = 255;

/// The address that the gateway says a request came from.
#[must_use]
pub fn client_address(headers: &HeaderMap) -> Option<std::net::IpAddr> {
    headers.get(CLIENT_ADDRESS)?.to_str().ok()?.parse().ok()
}

/// The address at the other end of the connection that a request came in by, as an
/// extension of the request, set by the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub std::net::IpAddr);

/// The key of one request and who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    value: HeaderValue,
    origin: KeyOrigin,
}

impl IdempotencyKey {
    /// The key in these headers, if there is one.
    ///
    /// # Errors
    /// 400 if it is not 1 to [`KEY_CHARS`] visible ASCII characters.
    pub fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
        let right_length = (1..=KEY_CHARS).contains(&value.len());
        if !right_length || !value.as_bytes().iter().all(u8::is_ascii_graphic) {
            return Err(Problem::new(
                ErrorCode::InvalidHeader,
                format!("The Idempotency-Key must be 1 to {KEY_CHARS} visible ASCII characters."),
            ));
        }
        let edge = headers.get(KEY_ORIGIN).is_some_and(|origin| origin == ORIGIN_EDGE);
        let origin = if edge { KeyOrigin::Edge } else { KeyOrigin::Client };
        Ok(Some(Self { value: value.clone(), origin }))
    }

    /// A new key for a client that sent none.
    #[must_use]
    pub fn made_by_edge(entropy: &dyn Entropy) -> Self {
        let mut random = [0; 16];
        entropy.fill(&mut random);
        let id = uuid::Builder::from_random_bytes(random).into_uuid();
        let mut buffer = [0; 36];
        let text = id.as_hyphenated().encode_lower(&mut buffer);
        let value = HeaderValue::from_str(text).expect("a UUID is visible ASCII");
        Self { value, origin: KeyOrigin::Edge }
    }

    /// The key as it was sent.
    #[must_use]
    pub const fn value(&self) -> &HeaderValue {
        &self.value
    }

    /// Who made it.
    #[must_use]
    pub const fn origin(&self) -> KeyOrigin {
        self.origin
    }

    /// The key as the engine knows it; `call` is the kind of call, e.g.
    /// `POST /bookings`, and `body` the canonical body.
    #[must_use]
    pub fn to_engine(&self, principal: UserId, call: &str, body: &[u8]) -> Key {
        Key {
            digest: digest(principal, call, self.value.as_bytes()),
            fingerprint: fingerprint(body),
            origin: self.origin,
        }
    }

    /// Put the key into the headers of a request to another face.
    pub fn forward(&self, headers: &mut HeaderMap) {
        headers.insert(IDEMPOTENCY_KEY, self.value.clone());
        if self.origin == KeyOrigin::Edge {
            headers.insert(KEY_ORIGIN, HeaderValue::from_static(ORIGIN_EDGE));
        }
    }

    /// Put the key into an answer, and whether the answer is a repeat.
    #[must_use]
    pub fn answer(&self, mut response: Response, replayed: bool) -> Response {
        let headers = response.headers_mut();
        headers.insert(IDEMPOTENCY_KEY, self.value.clone());
        if replayed {
            headers.insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey
where
    Arc<dyn Entropy>: FromRef<S>,
{
    type Rejection = Problem;

    /// A service that is called without a gateway in front makes the key itself.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Self::from_headers(&parts.headers)?
            .unwrap_or_else(|| Self::made_by_edge(&*Arc::<dyn Entropy>::from_ref(state))))
    }
}

/// What identifies a command: who, which call, which key.
#[must_use]
pub fn digest(principal: UserId, call: &str, key: &[u8]) -> CommandId {
    let mut hash = Sha256::new();
    hash.update(principal.bytes());
    // The lengths keep a call that ends like a key begins from meaning another pair.
    hash.update((call.len() as u64).to_be_bytes());
    hash.update(call.as_bytes());
    hash.update(key);
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize()[..16]);
    CommandId(id)
}

/// What tells two bodies apart. `canonical` must not depend on white space or the order
/// of fields.
#[must_use]
pub fn fingerprint(canonical: &[u8]) -> Fingerprint {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&Sha256::digest(canonical)[..8]);
    Fingerprint(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;

    impl Entropy for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    fn headers(pairs: &[(&HeaderName, &[u8])]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| ((*name).clone(), HeaderValue::from_bytes(value).unwrap()))
            .collect()
    }

    #[test]
    fn a_key_is_visible_ascii_of_bounded_length() {
        let longest = vec![b'x'; KEY_CHARS];
        for good in [&b"a"[..], b"!~", &longest] {
            let key = IdempotencyKey::from_headers(&headers(&[(&IDEMPOTENCY_KEY, good)]));
            assert_eq!(key.unwrap().unwrap().origin(), KeyOrigin::Client);
        }
        let longer = vec![b'x'; KEY_CHARS + 1];
        for wrong in [&b""[..], b"a b", b"a\tb", "é".as_bytes(), &longer] {
            let key = IdempotencyKey::from_headers(&headers(&[(&IDEMPOTENCY_KEY, wrong)]));
            assert_eq!(key.unwrap_err().code().status(), 400);
        }
        assert_eq!(IdempotencyKey::from_headers(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn the_origin_travels_with_the_key() {
        let made = IdempotencyKey::made_by_edge(&Sevens);
        let mut map = HeaderMap::new();
        made.forward(&mut map);
        assert_eq!(IdempotencyKey::from_headers(&map).unwrap(), Some(made));
        let client = headers(&[(&IDEMPOTENCY_KEY, b"k")]);
        let client = IdempotencyKey::from_headers(&client).unwrap().unwrap();
        let mut map = HeaderMap::new();
        client.forward(&mut map);
        assert!(map.get(KEY_ORIGIN).is_none());
    }

    #[test]
    fn who_call_key_and_body_all_count() {
        let (a, b) = (UserId([1; 16]), UserId([2; 16]));
        let first = digest(a, "POST /bookings", b"k");
        assert_eq!(first, digest(a, "POST /bookings", b"k"));
        assert_ne!(first, digest(b, "POST /bookings", b"k"));
        assert_ne!(first, digest(a, "DELETE /bookings", b"k"));
        assert_ne!(first, digest(a, "POST /bookings", b"l"));
        assert_ne!(digest(a, "ab", b"c"), digest(a, "a", b"bc"));
        assert_ne!(fingerprint(b"1"), fingerprint(b"2"));
    }
}
