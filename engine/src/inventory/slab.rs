//! Rows at numbered places: places of removed rows are used again.

/// Rows of one allocation. Growing by whole chunks instead of doubling keeps the slack
/// of a large event below one chunk and never moves what is there.
const CHUNK: usize = 1024;

/// A bag of equal rows, found by the number that `insert` gave out.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<T>>,
    /// Places whose rows were removed, the next to be used last.
    vacant: Vec<u32>,
    len: usize,
}

impl<T: Copy> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new(), vacant: Vec::new(), len: 0 }
    }

    /// Put a row somewhere and tell where.
    pub(crate) fn insert(&mut self, row: T) -> u32 {
        self.len += 1;
        if let Some(place) = self.vacant.pop() {
            *self.get_mut(place) = row;
            return place;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            // The first chunk grows from nothing: most events are small.
            let room = if self.chunks.is_empty() { 4 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        let full = (self.chunks.len() - 1) * CHUNK;
        let last = self.chunks.last_mut().expect("pushed above if there was none");
        let place = full + last.len();
        assert!(place < u32::MAX as usize, "the engine's limits keep rows countable");
        last.push(row);
        place as u32
    }

    /// The row at a place that is in use.
    pub(crate) fn get(&self, place: u32) -> &T {
        &self.chunks[place as usize / CHUNK][place as usize % CHUNK]
    }

    pub(crate) fn get_mut(&mut self, place: u32) -> &mut T {
        &mut self.chunks[place as usize / CHUNK][place as usize % CHUNK]
    }

    /// Take a row out; its place is free from now on. With the last row all memory is
    /// given back.
    pub(crate) fn remove(&mut self, place: u32) -> T {
        let row = *self.get(place);
        self.vacant.push(place);
        self.len -= 1;
        if self.len == 0 {
            *self = Self::new();
        }
        row
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.capacity() * size_of::<T>()).sum::<usize>()
            + self.chunks.capacity() * size_of::<Vec<T>>()
            + self.vacant.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again_and_rows_stay_where_they_are() {
        let mut slab = Slab::new();
        let places: Vec<u32> = (0..3_000u32).map(|n| slab.insert(n)).collect();
        assert_eq!(slab.remove(places[1_500]), 1_500);
        assert_eq!(slab.insert(7), places[1_500]);
        for (n, place) in places.iter().enumerate() {
            assert_eq!(*slab.get(*place), if n == 1_500 { 7 } else { n as u32 });
        }
        for place in places {
            slab.remove(place);
        }
        assert_eq!(slab.heap_bytes(), 0);
    }
}
