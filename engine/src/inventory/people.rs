//! Who has something here: one look-up per command finds a person's row and keys.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::id::UserId;

/// No row, no key.
pub(crate) const NONE: u32 = u32::MAX;

/// What is known of one person.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    /// The person's booking, waiting entry or hold, or [`NONE`].
    pub(crate) row: u32,
    /// The newest remembered key of the person, or [`NONE`].
    pub(crate) keys: u32,
}

impl Person {
    const NOBODY: Self = Self { row: NONE, keys: NONE };
}

/// All persons who have a row or a key.
#[derive(Clone, Debug, Default)]
pub(crate) struct People {
    map: HashMap<UserId, Person, BuildHasherDefault<IdHasher>>,
}

impl People {
    pub(crate) fn get(&self, user: UserId) -> Person {
        self.map.get(&user).copied().unwrap_or(Person::NOBODY)
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// Give the person a row; there was none.
    pub(crate) fn set_row(&mut self, user: UserId, row: u32) {
        let person = self.map.entry(user).or_insert(Person::NOBODY);
        assert_eq!(person.row, NONE, "one of booking, hold and waiting per person");
        person.row = row;
    }

    /// Take the person's row away.
    pub(crate) fn clear_row(&mut self, user: UserId) {
        self.update(user, |person| person.row = NONE);
    }

    /// Let the person's keys begin with this one, and return the one they began with.
    pub(crate) fn put_key(&mut self, user: UserId, key: u32) -> u32 {
        let person = self.map.entry(user).or_insert(Person::NOBODY);
        std::mem::replace(&mut person.keys, key)
    }

    /// Let the person's keys begin with this one, which may be [`NONE`].
    pub(crate) fn set_keys(&mut self, user: UserId, key: u32) {
        self.update(user, |person| person.keys = key);
    }

    fn update(&mut self, user: UserId, change: impl FnOnce(&mut Person)) {
        let person = self.map.get_mut(&user).expect("who has a row or a key is known");
        change(person);
        if person.row == NONE && person.keys == NONE {
            self.map.remove(&user);
        }
    }

    /// Forget every row; keys stay.
    pub(crate) fn clear_rows(&mut self) {
        self.map.retain(|_, person| {
            person.row = NONE;
            person.keys != NONE
        });
        self.map.shrink_to_fit();
    }

    /// An estimate: the standard map keeps entries and a byte each, at most seven eighths
    /// full, in a power of two.
    pub(crate) fn heap_bytes(&self) -> usize {
        let slots = (self.map.capacity() * 8 / 7).next_power_of_two();
        if self.map.capacity() == 0 { 0 } else { slots * (size_of::<(UserId, Person)>() + 1) }
    }
}

/// Spreads ids that nobody outside can choose; so it need not resist an attacker, and is
/// several times cheaper than the standard hasher.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Ok(id) = <[u8; 16]>::try_from(bytes) {
            let word = u128::from_le_bytes(id);
            return self.fold(word as u64, (word >> 64) as u64);
        }
        for part in bytes.chunks(16) {
            let mut padded = [0; 16];
            padded[..part.len()].copy_from_slice(part);
            let word = u128::from_le_bytes(padded);
            self.fold(word as u64, (word >> 64) as u64);
        }
    }

    fn write_u64(&mut self, n: u64) {
        self.fold(n, 0);
    }

    /// The length of an array of fixed size tells nothing.
    fn write_usize(&mut self, _: usize) {}
}

impl IdHasher {
    /// One wide multiplication whose halves are folded: every input bit reaches the high
    /// and the low bits that the map uses.
    const fn fold(&mut self, a: u64, b: u64) {
        let a = a ^ self.0 ^ 0x9e37_79b9_7f4a_7c15;
        let b = b ^ 0xd1b5_4a32_d192_ed03;
        let wide = (a as u128).wrapping_mul(b as u128);
        self.0 = (wide as u64) ^ ((wide >> 64) as u64);
    }
}
