//! Which passwords are taken, and how they are kept.

use std::sync::Arc;

use api::Entropy;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;
use crate::options::Options;

mod common;

/// Bytes of a salt.
const SALT_BYTES: usize = 16;

/// What is wrong with a password for this name and address, if anything. Its length is
/// checked where it is read.
pub(crate) fn weakness(
    password: &str,
    username: &str,
    email: &str,
    refuse_common: bool,
) -> Option<&'static str> {
    let password = password.to_lowercase();
    if password == username.to_lowercase() || password == email.to_lowercase() {
        return Some("must not be the user name or the e-mail address");
    }
    if refuse_common && common::is_common(&password) {
        return Some("is one of the commonest passwords; please choose another");
    }
    None
}

/// Computes and checks Argon2id hashes off the async threads: a few at once, a bounded
/// number waiting, everybody else refused.
pub(crate) struct Hasher {
    argon2: Argon2<'static>,
    entropy: Arc<dyn Entropy>,
    /// One permit for each hash computed or waited for.
    admitted: Arc<Semaphore>,
    /// One permit for each hash computed.
    running: Arc<Semaphore>,
    /// A hash that no password is known for: checking a password against it takes as
    /// long as against a real one.
    nobody: Arc<str>,
}

impl Hasher {
    pub(crate) fn new(options: &Options, entropy: Arc<dyn Entropy>) -> Result<Self, Error> {
        let params = Params::new(
            options.hash_memory_kib,
            options.hash_passes,
            options.hash_lanes,
            Some(Params::DEFAULT_OUTPUT_LEN),
        )
        .map_err(|e| Error::hashing(&e))?;
        let nobody = nobody(&params, &*entropy)?;
        let at_once = options.hashes_at_once.max(1);
        Ok(Self {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            entropy,
            admitted: Arc::new(Semaphore::new(at_once + options.hash_queue)),
            running: Arc::new(Semaphore::new(at_once)),
            nobody,
        })
    }

    /// The hash of a new password, in PHC form.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Error> {
        let turn = self.turn().await?;
        let mut salt = [0; SALT_BYTES];
        self.entropy.fill(&mut salt);
        let argon2 = self.argon2.clone();
        let work = tokio::task::spawn_blocking(move || {
            // Given back when the work is done, also if nobody waits for it any more.
            let _turn = turn;
            argon2.hash_password_with_salt(password.as_bytes(), &salt).map(|hash| hash.to_string())
        });
        work.await.map_err(|e| Error::hashing(&e))?.map_err(|e| Error::hashing(&e))
    }

    /// Whether `password` fits the stored hash; without one, a lengthy no.
    pub(crate) async fn fits(
        &self,
        password: String,
        stored: Option<String>,
    ) -> Result<bool, Error> {
        let turn = self.turn().await?;
        let argon2 = self.argon2.clone();
        let nobody = Arc::clone(&self.nobody);
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let hash = stored.as_deref().unwrap_or(&nobody);
            argon2.verify_password(password.as_bytes(), hash)
        });
        match work.await.map_err(|e| Error::hashing(&e))? {
            Ok(()) => Ok(true),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            Err(e) => Err(Error::hashing(&e)),
        }
    }

    /// Whether a stored hash was made with the parameters of today.
    pub(crate) fn is_current(&self, stored: &str) -> bool {
        let parameters =
            |hash: &str| hash.split('$').take(4).map(str::to_owned).collect::<Vec<_>>();
        parameters(stored) == parameters(&self.nobody)
    }

    /// A place in the queue, then a turn; `Busy` if the queue is full.
    async fn turn(&self) -> Result<Turn, Error> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| Error::Busy)?;
        let running =
            Arc::clone(&self.running).acquire_owned().await.map_err(|e| Error::hashing(&e))?;
        Ok(Turn { _running: running, _admitted: admitted })
    }
}

/// Both permits of a hash being computed.
struct Turn {
    _running: OwnedSemaphorePermit,
    _admitted: OwnedSemaphorePermit,
}

/// A well-formed hash with these parameters and random content.
fn nobody(params: &Params, entropy: &dyn Entropy) -> Result<Arc<str>, Error> {
    let (mut salt, mut output) = ([0; SALT_BYTES], [0; Params::DEFAULT_OUTPUT_LEN]);
    entropy.fill(&mut salt);
    entropy.fill(&mut output);
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(|e| Error::hashing(&e))?,
        salt: Some(Salt::new(&salt).map_err(|e| Error::hashing(&e))?),
        hash: Some(Output::new(&output).map_err(|e| Error::hashing(&e))?),
    };
    Ok(hash.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests_support::{CountingEntropy, cheap};

    fn hasher(options: &Options) -> Hasher {
        Hasher::new(options, Arc::new(CountingEntropy::default())).unwrap()
    }

    #[test]
    fn name_address_and_the_commonest_are_refused() {
        let weak = |password| weakness(password, "marguerite", "m@example.org", true).is_some();
        assert!(weak("Marguerite"));
        assert!(weak("M@Example.org"));
        assert!(weak("Password123"));
        assert!(weak("12345678"));
        assert!(!weak("a fine long password"));
        assert!(weakness("Password123", "bob", "b@c.de", false).is_none(), "by configuration");
    }

    #[tokio::test]
    async fn a_hash_is_argon2id_with_the_given_parameters_and_a_salt_of_its_own() {
        let hasher = hasher(&Options::default());
        let first = hasher.hash("correct horse".to_owned()).await.unwrap();
        let second = hasher.hash("correct horse".to_owned()).await.unwrap();
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        assert_ne!(first, second);
        assert!(hasher.fits("correct horse".to_owned(), Some(first.clone())).await.unwrap());
        assert!(!hasher.fits("Correct horse".to_owned(), Some(first)).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_costs_what_somebody_costs() {
        let options = cheap();
        let hasher = hasher(&options);
        let real = hasher.hash("whatever it is".to_owned()).await.unwrap();
        let parameters = |hash: &str| hash.split('$').nth(3).map(str::to_owned);
        assert_eq!(parameters(&real), parameters(&hasher.nobody), "the same work");
        assert!(!hasher.fits("whatever it is".to_owned(), None).await.unwrap());
    }

    #[tokio::test]
    async fn who_finds_the_queue_full_is_refused_and_nobody_else() {
        let options = Options { hashes_at_once: 1, hash_queue: 1, ..cheap() };
        let hasher = Arc::new(hasher(&options));
        let running = hasher.turn().await.unwrap();
        let waiting = tokio::spawn({
            let hasher = Arc::clone(&hasher);
            async move { hasher.hash("one that waits".to_owned()).await }
        });
        while hasher.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(hasher.hash("one too many".to_owned()).await, Err(Error::Busy)));
        drop(running);
        assert!(waiting.await.unwrap().is_ok());
        assert!(hasher.hash("there is room again".to_owned()).await.is_ok());
    }
}
