//! Where a partition belongs: rendezvous hashing. Every replica computes the same order
//! from the same names, and a replica that comes or goes moves only what is its own.

use storage::PartitionId;

/// The node that a partition belongs to among these; `None` if there are none.
pub fn first<'a>(
    partition: PartitionId,
    nodes: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // The name breaks ties, so that the order of the names does not matter.
    nodes.into_iter().max_by_key(|node| (score(partition, node), *node))
}

/// How much a node is the place for a partition. Changing it moves every partition once,
/// and while two versions of it run they hand partitions to and fro: don't.
fn score(partition: PartitionId, node: &str) -> u64 {
    // FNV-1a for the name, as two names differ in a letter; the finaliser of SplitMix64 on
    // both parts, as one mix alone leaves names alike.
    let name = node.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let place = (u64::from(partition.0) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mix(mix(name) ^ mix(place))
}

const fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTITIONS: u16 = 1_024;

    fn homes(nodes: &[&'static str]) -> Vec<&'static str> {
        let home = |n| first(PartitionId(n), nodes.iter().copied()).expect("there are nodes");
        (0..PARTITIONS).map(home).collect()
    }

    #[test]
    fn everybody_gets_a_fair_share() {
        for nodes in [&["b1", "b2", "b3"][..], &["a", "b", "c", "d", "e", "f", "g"][..]] {
            let homes = homes(nodes);
            let fair = usize::from(PARTITIONS) / nodes.len();
            for node in nodes {
                let share = homes.iter().filter(|home| *home == node).count();
                assert!(share * 4 > fair * 3 && share * 4 < fair * 5, "{node}: {share} of {fair}");
            }
        }
    }

    #[test]
    fn a_replica_that_goes_moves_only_its_own() {
        let (before, after) = (homes(&["b1", "b2", "b3"]), homes(&["b1", "b3"]));
        for (before, after) in before.iter().zip(&after) {
            assert!(before == after || *before == "b2", "{before} to {after}");
        }
    }

    #[test]
    fn the_order_of_the_names_does_not_matter() {
        assert_eq!(homes(&["b1", "b2", "b3"]), homes(&["b3", "b1", "b2"]));
        assert_eq!(first(PartitionId(0), []), None);
    }
}
