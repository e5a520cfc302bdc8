//! Who is there: the replicas that run the booking role. Advisory: it decides when somebody
//! tries to take over, never who may write.

use futures_util::future::BoxFuture;

use crate::error::StorageError;

/// What a replica says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, unique among the living.
    pub node: String,
    /// Random, other at each start.
    pub incarnation: [u8; 8],
    /// Where its internal listener is reached, `host:port`.
    pub address: String,
    /// How far it is.
    pub state: MemberState,
    /// Grows with each announcement: whoever looks twice sees whether it lives.
    pub tick: u64,
}

/// How far a replica is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemberState {
    /// It has come up and owns nothing yet.
    Starting,
    /// It takes partitions.
    Ready,
    /// It gives its partitions away and takes none.
    Draining,
}

/// The table of replicas.
pub trait Members: Send + Sync {
    /// Write one's own row, in place of the one of the same name.
    fn announce<'a>(&'a self, member: &'a Member) -> BoxFuture<'a, Result<(), StorageError>>;

    /// All rows, in the order of their names.
    fn all(&self) -> BoxFuture<'_, Result<Vec<Member>, StorageError>>;

    /// Take a row away, unless a later start of the same name has put its own there.
    fn leave<'a>(
        &'a self,
        node: &'a str,
        incarnation: [u8; 8],
    ) -> BoxFuture<'a, Result<(), StorageError>>;
}
