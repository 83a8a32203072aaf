//! Laws of the comparison by field, for any values and settings.

use fusebox::call::Comparison;
use fusebox::shadow::compare::{Compare, JsonFields, JsonFieldsBuilder, NormalisedText};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Small values of few kinds, so that equal ones are common.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        (-1_i32..4).prop_map(|value| json!(value)),
        prop::sample::select(vec![0.5, 1.0, -0.0, 1e300]).prop_map(|value| json!(value)),
        prop::sample::select(vec!["", "a", "A ", "1", "1.0", "é", "e\u{301}"])
            .prop_map(|value| json!(value)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec(
                (prop::sample::select(vec!["a", "b", "c", "~/"]), inner),
                0..4
            )
            .prop_map(|members| {
                let members = members.into_iter();
                let members = members.map(|(key, value)| (key.to_owned(), value));
                Value::Object(members.collect::<Map<_, _>>())
            }),
        ]
    })
}

/// Changes a value here and there, as the numbers say.
fn tweaked(value: &Value, numbers: &mut impl Iterator<Item = u8>) -> Value {
    match (numbers.next().unwrap_or(1) % 12, value) {
        (0, Value::Array(elements)) => elements.iter().rev().cloned().collect(),
        (2, Value::Array(elements)) => elements.iter().skip(1).cloned().collect(),
        (0, _) => json!(1),
        (_, Value::Array(elements)) => elements
            .iter()
            .map(|element| tweaked(element, numbers))
            .collect(),
        (_, Value::Object(members)) => {
            let members = members.iter();
            let members = members.map(|(key, value)| (key.clone(), tweaked(value, numbers)));
            Value::Object(members.collect())
        }
        (3, Value::Number(number)) => {
            json!(number.as_f64().map(|number| number + 0.5))
        }
        _ => value.clone(),
    }
}

/// Two values that often have much in common.
fn pair() -> impl Strategy<Value = (Value, Value)> {
    let near = (value(), prop::collection::vec(any::<u8>(), 1..30)).prop_map(|(value, numbers)| {
        let near = tweaked(&value, &mut numbers.into_iter().cycle());
        (value, near)
    });
    prop_oneof![1 => (value(), value()), 4 => near]
}

/// Settings without a tolerance.
fn settings() -> impl Strategy<Value = JsonFieldsBuilder> {
    let paths = || {
        let paths = vec![
            "/a", "/b", "/*", "/*/a", "/a/*", "/*/*/c", "/0", "/*/1", "/~0~1",
        ];
        prop::collection::vec(prop::sample::select(paths), 0..3)
    };
    (paths(), paths(), paths(), any::<bool>(), 0_u8..3).prop_map(
        |(critical, ignored, unordered, all_unordered, texts)| {
            let mut fields = JsonFields::builder();
            // What is critical may not be ignored.
            match texts {
                0 => fields = fields.critical(critical),
                // Without the element at an ignored index, a patch cannot append at the next one.
                1 => {
                    fields = fields.ignored(
                        ignored
                            .into_iter()
                            .filter(|path| !path.ends_with(['0', '1']) || *path == "/~0~1"),
                    );
                }
                _ => fields = fields.normalised_text(["/a", "/*/*"], NormalisedText::new()),
            }
            if all_unordered {
                fields = fields.unordered([""]);
            }
            fields.unordered(unordered)
        },
    )
}

fn is_match(fields: &JsonFields, one: &Value, other: &Value) -> bool {
    fields.compare(one, other) == Comparison::Match
}

/// A value with its arrays in another order, wherever they are.
fn shuffled(value: &Value) -> Value {
    match value {
        Value::Array(elements) => {
            let half = elements.len() / 2;
            let (first, second) = elements.split_at(half);
            second.iter().rev().chain(first).map(shuffled).collect()
        }
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(key, value)| (key.clone(), shuffled(value)));
            Value::Object(members.collect())
        }
        value => value.clone(),
    }
}

/// JSON text with the members of objects in the reverse order.
fn reversed(value: &Value) -> String {
    match value {
        Value::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(reversed).collect();
            format!("[{}]", elements.join(", "))
        }
        Value::Object(members) => {
            let members = members.iter().rev();
            let members: Vec<_> = members
                .map(|(key, value)| format!("{}: {}", json!(key), reversed(value)))
                .collect();
            format!("{{{}}}", members.join(" ,"))
        }
        value => value.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_value_matches_itself(value in value(), fields in settings(), tolerant in any::<bool>()) {
        let fields = if tolerant { fields.relative_tolerance("", "0.1") } else { fields };
        prop_assert!(is_match(&fields.build().unwrap(), &value, &value));
    }

    #[test]
    fn whether_values_match_does_not_depend_on_which_is_productions(
        (one, other) in pair(), fields in settings(), tolerant in any::<bool>(),
    ) {
        let fields = if tolerant { fields.absolute_tolerance("", "0.5") } else { fields };
        let fields = fields.build().unwrap();
        prop_assert_eq!(is_match(&fields, &one, &other), is_match(&fields, &other, &one));
        let [forth, back] = [fields.compare(&one, &other), fields.compare(&other, &one)]
            .map(|comparison| matches!(comparison, Comparison::Diverged(_)));
        prop_assert_eq!(forth, back);
    }

    #[test]
    fn the_order_of_keys_never_matters((one, other) in pair(), fields in settings()) {
        let fields = fields.build().unwrap();
        let as_values = fields.compare(&one, &other);
        let texts = [one, other].map(|value| [value.to_string(), reversed(&value)]);
        for one in &texts[0] {
            for other in &texts[1] {
                prop_assert_eq!(fields.compare(one, other), as_values.clone());
            }
        }
    }

    #[test]
    fn shuffled_unordered_arrays_match(value in value(), tolerant in any::<bool>()) {
        let everywhere: Vec<_> = (0..6).map(|depth| "/*".repeat(depth)).collect();
        let fields = JsonFields::builder().unordered(everywhere);
        let fields = if tolerant { fields.absolute_tolerance("", "0.5") } else { fields };
        let fields = fields.build().unwrap();
        prop_assert!(is_match(&fields, &value, &shuffled(&value)));
        prop_assert!(is_match(&fields, &shuffled(&value), &value));
    }

    #[test]
    fn a_patch_turns_productions_value_into_the_candidates((production, candidate) in pair()) {
        let fields = JsonFields::new();
        let patch = fields.patch(&production, &candidate).unwrap();
        let is_empty = patch == json!([]);
        prop_assert_eq!(is_empty, is_match(&fields, &production, &candidate));
        let patch: json_patch::Patch = serde_json::from_value(patch).unwrap();
        let mut patched = production.clone();
        json_patch::patch(&mut patched, &patch).unwrap();
        prop_assert!(is_match(&fields, &patched, &candidate), "{patched} {candidate}");
        if !(production.to_string() + &candidate.to_string()).contains(['.', 'e']) {
            // Without numbers that are written in two ways, equal is identical.
            prop_assert_eq!(patched, candidate);
        }
    }

    #[test]
    fn a_patch_under_any_settings_can_be_applied_and_leaves_a_match(
        (production, candidate) in pair(), fields in settings(),
    ) {
        let fields = fields.build().unwrap();
        let patch = fields.patch(&production, &candidate).unwrap();
        let patch: json_patch::Patch = serde_json::from_value(patch).unwrap();
        let mut patched = production.clone();
        json_patch::patch(&mut patched, &patch).unwrap();
        prop_assert!(is_match(&fields, &patched, &candidate), "{patched} {candidate}");
    }

    #[test]
    fn differences_of_ordered_values_are_sorted_by_path_and_none_comes_twice(
        (production, candidate) in pair(),
    ) {
        let comparison = JsonFields::new().compare(&production, &candidate);
        if let Comparison::Diverged(differences) = comparison {
            let paths: Vec<Vec<(u64, String)>> = differences
                .iter()
                .map(|difference| {
                    let segments = difference.field.as_str().split('/').skip(1);
                    segments.map(|text| (text.parse().unwrap_or(0), text.to_owned())).collect()
                })
                .collect();
            prop_assert!(paths.is_sorted_by(|one, other| one < other), "{paths:?}");
        }
    }

    #[test]
    fn critical_paths_never_change_what_differs((one, other) in pair()) {
        let some = JsonFields::builder().critical(["/a", "/*/b"]).build().unwrap();
        let (all, some) = (JsonFields::new().compare(&one, &other), some.compare(&one, &other));
        match (all, some) {
            (Comparison::Match, Comparison::Match) => {}
            (
                Comparison::Diverged(all),
                Comparison::Diverged(some) | Comparison::Ignored(some),
            ) => {
                let all = all.into_iter().map(fusebox::call::Difference::not_critical);
                let some = some.into_iter().map(fusebox::call::Difference::not_critical);
                prop_assert_eq!(all.collect::<Vec<_>>(), some.collect::<Vec<_>>());
            }
            (all, some) => prop_assert!(false, "{:?} {:?}", all, some),
        }
    }
}
