//! Numbers as exact decimals, because `0.1 + 0.2` is not `0.3` in floating point.

use std::str::FromStr;

use bigdecimal::BigDecimal;
use serde_json::Number;

/// The longest text, and the largest exponent either way, of a decimal that is computed with.
/// Every number of 64 bits is inside, and no short text makes a number of gigabytes.
const LARGEST: usize = 400;

/// How far apart two numbers may be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tolerance {
    bound: BigDecimal,
    is_relative: bool,
}

impl Tolerance {
    /// At most `bound` apart, a plain decimal.
    pub(super) fn absolute(bound: &str) -> Option<Self> {
        let is_positive = bound.starts_with(|c: char| c.is_ascii_digit());
        Some(Self {
            bound: plain(bound).filter(|_| is_positive)?,
            is_relative: false,
        })
    }

    /// At most this share of production's number apart, a plain decimal below 1.
    pub(super) fn relative(bound: &str) -> Option<Self> {
        let absolute = Self::absolute(bound)?;
        (absolute.bound < 1).then_some(Self {
            is_relative: true,
            ..absolute
        })
    }

    /// Whether the candidate's number is close enough to production's.
    pub(super) fn admits_numbers(&self, production: &Number, candidate: &Number) -> bool {
        let (production, candidate) = (production.to_string(), candidate.to_string());
        self.admits(bounded(&production), bounded(&candidate))
    }

    /// Whether both texts are plain decimals, and the candidate's is close enough.
    pub(super) fn admits_texts(&self, production: &str, candidate: &str) -> bool {
        self.admits(plain(production), plain(candidate))
    }

    fn admits(&self, production: Option<BigDecimal>, candidate: Option<BigDecimal>) -> bool {
        let (Some(production), Some(candidate)) = (production, candidate) else {
            return false;
        };
        let apart = (&production - candidate).abs();
        if self.is_relative {
            apart <= production.abs() * &self.bound
        } else {
            apart <= self.bound
        }
    }
}

/// Whether the numbers have the same decimal value: 1, 1.0 and 1e0 have, and so have 0 and -0.
pub(super) fn equal(one: &Number, other: &Number) -> bool {
    one == other || canonical(&one.to_string()) == canonical(&other.to_string())
}

/// The text that all numbers with the same decimal value share: the digits that count, and the
/// exponent of the last of them. Its cost grows with the length of the text alone.
pub(super) fn canonical(number: &str) -> String {
    let (sign, rest) = match number.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", number),
    };
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let Ok(exponent) = exponent.parse::<i64>() else {
        return number.to_owned();
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0').trim_end_matches('0');
    if digits.is_empty() {
        return "0".to_owned();
    }
    let zeros = all.len() - all.trim_end_matches('0').len();
    let places = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let exponent = exponent
        .saturating_add(places(zeros))
        .saturating_sub(places(fraction.len()));
    match exponent {
        0 => format!("{sign}{digits}"),
        _ => format!("{sign}{digits}e{exponent}"),
    }
}

/// A decimal with a sign, digits and perhaps a fraction, as amounts are written; no exponent.
fn plain(text: &str) -> Option<BigDecimal> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    (text.len() <= LARGEST && are_digits(whole) && are_digits(fraction))
        .then(|| BigDecimal::from_str(text).ok())
        .flatten()
}

/// A JSON number, unless it is too large to compute with.
fn bounded(number: &str) -> Option<BigDecimal> {
    let exponent = match number.split_once(['e', 'E']) {
        Some((_, exponent)) => exponent.parse::<i32>().ok()?,
        None => 0,
    };
    let is_small = usize::try_from(exponent.unsigned_abs()).is_ok_and(|size| size <= LARGEST);
    (number.len() <= LARGEST && is_small)
        .then(|| BigDecimal::from_str(number).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_one_value_share_one_text() {
        for (number, text) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("0e5", "0"),
            ("1", "1"),
            ("1.0", "1"),
            ("1e0", "1"),
            ("-1.50", "-15e-1"),
            ("0.015", "15e-3"),
            ("1200", "12e2"),
            ("1.2e+3", "12e2"),
            ("18446744073709551615", "18446744073709551615"),
            ("18446744073709551614", "18446744073709551614"),
            ("1e99999999999999999999", "1e99999999999999999999"),
        ] {
            assert_eq!(canonical(number), text, "{number}");
        }
    }

    #[test]
    fn a_tolerance_includes_its_bound() {
        let cent = Tolerance::absolute("0.01").unwrap();
        assert!(cent.admits_texts("100.10", "100.11"));
        assert!(cent.admits_texts("100.11", "100.10"));
        assert!(!cent.admits_texts("100.10", "100.111"));
        assert!(!cent.admits_texts("100.10", "100.1100000000000000000000000001"));
        let percent = Tolerance::relative("0.01").unwrap();
        assert!(percent.admits_texts("-200", "-202"));
        assert!(!percent.admits_texts("-200", "-202.001"));
        assert!(percent.admits_texts("0", "-0.0"));
        assert!(!percent.admits_texts("0", "0.0001"));
    }

    #[test]
    fn only_plain_decimals_are_numbers_in_texts() {
        let wide = Tolerance::absolute("1000").unwrap();
        for text in ["1", "-1", "+1", "0.5", "007", "12.50"] {
            assert!(wide.admits_texts(text, "1"), "{text}");
        }
        for text in [
            "", " 1", "1 ", "1e2", ".5", "1.", "1,000", "0x1", "1_0", "NaN", "inf", "--1", "€ 1",
            "١",
        ] {
            assert!(!wide.admits_texts(text, "1"), "{text}");
        }
    }

    #[test]
    fn a_short_text_does_not_become_a_huge_number() {
        let wide = Tolerance::absolute("1000").unwrap();
        assert_eq!(bounded("1e401"), None);
        assert_eq!(bounded("1e-999999999"), None);
        assert!(bounded("1.7976931348623157e308").is_some());
        assert!(bounded("5e-324").is_some());
        assert!(!wide.admits_texts(&"1".repeat(401), &"1".repeat(401)));
    }

    #[test]
    fn a_bound_is_a_plain_decimal_that_is_not_negative() {
        for bound in ["-0.01", "", "1e-2", "abc", "0,01"] {
            assert!(Tolerance::absolute(bound).is_none(), "{bound}");
        }
        assert!(Tolerance::absolute("0").is_some());
        assert!(Tolerance::relative("0.999").is_some());
        assert!(Tolerance::relative("1").is_none());
    }
}
