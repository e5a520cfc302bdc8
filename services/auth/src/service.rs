//! What the routes call; no HTTP in it.

use std::sync::Arc;

use api::auth::{PASSWORD_CHARS, Profile, Register, Token, Validated};
use api::clock::{Clock, Entropy, uuid_v7};
use api::identity::{Role, TokenIssuer, Verifier};
use api::wire::{Id, Time};
use engine::UserId;
use storage::{Account, AccountStore};

use crate::error::Error;
use crate::options::Options;
use crate::password::{Hasher, weakness};

/// What the service is made of.
#[derive(Clone)]
pub struct Parts {
    /// Who may log in.
    pub accounts: Arc<dyn AccountStore>,
    /// Signs the tokens that go out.
    pub issuer: Arc<TokenIssuer>,
    /// Checks the tokens that come in.
    pub verifier: Arc<Verifier>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where ids and salts come from.
    pub entropy: Arc<dyn Entropy>,
}

/// Registers, logs in, tells who somebody is.
pub(crate) struct Accounts {
    parts: Parts,
    hasher: Hasher,
    refuse_common: bool,
}

impl Accounts {
    pub(crate) fn new(options: &Options, parts: Parts) -> Result<Self, Error> {
        let hasher = Hasher::new(options, Arc::clone(&parts.entropy))?;
        Ok(Self { parts, hasher, refuse_common: options.refuse_common })
    }

    /// A new account.
    pub(crate) async fn register(&self, wish: Register) -> Result<Profile, Error> {
        let Register { username, email, password, full_name } = wish;
        if let Some(weakness) = weakness(&password, &username, &email, self.refuse_common) {
            return Err(Error::WeakPassword(weakness));
        }
        // Looked up first, so that a taken name costs no hash. Two people who take the
        // same name at once both pass here; the store then lets one of them in.
        if self.parts.accounts.by_login(&username).await?.is_some() {
            return Err(Error::Taken("username"));
        }
        if self.parts.accounts.by_login(&email).await?.is_some() {
            return Err(Error::Taken("email"));
        }
        let account = Account {
            id: UserId(uuid_v7(&*self.parts.clock, &*self.parts.entropy)),
            username,
            email,
            full_name,
            password_hash: self.hasher.hash(password).await?,
            role: storage::Role::Attendee,
            is_active: true,
            created_at: self.parts.clock.now(),
        };
        let profile = profile(&account);
        self.parts.accounts.add(account).await?;
        Ok(profile)
    }

    /// A token for whoever knows name (or address) and password. Whether the name is
    /// unknown, the password wrong or the account closed can be told neither by the
    /// answer nor by its time.
    pub(crate) async fn log_in(&self, login: &str, password: String) -> Result<Token, Error> {
        // No account has such a password, so this answers alike for all of them, and no
        // hash is spent on it.
        if !PASSWORD_CHARS.contains(&password.chars().count()) {
            return Err(Error::WrongCredentials);
        }
        let account = self.parts.accounts.by_login(login).await?;
        let stored = account.as_ref().map(|account| account.password_hash.clone());
        let fits = self.hasher.fits(password, stored).await?;
        match account {
            Some(account) if fits && account.is_active => self.issue(&account),
            _ => Err(Error::WrongCredentials),
        }
    }

    /// The profile of a token's owner.
    pub(crate) async fn profile(&self, user: UserId) -> Result<Profile, Error> {
        match self.parts.accounts.by_id(user).await? {
            Some(account) if account.is_active => Ok(profile(&account)),
            _ => Err(Error::NoAccount),
        }
    }

    /// The profile, as the check of a token answers it.
    pub(crate) async fn validate(&self, user: UserId) -> Result<Validated, Error> {
        let profile = self.profile(user).await?;
        Ok(Validated { valid: true, user: profile.clone(), profile })
    }

    fn issue(&self, account: &Account) -> Result<Token, Error> {
        let now = self.parts.clock.now();
        let (access_token, expires_in) = self
            .parts
            .issuer
            .issue(account.id, &account.username, role(account.role), now)
            .map_err(|e| Error::Internal(e.to_string()))?;
        Ok(Token { access_token, token_type: "bearer", expires_in })
    }
}

const fn role(role: storage::Role) -> Role {
    match role {
        storage::Role::Attendee => Role::Attendee,
        storage::Role::Admin => Role::Admin,
    }
}

fn profile(account: &Account) -> Profile {
    Profile {
        id: Id::from(account.id),
        username: account.username.clone(),
        email: account.email.clone(),
        full_name: account.full_name.clone(),
        role: role(account.role),
        is_active: account.is_active,
        created_at: Time::from(account.created_at),
    }
}
