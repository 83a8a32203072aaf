//! How much is kept of one document.

use fusebox::call::Comparison;
use fusebox::shadow::compare::{Compare, JsonFields};
use serde_json::{Map, Value, json};

fn differences(comparison: Comparison) -> Vec<fusebox::call::Difference> {
    match comparison {
        Comparison::Diverged(differences) | Comparison::Ignored(differences) => differences,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_long_value_is_cut_between_characters_with_the_number_of_the_rest() {
    let text = |chars: usize| json!({"a": "ä".repeat(chars)});
    let found = differences(JsonFields::new().compare(&text(2_000), &text(2_001)));
    assert_eq!(found[0].production, Some("ä".repeat(2_000)));
    let cut = format!("{}… (1 more characters)", "ä".repeat(2_000));
    assert_eq!(found[0].candidate, Some(cut));
    let short = JsonFields::builder().longest_value(4).build().unwrap();
    let found = differences(short.compare(&json!([[1, 2, 3]]), &json!(["abcdef"])));
    assert_eq!(
        found[0].production.as_deref(),
        Some("[1,2… (3 more characters)")
    );
    assert_eq!(
        found[0].candidate.as_deref(),
        Some("\"abc… (4 more characters)")
    );
}

/// Numbered fields with this value, from `f000` on.
fn numbered(fields: usize, value: u8) -> Value {
    let fields = (0..fields).map(|n| (format!("f{n:03}"), json!(value)));
    Value::Object(fields.collect::<Map<_, _>>())
}

#[test]
fn a_hundred_differences_are_kept() {
    for (fields, kept) in [(99, 99), (100, 100), (101, 100), (500, 100)] {
        let comparison = JsonFields::new().compare(&numbered(fields, 1), &numbered(fields, 2));
        let found = differences(comparison);
        assert_eq!(found.len(), kept);
        assert_eq!(found[0].field, "/f000");
        assert_eq!(found[kept - 1].field.as_str(), format!("/f{:03}", kept - 1));
    }
}

#[test]
fn critical_differences_are_kept_before_others_and_the_order_stays() {
    let fields = JsonFields::builder()
        .critical(["/f001", "/f100", "/f400"])
        .most_differences(5)
        .build()
        .unwrap();
    let comparison = fields.compare(&numbered(500, 1), &numbered(500, 2));
    assert!(matches!(comparison, Comparison::Diverged(_)));
    let found = differences(comparison);
    let names: Vec<_> = found.iter().map(|found| found.field.as_str()).collect();
    assert_eq!(names, ["/f000", "/f001", "/f002", "/f100", "/f400"]);
    let critical: Vec<_> = found.iter().map(|found| found.critical).collect();
    assert_eq!(critical, [false, true, false, true, true]);
}

#[test]
fn one_critical_difference_among_thousands_diverges() {
    let fields = JsonFields::builder().critical(["/f999"]).build().unwrap();
    let comparison = fields.compare(&numbered(1_000, 1), &numbered(1_000, 2));
    assert!(matches!(&comparison, Comparison::Diverged(found) if found.len() == 100));
    let mut candidate = numbered(1_000, 2);
    candidate["f999"] = json!(1);
    let comparison = fields.compare(&numbered(1_000, 1), &candidate);
    assert!(matches!(&comparison, Comparison::Ignored(found) if found.len() == 100));
}
