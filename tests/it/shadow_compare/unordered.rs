//! Arrays in which the order does not count.

use fusebox::shadow::compare::{Compare, JsonFields};
use serde_json::json;

use super::{check, told};

#[test]
fn only_how_often_an_element_occurs_counts() {
    check(
        JsonFields::builder().unordered([""]),
        &[
            ("[1,2,3]", "[3,1,2]", &["="]),
            ("[1,1,2]", "[1,2,1]", &["="]),
            ("[1,1.0,\"1\"]", "[\"1\",1,1]", &["="]),
            ("[1,1,2]", "[1,2,2]", &["/1: 1 -> -", "/1: - -> 2"]),
            ("[]", "[1,2]", &["/0: - -> 1", "/1: - -> 2"]),
            ("[null]", "[]", &["/0: null -> -"]),
            ("{}", "[]", &["(answer): {} -> [] (type)"]),
            (r#"{"0":1}"#, r#"{"0":2}"#, &["/0: 1 -> 2"]),
            (r#"[{"a":1,"b":2},[3]]"#, r#"[[3.0],{"b":2,"a":1}]"#, &["="]),
        ],
    );
}

#[test]
fn a_missing_element_is_one_difference() {
    check(
        JsonFields::builder().unordered(["/lines"]),
        &[
            (
                r#"{"lines":[{"n":1},{"n":2},{"n":3},{"n":4}]}"#,
                r#"{"lines":[{"n":1},{"n":3},{"n":4}]}"#,
                &[r#"/lines/1: {"n":2} -> -"#],
            ),
            (
                r#"{"lines":["b","c"]}"#,
                r#"{"lines":["a","b","c"]}"#,
                &["/lines/0: - -> a"],
            ),
        ],
    );
}

#[test]
fn elements_that_are_mostly_the_same_are_compared_with_each_other() {
    check(
        JsonFields::builder().unordered([""]),
        &[
            (
                r#"[{"sku":"a","n":1},{"sku":"b","n":2}]"#,
                r#"[{"sku":"b","n":3},{"sku":"a","n":1}]"#,
                &["/1/n: 2 -> 3"],
            ),
            // One of three members is not half: two different elements.
            (
                r#"[{"a":1,"b":1,"c":1}]"#,
                r#"[{"a":1,"b":2,"c":2}]"#,
                &[
                    r#"/0: {"a":1,"b":1,"c":1} -> -"#,
                    r#"/0: - -> {"a":1,"b":2,"c":2}"#,
                ],
            ),
            // The closest first: production's second element belongs to the candidate's first.
            (
                r#"[{"a":1,"b":1,"c":9},{"a":1,"b":1,"c":1,"d":1}]"#,
                r#"[{"a":1,"b":1,"c":1},{"a":1,"b":1,"c":8}]"#,
                &["/0/c: 9 -> 8", "/1/d: 1 -> -"],
            ),
            ("[[1,2],[3,4]]", "[[3,5],[1,2]]", &["/1/1: 4 -> 5"]),
            ("[{}]", "[[]]", &["/0: {} -> -", "/0: - -> []"]),
        ],
    );
}

#[test]
fn an_unordered_array_covers_no_arrays_in_its_elements() {
    check(
        JsonFields::builder().unordered(["/b"]),
        &[
            (
                r#"{"b":[[1,2,3]]}"#,
                r#"{"b":[[1,3,2]]}"#,
                &["/b/0: [1,2,3] -> -", "/b/0: - -> [1,3,2]"],
            ),
            (
                r#"{"b":[[1],[2]],"c":[1,2]}"#,
                r#"{"b":[[2],[1]],"c":[2,1]}"#,
                &["/c/0: 1 -> 2", "/c/1: 2 -> 1"],
            ),
        ],
    );
    check(
        JsonFields::builder().unordered(["/b", "/b/*"]),
        &[
            (r#"{"b":[[1,2],[3,4]]}"#, r#"{"b":[[4,3],[2,1]]}"#, &["="]),
            (
                r#"{"b":[[1,2,3],[4]]}"#,
                r#"{"b":[[4],[3,2]]}"#,
                &["/b/0/0: 1 -> -"],
            ),
        ],
    );
}

#[test]
fn rules_inside_the_elements_hold_while_they_are_matched() {
    check(
        JsonFields::builder()
            .unordered(["/lines"])
            .ignored(["/lines/*/id"])
            .critical(["/lines/*/amount"]),
        &[
            (
                r#"{"lines":[{"id":1,"amount":1},{"id":2,"amount":2}]}"#,
                r#"{"lines":[{"id":8,"amount":2},{"id":9,"amount":1}]}"#,
                &["="],
            ),
            (
                r#"{"lines":[{"amount":1}]}"#,
                r#"{"lines":[]}"#,
                &[r#"/lines/0: {"amount":1} -> -"#],
            ),
            (
                r#"{"lines":[{"note":1}]}"#,
                r#"{"lines":[]}"#,
                &[r#"[/lines/0: {"note":1} -> -]"#],
            ),
            (
                r#"{"lines":[{"amount":1,"note":1}]}"#,
                r#"{"lines":[{"amount":1,"note":2}]}"#,
                &["[/lines/0/note: 1 -> 2]"],
            ),
        ],
    );
    // An index means nothing in an array without an order.
    check(
        JsonFields::builder().unordered([""]).ignored(["/0"]),
        &[("[1]", "[2]", &["/0: 1 -> -", "/0: - -> 2"])],
    );
    check(
        JsonFields::builder().unordered([""]).ignored(["/*"]),
        &[("[1]", "[2,3]", &["="])],
    );
}

#[test]
fn as_many_elements_as_possible_agree_within_a_tolerance() {
    let one = || {
        JsonFields::builder()
            .unordered([""])
            .absolute_tolerance("", "1")
    };
    check(
        one(),
        &[
            // Place by place, or each with the first that is close enough, only one pair agrees.
            ("[1,0]", "[0,2]", &["="]),
            ("[1,2,3]", "[0,1,2]", &["="]),
            ("[3,2,1]", "[2,3,4]", &["="]),
            ("[1,2,3]", "[0,0,2]", &["/1: 2 -> -", "/1: - -> 0"]),
            (
                r#"[{"n":1,"t":"a"},{"n":0,"t":"a"}]"#,
                r#"[{"n":0,"t":"a"},{"n":2,"t":"a"}]"#,
                &["="],
            ),
            (
                r#"[{"n":1,"t":"a"},{"n":0,"t":"b"}]"#,
                r#"[{"n":0,"t":"b"},{"n":5,"t":"a"}]"#,
                &["/0/n: 1 -> 5"],
            ),
        ],
    );
}

/// Two lists of numbers, and how many of each have no partner at most 2 apart:
/// `scipy.sparse.csgraph.maximum_bipartite_matching`.
const MATCHINGS: [(&[i32], &[i32], usize, usize); 10] = [
    (&[12, 20, 1, 2, 17], &[3, 11, 18, 1], 1, 0),
    (&[1, 2, 13, 13, 2, 7, 2], &[17, 13, 1, 18], 5, 2),
    (&[20, 20, 18], &[1, 18, 18, 12], 1, 2),
    (&[1, 17, 4], &[9, 13, 4, 17], 1, 2),
    (&[9, 17, 5], &[3, 18, 18, 20, 6, 11, 3], 0, 4),
    (
        &[2, 18, 1, 19, 6, 15, 17],
        &[13, 10, 14, 18, 14, 11, 9, 7],
        4,
        5,
    ),
    (&[7, 2, 18, 9, 16, 15, 10, 14, 9], &[19, 2, 3, 16], 6, 1),
    (&[10, 4, 15, 13, 1, 2], &[17, 18, 10, 10], 4, 2),
    (&[19, 15, 18, 14, 2, 2, 8, 15], &[2, 1, 9, 20, 18], 3, 0),
    (
        &[14, 9, 12, 11, 0, 14, 11, 5],
        &[19, 3, 15, 1, 6, 9, 4, 7, 12],
        2,
        3,
    ),
];

#[test]
fn the_number_of_elements_without_a_partner_is_the_least_possible() {
    let fields = JsonFields::builder()
        .unordered([""])
        .absolute_tolerance("", "2")
        .build()
        .unwrap();
    for (production, candidate, missing, added) in MATCHINGS {
        let found = told(&fields.compare(&json!(production), &json!(candidate)));
        let count = |end: &str| found.iter().filter(|line| line.ends_with(end)).count();
        assert_eq!(count("-> -"), missing, "{found:?}");
        assert_eq!(
            found.iter().filter(|line| line.contains(": - -> ")).count(),
            added
        );
        assert_eq!(found.len(), missing + added);
    }
}

#[test]
fn arrays_that_are_too_large_to_match_are_not_comparable() {
    let tolerant = JsonFields::builder()
        .unordered([""])
        .absolute_tolerance("", "0.1")
        .build()
        .unwrap();
    let numbers = |from: u32, n: u32| json!((from..from + n).collect::<Vec<_>>());
    let found = told(&tolerant.compare(&numbers(0, 300), &numbers(1_000, 300)));
    assert_eq!(found.len(), 100, "300 elements on each side are no problem");
    let why = "? unordered arrays are too large to find which elements belong together";
    assert_eq!(
        told(&tolerant.compare(&numbers(0, 1_000), &numbers(5_000, 1_000))),
        [why]
    );
    // Without a tolerance, the size does not matter.
    let exact = JsonFields::builder().unordered([""]).build().unwrap();
    let mut reversed: Vec<_> = (0..20_000).rev().collect();
    assert_eq!(
        told(&exact.compare(&numbers(0, 20_000), &json!(reversed))),
        ["="]
    );
    reversed.truncate(19_999);
    assert_eq!(
        told(&exact.compare(&numbers(0, 20_000), &json!(reversed))),
        ["/0: 0 -> -"]
    );
}

#[test]
fn the_search_for_similar_elements_ends_and_costs_no_comparison() {
    let exact = JsonFields::builder().unordered([""]).build().unwrap();
    // Half of the members of each pair agree, so that each element has many similar ones.
    let elements = |n: u32, offset: u32| {
        let elements = (0..n).map(|at| json!({"same": 1, "own": at + offset}));
        json!(elements.collect::<Vec<_>>())
    };
    let found = told(&exact.compare(&elements(3, 0), &elements(3, 10)));
    assert_eq!(
        found,
        ["/0/own: 0 -> 10", "/1/own: 1 -> 11", "/2/own: 2 -> 12"]
    );
    let found = told(&exact.compare(&elements(2_000, 0), &elements(2_000, 10_000)));
    assert_eq!(found.len(), 100);
    assert_eq!(found[0], r#"/0: {"own":0,"same":1} -> -"#);
}
