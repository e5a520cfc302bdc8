//! A list in the order of seq that is appended to, cut anywhere and asked for ranks.

use std::collections::VecDeque;

use crate::inventory::Seq;

/// Most elements of one chunk: what a cut moves, and what a rank does not have to count.
const CHUNK: usize = 512;

/// Row numbers in the order of their seqs. A rank costs one step per chunk and a binary
/// search; nothing costs a step per element.
#[derive(Clone, Debug, Default)]
pub(crate) struct SeqList {
    chunks: VecDeque<Chunk>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Chunk {
    /// Not above the first element and above all of the chunk before; kept here so that
    /// finding a chunk does not touch the chunks' own memory.
    from: u64,
    seqs: Vec<u64>,
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
            self.chunks.push_back(Chunk { from: seq.0, seqs: Vec::new(), rows: Vec::new() });
        }
        let chunk = self.chunks.back_mut().expect("pushed above if there was none");
        chunk.seqs.push(seq.0);
        chunk.rows.push(row);
        self.len += 1;
    }

    pub(crate) fn get(&self, seq: Seq) -> Option<u32> {
        self.locate(seq).map(|(chunk, at)| self.chunks[chunk].rows[at])
    }

    pub(crate) fn front(&self) -> Option<(Seq, u32)> {
        self.iter().next()
    }

    /// How many are before this one; `None` if it is not in the list.
    pub(crate) fn rank(&self, seq: Seq) -> Option<usize> {
        let (chunk, at) = self.locate(seq)?;
        Some(self.chunks.iter().take(chunk).map(|chunk| chunk.seqs.len()).sum::<usize>() + at)
    }

    pub(crate) fn remove(&mut self, seq: Seq) -> Option<u32> {
        let (index, at) = self.locate(seq)?;
        let chunk = &mut self.chunks[index];
        chunk.seqs.remove(at);
        let row = chunk.rows.remove(at);
        self.len -= 1;
        self.tidy(index);
        Some(row)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Seq, u32)> {
        self.chunks.iter().flat_map(|chunk| {
            chunk.seqs.iter().zip(&chunk.rows).map(|(seq, row)| (Seq(*seq), *row))
        })
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.chunks.iter().map(|c| c.seqs.capacity() * 8 + c.rows.capacity() * 4).sum::<usize>()
            + self.chunks.capacity() * size_of::<Chunk>()
    }

    fn locate(&self, seq: Seq) -> Option<(usize, usize)> {
        let chunk = self.chunks.partition_point(|chunk| chunk.from <= seq.0).checked_sub(1)?;
        let at = self.chunks[chunk].seqs.binary_search(&seq.0).ok()?;
        Some((chunk, at))
    }

    /// Drop a chunk that became empty, or merge it with the next one while both are thin,
    /// so that the number of chunks follows the number of elements.
    fn tidy(&mut self, index: usize) {
        let len = self.chunks[index].seqs.len();
        if len == 0 {
            self.chunks.remove(index);
        } else if let Some(next) = self.chunks.get(index + 1)
            && len + next.seqs.len() <= CHUNK / 2
            && let Some(next) = self.chunks.remove(index + 1)
        {
            let chunk = &mut self.chunks[index];
            chunk.seqs.extend_from_slice(&next.seqs);
            chunk.rows.extend_from_slice(&next.rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_follow_cuts_anywhere() {
        let mut list = SeqList::default();
        let mut model: Vec<u64> = (0..5_000).map(|n| n * 3 + 1).collect();
        for seq in &model {
            list.push_back(Seq(*seq), *seq as u32);
        }
        let mut step = 17;
        while model.len() > 40 {
            step = (step * 31 + 7) % model.len();
            let seq = model.remove(step);
            assert_eq!(list.remove(Seq(seq)), Some(seq as u32));
            assert_eq!(list.remove(Seq(seq)), None);
            assert_eq!(list.rank(Seq(seq)), None);
            if let Some(next) = model.get(step) {
                assert_eq!(list.rank(Seq(*next)), Some(step));
            }
        }
        assert_eq!(list.iter().map(|(seq, _)| seq.0).collect::<Vec<_>>(), model);
        assert_eq!(list.front().map(|(seq, _)| seq.0), model.first().copied());
        assert!(list.chunks.len() < 5, "thin chunks are merged: {}", list.chunks.len());
    }
}
