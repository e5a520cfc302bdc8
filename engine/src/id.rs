//! Identities: sixteen opaque bytes each.
//!
//! Booking and hold ids are `UUIDv7` that lead home: they carry the partition, a
//! digest of their event and the low bits of the sequence number they were made
//! at, so that owner and event are found without a look-up.

use core::fmt;

use crate::inventory::Seq;
use crate::time::Timestamp;

/// Number of partitions that events are spread over. Never changes: it is part of
/// every booking id ever given out.
pub const PARTITIONS: u16 = 1024;

/// How many low bits of the sequence number a booking or hold id carries.
const SEQ_BITS: u32 = 22;

/// How many bits of the event's digest a booking or hold id carries.
const DIGEST_BITS: u32 = 40;

macro_rules! opaque_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// The id whose bytes are all zero; never given out.
            pub const NIL: Self = Self([0; 16]);

            /// The bytes, in the order of the textual UUID.
            #[must_use]
            pub const fn bytes(self) -> [u8; 16] {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl fmt::Display for $name {
            /// The hyphenated lower-case form of a UUID.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for (i, byte) in self.0.iter().enumerate() {
                    if matches!(i, 4 | 6 | 8 | 10) {
                        f.write_str("-")?;
                    }
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }
    };
}

opaque_id! {
    /// What people attend. A `UUIDv7` made by the catalog service.
    EventId
}
opaque_id! {
    /// A person with an account.
    UserId
}
opaque_id! {
    /// One person's booking at an event; see [`BookingId::compose`].
    BookingId
}
opaque_id! {
    /// Places set aside for a while; composed like a [`BookingId`].
    HoldId
}

/// What a booking id tells of its event: the partition (10 bits) above 40 bits of
/// the event's digest. Two events may share a tag; then both are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventTag(pub u64);

impl EventTag {
    /// The partition that the tagged event belongs to, below [`PARTITIONS`].
    #[must_use]
    pub const fn partition(self) -> u16 {
        ((self.0 >> DIGEST_BITS) & (PARTITIONS as u64 - 1)) as u16
    }
}

impl EventId {
    /// The fixed share of all events that this one belongs to, below [`PARTITIONS`].
    #[must_use]
    pub const fn partition(self) -> u16 {
        self.tag().partition()
    }

    /// The part of this id that booking and hold ids carry.
    #[must_use]
    pub const fn tag(self) -> EventTag {
        EventTag(digest(self.0) & ((1 << (DIGEST_BITS + 10)) - 1))
    }
}

/// A 64-bit digest of an id. Stored in ids for ever, so it may never change.
/// It spreads; it need not resist an attacker, because event ids are made by us and
/// a shared tag costs one more question.
const fn digest(bytes: [u8; 16]) -> u64 {
    // FNV-1a, then the finaliser of SplitMix64, because FNV leaves its high bits weak.
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut i = 0;
    while i < bytes.len() {
        hash ^= bytes[i] as u64;
        hash = hash.wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash ^= hash >> 30;
    hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^= hash >> 27;
    hash = hash.wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

const fn compose(at: Timestamp, event: EventId, seq: Seq) -> [u8; 16] {
    let millis = at.millis() as u64 & 0xffff_ffff_ffff;
    let tag = event.tag();
    let rand_a = tag.partition() as u64;
    let rand_b = ((tag.0 & ((1 << DIGEST_BITS) - 1)) << SEQ_BITS) | (seq.0 & ((1 << SEQ_BITS) - 1));
    let high = (millis << 16) | 0x7000 | rand_a;
    let low = 0x8000_0000_0000_0000 | rand_b;
    let (h, l) = (high.to_be_bytes(), low.to_be_bytes());
    [h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7], l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7]]
}

const fn halves(bytes: [u8; 16]) -> (u64, u64) {
    let n = u128::from_be_bytes(bytes);
    ((n >> 64) as u64, n as u64)
}

macro_rules! home_id {
    ($name:ident, $what:literal) => {
        impl $name {
            #[doc = concat!("The id of the ", $what, " made at `at` as entry `seq` of the history of `event`.")]
            #[must_use]
            pub const fn compose(at: Timestamp, event: EventId, seq: Seq) -> Self {
                Self(compose(at, event, seq))
            }

            /// The tag of the event it belongs to, or `None` if the bytes cannot have
            /// been composed by us.
            #[must_use]
            pub const fn tag(self) -> Option<EventTag> {
                let (high, low) = halves(self.0);
                let rand_a = high & 0x0fff;
                if (high >> 12) & 0xf != 7 || low >> 62 != 0b10 || rand_a >= PARTITIONS as u64 {
                    return None;
                }
                let digest = (low >> SEQ_BITS) & ((1 << DIGEST_BITS) - 1);
                Some(EventTag((rand_a << DIGEST_BITS) | digest))
            }

            /// The low 22 bits of the sequence number it was made at.
            #[must_use]
            pub const fn seq_low(self) -> u32 {
                (halves(self.0).1 & ((1 << SEQ_BITS) - 1)) as u32
            }

            /// The time it was made at.
            #[must_use]
            pub const fn made_at(self) -> Timestamp {
                Timestamp::from_millis((halves(self.0).0 >> 16) as i64)
            }
        }
    };
}

home_id!(BookingId, "booking");
home_id!(HoldId, "hold");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_booking_id_leads_home() {
        for n in 0..2_000u64 {
            let mut bytes = [0; 16];
            bytes[8..].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            let event = EventId(bytes);
            let at = Timestamp::from_millis(1_763_900_000_000 + n as i64);
            let id = BookingId::compose(at, event, Seq(n * 7_919));
            assert_eq!(id.tag(), Some(event.tag()));
            assert_eq!(id.tag().map(EventTag::partition), Some(event.partition()));
            assert_eq!(u64::from(id.seq_low()), (n * 7_919) & ((1 << 22) - 1));
            assert_eq!(id.made_at(), at);
            assert_eq!(id.to_string().as_bytes()[14], b'7', "a version 7 UUID");
        }
    }

    #[test]
    fn bytes_of_another_make_have_no_tag() {
        assert_eq!(BookingId([0xff; 16]).tag(), None);
        assert_eq!(HoldId::NIL.tag(), None);
    }

    #[test]
    fn partitions_are_used_evenly() {
        let mut counts = vec![0u32; usize::from(PARTITIONS)];
        for n in 0..102_400u128 {
            counts[usize::from(EventId(n.to_be_bytes()).partition())] += 1;
        }
        assert!(counts.iter().all(|c| (50..=170).contains(c)), "{counts:?}");
    }
}
