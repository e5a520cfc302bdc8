//! Who is asking: tokens, their issue and their check.
//!
//! A token is a JWT, signed with Ed25519 and nothing else. Its header is
//! `{"alg":"EdDSA","typ":"at+jwt","kid":…}`, its claims are those of [`Claims`], all of
//! them required:
//!
//! | claim | value |
//! | --- | --- |
//! | `sub` | the account's id |
//! | `username` | the account's name |
//! | `role` | `attendee` or `admin` |
//! | `iat`, `nbf` | seconds since 1970 of its issue |
//! | `exp` | seconds since 1970 of its end, at most ten minutes after `iat` |
//! | `iss`, `aud` | [`ISSUER`], [`AUDIENCE`] |
//! | `sid` | the session it belongs to: when that is ended, the token is not good any more |
//! | `jti` | a unique id of the token |
//!
//! `kid` is [`key_id`] of the public key. It looks the key up and does nothing else.

mod cache;
mod ended;
mod key;
mod verifier;

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use engine::{Principal, UserId};
use http::header::{AUTHORIZATION, HeaderValue};
use http::request::Parts;
use serde::{Deserialize, Serialize};

pub use ended::{ENDED_MEMORY, EndedSessions};
pub use key::{KeyError, TokenIssuer, generate_signing_key_pem, key_id};
pub use verifier::Verifier;

use crate::headers::SESSION_ENDED;
use crate::problem::{ErrorCode, Problem};
use crate::wire::Id;

/// What is said of a token whose session was ended.
const ENDED: &str = "belongs to a session that was ended: log in again";

/// The `iss` of every token.
pub const ISSUER: &str = "eventflow";

/// The `aud` of every token.
pub const AUDIENCE: &str = "eventflow";

/// The `typ` in the header of every token.
pub const TOKEN_TYPE: &str = "at+jwt";

/// How long a token is good for, in seconds.
pub const TOKEN_SECONDS: i64 = 600;

/// How far the clocks of two of our machines may be apart, in seconds.
pub const LEEWAY_SECONDS: i64 = 5;

/// Longest token that is looked at, in bytes.
pub const TOKEN_BYTES: usize = 4 * 1024;

/// Most verified tokens that are remembered.
pub const CACHED_TOKENS: usize = 200_000;

/// What an account may do, as tokens and profiles say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Attends, and organizes the events it creates.
    Attendee,
    /// May do everything.
    Admin,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The account.
    pub sub: Id,
    /// Its name.
    pub username: String,
    /// What it may do.
    pub role: Role,
    /// Issued at, in seconds since 1970.
    pub iat: i64,
    /// Not good before, in seconds since 1970.
    pub nbf: i64,
    /// Not good from here on, in seconds since 1970.
    pub exp: i64,
    /// Always [`ISSUER`].
    pub iss: String,
    /// Always [`AUDIENCE`].
    pub aud: String,
    /// The session it belongs to.
    pub sid: Id,
    /// The token's own id.
    pub jti: Id,
}

/// Who is asking, by a checked token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The person.
    pub user: UserId,
    /// What the person may do.
    pub role: Role,
    /// The person's name.
    pub username: Arc<str>,
    /// The session that the token belongs to.
    pub session: Id,
}

impl Caller {
    /// The caller as the engine knows it.
    #[must_use]
    pub fn principal(&self) -> Principal {
        Principal { user: self.user, admin: self.is_admin() }
    }

    /// Whether the caller may do everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}

/// The caller of a request whose token was checked a moment ago in this process, as an
/// extension of the request. Nothing from outside can make one, and it does not travel to
/// another process, where the token is checked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Arc<Verifier>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if let Some(Checked(caller)) = parts.extensions.get() {
            return Ok(caller.clone());
        }
        if parts.headers.contains_key(SESSION_ENDED) {
            return Err(refused(ENDED));
        }
        let verifier = Arc::<Verifier>::from_ref(state);
        verifier.verify(bearer(parts)?)
    }
}

/// The caller's `Authorization` header as it came, to be passed on to another face,
/// which checks it again.
#[derive(Clone, Debug)]
pub struct Credentials(pub HeaderValue);

impl<S: Send + Sync> FromRequestParts<S> for Credentials {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.headers.get(AUTHORIZATION).cloned().map(Self).ok_or_else(|| refused("is missing"))
    }
}

/// The token in the `Authorization` header.
fn bearer(parts: &Parts) -> Result<&str, Problem> {
    let header = parts.headers.get(AUTHORIZATION).ok_or_else(|| refused("is missing"))?;
    let text = header.to_str().map_err(|_| refused("cannot be read"))?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(refused("must be sent as \"Authorization: Bearer …\"")),
    }
}

/// A 401 that says what is the matter with the token, and nothing of the keys.
fn refused(what: &str) -> Problem {
    Problem::new(ErrorCode::Unauthorized, format!("The access token {what}."))
}
