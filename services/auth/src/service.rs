//! What the routes call; no HTTP in it.

use std::net::IpAddr;
use std::sync::Arc;

use api::auth::{
    PASSWORD_CHARS, Profile, ProfileChange, Register, Token, UsernameCheck, Validated,
};
use api::clock::{Clock, Entropy, uuid_v7};
use api::identity::{Role, TokenIssuer, Verifier};
use api::internal::ContactBody;
use api::wire::{Id, Time};
use engine::UserId;
use storage::{Account, AccountChange, AccountStore, SessionId, SessionStore};

use crate::attempts::Attempts;
use crate::error::Error;
use crate::options::Options;
use crate::password::{Hasher, weakness};
use crate::sessions::Sessions;

/// What the service is made of.
#[derive(Clone)]
pub struct Parts {
    /// Who may log in.
    pub accounts: Arc<dyn AccountStore>,
    /// Who stays logged in.
    pub sessions: Arc<dyn SessionStore>,
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
    sessions: Sessions,
    attempts: Attempts,
}

impl Accounts {
    pub(crate) fn new(options: &Options, parts: Parts) -> Result<Self, Error> {
        let hasher = Hasher::new(options, Arc::clone(&parts.entropy))?;
        let sessions = Sessions::new(
            options,
            Arc::clone(&parts.sessions),
            Arc::clone(&parts.issuer),
            Arc::clone(&parts.verifier),
            Arc::clone(&parts.clock),
            Arc::clone(&parts.entropy),
        );
        let attempts = Attempts::new(options);
        Ok(Self { parts, hasher, refuse_common: options.refuse_common, sessions, attempts })
    }

    pub(crate) const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Whether the store answers: nobody has an id of zeros.
    pub(crate) async fn answers(&self) -> bool {
        self.parts.accounts.by_id(UserId([0; 16])).await.is_ok()
    }

    /// A new account.
    pub(crate) async fn register(
        &self,
        wish: Register,
        address: Option<IpAddr>,
    ) -> Result<Profile, Error> {
        self.attempts.at_address(address)?;
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
    pub(crate) async fn log_in(
        &self,
        login: &str,
        password: String,
        address: Option<IpAddr>,
    ) -> Result<Token, Error> {
        self.attempts.at_account(login, address)?;
        // No account has such a password, so this answers alike for all of them, and no
        // hash is spent on it.
        if !PASSWORD_CHARS.contains(&password.chars().count()) {
            return Err(Error::WrongCredentials);
        }
        let account = self.parts.accounts.by_login(login).await?;
        let stored = account.as_ref().map(|account| account.password_hash.clone());
        let fits = self.hasher.fits(password.clone(), stored).await?;
        match account {
            Some(account) if fits && account.is_active => {
                self.strengthen(&account, password).await;
                self.sessions.begin(&account).await
            }
            _ => Err(Error::WrongCredentials),
        }
    }

    /// Hash the password anew if that is done better now than when it was set. Whatever
    /// comes of it, the log-in goes on.
    async fn strengthen(&self, account: &Account, password: String) {
        if self.hasher.is_current(&account.password_hash) {
            return;
        }
        let outcome = async {
            let password_hash = Some(self.hasher.hash(password).await?);
            let change = AccountChange { password_hash, ..AccountChange::default() };
            self.parts.accounts.change(account.id, change).await?;
            Ok::<_, Error>(())
        };
        if let Err(error) = outcome.await {
            tracing::warn!(%error, "a password could not be hashed anew");
        }
    }

    /// The next pair of tokens for a refresh token, which is spent by that.
    pub(crate) async fn refresh(
        &self,
        refresh_token: &str,
        address: Option<IpAddr>,
    ) -> Result<Token, Error> {
        self.attempts.at_address(address)?;
        let user = self.sessions.owner(refresh_token).await?;
        match self.parts.accounts.by_id(user).await? {
            Some(account) if account.is_active => {
                self.sessions.go_on(refresh_token, &account).await
            }
            _ => {
                self.sessions.end_others(user, None).await?;
                Err(Error::BadRefreshToken)
            }
        }
    }

    /// Change one's own account.
    pub(crate) async fn change(
        &self,
        user: UserId,
        session: SessionId,
        wish: ProfileChange,
        address: Option<IpAddr>,
    ) -> Result<Profile, Error> {
        let account = match self.parts.accounts.by_id(user).await? {
            Some(account) if account.is_active => account,
            _ => return Err(Error::NoAccount),
        };
        let ProfileChange { email, full_name, password, current_password } = wish;
        let mut change = AccountChange { email, full_name, password_hash: None };
        if let Some(password) = password {
            self.attempts.at_account(&account.username, address)?;
            let stored = Some(account.password_hash.clone());
            if !self.hasher.fits(current_password.unwrap_or_default(), stored).await? {
                return Err(Error::WrongCurrentPassword);
            }
            let address = change.email.as_deref().unwrap_or(&account.email);
            if let Some(weakness) =
                weakness(&password, &account.username, address, self.refuse_common)
            {
                return Err(Error::WeakPassword(weakness));
            }
            change.password_hash = Some(self.hasher.hash(password).await?);
        }
        let password_changed = change.password_hash.is_some();
        let changed = self.parts.accounts.change(user, change).await?.ok_or(Error::NoAccount)?;
        if password_changed {
            // Whoever knew the old one is out, except where it was changed.
            self.sessions.end_others(user, Some(session)).await?;
        }
        Ok(profile(&changed))
    }

    /// Whether somebody has a name.
    pub(crate) async fn check_username(
        &self,
        username: &str,
        address: Option<IpAddr>,
    ) -> Result<UsernameCheck, Error> {
        self.attempts.at_address(address)?;
        let found = self.parts.accounts.by_login(username).await?;
        let wanted = username.to_lowercase();
        let exists = found.is_some_and(|account| account.username.to_lowercase() == wanted);
        Ok(UsernameCheck { exists })
    }

    /// The profile of a token's owner.
    pub(crate) async fn profile(&self, user: UserId) -> Result<Profile, Error> {
        match self.parts.accounts.by_id(user).await? {
            Some(account) if account.is_active => Ok(profile(&account)),
            _ => Err(Error::NoAccount),
        }
    }

    /// How somebody is reached; `None` if there is no such account.
    pub(crate) async fn contact(&self, user: UserId) -> Result<Option<ContactBody>, Error> {
        let account = self.parts.accounts.by_id(user).await?;
        Ok(account.map(|account| ContactBody {
            id: Id::from(account.id),
            name: account.full_name.unwrap_or(account.username),
            email: account.email,
            is_active: account.is_active,
        }))
    }

    /// The profile, as the check of a token answers it.
    pub(crate) async fn validate(&self, user: UserId) -> Result<Validated, Error> {
        let profile = self.profile(user).await?;
        Ok(Validated { valid: true, user: profile.clone(), profile })
    }
}

/// A new account that may do everything, made by whoever has the store in hand. Under the
/// same rules as a registration.
///
/// # Errors
///
/// [`Error::Taken`], [`Error::WeakPassword`], and those of the store.
pub async fn create_admin(
    accounts: &dyn AccountStore,
    options: &Options,
    clock: &dyn Clock,
    entropy: &Arc<dyn Entropy>,
    wish: Register,
) -> Result<Profile, Error> {
    let Register { username, email, password, full_name } = wish;
    if let Some(weakness) = weakness(&password, &username, &email, options.refuse_common) {
        return Err(Error::WeakPassword(weakness));
    }
    let account = Account {
        id: UserId(uuid_v7(clock, &**entropy)),
        username,
        email,
        full_name,
        password_hash: Hasher::new(options, Arc::clone(entropy))?.hash(password).await?,
        role: storage::Role::Admin,
        is_active: true,
        created_at: clock.now(),
    };
    let profile = profile(&account);
    accounts.add(account).await?;
    Ok(profile)
}

/// The role as tokens say it.
pub(crate) const fn role(role: storage::Role) -> Role {
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
