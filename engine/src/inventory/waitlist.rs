//! Who waits, in the order of seq.

use std::collections::BTreeSet;

use crate::inventory::Seq;
use crate::inventory::seq_list::SeqList;
use crate::seats::Seats;

/// The queue: first come, first served.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waitlist {
    queue: SeqList,
    /// Entries for more than one place, by size: those are the ones that a reduced
    /// capacity can make impossible, and they have to be found without a walk.
    large: BTreeSet<(Seats, Seq)>,
}

impl Waitlist {
    pub(crate) const fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn join(&mut self, seq: Seq, row: u32, quantity: Seats) {
        self.queue.push_back(seq, row);
        if quantity > Seats::ONE {
            self.large.insert((quantity, seq));
        }
    }

    pub(crate) fn leave(&mut self, seq: Seq, quantity: Seats) {
        let row = self.queue.remove(seq);
        assert!(row.is_some(), "who leaves the waitlist was in it");
        self.large.remove(&(quantity, seq));
    }

    /// The seq and row number of who is served next.
    pub(crate) fn front(&self) -> Option<(Seq, u32)> {
        self.queue.front()
    }

    /// Seqs and row numbers, first come first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Seq, u32)> {
        self.queue.iter()
    }

    /// Place in the queue, from 1.
    pub(crate) fn position(&self, seq: Seq) -> Option<u32> {
        self.queue.rank(seq).map(|rank| rank as u32 + 1)
    }

    /// Entries that need more places than there are in all, largest first.
    pub(crate) fn oversized(&self, capacity: u32) -> impl Iterator<Item = Seq> {
        self.large
            .iter()
            .rev()
            .take_while(move |(quantity, _)| quantity.get() > capacity)
            .map(|(_, seq)| *seq)
    }

    /// How many entries are for more than one place.
    pub(crate) fn large_len(&self) -> usize {
        self.large.len()
    }

    /// The set's nodes are on average three quarters full.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.queue.heap_bytes() + self.large.len() * size_of::<(Seats, Seq)>() * 4 / 3
    }
}
