//! Time and randomness as values that are handed in, and how time is written.

use std::fmt;

use engine::Timestamp;

/// Where the wall clock's time comes from; tests hand in their own.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// Where randomness comes from; tests hand in their own.
pub trait Entropy: Send + Sync {
    /// Fill `bytes` with what nobody can guess.
    fn fill(&self, bytes: &mut [u8]);
}

/// A new UUID of version 7: 48 bits of milliseconds, then randomness.
#[must_use]
pub fn uuid_v7(clock: &dyn Clock, entropy: &dyn Entropy) -> [u8; 16] {
    let mut random = [0; 10];
    entropy.fill(&mut random);
    let millis = u64::try_from(clock.now().millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().into_bytes()
}

/// A time as it is written: RFC 3339 in UTC with `Z` and milliseconds.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    Rfc3339(at).to_string()
}

/// Writes a time like [`rfc3339`], without a string in between.
#[derive(Clone, Copy, Debug)]
pub struct Rfc3339(pub Timestamp);

impl fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Beyond the years that can be written stands the nearest that can; dates are
        // bounded where they come in, so this is never met.
        let at = jiff::Timestamp::from_millisecond(self.0.millis()).unwrap_or({
            if self.0 < Timestamp::EPOCH { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX }
        });
        write!(f, "{at:.3}")
    }
}

/// A time in this form read back; `None` if it is not in it.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_763_900_000_123)
        }
    }

    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0xff);
        }
    }

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        assert_eq!(rfc3339(Fixed.now()), "2025-11-23T12:13:20.123Z");
        assert_eq!(rfc3339(Timestamp::EPOCH), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(Timestamp::from_millis(i64::MAX)), "9999-12-30T22:00:00.999Z");
    }

    #[test]
    fn written_times_are_read_back() {
        for millis in [0, 1, 999, 1_763_900_000_123] {
            let at = Timestamp::from_millis(millis);
            assert_eq!(parse_rfc3339(&rfc3339(at)), Some(at));
        }
        assert_eq!(parse_rfc3339("yesterday"), None);
    }

    #[test]
    fn a_new_id_is_a_uuid_of_version_seven() {
        let id = uuid::Uuid::from_bytes(uuid_v7(&Fixed, &Fixed));
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.as_u128() >> 80, 1_763_900_000_123);
    }
}
