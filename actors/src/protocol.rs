//! The rules of ownership and commit, without IO and without async: driven by the actors in
//! production and by the simulator in tests.
//!
//! | module | decides |
//! | --- | --- |
//! | [`commit`] | what a store's answer means for a batch |
//! | [`staging`] | which decisions become durable together |
//! | [`delivery`] | which batch goes to the store, and when its answers may leave |
//! | [`placement`] | where a partition belongs |
//! | [`suspicion`] | which replicas live, as far as one of them can tell |
//! | [`ownership`] | what this replica owns, claims and gives away |
//! | [`routing`] | who serves a request that has landed here |
//! | [`coverage`] | whether answers of several tails are the whole tail |
//!
//! Three layers keep apart what may be wrong from what may not: suspicion says *when*
//! somebody tries to take a partition over, placement *where* it should go, and the epoch's
//! compare-and-set in the store *who* has it. Only the last protects data. The other two
//! may err at any time and cost no more than a reload.

pub mod commit;
pub mod coverage;
pub mod delivery;
pub mod ownership;
pub mod placement;
pub mod routing;
pub mod staging;
pub mod suspicion;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A moment on the observer's own monotonic clock, in milliseconds. Moments of two
/// processes are never compared.
pub type Moment = u64;

/// One life of a replica. The name stays over restarts, the incarnation does not.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Replica {
    /// Its name, unique among the living; without `#`.
    pub node: Arc<str>,
    /// Random, other at each start.
    pub incarnation: u64,
}

impl Replica {
    /// The replica of this name in this life.
    #[must_use]
    pub fn new(node: &str, incarnation: u64) -> Self {
        Self { node: Arc::from(node), incarnation }
    }
}

/// As the store keeps it: `b1#00000000000000ff`.
impl fmt::Display for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{:016x}", self.node, self.incarnation)
    }
}

/// Not the name of a replica in one of its lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAReplica;

impl FromStr for Replica {
    type Err = NotAReplica;

    fn from_str(text: &str) -> Result<Self, NotAReplica> {
        let (node, incarnation) = text.rsplit_once('#').ok_or(NotAReplica)?;
        let incarnation = u64::from_str_radix(incarnation, 16).map_err(|_| NotAReplica)?;
        if node.is_empty() {
            return Err(NotAReplica);
        }
        Ok(Self::new(node, incarnation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_written_and_read() {
        let replica = Replica::new("b1", 0xff);
        assert_eq!(replica.to_string(), "b1#00000000000000ff");
        assert_eq!(replica.to_string().parse(), Ok(replica));
        for not in ["", "b1", "#00", "b1#xyz", "b1#"] {
            assert_eq!(not.parse::<Replica>(), Err(NotAReplica), "{not}");
        }
    }
}
