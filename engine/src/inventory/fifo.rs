//! A queue whose elements are found by a number until they leave it.

use std::collections::VecDeque;

/// Elements of one allocation, which is given back when they have left.
const CHUNK: usize = 1024;

/// Numbers are counted in a circle of this many; far more than can be in the queue.
pub(crate) const NUMBERS: u32 = 1 << 30;

/// First in, first out, in chunks.
#[derive(Clone, Debug)]
pub(crate) struct Fifo<T> {
    /// All but the last one are full; all but the first one are whole.
    chunks: VecDeque<Vec<T>>,
    /// How many of the first chunk have left.
    left: usize,
    /// The number of the first element, whether it is there or to come.
    first: u32,
    len: usize,
}

impl<T: Copy> Fifo<T> {
    pub(crate) const fn new() -> Self {
        Self { chunks: VecDeque::new(), left: 0, first: 0, len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Append, and tell the number it is found by: below [`NUMBERS`].
    pub(crate) fn push(&mut self, element: T) -> u32 {
        assert!(self.len < NUMBERS as usize / 2, "the engine's limits keep elements countable");
        if self.chunks.back().is_none_or(|chunk| chunk.len() == CHUNK) {
            // The first chunk grows from nothing: most events are small.
            let room = if self.chunks.is_empty() { 1 } else { CHUNK };
            self.chunks.push_back(Vec::with_capacity(room));
        }
        self.chunks.back_mut().expect("pushed above if there was none").push(element);
        self.len += 1;
        (self.first + self.len as u32 - 1) % NUMBERS
    }

    /// The element with this number, which is still there.
    pub(crate) fn get(&self, number: u32) -> &T {
        let (chunk, at) = self.place(number);
        &self.chunks[chunk][at]
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> &mut T {
        let (chunk, at) = self.place(number);
        &mut self.chunks[chunk][at]
    }

    /// The first element and its number.
    pub(crate) fn front(&self) -> Option<(u32, &T)> {
        (self.len > 0).then(|| (self.first, self.get(self.first)))
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let (_, element) = self.front().map(|(number, element)| (number, *element))?;
        self.first = (self.first + 1) % NUMBERS;
        self.left += 1;
        self.len -= 1;
        if self.len == 0 || self.left == CHUNK {
            self.chunks.pop_front();
            self.left = 0;
        }
        Some(element)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten().skip(self.left)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.capacity() * size_of::<T>()).sum::<usize>()
            + self.chunks.capacity() * size_of::<Vec<T>>()
    }

    fn place(&self, number: u32) -> (usize, usize) {
        let after_first = (number + NUMBERS - self.first) % NUMBERS;
        assert!((after_first as usize) < self.len, "an element that has left is not asked for");
        let place = self.left + after_first as usize;
        (place / CHUNK, place % CHUNK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_keep_their_numbers_until_they_leave() {
        let mut fifo = Fifo { first: NUMBERS - 1_500, ..Fifo::new() };
        let mut model = VecDeque::new();
        for n in 0..9_000u32 {
            model.push_back((fifo.push(n), n));
            // Grows, then shrinks to nothing, twice.
            while model.len() > (n as usize % 4_500).min(4_499 - n as usize % 4_500) {
                assert_eq!(fifo.pop_front(), model.pop_front().map(|(_, n)| n));
            }
            assert_eq!(fifo.front().map(|(number, n)| (number, *n)), model.front().copied());
            for (number, n) in model.iter().step_by(97) {
                assert_eq!(fifo.get(*number), n);
            }
        }
        assert!(fifo.iter().eq(model.iter().map(|(_, n)| n)));
        while fifo.pop_front().is_some() {}
        assert_eq!((fifo.len(), fifo.chunks.len()), (0, 0));
    }
}
