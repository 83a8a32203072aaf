//! Numbers that were stored are the same when they are read again: in a snapshot, a trace, an
//! event line.
#![allow(clippy::unwrap_used, clippy::float_cmp)]

use proptest::prelude::*;

/// Reads it as a snapshot is read, and without a value in between.
fn read_again(number: f64) -> (f64, f64) {
    let text = serde_json::to_string(&number).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    (
        serde_json::from_value(value).unwrap(),
        serde_json::from_str(&text).unwrap(),
    )
}

/// Without the feature `float_roundtrip` of `serde_json` each of these comes back as its neighbour.
#[test]
fn numbers_that_are_hard_to_read_come_back() {
    for number in [1.071_508_607_186_267_3e301, 0.198_440_042_788_562_86] {
        assert_eq!(read_again(number), (number, number), "{number:e}");
    }
}

proptest! {
    #[test]
    fn every_finite_number_comes_back(bits: u64) {
        let number = f64::from_bits(bits);
        prop_assume!(number.is_finite());
        let (value, direct) = read_again(number);
        prop_assert_eq!([value.to_bits(), direct.to_bits()], [bits; 2]);
    }
}
