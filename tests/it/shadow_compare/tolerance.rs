//! Numbers that may be a little apart, exactly.

use fusebox::call::Comparison;
use fusebox::shadow::compare::{Compare, JsonFields};
use serde_json::json;

use super::compared;

fn absolute(bound: &str) -> JsonFields {
    let fields = JsonFields::builder().absolute_tolerance("/n", bound);
    fields.build().unwrap()
}

fn relative(share: &str) -> JsonFields {
    let fields = JsonFields::builder().relative_tolerance("/n", share);
    fields.build().unwrap()
}

fn agree(fields: &JsonFields, production: &str, candidate: &str) -> bool {
    let compared = compared(
        fields,
        &format!("{{\"n\":{production}}}"),
        &format!("{{\"n\":{candidate}}}"),
    );
    compared == ["="]
}

#[test]
fn a_cent_is_inside_a_tolerance_of_a_cent_and_a_tenth_more_is_not() {
    let cent = absolute("0.01");
    for (production, candidate, expected) in [
        ("100.10", "100.11", true),
        ("100.11", "100.10", true),
        ("100.10", "100.111", false),
        ("100.10", "100.12", false),
        ("100.10", "100.089", false),
        // In floating point, 0.3 - 0.29 is more than 0.01, and 1.1 - 1.09 too.
        ("0.3", "0.29", true),
        ("1.1", "1.09", true),
        ("9007199254740993", "9007199254740994", false),
    ] {
        assert_eq!(
            agree(&cent, production, candidate),
            expected,
            "{production} {candidate}"
        );
        let texts = [production, candidate].map(|number| format!("\"{number}\""));
        assert_eq!(agree(&cent, &texts[0], &texts[1]), expected, "{texts:?}");
    }
}

#[test]
fn a_number_in_a_text_is_still_no_number() {
    let wide = absolute("1000");
    assert!(agree(&wide, r#""1""#, r#""2.50""#));
    for (production, candidate) in [
        ("1", r#""1""#),
        (r#""1""#, "1"),
        (r#""1 €""#, r#""2 €""#),
        (r#""1,000.00""#, r#""1,000.01""#),
        (r#""1e2""#, r#""101""#),
        (r#"" 1""#, r#""1""#),
        ("null", "1"),
        ("true", "1"),
    ] {
        assert!(
            !agree(&wide, production, candidate),
            "{production} {candidate}"
        );
    }
    assert!(agree(&wide, r#""1 €""#, r#""1 €""#));
}

#[test]
fn a_tolerance_of_zero_compares_texts_as_numbers() {
    let zero = absolute("0");
    assert!(agree(&zero, r#""12.50""#, r#""12.5""#));
    assert!(agree(&zero, r#""012""#, r#""+12""#));
    assert!(!agree(&zero, r#""12.50""#, r#""12.51""#));
    assert!(!agree(&JsonFields::new(), r#""12.50""#, r#""12.5""#));
}

#[test]
fn a_relative_tolerance_is_a_share_of_productions_number() {
    let half = relative("0.5");
    assert!(agree(&half, "100", "150"));
    assert!(!agree(&half, "100", "150.01"));
    assert!(!agree(&half, "150", "74.99"));
    assert!(agree(&half, "150", "75"));
    assert!(
        agree(&half, "200", "100") && !agree(&half, "100", "200"),
        "not symmetric"
    );
    assert!(agree(&half, "-100", "-50"));
    assert!(!agree(&half, "-100", "100"));
    assert!(agree(&half, "0", "0.0"));
    assert!(!agree(&half, "0", "1e-300"));
}

#[test]
fn very_large_and_very_small_numbers_are_compared_exactly_too() {
    let cent = absolute("0.01");
    assert!(agree(&cent, "1e-300", "2e-300"));
    assert!(agree(
        &cent,
        "1.7976931348623157e308",
        "1.7976931348623157e308"
    ));
    assert!(!agree(
        &cent,
        "1.7976931348623157e308",
        "1.7976931348623155e308"
    ));
    assert!(!agree(
        &cent,
        "18446744073709551615",
        "18446744073709551614"
    ));
    let one = absolute("1");
    assert!(agree(&one, "18446744073709551615", "18446744073709551614"));
    assert!(!agree(&one, "18446744073709551615", "18446744073709551613"));
    // Texts of up to 400 characters are numbers.
    let inside = format!("\"{}\"", "1".repeat(400));
    let outside = format!("\"{}\"", "1".repeat(401));
    assert!(agree(&one, &inside, &inside.replace("11\"", "12\"")));
    assert!(!agree(&one, &outside, &outside.replace("11\"", "12\"")));
}

/// Production, candidate, bound, whether `abs(p - c) <= bound`: Python's `decimal` with 80 digits,
/// on random numbers at the bound and 1e-25 beside it.
const ABSOLUTE: [(&str, &str, &str, bool); 24] = [
    (
        "53585797891.3810437",
        "53585797891.3893636999999999999999999",
        "0.008320",
        true,
    ),
    (
        "90775664.851704902",
        "90772614.8517049019999999999999999",
        "3050",
        false,
    ),
    (
        "-0.000000029393",
        "-0.0686000293930000000000001",
        "0.0686",
        false,
    ),
    (
        "-98834812843915477322",
        "-98834812843915477010.4000000000000000000000001",
        "311.6",
        true,
    ),
    (
        "-334638954306.120",
        "-334638955156.6199999999999999999999999",
        "850.5",
        true,
    ),
    (
        "-846897875.2730385",
        "-846897870.7160385000000000000000001",
        "4.557",
        true,
    ),
    ("323.20313538", "5058.20313538", "4735", true),
    (
        "-4881057.901476",
        "-4879963.9014760000000000000000001",
        "1094",
        true,
    ),
    (
        "-0.8244346",
        "-0.8859446000000000000000001",
        "0.06151",
        false,
    ),
    (
        "3661496.718176022809",
        "3661452.518176022809",
        "44.20",
        true,
    ),
    ("-0.040024749320", "193.259975250680", "193.3", true),
    (
        "0.000000000049",
        "797.6000000000489999999999999",
        "797.6",
        true,
    ),
    (
        "5941748.1608990475",
        "5935461.1608990474999999999999999",
        "6287",
        false,
    ),
    ("-0.000005473592", "97.109994526408", "97.11", true),
    (
        "1763413615001",
        "1763413614761.2999999999999999999999999",
        "239.7",
        false,
    ),
    (
        "52209625694289.161239",
        "52209625695491.161239",
        "1202",
        true,
    ),
    (
        "-3143270630.896861298",
        "-3143271373.3968612979999999999999999",
        "742.5",
        true,
    ),
    (
        "-28777668959600229.56",
        "-28777668959600204.31",
        "25.25",
        true,
    ),
    (
        "0.00552487",
        "-0.0266751300000000000000001",
        "0.03220",
        false,
    ),
    (
        "-9912559534592828239.3",
        "-9912559534592828239.2365999999999999999999999",
        "0.0634",
        false,
    ),
    ("-48396.35450677", "-48396.32576677", "0.02874", true),
    (
        "133559133857.9312",
        "133559134205.8311999999999999999999999",
        "347.9",
        true,
    ),
    ("44.1764906", "4124.1764906", "4080", true),
    ("6193458683.95", "6193458668.85", "15.10", true),
];

/// The same with `abs(p - c) <= abs(p) * share`.
const RELATIVE: [(&str, &str, &str, bool); 16] = [
    ("9763608.3947", "19112263.43262525", "0.9575", true),
    ("479.79076", "724.867880208", "0.5108", true),
    (
        "54745917561",
        "82644437150.0856000000000000000000001",
        "0.5096",
        false,
    ),
    ("0.0015", "0.0024037499999999999999999", "0.6025", true),
    (
        "-713509.830264",
        "-314158.3782652391999999999999999",
        "0.5597",
        false,
    ),
    ("-87541.004485", "-147366.5269500490", "0.6834", true),
    (
        "-406292.2705",
        "-398044.5374088500000000000000001",
        "0.0203",
        true,
    ),
    ("63", "36.4517999999999999999999999", "0.4214", false),
    (
        "638626539.143",
        "1099523312.4425031000000000000000001",
        "0.7217",
        false,
    ),
    ("-9360268.30", "-18581068.602330", "0.9851", true),
    ("1.839", "3.3041313000000000000000001", "0.7967", false),
    ("-6.99646", "-4.6750345720000000000000001", "0.3318", true),
    (
        "64124156.382",
        "38756640.1172807999999999999999999",
        "0.3956",
        false,
    ),
    ("-13248078.258", "-17594772.7344498", "0.3281", true),
    ("824977779.8", "640925237.12662", "0.2231", true),
    ("-254235", "-138939.4275", "0.4535", true),
];

#[test]
fn tolerances_agree_with_python_to_the_25th_digit() {
    let rows = ABSOLUTE.map(|row| (row, absolute(row.2)));
    let more = RELATIVE.map(|row| (row, relative(row.2)));
    for ((production, candidate, bound, expected), fields) in rows.iter().chain(&more) {
        let comparison = fields.compare(&json!({"n": production}), &json!({"n": candidate}));
        let found = comparison == Comparison::Match;
        assert_eq!(found, *expected, "{production} {candidate} {bound}");
    }
}
