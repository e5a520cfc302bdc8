//! Who tries too often, found out before anything costly is done.
//!
//! Three buckets, all of them counting attempts whatever comes of them: an address; an
//! account from one address, so that a stranger who guesses elsewhere does not lock its
//! owner out; and an account from anywhere, ten times as much, so that many addresses
//! together do not guess for ever.

use std::net::IpAddr;

use api::headers::digest;
use api::rate::{Allowance, Rate, Wait, subscriber};
use engine::UserId;

use crate::error::Error;
use crate::options::Options;

/// Most buckets of one kind; a bucket takes some 50 bytes.
const BUCKETS: u32 = 100_000;

/// How much more an account may be tried from everywhere than from one address.
const ANYWHERE: u32 = 10;

/// What an account is counted by; long names cost no memory.
type AccountKey = [u8; 16];

/// Counts attempts.
pub(crate) struct Attempts {
    address: Rate,
    account: Rate,
    account_anywhere: Rate,
    enabled: bool,
}

impl Attempts {
    pub(crate) fn new(options: &Options) -> Self {
        let Options { attempts_per_address, attempts_per_account, .. } = *options;
        let minute = |n: u32| Allowance { burst: n, per_minute: n };
        Self {
            address: Rate::new(minute(attempts_per_address), BUCKETS),
            account: Rate::new(minute(attempts_per_account), BUCKETS),
            account_anywhere: Rate::new(
                minute(attempts_per_account.saturating_mul(ANYWHERE)),
                BUCKETS,
            ),
            enabled: options.limit_attempts,
        }
    }

    /// Something that concerns no account yet: a registration, a refresh, a question.
    pub(crate) fn at_address(&self, address: Option<IpAddr>) -> Result<(), Error> {
        let Some(address) = address.filter(|_| self.enabled) else { return Ok(()) };
        self.address.check(&subscriber(address)).map_err(too_many)?;
        Ok(())
    }

    /// Somebody tries a password of an account, which may not exist.
    pub(crate) fn at_account(&self, login: &str, address: Option<IpAddr>) -> Result<(), Error> {
        if !self.enabled {
            return Ok(());
        }
        self.at_address(address)?;
        let key = account_key(login);
        let subscriber = address.map(subscriber);
        self.account.check(&(key, subscriber)).map_err(too_many)?;
        self.account_anywhere.check(&key).map_err(too_many)?;
        Ok(())
    }
}

fn account_key(login: &str) -> AccountKey {
    digest(UserId::NIL, "account", login.to_lowercase().as_bytes()).0
}

fn too_many(wait: Wait) -> Error {
    Error::TooManyAttempts(wait.seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(options: &Options) -> Attempts {
        Attempts::new(options)
    }

    fn address(n: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, n]))
    }

    #[test]
    fn an_address_an_account_and_an_account_from_anywhere_have_an_end() {
        let options =
            Options { attempts_per_address: 30, attempts_per_account: 3, ..Options::default() };
        let limits = attempts(&options);
        for _ in 0..3 {
            assert!(limits.at_account("Ada", address(1)).is_ok());
        }
        assert!(limits.at_account("ADA", address(1)).is_err(), "in any case");
        assert!(limits.at_account("ada", address(2)).is_ok(), "its owner elsewhere");
        let guesses = (3..=200).filter(|n| limits.at_account("ada", address(*n)).is_ok()).count();
        assert_eq!(guesses, 30 - 4, "many addresses together");
        // Addresses share buckets by chance: this one has all to itself.
        let limits = attempts(&options);
        let passed = (0..100).filter(|_| limits.at_address(address(250)).is_ok()).count();
        assert_eq!(passed, 30);
    }

    #[test]
    fn limits_can_be_turned_off() {
        let options = Options {
            attempts_per_address: 1,
            attempts_per_account: 1,
            limit_attempts: false,
            ..Options::default()
        };
        let limits = attempts(&options);
        assert!((0..50).all(|_| limits.at_account("ada", address(1)).is_ok()));
    }
}
