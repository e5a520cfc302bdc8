//! When open holds end, and which holds ended lately by their time.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::BuildHasherDefault;

use crate::booking_event::HoldRef;
use crate::id::HoldId;
use crate::inventory::people::IdHasher;
use crate::inventory::{Memory, Seq};
use crate::snapshot::ExpiredHold;
use crate::time::Timestamp;

/// Most expired holds forgotten by one entry because of their age, so that no entry has
/// to pay for a long silence.
const FORGOTTEN_PER_ENTRY: usize = 16;

/// The deadlines of open holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deadlines {
    rows: BTreeMap<(Timestamp, Seq), u32>,
}

impl Deadlines {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn insert(&mut self, expires_at: Timestamp, seq: Seq, row: u32) {
        let before = self.rows.insert((expires_at, seq), row);
        assert!(before.is_none(), "a hold has one deadline");
    }

    pub(crate) fn remove(&mut self, expires_at: Timestamp, seq: Seq) {
        let row = self.rows.remove(&(expires_at, seq));
        assert!(row.is_some(), "an open hold has a deadline");
    }

    pub(crate) fn first(&self) -> Option<Timestamp> {
        self.rows.first_key_value().map(|((at, _), _)| *at)
    }

    /// Row numbers of the holds that end at `at` or before, the earliest first.
    pub(crate) fn due(&self, at: Timestamp) -> impl Iterator<Item = u32> {
        self.rows.range(..=(at, Seq(u64::MAX))).map(|(_, row)| *row)
    }

    pub(crate) fn contains(&self, expires_at: Timestamp, seq: Seq) -> bool {
        self.rows.contains_key(&(expires_at, seq))
    }

    /// The map's nodes are on average three quarters full.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.rows.len() * (size_of::<(Timestamp, Seq)>() + size_of::<u32>()) * 4 / 3
    }
}

/// Holds that ended by their time and may still be confirmed while there is room.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExpiredHolds {
    by_id: HashMap<u64, ExpiredHold, BuildHasherDefault<IdHasher>>,
    /// The short ids, oldest end first.
    queue: VecDeque<u64>,
}

/// What a hold's id tells of the hold, in 64 bits.
const fn short(made_at: Timestamp, seq_low: u32) -> u64 {
    ((made_at.millis() as u64) << 22) | seq_low as u64
}

const fn short_of(hold: &HoldRef) -> u64 {
    short(hold.made_at, (hold.seq.0 & 0x3f_ffff) as u32)
}

impl ExpiredHolds {
    /// The hold with this id, if it ended not too long before `at`.
    pub(crate) fn get(&self, id: HoldId, at: Timestamp, memory: &Memory) -> Option<&ExpiredHold> {
        self.by_id
            .get(&short(id.made_at(), id.seq_low()))
            .filter(|hold| at < hold.ended_at.plus(memory.expired_hold))
    }

    /// Remember one more, forgetting the oldest if there are too many.
    pub(crate) fn remember(&mut self, hold: ExpiredHold, most: u32) {
        let id = short_of(&hold.hold);
        if self.by_id.insert(id, hold).is_none() {
            self.queue.push_back(id);
        }
        while self.queue.len() > most as usize {
            self.forget_oldest();
        }
    }

    /// A hold was confirmed after its end. It may be forgotten already: a history is
    /// replayed under today's limits, and they may be shorter than those it was decided
    /// under.
    pub(crate) fn take(&mut self, hold: &HoldRef) {
        let id = short_of(hold);
        if self.by_id.remove(&id).is_some() {
            self.queue.retain(|other| *other != id);
        }
    }

    /// Forget some of those that ended too long before `at`.
    pub(crate) fn prune(&mut self, at: Timestamp, memory: &Memory) {
        for _ in 0..FORGOTTEN_PER_ENTRY {
            let oldest = self.queue.front().and_then(|id| self.by_id.get(id));
            match oldest {
                Some(oldest) if oldest.ended_at.plus(memory.expired_hold) <= at => {
                    self.forget_oldest();
                }
                _ => break,
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &ExpiredHold> {
        self.queue.iter().filter_map(|id| self.by_id.get(id))
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.by_id.capacity() * 8 / 7 * (size_of::<(u64, ExpiredHold)>() + 1)
            + self.queue.capacity() * size_of::<u64>()
    }

    fn forget_oldest(&mut self) {
        if let Some(id) = self.queue.pop_front() {
            self.by_id.remove(&id);
        }
    }
}
