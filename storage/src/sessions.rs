//! Sessions: who stays logged in, and which sessions were ended.

use engine::{Timestamp, UserId};
use futures_util::future::BoxFuture;

use crate::error::StorageError;

/// One log-in and all tokens that follow from it: random, so that nobody guesses one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub [u8; 16]);

/// SHA-256 of the secret in a refresh token; the secret itself is never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretDigest(pub [u8; 32]);

/// A session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// Of the one refresh token that works now.
    pub secret: SecretDigest,
    /// When it began.
    pub began_at: Timestamp,
    /// It ends then if it is not refreshed before.
    pub idle_until: Timestamp,
    /// It ends then in any case.
    pub ends_at: Timestamp,
}

impl Session {
    /// Whether its time is over.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.idle_until || now >= self.ends_at
    }
}

/// A refresh token that is to be spent for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Of which session.
    pub id: SessionId,
    /// Of the token that was presented.
    pub presented: SecretDigest,
    /// Of the token that follows it.
    pub next: SecretDigest,
    /// When.
    pub now: Timestamp,
    /// Until when the session may be idle from now on.
    pub idle_until: Timestamp,
}

/// What became of a [`Rotation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// The next token is the one that works; the session as it is now.
    Next(Session),
    /// A token of this session that does not work any more: the session was ended for it.
    Reused(SessionId),
    /// There is no such session, or it is over.
    Unknown,
}

/// A session that was ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub id: SessionId,
    /// When.
    pub at: Timestamp,
}

/// Sessions. Every change is durable when it is answered.
pub trait SessionStore: Send + Sync {
    /// Begin a session. Of more than `most` living ones of its user the oldest are ended,
    /// and returned. Sessions that have been over or ended since before `forget_before`
    /// are forgotten, a bounded number at a time.
    fn begin(
        &self,
        session: Session,
        most: usize,
        forget_before: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<SessionId>, StorageError>>;

    /// A session that lives.
    fn find(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<Session>, StorageError>>;

    /// Spend a refresh token, in one stroke.
    fn rotate(&self, rotation: Rotation) -> BoxFuture<'_, Result<Rotated, StorageError>>;

    /// End a session; `false` if there is none that lives.
    fn end(&self, id: SessionId, now: Timestamp) -> BoxFuture<'_, Result<bool, StorageError>>;

    /// End all living sessions of a user but one, and name them.
    fn end_others(
        &self,
        user: UserId,
        keep: Option<SessionId>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Vec<SessionId>, StorageError>>;

    /// The sessions ended before their time at or after a moment.
    fn ended_since(&self, since: Timestamp) -> BoxFuture<'_, Result<Vec<Ended>, StorageError>>;
}
