//! Why a submission did not get a reply.

use std::sync::Arc;

use engine::{Principal, Rejection};
use storage::{Epoch, PartitionId};

/// What became of a command that was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The rules said no. It changed nothing.
    #[error("refused: {0:?}")]
    Refused(Rejection),
    /// Too many commands wait for this event, this replica or this principal. It was not
    /// tried.
    #[error("overloaded: {0}")]
    Overloaded(Crowd),
    /// The projections are so far behind that nothing new is taken. It was not tried.
    #[error("the projections are too far behind")]
    ProjectionBehind,
    /// Another replica serves this event. It was not tried.
    #[error("served by {}", .0.node)]
    Elsewhere(Elsewhere),
    /// The store, or the actor, cannot do it now. It certainly changed nothing.
    #[error("not available now: {0}")]
    Unavailable(String),
    /// The command made its actor panic twice; its key is quarantined. It changed nothing.
    #[error("the command is quarantined")]
    Quarantined,
    /// Its deadline passed before it was tried. It changed nothing.
    #[error("the deadline passed before the command was tried")]
    DeadlinePassed,
    /// It may or may not have happened: repeat with the same key.
    #[error("outcome unknown")]
    Unknown,
}

/// Where an event is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// The share of all events that it belongs to.
    pub partition: PartitionId,
    /// The name of its owner.
    pub node: Arc<str>,
    /// Where that is reached.
    pub address: String,
    /// Under which ownership.
    pub epoch: Epoch,
}

/// Which bound was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowd {
    /// Commands in flight for one event.
    Event,
    /// Commands in flight in this process.
    Replica,
    /// Commands in flight of one principal.
    Principal,
}

impl std::fmt::Display for Crowd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Event => "too many requests for this event",
            Self::Replica => "too many requests",
            Self::Principal => "too many requests of this user",
        })
    }
}

/// A command on its way to the box office.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who wants it.
    pub principal: Principal,
    /// The idempotency key.
    pub key: engine::Key,
    /// What is wanted.
    pub command: engine::Command,
    /// After this moment nobody waits for the answer any more.
    pub deadline: tokio::time::Instant,
}

/// An accepted command's reply, durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What the caller is told.
    pub reply: engine::Reply,
    /// Whether it is the reply to an earlier command with the same key.
    pub replayed: bool,
}
