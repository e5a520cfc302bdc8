//! Sessions: the tokens that follow from one log-in, and their end.
//!
//! A refresh token is a session's id and a secret, of which the store keeps a digest. It
//! works once. One that is used again ends its session: either it was stolen, or its
//! owner never got the answer to the first use; in both cases the way on is a new log-in.

use std::sync::Arc;

use api::auth::Token;
use api::clock::{Clock, Entropy};
use api::identity::{ENDED_MEMORY, TokenIssuer, Verifier};
use api::wire::Id;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engine::{Span, Timestamp, UserId};
use sha2::{Digest, Sha256};
use storage::{
    Account, Rotated, Rotation, SecretDigest, Session, SessionId, SessionStore, StorageError,
};

use crate::error::Error;
use crate::options::Options;

/// Bytes of a session's id.
const ID_BYTES: usize = 16;

/// Bytes of a refresh token's secret.
const SECRET_BYTES: usize = 32;

/// For how long a session that is over is kept, so that its end can still be told.
const KEPT_AFTER: Span = Span::seconds(24 * 3_600);

/// Begins, continues and ends sessions.
pub(crate) struct Sessions {
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) issuer: Arc<TokenIssuer>,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    idle: Span,
    life: Span,
    per_account: usize,
}

/// A refresh token, taken apart.
struct Refresh {
    id: SessionId,
    digest: SecretDigest,
}

impl Refresh {
    fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let bytes: [u8; ID_BYTES + SECRET_BYTES] = bytes.try_into().ok()?;
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&bytes[..ID_BYTES]);
        Some(Self { id: SessionId(id), digest: digest(&bytes[ID_BYTES..]) })
    }
}

fn digest(secret: &[u8]) -> SecretDigest {
    SecretDigest(Sha256::digest(secret).into())
}

impl Sessions {
    pub(crate) fn new(
        options: &Options,
        store: Arc<dyn SessionStore>,
        issuer: Arc<TokenIssuer>,
        verifier: Arc<Verifier>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let (idle, life) = (options.session_idle, options.session_life);
        let per_account = options.sessions_per_account;
        Self { store, issuer, verifier, clock, entropy, idle, life, per_account }
    }

    /// A new session of an account, durably, with its first tokens.
    pub(crate) async fn begin(&self, account: &Account) -> Result<Token, Error> {
        let now = self.clock.now();
        let mut id = [0; ID_BYTES];
        self.entropy.fill(&mut id);
        let id = SessionId(id);
        let (refresh, secret) = self.refresh_token(id);
        let session = Session {
            id,
            user: account.id,
            secret,
            began_at: now,
            idle_until: now.plus(self.idle),
            ends_at: now.plus(self.life),
        };
        // Signed first: a session of which nobody has a token would be good for nothing.
        let token = self.tokens(id, account, refresh, now)?;
        let forget_before =
            Timestamp::from_millis(now.millis().saturating_sub(i64::from(KEPT_AFTER.as_millis())));
        let pushed_out = self.store.begin(session, self.per_account, forget_before).await?;
        for id in pushed_out {
            self.has_ended(id, now);
        }
        Ok(token)
    }

    /// Whose session a refresh token belongs to, whether it still works or not.
    pub(crate) async fn owner(&self, text: &str) -> Result<UserId, Error> {
        let refresh = Refresh::parse(text).ok_or(Error::BadRefreshToken)?;
        let session = self.store.find(refresh.id, self.clock.now()).await?;
        session.map(|session| session.user).ok_or(Error::BadRefreshToken)
    }

    /// Spend a refresh token of this account, durably, for the next pair.
    pub(crate) async fn go_on(&self, text: &str, account: &Account) -> Result<Token, Error> {
        let now = self.clock.now();
        let presented = Refresh::parse(text).ok_or(Error::BadRefreshToken)?;
        let (refresh, next) = self.refresh_token(presented.id);
        // Signed before the old one is spent: nothing can fail between that and the answer.
        let token = self.tokens(presented.id, account, refresh, now)?;
        let rotation = Rotation {
            id: presented.id,
            presented: presented.digest,
            next,
            now,
            idle_until: now.plus(self.idle),
        };
        match self.store.rotate(rotation).await? {
            Rotated::Next(_) => Ok(token),
            Rotated::Reused(id) => {
                self.has_ended(id, now);
                tracing::warn!(user = %account.id, "a spent refresh token ended its session");
                Err(Error::SpentRefreshToken)
            }
            Rotated::Unknown => Err(Error::BadRefreshToken),
        }
    }

    /// End a session, durably.
    pub(crate) async fn end(&self, id: SessionId) -> Result<(), Error> {
        let now = self.clock.now();
        self.store.end(id, now).await?;
        self.has_ended(id, now);
        Ok(())
    }

    /// End the session of a refresh token; one that does not work any more ends it too.
    pub(crate) async fn end_by(&self, text: &str) -> Result<(), Error> {
        let refresh = Refresh::parse(text).ok_or(Error::BadRefreshToken)?;
        if self.store.find(refresh.id, self.clock.now()).await?.is_none() {
            return Err(Error::BadRefreshToken);
        }
        self.end(refresh.id).await
    }

    /// End all sessions of an account but one, durably.
    pub(crate) async fn end_others(
        &self,
        user: UserId,
        keep: Option<SessionId>,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        for id in self.store.end_others(user, keep, now).await? {
            self.has_ended(id, now);
        }
        Ok(())
    }

    /// Learn what was ended in the store lately, by whichever process.
    pub(crate) async fn learn(&self) -> Result<(), StorageError> {
        let now = self.clock.now();
        let memory = i64::from(ENDED_MEMORY.as_millis());
        let since = Timestamp::from_millis(now.millis().saturating_sub(memory));
        for ended in self.store.ended_since(since).await? {
            self.has_ended(ended.id, ended.at);
        }
        Ok(())
    }

    fn has_ended(&self, id: SessionId, at: Timestamp) {
        self.verifier.ended_sessions().add(Id(id.0), at);
    }

    fn refresh_token(&self, id: SessionId) -> (String, SecretDigest) {
        let mut bytes = [0; ID_BYTES + SECRET_BYTES];
        bytes[..ID_BYTES].copy_from_slice(&id.0);
        self.entropy.fill(&mut bytes[ID_BYTES..]);
        (URL_SAFE_NO_PAD.encode(bytes), digest(&bytes[ID_BYTES..]))
    }

    fn tokens(
        &self,
        id: SessionId,
        account: &Account,
        refresh_token: String,
        now: Timestamp,
    ) -> Result<Token, Error> {
        let role = crate::service::role(account.role);
        let (access_token, expires_in) = self
            .issuer
            .issue_in(Id(id.0), account.id, &account.username, role, now)
            .map_err(|error| Error::Internal(error.to_string()))?;
        Ok(Token { access_token, token_type: "bearer", expires_in, refresh_token })
    }
}
