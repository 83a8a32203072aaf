//! JSON by field, without settings: a table by hand.

use fusebox::Field;
use fusebox::call::{Comparison, DifferenceKind};
use fusebox::shadow::compare::{Compare, JsonFields};
use serde_json::json;

use super::{compared, told};

fn check(rows: &[(&str, &str, &[&str])]) {
    for (production, candidate, expected) in rows {
        let found = compared(&JsonFields::new(), production, candidate);
        assert_eq!(found, *expected, "{production} against {candidate}");
    }
}

#[test]
fn values_of_one_type_are_equal_or_changed() {
    check(&[
        ("null", "null", &["="]),
        ("true", "true", &["="]),
        ("true", "false", &["(answer): true -> false"]),
        (r#""a""#, r#""a""#, &["="]),
        (r#""a""#, r#""A""#, &["(answer): a -> A"]),
        (r#""é""#, "\"e\u{301}\"", &["(answer): é -> e\u{301}"]),
        (r#""""#, r#"" ""#, &["(answer):  ->  "]),
        ("[]", "[]", &["="]),
        ("{}", "{}", &["="]),
    ]);
}

#[test]
fn a_change_of_type_is_a_kind_of_its_own() {
    check(&[
        ("1", r#""1""#, &[r#"(answer): 1 -> "1" (type)"#]),
        ("1", "true", &["(answer): 1 -> true (type)"]),
        ("0", "false", &["(answer): 0 -> false (type)"]),
        ("0", "null", &["(answer): 0 -> null (type)"]),
        (r#""""#, "null", &[r#"(answer): "" -> null (type)"#]),
        (r#""null""#, "null", &[r#"(answer): "null" -> null (type)"#]),
        ("[]", "{}", &["(answer): [] -> {} (type)"]),
        ("[1]", "1", &["(answer): [1] -> 1 (type)"]),
        (
            r#"{"a":1}"#,
            "null",
            &[r#"(answer): {"a":1} -> null (type)"#],
        ),
    ]);
}

#[test]
fn numbers_are_equal_if_their_decimal_values_are() {
    check(&[
        ("1", "1.0", &["="]),
        ("1", "1e0", &["="]),
        ("100", "1e2", &["="]),
        ("0.10", "0.1", &["="]),
        ("0", "-0", &["="]),
        ("0", "-0.0", &["="]),
        ("1e-7", "0.0000001", &["="]),
        ("1", "2", &["(answer): 1 -> 2"]),
        ("1", "-1", &["(answer): 1 -> -1"]),
        ("0.1", "0.10000000000000001", &["="]), // the same 64-bit floating point number
        (
            "0.1",
            "0.1000000000000001",
            &["(answer): 0.1 -> 0.1000000000000001"],
        ),
        (
            "1",
            "1.0000000000000002",
            &["(answer): 1 -> 1.0000000000000002"],
        ),
    ]);
}

#[test]
fn integers_above_two_to_the_53rd_are_exact() {
    check(&[
        ("9007199254740993", "9007199254740993", &["="]),
        (
            "9007199254740993",
            "9007199254740992",
            &["(answer): 9007199254740993 -> 9007199254740992"],
        ),
        (
            "18446744073709551615",
            "18446744073709551614",
            &["(answer): 18446744073709551615 -> 18446744073709551614"],
        ),
        (
            "-9223372036854775808",
            "-9223372036854775807",
            &["(answer): -9223372036854775808 -> -9223372036854775807"],
        ),
        // Two to the 53rd as a floating point number is exactly that integer, and no other.
        ("9007199254740992", "9007199254740992.0", &["="]),
        (
            "9007199254740993",
            "9007199254740992.0",
            &["(answer): 9007199254740993 -> 9007199254740992.0"],
        ),
    ]);
}

#[test]
fn a_missing_member_is_not_null() {
    check(&[
        (r#"{"a":null}"#, r#"{"a":null}"#, &["="]),
        (r#"{"a":null}"#, "{}", &["/a: null -> -"]),
        ("{}", r#"{"a":null}"#, &["/a: - -> null"]),
        (r#"{"a":1}"#, r#"{"b":1}"#, &["/a: 1 -> -", "/b: - -> 1"]),
        (r#"{"a":{"b":1}}"#, "{}", &[r#"/a: {"b":1} -> -"#]),
        (r#"{"a":{"b":1}}"#, r#"{"a":{}}"#, &["/a/b: 1 -> -"]),
    ]);
}

#[test]
fn arrays_are_compared_place_by_place_and_their_ends_last() {
    check(&[
        ("[1,2]", "[1,2]", &["="]),
        ("[1,2]", "[2,1]", &["/0: 1 -> 2", "/1: 2 -> 1"]),
        ("[1]", "[1,2,3]", &["/1: - -> 2", "/2: - -> 3"]),
        (
            "[1,2,3]",
            "[0]",
            &["/0: 1 -> 0", "/1: 2 -> -", "/2: 3 -> -"],
        ),
        ("[null]", "[]", &["/0: null -> -"]),
        (r#"[{"a":1}]"#, r#"[{"a":2}]"#, &["/0/a: 1 -> 2"]),
    ]);
}

#[test]
fn differences_come_by_path_with_indexes_as_numbers() {
    let twelve: Vec<_> = (0..12).collect();
    let others: Vec<_> = (100..112).collect();
    let comparison = JsonFields::new().compare(
        &json!({"b": twelve, "a": 1, "B": 1, "ab": 1}),
        &json!({"b": others, "a": 2, "B": 2, "c": 0}),
    );
    let Comparison::Diverged(differences) = comparison else {
        panic!("{comparison:?}")
    };
    let fields: Vec<_> = differences.iter().map(|d| d.field.as_str()).collect();
    let mut expected: Vec<_> = ["/B", "/a", "/ab"].map(str::to_owned).to_vec();
    expected.extend((0..12).map(|index| format!("/b/{index}")));
    expected.push("/c".to_owned());
    assert_eq!(fields, expected);
}

#[test]
fn keys_are_escaped_in_pointers() {
    check(&[
        (r#"{"a/b":1}"#, r#"{"a/b":2}"#, &["/a~1b: 1 -> 2"]),
        (r#"{"m~n":1}"#, r#"{"m~n":2}"#, &["/m~0n: 1 -> 2"]),
        (r#"{"":1}"#, r#"{"":2}"#, &["/: 1 -> 2"]),
        (r#"{"*":1}"#, r#"{"*":2}"#, &["/*: 1 -> 2"]),
        (r#"{"0":1}"#, r#"{"0":2}"#, &["/0: 1 -> 2"]),
        (r#"{"A":1}"#, r#"{"a":1}"#, &["/A: 1 -> -", "/a: - -> 1"]),
    ]);
}

#[test]
fn a_text_that_looks_like_json_is_a_text() {
    check(&[
        (
            r#""{\"a\":1}""#,
            r#""{ \"a\": 1 }""#,
            &[r#"(answer): {"a":1} -> { "a": 1 }"#],
        ),
        (r#""1.0""#, r#""1""#, &["(answer): 1.0 -> 1"]),
    ]);
}

#[test]
fn a_text_is_parsed_and_a_candidate_that_is_no_json_diverges_as_a_whole() {
    let fields = JsonFields::new();
    let compare = |production: &str, candidate: &str| told(&fields.compare(production, candidate));
    assert_eq!(
        compare("{\"a\": 1, \"b\": 2}", " {\"b\":2,\"a\":1}\n"),
        ["="]
    );
    assert_eq!(compare("{\"a\": 1}", "{\"a\": 2}"), ["/a: 1 -> 2"]);
    assert_eq!(
        compare("{\"a\": 1}", "```json\n{\"a\": 1}\n```"),
        ["(answer): {\"a\": 1} -> ```json\n{\"a\": 1}\n``` (type)"]
    );
    assert_eq!(
        compare("{\"a\": 1}", ""),
        ["(answer): {\"a\": 1} ->  (type)"]
    );
    assert_eq!(
        compare("sorry", "{\"a\": 1}"),
        ["? production's answer is not JSON: expected value at line 1 column 1"]
    );
    assert_eq!(compare("sorry", "sorry"), ["="], "equal answers agree");
    let texts = ["[1]", "[1.0]"].map(str::to_owned);
    assert_eq!(told(&fields.compare(&texts[0], &texts[1])), ["="]);
}

#[test]
fn the_last_of_two_values_of_a_key_counts() {
    let fields = JsonFields::new();
    assert_eq!(
        told(&fields.compare("{\"a\":1,\"a\":2}", "{\"a\":2}")),
        ["="]
    );
}

#[test]
fn an_answer_of_a_type_is_compared_by_field_if_it_can_be_serialised() {
    #[derive(serde::Serialize)]
    struct Invoice {
        total: &'static str,
        pages: std::collections::BTreeMap<Vec<u8>, u8>,
    }
    let invoice = |total| Invoice {
        total,
        pages: [].into(),
    };
    let fields = JsonFields::new().serialised();
    assert_eq!(told(&fields.compare(&invoice("1"), &invoice("1"))), ["="]);
    assert_eq!(
        told(&fields.compare(&invoice("1"), &invoice("2"))),
        ["/total: 1 -> 2"]
    );
    let odd = Invoice {
        total: "1",
        pages: [(vec![1], 1)].into(),
    };
    let why = "key must be a string";
    assert_eq!(
        told(&fields.compare(&odd, &odd)),
        [format!("? production's answer cannot be serialised: {why}")]
    );
    assert_eq!(
        told(&fields.compare(&invoice("1"), &odd)),
        [format!(
            "? the candidate's answer cannot be serialised: {why}"
        )]
    );
}

#[test]
fn the_whole_answer_has_a_name_of_its_own() {
    let comparison = JsonFields::new().compare(&json!(1), &json!([1]));
    let Comparison::Diverged(differences) = comparison else {
        panic!("{comparison:?}")
    };
    assert_eq!(differences.len(), 1);
    assert_eq!(differences[0].field, Field::new("(answer)").unwrap());
    assert_eq!(differences[0].kind, DifferenceKind::TypeChanged);
}
