//! Numbers as text, from whole numbers.

use crate::ratio::Ratio;

/// `1,234,567`.
pub(super) fn count(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `8.2 %`, half a tenth upwards; `no documents` of none.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "no documents".to_owned();
    }
    let tenths = thousandths(part, whole);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

pub(super) fn ratio(ratio: Ratio) -> String {
    percent(ratio.numerator().into(), ratio.denominator().into())
}

/// The share in thousandths, half of one upwards; 0 of nothing.
pub(super) fn thousandths(part: u64, whole: u64) -> u64 {
    if whole == 0 {
        return 0;
    }
    let (part, whole) = (u128::from(part), u128::from(whole));
    u64::try_from((part * 2_000 + whole) / (whole * 2)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_groups_of_three_digits() {
        for (number, text) in [
            (0_u64, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn shares_are_rounded_to_a_tenth_of_a_percent() {
        assert_eq!(percent(41, 500), "8.2 %");
        assert_eq!(percent(1, 2_000), "0.1 %");
        assert_eq!(percent(1, 2_001), "0.0 %");
        assert_eq!(percent(500, 500), "100.0 %");
        assert_eq!(percent(0, 0), "no documents");
        assert_eq!(percent(u64::MAX, u64::MAX), "100.0 %");
        assert_eq!(ratio(Ratio::basis_points(800)), "8.0 %");
    }
}
