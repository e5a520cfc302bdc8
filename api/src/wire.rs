//! Ids, times and money as they are written in JSON, paths and queries.

use std::fmt;

use engine::{BookingId, EventId, HoldId, Timestamp, UserId};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::clock::{Rfc3339, parse_rfc3339};

/// Any of our ids: a UUID in its hyphenated form, read in either case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub [u8; 16]);

/// Reads a hyphenated UUID; `None` if it is not one.
#[must_use]
pub fn parse_id(text: &str) -> Option<Id> {
    // Braced, URN and bare hexadecimal forms are not ours: an id has one spelling.
    if text.len() != 36 {
        return None;
    }
    uuid::Uuid::try_parse(text).ok().map(|id| Id(id.into_bytes()))
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; 36];
        f.write_str(uuid::Uuid::from_bytes(self.0).as_hyphenated().encode_lower(&mut buffer))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut buffer = [0; 36];
        let id = uuid::Uuid::from_bytes(self.0);
        serializer.serialize_str(id.as_hyphenated().encode_lower(&mut buffer))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text("a UUID", parse_id))
    }
}

macro_rules! engine_id {
    ($($name:ident),+) => {$(
        impl From<$name> for Id {
            fn from(id: $name) -> Self {
                Self(id.bytes())
            }
        }

        impl From<Id> for $name {
            fn from(id: Id) -> Self {
                Self(id.0)
            }
        }
    )+};
}

engine_id!(EventId, UserId, BookingId, HoldId);

/// A point in time: RFC 3339, UTC, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Timestamp);

impl From<Timestamp> for Time {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Rfc3339(self.0))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text("a time", |text| parse_rfc3339(text).map(Time)))
    }
}

/// Reads a string by a function.
struct Text<T>(&'static str, fn(&str) -> Option<T>);

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.1)(text).ok_or_else(|| E::custom(format_args!("not {}", self.0)))
    }
}

/// Money in whole cents inside, a JSON number with at most two decimals outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(pub i64);

/// The most that something may cost, in cents. Far below 2^53, so that every amount
/// is exact as a JSON number as well.
pub const CENTS_MAX: i64 = 100_000_000_000;

impl Money {
    /// An amount from a JSON number; `None` if it is negative, above [`CENTS_MAX`] or
    /// has more than two decimals.
    ///
    /// A number arrives as the nearest double. Two-decimal amounts in these bounds have
    /// at most 14 digits and doubles keep 15, so the shortest decimal text of the
    /// double is the amount that was written, and reading that text is exact.
    #[must_use]
    pub fn from_number(number: &serde_json::Number) -> Option<Self> {
        if let Some(whole) = number.as_u64() {
            let cents = i64::try_from(whole).ok()?.checked_mul(100)?;
            return (cents <= CENTS_MAX).then_some(Self(cents));
        }
        let amount = number.as_f64()?;
        if !(0.0..=CENTS_MAX as f64 / 100.0).contains(&amount) {
            return None;
        }
        let text = format!("{amount}");
        let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
        let decimals = match decimals.len() {
            0 => 0,
            1 => decimals.parse::<i64>().ok()? * 10,
            2 => decimals.parse::<i64>().ok()?,
            _ => return None,
        };
        // A negative zero is written with its sign.
        let whole: i64 = whole.trim_start_matches('-').parse().ok()?;
        Some(Self(whole * 100 + decimals))
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 100.0)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        Self::from_number(&number).ok_or_else(|| de::Error::custom("not an amount of money"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_one_spelling_in_either_case() {
        let text = "0198c0de-0000-7000-8000-0123456789ab";
        let id = parse_id(text).unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(parse_id(&text.to_uppercase()), Some(id));
        for wrong in ["", "me", "{0198c0de-0000-7000-8000-0123456789ab}", &text.replace('-', "")] {
            assert_eq!(parse_id(wrong), None, "{wrong}");
        }
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Id>(&format!("\"{text}\"")).unwrap(), id);
    }

    #[test]
    fn money_is_exact() {
        for (text, cents) in [
            ("0", 0),
            ("-0.0", 0),
            ("0.1", 10),
            ("0.10", 10),
            ("19.99", 1999),
            ("1e2", 10_000),
            ("1000000000", CENTS_MAX),
            ("999999999.99", CENTS_MAX - 1),
        ] {
            let money: Money = serde_json::from_str(text).unwrap();
            assert_eq!(money, Money(cents), "{text}");
        }
        for text in ["-1", "-0.01", "0.001", "19.999", "1000000000.01", "1e300", "\"1\""] {
            assert!(serde_json::from_str::<Money>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_cent_comes_back() {
        for cents in (0..200_000).chain(CENTS_MAX - 1_000..=CENTS_MAX) {
            let text = serde_json::to_string(&Money(cents)).unwrap();
            assert_eq!(serde_json::from_str::<Money>(&text).unwrap(), Money(cents), "{text}");
        }
    }
}
