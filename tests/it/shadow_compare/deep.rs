//! Values that are nested deeper than the stack.

use fusebox::call::Comparison;
use fusebox::shadow::compare::{Compare, JsonFields};
use serde_json::{Value, json};

use super::told;

/// A value in so many arrays, which is taken apart without recursion when it is dropped.
struct Nested(Value);

impl Nested {
    fn arrays(levels: usize, innermost: Value) -> Self {
        Self((0..levels).fold(innermost, |value, _| Value::Array(vec![value])))
    }

    fn objects(levels: usize) -> Self {
        Self((0..levels).fold(json!(1), |value, _| json!({"a": null}).take_in(value)))
    }
}

trait TakeIn {
    fn take_in(self, value: Value) -> Value;
}

impl TakeIn for Value {
    /// `json!({"a": value})` without the copy.
    fn take_in(mut self, value: Value) -> Value {
        self["a"] = value;
        self
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        let mut open = vec![self.0.take()];
        while let Some(value) = open.pop() {
            match value {
                Value::Array(elements) => open.extend(elements),
                Value::Object(members) => open.extend(members.into_iter().map(|(_, value)| value)),
                _ => {}
            }
        }
    }
}

const DEEP: usize = 100_000;

#[test]
fn a_hundred_and_twenty_eight_levels_are_compared_and_one_more_is_not() {
    let fields = JsonFields::new();
    let (one, other) = (Nested::arrays(128, json!(1)), Nested::arrays(128, json!(2)));
    let field = "/0".repeat(128);
    // The name of a field is at most 256 bytes.
    assert_eq!(field.len(), 256);
    assert_eq!(
        told(&fields.compare(&one.0, &other.0)),
        [format!("{field}: 1 -> 2")]
    );
    assert_eq!(fields.compare(&one.0, &one.0), Comparison::Match);
    let deeper = Nested::arrays(129, json!(1));
    let why = "? both answers are nested more than 128 levels deep";
    assert_eq!(told(&fields.compare(&deeper.0, &deeper.0)), [why]);
    assert_eq!(fields.patch(&deeper.0, &deeper.0), None);
}

#[test]
fn a_value_that_is_deeper_than_the_stack_is_no_harm() {
    let every = || {
        JsonFields::builder()
            .unordered(["", "/*", "/*/*"])
            .critical(["/a/a/a", "/*/*/*/*/b"])
            .ignored(["/c"])
    };
    let all = [
        JsonFields::new(),
        every().build().unwrap(),
        every().relative_tolerance("", "0.1").build().unwrap(),
    ];
    let (arrays, objects) = (Nested::arrays(DEEP, json!(1)), Nested::objects(DEEP));
    for fields in &all {
        for deep in [&arrays.0, &objects.0] {
            let comparison = fields.compare(deep, deep);
            assert!(
                matches!(comparison, Comparison::NotComparable(_)),
                "{comparison:?}"
            );
            assert_eq!(fields.patch(deep, deep), None);
            assert_eq!(fields.patch(&json!(1), deep), None);
            // On one side only, it is a difference like any other.
            for (one, other) in [(deep, &json!(1)), (&json!([]), deep), (&json!({}), deep)] {
                let comparison = fields.compare(one, other);
                let (Comparison::Diverged(found) | Comparison::Ignored(found)) = comparison else {
                    panic!("{comparison:?}")
                };
                assert_eq!(found.len(), 1);
                let shown = [&found[0].production, &found[0].candidate].map(Option::as_deref);
                assert!(
                    shown
                        .iter()
                        .flatten()
                        .any(|text| text.ends_with("more characters)"))
                );
            }
        }
    }
}

#[test]
fn a_candidate_with_one_element_too_deep_diverges() {
    let fields = JsonFields::builder().unordered([""]).build().unwrap();
    let mut deep = Nested(json!([1, null, 2]));
    deep.0[1] = Nested::arrays(DEEP, json!(1)).0.take();
    let comparison = fields.compare(&json!([2, 1]), &deep.0);
    let Comparison::Diverged(found) = comparison else {
        panic!("{comparison:?}")
    };
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].field, "/1");
}

#[test]
fn a_text_that_is_too_deep_for_the_parser_is_no_json() {
    let fields = JsonFields::new();
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert_eq!(
        fields.compare(nested(127).as_str(), &(nested(127) + " ")),
        Comparison::Match
    );
    let comparison = fields.compare(nested(128).as_str(), &(nested(128) + " "));
    assert!(
        matches!(comparison, Comparison::NotComparable(_)),
        "{comparison:?}"
    );
    let comparison = fields.compare("[]", nested(DEEP).as_str());
    assert!(
        matches!(comparison, Comparison::Diverged(_)),
        "{comparison:?}"
    );
}

#[test]
fn paths_of_a_hundred_and_twenty_eight_segments_reach_that_deep() {
    let path = "/*".repeat(128);
    let fields = JsonFields::builder()
        .absolute_tolerance(&path, "1")
        .build()
        .unwrap();
    let (one, other) = (Nested::arrays(128, json!(1)), Nested::arrays(128, json!(2)));
    assert_eq!(fields.compare(&one.0, &other.0), Comparison::Match);
}
