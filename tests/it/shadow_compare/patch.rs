//! Differences as a JSON patch.

use fusebox::shadow::compare::JsonFields;
use serde_json::{Value, json};

use super::json;

#[test]
fn a_patch_has_an_operation_for_each_difference_and_removes_from_the_end() {
    let patch = |production: &str, candidate: &str| {
        JsonFields::new()
            .patch(&json(production), &json(candidate))
            .unwrap()
    };
    assert_eq!(patch("[1]", "[1.0]"), json!([]));
    assert_eq!(
        patch("1", "2"),
        json!([{"op": "replace", "path": "", "value": 2}])
    );
    assert_eq!(
        patch(
            r#"{"a":1,"b":[1,2,3],"d":1}"#,
            r#"{"a":"1","b":[0],"c":null}"#
        ),
        json!([
            {"op": "replace", "path": "/a", "value": "1"},
            {"op": "replace", "path": "/b/0", "value": 0},
            {"op": "add", "path": "/c", "value": null},
            {"op": "remove", "path": "/d"},
            {"op": "remove", "path": "/b/2"},
            {"op": "remove", "path": "/b/1"},
        ])
    );
    assert_eq!(
        patch("[1]", "[1,2,3]"),
        json!([
            {"op": "add", "path": "/-", "value": 2},
            {"op": "add", "path": "/-", "value": 3},
        ])
    );
}

fn applied(fields: &JsonFields, production: &Value, candidate: &Value) -> Value {
    let patch = fields.patch(production, candidate).unwrap();
    let patch: json_patch::Patch = serde_json::from_value(patch).unwrap();
    let mut patched = production.clone();
    json_patch::patch(&mut patched, &patch).unwrap();
    patched
}

#[test]
fn a_patch_of_an_unordered_array_appends_and_leaves_its_order_alone() {
    let fields = JsonFields::builder()
        .unordered([""])
        .ignored(["/*/id"])
        .absolute_tolerance("/*/n", "0.5")
        .build()
        .unwrap();
    let production = json!([{"id": 1, "n": 1}, {"id": 2, "n": 5}, {"id": 3, "n": 9}]);
    let candidate = json!([{"id": 7, "n": 9.5}, {"id": 8, "n": 20}, {"id": 9, "n": 1}, {"n": 30}]);
    assert_eq!(
        applied(&fields, &production, &candidate),
        json!([{"id": 1, "n": 1}, {"id": 3, "n": 9}, {"id": 8, "n": 20}, {"n": 30}])
    );
}

#[test]
fn a_patch_has_more_operations_than_a_comparison_has_differences() {
    let [production, candidate] = [1, 2].map(|value| json!(vec![value; 500]));
    let fields = JsonFields::new();
    assert_eq!(applied(&fields, &production, &candidate), candidate);
}

#[test]
fn a_patch_can_be_applied_where_an_ignored_element_is_missing() {
    let fields = JsonFields::builder().ignored(["/0"]).build().unwrap();
    assert_eq!(applied(&fields, &json!([]), &json!([1, 2])), json!([2]));
    assert_eq!(applied(&fields, &json!([1, 2]), &json!([])), json!([1]));
}
