//! The batches of one event as a tree of heads.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use engine::{EventId, Seq};

use super::{Branch, Fork, Found, flaw};
use crate::chain;
use crate::commit::{Chain, Head, Position};

/// A head, and the batch that leads to it.
struct Node {
    head: Head,
    /// `None` at a root.
    batch: Option<usize>,
    children: Vec<usize>,
    /// What lies at and below it.
    worth: Worth,
}

/// What speaks for a branch, the strongest first.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Worth {
    /// An owner has something of it.
    tail: bool,
    /// The highest place in the journal; 0 if the journal has nothing of it.
    journal: Position,
    last: Seq,
    batches: u64,
}

/// The batches of one event by what they follow.
pub(super) struct Tree<'a> {
    batches: &'a [Found],
    by_first: BTreeMap<Seq, Vec<usize>>,
    nodes: Vec<Node>,
    at: HashMap<Head, usize>,
    reached: BTreeSet<usize>,
}

impl<'a> Tree<'a> {
    pub(super) fn new(batches: &'a [Found]) -> Self {
        let mut by_first: BTreeMap<Seq, Vec<usize>> = BTreeMap::new();
        for (batch, found) in batches.iter().enumerate() {
            by_first.entry(found.entry.first_seq).or_default().push(batch);
        }
        Self { batches, by_first, nodes: Vec::new(), at: HashMap::new(), reached: BTreeSet::new() }
    }

    /// Everything that follows from a head; the root.
    pub(super) fn grow(&mut self, head: Head) -> usize {
        let root = self.nodes.len();
        self.add(head, None);
        let mut next = root;
        while next < self.nodes.len() {
            let head = self.nodes[next].head;
            let candidates = self.by_first.get(&Seq(head.seq.0 + 1)).cloned().unwrap_or_default();
            for batch in candidates {
                let entry = &self.batches[batch].entry;
                let follows = !self.reached.contains(&batch)
                    && entry.last_seq >= head.seq
                    && chain::next(head.chain, &entry.blob) == entry.chain;
                if follows {
                    let child = self.nodes.len();
                    self.add(Head { seq: entry.last_seq, chain: entry.chain }, Some(batch));
                    self.reached.insert(batch);
                    self.nodes[next].children.push(child);
                }
            }
            next += 1;
        }
        // Children come after their parents.
        for node in (root..self.nodes.len()).rev() {
            let below = self.nodes[node].children.iter().map(|child| self.nodes[*child].worth);
            let below: Vec<Worth> = below.collect();
            let own = self.own_worth(node);
            let batches = below.iter().map(|worth| worth.batches).max().unwrap_or_default();
            self.nodes[node].worth = Worth {
                tail: own.tail || below.iter().any(|worth| worth.tail),
                journal: below.iter().map(|w| w.journal).max().unwrap_or_default().max(own.journal),
                last: below.iter().map(|w| w.last).max().unwrap_or_default().max(own.last),
                batches: batches + own.batches,
            };
        }
        root
    }

    fn add(&mut self, head: Head, batch: Option<usize>) {
        self.at.insert(head, self.nodes.len());
        self.nodes.push(Node { head, batch, children: Vec::new(), worth: Worth::default() });
    }

    fn own_worth(&self, node: usize) -> Worth {
        let Node { head, batch, .. } = &self.nodes[node];
        let Some(found) = batch.map(|batch| &self.batches[batch]) else {
            return Worth { last: head.seq, ..Worth::default() };
        };
        Worth {
            tail: found.tail,
            journal: if found.journal { found.entry.position } else { Position(0) },
            last: head.seq,
            batches: 1,
        }
    }

    /// Whether some history leads to this head.
    pub(super) fn has(&self, head: Head) -> bool {
        self.at.contains_key(&head)
    }

    /// The node of a head that is there; the first root if it is not.
    pub(super) fn root_at(&self, head: Head) -> usize {
        self.at.get(&head).copied().unwrap_or_default()
    }

    fn best_child(&self, node: usize) -> Option<usize> {
        self.nodes[node].children.iter().copied().max_by_key(|child| self.nodes[*child].worth)
    }

    /// The batches of the history to go on with, from a root.
    pub(super) fn best(&self, root: usize) -> Vec<usize> {
        let mut path = Vec::new();
        let mut node = root;
        while let Some(child) = self.best_child(node) {
            path.extend(self.nodes[child].batch);
            node = child;
        }
        path
    }

    /// Where a history from a root ends.
    pub(super) fn end(&self, root: usize, path: &[usize]) -> Head {
        let last = path.last().map(|batch| &self.batches[*batch].entry);
        last.map_or(self.nodes[root].head, |e| Head { seq: e.last_seq, chain: e.chain })
    }

    /// Where other histories part from the one that is taken.
    pub(super) fn forks(&self, event: EventId, root: usize, path: &[usize]) -> Vec<Fork> {
        let mut forks = Vec::new();
        let mut node = root;
        for n in 0..path.len() {
            let Some(best) = self.best_child(node) else { break };
            let others = self.nodes[node].children.iter().filter(|child| **child != best);
            for other in others {
                let taken = self.branch_of(path[n..].iter().copied());
                let left = self.branch_of(self.below(*other).into_iter());
                let after = self.nodes[node].head.seq;
                forks.push(Fork { event, after, proven: true, taken, left });
            }
            node = best;
        }
        forks
    }

    /// All batches at and below a node.
    fn below(&self, node: usize) -> Vec<usize> {
        let (mut batches, mut todo) = (Vec::new(), vec![node]);
        while let Some(node) = todo.pop() {
            batches.extend(self.nodes[node].batch);
            todo.extend(&self.nodes[node].children);
        }
        batches
    }

    fn branch_of(&self, batches: impl Iterator<Item = usize>) -> Branch {
        let mut branch = Branch::default();
        for found in batches.map(|batch| &self.batches[batch]) {
            branch.batches += 1;
            branch.last = branch.last.max(found.entry.last_seq);
            branch.tail += u64::from(found.tail);
            branch.journal += u64::from(found.journal);
        }
        branch
    }

    /// Batches that no chain leads to and that are not just damaged copies: those that the
    /// history has already passed, and those behind its end. What a snapshot's base covers
    /// is neither.
    pub(super) fn unreached(&self, head: Head, base: Head) -> (Vec<&'a Found>, Vec<&'a Found>) {
        let numbered = self.batches.iter().enumerate();
        let unreached = numbered
            .filter(|(batch, _)| !self.reached.contains(batch))
            .map(|(_, found)| found)
            .filter(|found| !self.has(Head { seq: found.entry.last_seq, chain: found.entry.chain }))
            .filter(|found| found.entry.first_seq > base.seq)
            // What nobody can read is as good as missing.
            .filter(|found| flaw(&found.entry).is_none());
        // One that begins right behind the end of the history does not belong to it either.
        unreached.partition(|found| found.entry.first_seq <= head.seq)
    }

    /// Everything behind the base that is not in the history: other branches, and what is
    /// not reached.
    pub(super) fn lost(&self, taken: &BTreeSet<usize>, base: Head) -> Vec<usize> {
        let chains: HashSet<Chain> = taken.iter().map(|t| self.batches[*t].entry.chain).collect();
        let all = (0..self.batches.len()).filter(|batch| !taken.contains(batch));
        let entry = |batch: &usize| &self.batches[*batch].entry;
        all.filter(|batch| entry(batch).first_seq > base.seq)
            .filter(|batch| !chains.contains(&entry(batch).chain))
            .collect()
    }
}
