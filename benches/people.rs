//! Users that never registered: their tokens are signed here with the server's own key,
//! so that a hundred thousand of them cost seconds, not hours of password hashing.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result};
use api::identity::{Role, TokenIssuer};
use engine::{Timestamp, UserId};

/// What the server calls its key in the data folder.
const KEY_FILE: &str = "signing-key.pem";

/// Signs tokens with a server's key.
pub struct Signer {
    issuer: Arc<TokenIssuer>,
    clock: eventflow::clock::ProcessClock,
}

impl Signer {
    /// With the key that a server keeps in its data folder.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn of(data: &Path) -> Result<Self> {
        let path = data.join(KEY_FILE);
        let pem = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let issuer = Arc::new(TokenIssuer::from_pem(&pem)?);
        Ok(Self { issuer, clock: eventflow::clock::ProcessClock::start() })
    }

    /// The public half of the key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.issuer.public_key()
    }

    /// A new token for each of these, who have accounts.
    ///
    /// # Errors
    /// When signing fails.
    pub fn tokens_of(&self, users: &[UserId]) -> Result<Vec<String>> {
        let now = self.clock.now();
        let named = users.iter().map(|user| (*user, user.to_string()));
        named.map(|(user, name)| sign_one(&self.issuer, user, &name, now)).collect()
    }

    /// A new token for each of `count` users. The same users each time, but tokens that
    /// nobody has seen before.
    ///
    /// # Errors
    /// When signing fails.
    pub fn tokens(&self, count: usize) -> Result<Arc<Vec<String>>> {
        let now = self.clock.now();
        let half = count / 2;
        // One half on another core.
        let issuer = Arc::clone(&self.issuer);
        let second = thread::spawn(move || sign(&issuer, half..count, now));
        let mut tokens = sign(&self.issuer, 0..half, now)?;
        let second = second.join().map_err(|_| anyhow::anyhow!("the signing thread died"))?;
        tokens.extend(second?);
        Ok(Arc::new(tokens))
    }
}

fn sign(
    issuer: &TokenIssuer,
    numbers: std::ops::Range<usize>,
    now: Timestamp,
) -> Result<Vec<String>> {
    numbers.map(|number| sign_one(issuer, user(number), &format!("user-{number}"), now)).collect()
}

fn sign_one(issuer: &TokenIssuer, user: UserId, name: &str, now: Timestamp) -> Result<String> {
    let (token, _) = issuer.issue(user, name, Role::Attendee, now)?;
    Ok(token)
}

/// The id of user `number`: a version 7 UUID, its bits spread as real ones are, because
/// tables keyed by user would otherwise be flattered.
#[must_use]
pub fn user(number: usize) -> UserId {
    let mixed = (number as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let high = (0x0198_0000_0000_u64 + number as u64) << 16 | 0x7000 | (mixed >> 52);
    let low = 0x8000_0000_0000_0000 | (mixed >> 2);
    UserId((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn users_differ_and_have_version_seven() {
        let users: HashSet<_> = (0..10_000).map(user).collect();
        assert_eq!(users.len(), 10_000);
        assert_eq!(user(1).to_string().as_bytes()[14], b'7');
    }
}
