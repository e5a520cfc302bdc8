//! Users who were never registered: the tests sign tokens with the key in the data
//! folder, so that thousands of people cost nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use api::identity::{Role, TokenIssuer};
use engine::{Timestamp, UserId};
use uuid::Uuid;

/// Where the signing key lies in a data folder.
const KEY_FILE: &str = "signing-key.pem";

/// Somebody with a token.
#[derive(Clone, Debug)]
pub struct Person {
    /// The account's id.
    pub id: Uuid,
    /// Good for ten minutes.
    pub token: Arc<str>,
}

/// Makes people.
pub struct People {
    issuer: TokenIssuer,
}

impl People {
    /// With the signing key of a data folder.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        let path = folder.join(KEY_FILE);
        let pem = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        Self::with_key(&pem)
    }

    /// With any signing key.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn with_key(pem: &str) -> Self {
        let issuer = TokenIssuer::from_pem(pem).unwrap_or_else(|error| panic!("{error}"));
        Self { issuer }
    }

    /// An attendee with this id.
    #[must_use]
    pub fn attendee(&self, id: Uuid) -> Person {
        self.person(id, Role::Attendee, now())
    }

    /// An admin with this id.
    #[must_use]
    pub fn admin(&self, id: Uuid) -> Person {
        self.person(id, Role::Admin, now())
    }

    /// An attendee whose token was issued at another time than now.
    #[must_use]
    pub fn attendee_of(&self, id: Uuid, at: Timestamp) -> Person {
        self.person(id, Role::Attendee, at)
    }

    fn person(&self, id: Uuid, role: Role, at: Timestamp) -> Person {
        let name = id.simple().to_string();
        let (token, _) = self
            .issuer
            .issue(UserId(id.into_bytes()), &name, role, at)
            .unwrap_or_else(|error| panic!("{error}"));
        Person { id, token: token.into() }
    }
}

/// The wall clock: tokens say when they were issued.
#[must_use]
pub fn now() -> Timestamp {
    #[allow(clippy::disallowed_methods, reason = "tokens are judged by the server's wall clock")]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
