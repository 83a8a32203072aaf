//! Critical, ignored and text paths, and what is refused.

use fusebox::ErrorKind;
use fusebox::shadow::compare::{JsonFields, JsonFieldsBuilder, NormalisedText};

use super::check;

#[test]
fn only_critical_paths_diverge_once_one_is_named() {
    check(
        JsonFields::builder().critical(["/total"]),
        &[
            (r#"{"total":1,"note":1}"#, r#"{"total":1,"note":1}"#, &["="]),
            (
                r#"{"total":1,"note":1}"#,
                r#"{"total":1,"note":2}"#,
                &["[/note: 1 -> 2]"],
            ),
            (r#"{"total":1}"#, r#"{"total":2}"#, &["/total: 1 -> 2"]),
            (
                r#"{"total":1,"note":1}"#,
                r#"{"total":2,"note":2}"#,
                &["[/note: 1 -> 2]", "/total: 1 -> 2"],
            ),
            // A path covers what is below it, and nothing beside it.
            (
                r#"{"total":{"eur":1}}"#,
                r#"{"total":{"eur":2}}"#,
                &["/total/eur: 1 -> 2"],
            ),
            (r#"{"totals":1}"#, r#"{"totals":2}"#, &["[/totals: 1 -> 2]"]),
            (
                r#"{"a":{"total":1}}"#,
                r#"{"a":{"total":2}}"#,
                &["[/a/total: 1 -> 2]"],
            ),
            (r#"{"total":1}"#, "{}", &["/total: 1 -> -"]),
        ],
    );
}

#[test]
fn a_value_is_critical_if_a_critical_field_is_in_it_on_either_side() {
    check(
        JsonFields::builder().critical(["/invoice/total", "/lines/*/amount", "/rows/1"]),
        &[
            (
                r#"{"invoice":{"total":1}}"#,
                "{}",
                &[r#"/invoice: {"total":1} -> -"#],
            ),
            (
                "{}",
                r#"{"invoice":{"total":1}}"#,
                &[r#"/invoice: - -> {"total":1}"#],
            ),
            (
                r#"{"invoice":null}"#,
                r#"{"invoice":{"total":1}}"#,
                &[r#"/invoice: null -> {"total":1} (type)"#],
            ),
            (
                r#"{"invoice":{"note":1}}"#,
                "{}",
                &[r#"[/invoice: {"note":1} -> -]"#],
            ),
            (r#"{"invoice":null}"#, "{}", &["[/invoice: null -> -]"]),
            (
                r#"{"lines":[]}"#,
                r#"{"lines":[{"amount":1}]}"#,
                &[r#"/lines/0: - -> {"amount":1}"#],
            ),
            (
                r#"{"lines":[]}"#,
                r#"{"lines":[{"sku":1}]}"#,
                &[r#"[/lines/0: - -> {"sku":1}]"#],
            ),
            (
                r#"{"rows":[1,2]}"#,
                r#"{"rows":[3,4]}"#,
                &["[/rows/0: 1 -> 3]", "/rows/1: 2 -> 4"],
            ),
            (r#"{"rows":[1]}"#, "{}", &["[/rows: [1] -> -]"]),
            (r#"{"rows":[1,2]}"#, "{}", &["/rows: [1,2] -> -"]),
        ],
    );
    check(
        JsonFields::builder().critical([""]),
        &[("1", "2", &["(answer): 1 -> 2"])],
    );
}

#[test]
fn ignored_paths_are_not_even_looked_at() {
    check(
        JsonFields::builder().ignored(["/meta", "/lines/*/id", "/pair/0"]),
        &[
            (r#"{"meta":{"model":"a"}}"#, r#"{"meta":1}"#, &["="]),
            (r#"{"meta":1}"#, "{}", &["="]),
            ("{}", r#"{"meta":1}"#, &["="]),
            (r#"{"metas":1}"#, "{}", &["/metas: 1 -> -"]),
            (
                r#"{"lines":[{"id":1,"n":1}]}"#,
                r#"{"lines":[{"id":2,"n":1}]}"#,
                &["="],
            ),
            (
                r#"{"lines":[{"id":1,"n":1}]}"#,
                r#"{"lines":[{"n":2}]}"#,
                &["/lines/0/n: 1 -> 2"],
            ),
            (r#"{"pair":[1,2]}"#, r#"{"pair":[9,2]}"#, &["="]),
            (r#"{"pair":[1]}"#, r#"{"pair":[]}"#, &["="]),
            (r#"{"pair":[1,2]}"#, r#"{"pair":[2]}"#, &["/pair/1: 2 -> -"]),
        ],
    );
}

#[test]
fn an_ignored_part_of_a_critical_object_is_ignored() {
    check(
        JsonFields::builder().critical(["/a"]).ignored(["/a/id"]),
        &[
            (r#"{"a":{"id":1,"n":1}}"#, r#"{"a":{"id":2,"n":1}}"#, &["="]),
            (
                r#"{"a":{"id":1,"n":1}}"#,
                r#"{"a":{"id":2,"n":2}}"#,
                &["/a/n: 1 -> 2"],
            ),
        ],
    );
}

#[test]
fn a_star_stands_for_every_key_and_every_index() {
    check(
        JsonFields::builder().critical(["/*/x"]),
        &[
            (r#"{"a":{"x":1}}"#, r#"{"a":{"x":2}}"#, &["/a/x: 1 -> 2"]),
            (r#"[{"x":1}]"#, r#"[{"x":2}]"#, &["/0/x: 1 -> 2"]),
            (r#"{"x":1}"#, r#"{"x":2}"#, &["[/x: 1 -> 2]"]),
            (
                r#"{"a":{"b":{"x":1}}}"#,
                r#"{"a":{"b":{"x":2}}}"#,
                &["[/a/b/x: 1 -> 2]"],
            ),
        ],
    );
}

#[test]
fn escaped_segments_of_a_path_name_the_keys() {
    check(
        JsonFields::builder().critical(["/a~1b", "/m~0n", "/"]),
        &[
            (r#"{"a/b":1}"#, r#"{"a/b":2}"#, &["/a~1b: 1 -> 2"]),
            (r#"{"m~n":1}"#, r#"{"m~n":2}"#, &["/m~0n: 1 -> 2"]),
            (r#"{"":1}"#, r#"{"":2}"#, &["/: 1 -> 2"]),
            (r#"{"a":{"b":1}}"#, r#"{"a":{"b":2}}"#, &["[/a/b: 1 -> 2]"]),
        ],
    );
}

#[test]
fn texts_are_normalised_where_it_is_said_and_keys_never() {
    check(
        JsonFields::builder()
            .normalised_text([""], NormalisedText::new())
            .exact_text(["/id"]),
        &[
            (r#"{"a":"ACME  Inc"}"#, r#"{"a":"Acme Inc "}"#, &["="]),
            (r#"{"a":"ACME"}"#, r#"{"a":"Apex"}"#, &["/a: ACME -> Apex"]),
            (r#"{"id":"X1"}"#, r#"{"id":"x1"}"#, &["/id: X1 -> x1"]),
            (r#"{"a":["X"]}"#, r#"{"a":["x"]}"#, &["="]),
            (r#"{"A":1}"#, r#"{"a":1}"#, &["/A: 1 -> -", "/a: - -> 1"]),
        ],
    );
}

#[test]
fn the_longest_path_decides_and_of_equally_long_ones_the_last() {
    check(
        JsonFields::builder()
            .absolute_tolerance("/a/b", "1")
            .absolute_tolerance("/a", "10")
            .absolute_tolerance("/*/c", "2")
            .absolute_tolerance("/a/c", "3")
            .absolute_tolerance("/d", "5")
            .relative_tolerance("/*", "0"),
        &[
            (r#"{"a":{"b":0}}"#, r#"{"a":{"b":1}}"#, &["="]),
            (r#"{"a":{"b":0}}"#, r#"{"a":{"b":2}}"#, &["/a/b: 0 -> 2"]),
            (r#"{"a":{"c":0}}"#, r#"{"a":{"c":3}}"#, &["="]),
            (r#"{"a":{"c":0}}"#, r#"{"a":{"c":4}}"#, &["/a/c: 0 -> 4"]),
            (r#"{"x":{"c":0}}"#, r#"{"x":{"c":2}}"#, &["="]),
            (r#"{"x":{"c":0}}"#, r#"{"x":{"c":3}}"#, &["/x/c: 0 -> 3"]),
            // `/*` was set after `/d` and `/a`, and is as long.
            (r#"{"d":1}"#, r#"{"d":2}"#, &["/d: 1 -> 2"]),
            (r#"{"a":{"x":1}}"#, r#"{"a":{"x":2}}"#, &["/a/x: 1 -> 2"]),
        ],
    );
}

fn refused(fields: JsonFieldsBuilder) -> String {
    let error = fields.build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error.to_string()
}

#[test]
fn a_path_that_is_no_pointer_is_refused() {
    let allowed = "expected a JSON pointer such as `/lines/*/amount`, with at most 128 segments";
    let builder = JsonFields::builder;
    for path in ["total", "/a~", "/~2", "$.total", "#/total", "*"] {
        assert_eq!(
            refused(builder().critical([path])),
            format!("critical path: got `{path}`, {allowed}")
        );
    }
    let refusals = [
        (refused(builder().ignored(["x"])), "ignored path"),
        (refused(builder().unordered(["x"])), "unordered path"),
        (refused(builder().exact_text(["x"])), "text path"),
        (
            refused(builder().absolute_tolerance("x", "1")),
            "tolerance path",
        ),
        (
            refused(builder().relative_tolerance("x", "0")),
            "tolerance path",
        ),
    ];
    for (refusal, field) in refusals {
        assert_eq!(refusal, format!("{field}: got `x`, {allowed}"));
    }
    builder().critical(["/x".repeat(128)]).build().unwrap();
    assert!(refused(builder().critical(["/x".repeat(129)])).contains(allowed));
}

#[test]
fn a_tolerance_that_is_no_decimal_in_its_range_is_refused() {
    for bound in ["", "-0.01", "1e-2", "0,01", " 1", "1 %", "NaN", ".5"] {
        let fields = JsonFields::builder().absolute_tolerance("/a", bound);
        assert_eq!(
            refused(fields),
            format!(
                "absolute tolerance: got `{bound}`, expected a decimal number of at least 0, such as `0.01`"
            )
        );
    }
    for share in ["1", "1.5", "-0.1", "5 %"] {
        let fields = JsonFields::builder().relative_tolerance("/a", share);
        assert_eq!(
            refused(fields),
            format!(
                "relative tolerance: got `{share}`, expected a decimal number from 0 to less than 1, such as `0.01`"
            )
        );
    }
    let fields = JsonFields::builder().relative_tolerance("/a", "0.9999");
    fields.absolute_tolerance("/b", "0").build().unwrap();
}

#[test]
fn to_ignore_everything_or_what_is_critical_is_refused() {
    let builder = JsonFields::builder;
    assert_eq!(
        refused(builder().ignored([""])),
        "ignored path: got ``, expected a place inside the answer, because nothing else would be compared"
    );
    for (critical, ignored) in [
        ("/a/b", "/a"),
        ("/a", "/a"),
        ("/a/b", "/*"),
        ("/a/*/c", "/a/*"),
    ] {
        assert_eq!(
            refused(builder().critical([critical]).ignored([ignored])),
            format!("critical path: got `{critical}`, expected a path that no ignored path covers")
        );
    }
    for (critical, ignored) in [("/a", "/a/b"), ("/*", "/a"), ("/a/b", "/a/c"), ("", "/a")] {
        builder()
            .critical([critical])
            .ignored([ignored])
            .build()
            .unwrap();
    }
}

#[test]
fn limits_have_ranges() {
    let builder = JsonFields::builder;
    for (least, most, set) in [
        (
            1,
            1_000_000,
            JsonFieldsBuilder::longest_value as fn(_, _) -> _,
        ),
        (1, 10_000, JsonFieldsBuilder::most_differences),
    ] {
        set(builder(), least).build().unwrap();
        set(builder(), most).build().unwrap();
        refused(set(builder(), least - 1));
        refused(set(builder(), most + 1));
    }
}
