//! Median, least and greatest of a few runs. Never an average: one disturbed run would
//! spoil it.

use std::fmt;

/// How a figure spread over its runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The one in the middle.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The greatest.
    pub greatest: f64,
}

impl Spread {
    /// Of these figures.
    ///
    /// # Panics
    /// When there are none.
    #[must_use]
    pub fn of(figures: &[f64]) -> Self {
        assert!(!figures.is_empty(), "a spread of nothing");
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Self { median, least: sorted[0], greatest: sorted[sorted.len() - 1] }
    }
}

impl fmt::Display for Spread {
    /// `median (least–greatest)`, with the given precision, by default two decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let Self { median, least, greatest } = self;
        let text = format!("{median:.digits$} ({least:.digits$}–{greatest:.digits$})");
        f.pad_integral(true, "", &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]).median, 2.0);
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 3.0]).median, 2.5);
        assert_eq!(format!("{:.1}", Spread::of(&[2.0])), "2.0 (2.0–2.0)");
    }
}
