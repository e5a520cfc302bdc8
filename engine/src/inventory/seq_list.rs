//! A list in the order of seq that is appended to, cut anywhere and asked for ranks.

use std::collections::VecDeque;

use crate::inventory::Seq;
use crate::inventory::people::NONE;

/// Most elements of one chunk: what a rank has to count at most besides one number per
/// chunk.
const CHUNK: usize = 512;

/// Row numbers in the order of their seqs. A rank costs one step per chunk and a count in
/// one of them; everything else costs a binary search.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeqList {
    chunks: VecDeque<Chunk>,
    len: usize,
}

/// Elements that were cut out stay as gaps until there are more gaps than elements: a cut
/// then touches one place, where moving up the rest would touch half of the chunk.
#[derive(Clone, Debug)]
struct Chunk {
    /// Not above the first element and above all of the chunk before; kept here so that
    /// finding a chunk does not touch the chunks' own memory.
    from: u64,
    /// How many elements are not gaps.
    live: u32,
    /// So many gaps are at the beginning, so that cutting from the front never looks at
    /// them again.
    gaps: u32,
    seqs: Vec<u64>,
    /// [`NONE`] is a gap.
    rows: Vec<u32>,
}

impl SeqList {
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Append; `seq` is above all others.
    pub(crate) fn push_back(&mut self, seq: Seq, row: u32) {
        let last = self.chunks.back().and_then(|chunk| chunk.seqs.last());
        assert!(last.is_none_or(|last| *last < seq.0), "a seq is given out once, in order");
        if self.chunks.back().is_none_or(|chunk| chunk.seqs.len() == CHUNK) {
            self.chunks.push_back(Chunk::from(seq.0));
        }
        let chunk = self.chunks.back_mut().expect("pushed above if there was none");
        chunk.seqs.push(seq.0);
        chunk.rows.push(row);
        chunk.live += 1;
        self.len += 1;
    }

    pub(crate) fn get(&self, seq: Seq) -> Option<u32> {
        self.locate(seq).map(|(chunk, at)| self.chunks[chunk].rows[at])
    }

    pub(crate) fn front(&self) -> Option<(Seq, u32)> {
        let chunk = self.chunks.front()?;
        let at = chunk.gaps as usize;
        Some((Seq(chunk.seqs[at]), chunk.rows[at]))
    }

    /// How many are before this one; `None` if it is not in the list.
    pub(crate) fn rank(&self, seq: Seq) -> Option<usize> {
        let (index, at) = self.locate(seq)?;
        let before: usize = self.chunks.range(..index).map(|chunk| chunk.live as usize).sum();
        let rows = &self.chunks[index].rows[..at];
        Some(before + rows.iter().filter(|row| **row != NONE).count())
    }

    pub(crate) fn remove(&mut self, seq: Seq) -> Option<u32> {
        let (index, at) = self.locate(seq)?;
        let row = self.chunks[index].cut(at);
        self.len -= 1;
        self.tidy(index);
        Some(row)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Seq, u32)> {
        self.chunks.iter().flat_map(Chunk::iter)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.chunks.iter().map(|c| c.seqs.capacity() * 8 + c.rows.capacity() * 4).sum::<usize>()
            + self.chunks.capacity() * size_of::<Chunk>()
    }

    fn locate(&self, seq: Seq) -> Option<(usize, usize)> {
        let index = self.chunks.partition_point(|chunk| chunk.from <= seq.0).checked_sub(1)?;
        self.chunks[index].locate(seq.0).map(|at| (index, at))
    }

    /// Drop a chunk that became empty; close the gaps when they are the larger part, and
    /// merge it with the next one while both are thin, so that memory and the number of
    /// chunks follow the number of elements.
    fn tidy(&mut self, index: usize) {
        let chunk = &mut self.chunks[index];
        let live = chunk.live as usize;
        if live == 0 {
            self.chunks.remove(index);
            return;
        }
        if live * 2 > chunk.seqs.len() {
            return;
        }
        chunk.close_gaps();
        let next = self.chunks.get(index + 1).map_or(CHUNK, |next| next.live as usize);
        if live + next <= CHUNK / 2
            && let Some(next) = self.chunks.remove(index + 1)
        {
            self.chunks[index].append(&next);
        }
    }
}

impl Chunk {
    const fn from(seq: u64) -> Self {
        Self { from: seq, live: 0, gaps: 0, seqs: Vec::new(), rows: Vec::new() }
    }

    fn locate(&self, seq: u64) -> Option<usize> {
        // Seqs grow by at least one from place to place, so this one is not further on;
        // while nothing but bookings is made it is exactly there.
        let most = usize::try_from(seq - self.from).unwrap_or(CHUNK);
        let at = match self.seqs.get(most) {
            Some(found) if *found == seq => most,
            _ => self.seqs[..self.seqs.len().min(most)].binary_search(&seq).ok()?,
        };
        (self.rows[at] != NONE).then_some(at)
    }

    fn cut(&mut self, at: usize) -> u32 {
        let row = std::mem::replace(&mut self.rows[at], NONE);
        assert_ne!(row, NONE, "what is cut out was there");
        self.live -= 1;
        if at == self.gaps as usize {
            let more = self.rows[at..].iter().take_while(|row| **row == NONE).count();
            self.gaps += more as u32;
        }
        row
    }

    fn close_gaps(&mut self) {
        let mut rows = self.rows.iter();
        self.seqs.retain(|_| rows.next().is_some_and(|row| *row != NONE));
        self.rows.retain(|row| *row != NONE);
        self.gaps = 0;
        assert_eq!(self.seqs.len(), self.live as usize, "all elements stayed");
    }

    fn append(&mut self, next: &Self) {
        for (seq, row) in next.iter() {
            self.seqs.push(seq.0);
            self.rows.push(row);
        }
        self.live += next.live;
    }

    fn iter(&self) -> impl Iterator<Item = (Seq, u32)> {
        let all = self.seqs.iter().zip(&self.rows).skip(self.gaps as usize);
        all.filter(|(_, row)| **row != NONE).map(|(seq, row)| (Seq(*seq), *row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cuts: impl Fn(usize, usize) -> usize) {
        let mut list = SeqList::default();
        let mut model: Vec<u64> = (0..5_000).map(|n| n + n / 7 + 1).collect();
        for seq in &model {
            list.push_back(Seq(*seq), *seq as u32);
        }
        let mut step = 17;
        while model.len() > 40 {
            step = cuts(step, model.len());
            let seq = model.remove(step);
            assert_eq!(list.get(Seq(seq)), Some(seq as u32));
            assert_eq!(list.remove(Seq(seq)), Some(seq as u32));
            assert_eq!(list.remove(Seq(seq)), None);
            assert_eq!(list.rank(Seq(seq)), None);
            assert_eq!(list.front().map(|(seq, _)| seq.0), model.first().copied());
            if let Some(next) = model.get(step) {
                assert_eq!(list.rank(Seq(*next)), Some(step));
            }
            if model.len().is_multiple_of(500) {
                assert!(
                    list.iter()
                        .map(|(seq, row)| (seq.0, row as u64))
                        .eq(model.iter().map(|seq| (*seq, *seq)))
                );
            }
        }
        assert!(list.chunks.len() < 5, "thin chunks are merged: {}", list.chunks.len());
        list.push_back(Seq(9_000), 9_000);
        assert_eq!(list.rank(Seq(9_000)), Some(40));
        assert_eq!(list.len(), 41);
    }

    #[test]
    fn ranks_follow_cuts_anywhere() {
        check(|step, len| (step * 31 + 7) % len);
        check(|_, _| 0);
        check(|_, len| len - 1);
        check(|step, len| if len.is_multiple_of(2) { 0 } else { (step + 613) % len });
    }
}
