//! Points and spans of time in whole milliseconds. No clock: time comes in with the
//! command.

use core::fmt;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

/// A length of time in milliseconds, never negative.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span(u32);

impl Timestamp {
    /// The beginning of 1970, before everything that can happen here.
    pub const EPOCH: Self = Self(0);

    /// The point `millis` milliseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This point moved into the future by `span`; stops at the end of time.
    #[must_use]
    pub const fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0 as i64))
    }
}

impl Span {
    /// `n` milliseconds.
    #[must_use]
    pub const fn millis(n: u32) -> Self {
        Self(n)
    }

    /// `n` seconds, at most 49 days.
    #[must_use]
    pub const fn seconds(n: u32) -> Self {
        Self(n.saturating_mul(1_000))
    }

    /// `n` minutes, at most 49 days.
    #[must_use]
    pub const fn minutes(n: u32) -> Self {
        Self::seconds(n.saturating_mul(60))
    }

    /// `n` hours, at most 49 days.
    #[must_use]
    pub const fn hours(n: u32) -> Self {
        Self::minutes(n.saturating_mul(60))
    }

    /// The length in milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}
