//! The share of runs that end in one way.

use std::fmt;

/// The 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_964;

/// Displayed with its interval: `.025 (.014 to .045)`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    events: u32,
    runs: u32,
}

impl Share {
    pub(crate) fn of<T>(outcomes: &[T], is: impl Fn(&T) -> bool) -> Self {
        let count = |runs: usize| u32::try_from(runs).unwrap_or(u32::MAX);
        Self {
            events: count(outcomes.iter().filter(|outcome| is(outcome)).count()),
            runs: count(outcomes.len()),
        }
    }

    fn point(self) -> f64 {
        f64::from(self.events) / f64::from(self.runs.max(1))
    }

    /// The 95 % interval (Wilson, "Probable Inference, the Law of Succession, and Statistical
    /// Inference", 1927).
    pub(crate) fn interval(self) -> (f64, f64) {
        let (n, p) = (f64::from(self.runs.max(1)), self.point());
        let around = p + Z * Z / (2.0 * n);
        let width = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
        let whole = 1.0 + Z * Z / n;
        let (low, high) = ((around - width) / whole, (around + width) / whole);
        (low.max(0.0), high.min(1.0))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let three = |share: f64| {
            let text = format!("{share:.3}");
            text.strip_prefix('0').map_or(text.clone(), str::to_owned)
        };
        let (low, high) = self.interval();
        let (point, low, high) = (three(self.point()), three(low), three(high));
        write!(f, "{point} ({low} to {high})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I, method
    /// 3: 81 of 263, 15 of 148, 0 of 20 and 1 of 29.
    #[test]
    fn the_interval_is_the_published_one() {
        for (events, runs, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let (got_low, got_high) = Share { events, runs }.interval();
            assert!(
                (got_low - low).abs() < 0.000_06,
                "{got_low}, expected {low}"
            );
            assert!(
                (got_high - high).abs() < 0.000_06,
                "{got_high}, expected {high}"
            );
        }
    }

    #[test]
    fn shares_are_written_short() {
        let none = Share {
            events: 0,
            runs: 20,
        };
        assert_eq!(none.to_string(), ".000 (.000 to .161)");
        let all = Share {
            events: 20,
            runs: 20,
        };
        assert_eq!(all.to_string(), "1.000 (.839 to 1.000)");
    }
}
