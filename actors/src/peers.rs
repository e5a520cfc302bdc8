//! How replicas speak with one another. HTTP and addresses are for whoever implements this;
//! here is only what is asked and told.

use futures_util::future::BoxFuture;
use storage::{Epoch, PartitionId, Position};

use crate::protocol::coverage::Read;
use crate::protocol::suspicion::Pong;
use crate::tail::{TailRows, Wanted};

/// A replica did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// Its host refused a new connection: there is no such process.
    #[error("the connection was refused")]
    Refused,
    /// Anything else, silence among it.
    #[error("{0}")]
    Failed(String),
}

/// A question for what tails know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TailQuestion {
    /// Which rows.
    pub wanted: Wanted,
    /// Up to where the outbox has these partitions, of which the last answer knew less: it is
    /// read if need be before this one is given.
    pub behind: Vec<(PartitionId, Position)>,
}

/// What the tails of one replica know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TailAnswer {
    /// Whose tails these were.
    pub covered: Vec<(PartitionId, Read)>,
    /// The wanted rows in them.
    pub rows: TailRows,
}

type Answer<'a, T> = BoxFuture<'a, Result<T, PeerError>>;

/// The other replicas, by the addresses under which they announce themselves. Every call is
/// given up by its caller when it takes too long.
pub trait Peers: Send + Sync {
    /// Whether it is there, and how it is.
    fn ping<'a>(&'a self, address: &'a str) -> Answer<'a, Pong>;

    /// A partition was given up and has this epoch now.
    fn hint<'a>(&'a self, address: &'a str, partition: PartitionId, epoch: Epoch)
    -> Answer<'a, ()>;

    /// What its tails know.
    fn tails<'a>(&'a self, address: &'a str, question: &'a TailQuestion) -> Answer<'a, TailAnswer>;
}
