//! JSON answers, field by field.

mod builder;
mod canonical;
mod collect;
mod compact;
mod decimal;
mod matching;
mod patch;
mod pointer;
mod rules;
mod walk;

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use self::collect::Collector;
use self::rules::{Rules, Scope};
use self::walk::{LEVELS, Stop, walk};
use super::Compare;
use super::excerpt::{VALUE_CHARS, answers_differ};
use crate::call::{Comparison, DifferenceKind};
use crate::name::Field;

pub use builder::JsonFieldsBuilder;

/// The number of differences of one document that are kept, by default.
const DIFFERENCES: usize = 100;

/// Compares JSON answers field by field.
///
/// # What is equal
/// - Objects, if all members are; the order of keys never counts. A missing member is not `null`.
/// - Arrays, element by element in their order, or as multisets where they are
///   [unordered](JsonFieldsBuilder::unordered).
/// - Numbers, if their decimal values are: 1, 1.0 and 1e0, 0 and -0. Integers of 64 bits are exact,
///   those above 2^53 too. `serde_json` reads other numbers as 64-bit floating point, so that two
///   integers above 2^64 can be equal after their 17th digit.
/// - Texts, byte by byte, or in a [normalised](JsonFieldsBuilder::normalised_text) form. A text
///   that looks like JSON is a text.
/// - Numbers, and texts that are decimal numbers, within a
///   [tolerance](JsonFieldsBuilder::absolute_tolerance), which has an exact bound.
///
/// Values of different types are never equal: not `1` and `"1"`, `1` and `true`, `""` and `null`.
///
/// # Paths
/// Settings name places by JSON pointers ([RFC 6901]), in which a segment `*` stands for every key
/// and every index: `/lines/*/amount`. A path covers everything below it, the empty path the
/// whole answer. Where several tolerances, or several rules for text, cover a value, the longest
/// path counts, and of equally long ones the one set last. A key that is itself `*` has no path of
/// its own.
///
/// # What comes out
/// - [`Comparison::Match`] if nothing differs.
/// - [`Comparison::Diverged`] if a critical field differs: a field below a
///   [critical](JsonFieldsBuilder::critical) path, or any field if no path is critical.
/// - [`Comparison::Ignored`] if only other fields differ.
/// - [`Comparison::NotComparable`] if both answers are nested more than 128 levels deep at one
///   place, or if unordered arrays are so large that finding out which elements belong together
///   takes more than 500,000 steps: where a tolerance applies, more than 300 elements on each side
///   that all differ. Without a tolerance, the size does not matter.
///
/// Differences are sorted by path: keys as texts, indexes as numbers. Each names its field by a
/// pointer; the whole answer is `(answer)`, because its pointer is empty and a [`Field`] is not.
/// At most 100 are kept of one document; if there are more, the first critical ones are kept before
/// the first of the others. Values are shown as compact JSON, and texts as they are (in quotes where
/// the types differ), cut after 2,000 characters with a mark that counts the rest.
///
/// # Texts and types
/// It compares [`Value`]s, and texts that are JSON: a candidate's text that is not JSON diverges as
/// a whole, and without JSON from production there is nothing to compare with. It does not look
/// for JSON inside a text, such as a code block of Markdown. Of a key that occurs twice, the last
/// value counts. For a type of your own see [`serialised`](Self::serialised).
///
/// # Example
/// ```
/// use fusebox::call::{Comparison, DifferenceKind};
/// use fusebox::shadow::compare::{Compare, JsonFields, NormalisedText};
/// use serde_json::json;
///
/// let fields = JsonFields::builder()
///     .critical(["/total", "/lines"])
///     .absolute_tolerance("/total", "0.01")
///     .unordered(["/lines"])
///     .normalised_text(["/vendor"], NormalisedText::new())
///     .ignored(["/meta/model"])
///     .build()?;
///
/// let production = json!({
///     "vendor": "ACME", "total": "100.10", "lines": [{"sku": "a"}, {"sku": "b"}], "note": null,
/// });
/// let mut candidate = json!({
///     "vendor": "Acme", "total": "100.11", "lines": [{"sku": "b"}, {"sku": "a"}],
/// });
/// let Comparison::Ignored(differences) = fields.compare(&production, &candidate) else { panic!() };
/// assert_eq!(differences[0].field, "/note");
/// assert_eq!(differences[0].kind, DifferenceKind::Missing);
///
/// candidate["total"] = json!("100.111");
/// let Comparison::Diverged(differences) = fields.compare(&production, &candidate) else { panic!() };
/// assert_eq!(differences[1].field, "/total");
/// assert_eq!(differences[1].candidate.as_deref(), Some("100.111"));
/// # Ok::<(), fusebox::Error>(())
/// ```
///
/// [RFC 6901]: https://www.rfc-editor.org/rfc/rfc6901
#[derive(Clone, Debug)]
pub struct JsonFields {
    rules: Rules,
    value_chars: usize,
    differences: usize,
}

impl JsonFields {
    /// Compares everything exactly: every field is critical, arrays are ordered.
    pub fn new() -> Self {
        Self {
            rules: Rules::new(),
            value_chars: VALUE_CHARS,
            differences: DIFFERENCES,
        }
    }

    /// The same for answers of a type that serialises to JSON.
    ///
    /// ```
    /// use fusebox::call::Comparison;
    /// use fusebox::shadow::compare::{Compare, JsonFields};
    ///
    /// #[derive(serde::Serialize)]
    /// struct Invoice {
    ///     total: f64,
    /// }
    ///
    /// let fields = JsonFields::builder().absolute_tolerance("/total", "0.01").build()?.serialised();
    /// let comparison = fields.compare(&Invoice { total: 100.10 }, &Invoice { total: 100.11 });
    /// assert_eq!(comparison, Comparison::Match);
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub fn serialised(self) -> SerialisedFields {
        SerialisedFields(self)
    }

    /// The operations of a JSON patch ([RFC 6902]) that turn production's answer into the
    /// candidate's, as an array.
    ///
    /// It has all differences, not only those that a comparison keeps, and nothing for places that
    /// agree without being identical: what is ignored, within a tolerance, or in another order. New
    /// elements are appended, so that one behind an ignored index moves up.
    /// `None` if the answers are [not comparable](Comparison::NotComparable), or if a value of the
    /// candidate is nested more than 128 levels deep.
    ///
    /// ```
    /// use fusebox::shadow::compare::JsonFields;
    /// use serde_json::json;
    ///
    /// let patch = JsonFields::new().patch(&json!({"a": 1, "b": [1, 2]}), &json!({"a": 2, "b": [1]}));
    /// assert_eq!(patch, Some(json!([
    ///     {"op": "replace", "path": "/a", "value": 2},
    ///     {"op": "remove", "path": "/b/1"},
    /// ])));
    /// ```
    ///
    /// [RFC 6902]: https://www.rfc-editor.org/rfc/rfc6902
    pub fn patch(&self, production: &Value, candidate: &Value) -> Option<Value> {
        patch::patch(production, candidate, &Scope::of_answer(&self.rules))
    }

    /// The text that all values share which agree with this one as the value of a field: a pointer,
    /// the name of a top-level key, or `(answer)`.
    ///
    /// `None` if a tolerance applies to the field or inside it: then no such text exists, and
    /// [`agrees`](Self::agrees) decides. Also `None` if the value is nested more than 128 levels
    /// deep.
    pub(crate) fn canonical(&self, field: &Field, value: &Value) -> Option<String> {
        canonical::canonical(value, &Scope::of_field(&self.rules, field), LEVELS)
    }

    /// The pointer of a field that may be the name of a top-level key.
    pub(crate) fn pointer_of(field: &Field) -> Cow<'_, Field> {
        pointer::of_field(field)
    }

    /// Whether a difference of this field can make a document diverge.
    pub(crate) fn is_critical(&self, field: &Field) -> bool {
        Scope::of_field(&self.rules, field).is_critical_somewhere()
    }

    /// The rules of a comparator that is one by field.
    pub(crate) fn of_comparator(comparator: &dyn Any) -> Option<&Self> {
        let shared = || comparator.downcast_ref().map(Arc::<Self>::as_ref);
        let serialised = || {
            comparator
                .downcast_ref()
                .map(|SerialisedFields(fields)| fields)
        };
        let own = comparator.downcast_ref();
        own.or_else(shared).or_else(serialised)
    }

    /// Whether both decide by the same rules, however much of a difference they keep.
    pub(crate) fn has_rules_of(&self, other: &Self) -> bool {
        self.rules == other.rules
    }

    /// Whether two values of a field agree in everything. A relative tolerance is relative to `one`.
    pub(crate) fn agrees(&self, field: &Field, one: &Value, other: &Value) -> bool {
        walk::agree(one, other, &Scope::of_field(&self.rules, field))
    }
}

impl Default for JsonFields {
    fn default() -> Self {
        Self::new()
    }
}

impl Compare<Value> for JsonFields {
    fn compare(&self, production: &Value, candidate: &Value) -> Comparison {
        let mut collector = Collector::of_at_most(self.differences);
        let scope = Scope::of_answer(&self.rules);
        match walk(production, candidate, &scope, &mut collector) {
            Ok(()) | Err(Stop::Enough | Stop::Differs) => collector.finish(self.value_chars),
            Err(Stop::TooDeep) => Comparison::NotComparable(format!(
                "both answers are nested more than {LEVELS} levels deep"
            )),
            Err(Stop::TooLarge) => Comparison::NotComparable(
                "unordered arrays are too large to find which elements belong together".into(),
            ),
        }
    }
}

impl Compare<str> for JsonFields {
    fn compare(&self, production: &str, candidate: &str) -> Comparison {
        if production == candidate {
            return Comparison::Match;
        }
        let of_production: Value = match serde_json::from_str(production) {
            Ok(value) => value,
            Err(error) => {
                return Comparison::NotComparable(format!(
                    "production's answer is not JSON: {error}"
                ));
            }
        };
        if let Ok(of_candidate) = serde_json::from_str::<Value>(candidate) {
            self.compare(&of_production, &of_candidate)
        } else {
            let mut difference = answers_differ(production, candidate);
            difference.kind = DifferenceKind::TypeChanged;
            Comparison::Diverged(vec![difference])
        }
    }
}

impl Compare<String> for JsonFields {
    fn compare(&self, production: &String, candidate: &String) -> Comparison {
        self.compare(production.as_str(), candidate.as_str())
    }
}

/// Compares answers of a type that serialises to JSON, field by field: made by
/// [`JsonFields::serialised`].
///
/// An answer that cannot be serialised, such as a map whose keys are no texts, is
/// [`Comparison::NotComparable`].
#[derive(Clone, Debug)]
pub struct SerialisedFields(JsonFields);

impl<T: Serialize + ?Sized> Compare<T> for SerialisedFields {
    fn compare(&self, production: &T, candidate: &T) -> Comparison {
        let [production, candidate] = [production, candidate].map(serde_json::to_value);
        match (production, candidate) {
            (Ok(production), Ok(candidate)) => self.0.compare(&production, &candidate),
            (Err(error), _) => not_serialised("production's answer", &error),
            (_, Err(error)) => not_serialised("the candidate's answer", &error),
        }
    }
}

fn not_serialised(whose: &str, error: &serde_json::Error) -> Comparison {
    Comparison::NotComparable(format!("{whose} cannot be serialised: {error}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::NormalisedText;
    use super::*;
    use crate::call::Comparable;

    fn field(text: &str) -> Field {
        Field::new(text).unwrap()
    }

    #[test]
    fn equal_values_have_one_canonical_text() {
        let fields = JsonFields::builder()
            .unordered(["/tags"])
            .normalised_text(["/vendor"], NormalisedText::new())
            .ignored(["/meta/id"])
            .absolute_tolerance("/lines/*/amount", "0.01")
            .build()
            .unwrap();
        let canonical = |name: &str, value| fields.canonical(&field(name), &value);
        for (name, one, other) in [
            ("/total", json!(1), json!(1.0)),
            ("total", json!(1200), json!(1.2e3)),
            ("/tags", json!([1, "a", 2]), json!(["a", 2.0, 1])),
            ("tags", json!(["b", "a"]), json!(["a", "b"])),
            ("/vendor", json!("ACME  Inc"), json!("Acme Inc")),
            ("vendor", json!("ACME"), json!("acme ")),
            ("/meta", json!({"id": 1, "a": 2}), json!({"a": 2, "id": 3})),
        ] {
            assert!(canonical(name, one.clone()).is_some(), "{name}");
            assert_eq!(
                canonical(name, one.clone()),
                canonical(name, other.clone()),
                "{name}"
            );
            assert!(fields.agrees(&field(name), &one, &other), "{name}");
        }
        for (name, one, other) in [
            ("/total", json!("1"), json!(1)),
            ("/other", json!([1, 2]), json!([2, 1])),
            ("/other", json!("A"), json!("a")),
            ("/other/vendor", json!("A"), json!("a")),
            ("/tags", json!([1, 1, 2]), json!([1, 2, 2])),
            ("/tags", json!(["a,b"]), json!(["a", "b"])),
            ("/meta", json!({"a": null}), json!({})),
            (
                "/total",
                json!(9_007_199_254_740_993_u64),
                json!(9_007_199_254_740_992_u64),
            ),
        ] {
            assert_ne!(
                canonical(name, one.clone()),
                canonical(name, other.clone()),
                "{name}"
            );
            assert!(!fields.agrees(&field(name), &one, &other), "{name}");
        }
    }

    #[test]
    fn there_is_no_canonical_text_where_a_tolerance_applies() {
        let fields = JsonFields::builder()
            .absolute_tolerance("/lines/*/amount", "0.01")
            .build()
            .unwrap();
        for (name, has_one) in [
            ("(answer)", false),
            ("/lines", false),
            ("lines", false),
            ("/lines/3", false),
            ("/lines/3/amount", false),
            ("/lines/3/amount/eur", false),
            ("/lines/3/sku", true),
            ("/line", true),
            ("amount", true),
        ] {
            let canonical = fields.canonical(&field(name), &json!({"amount": 1}));
            assert_eq!(canonical.is_some(), has_one, "{name}");
        }
        let amount = field("/lines/0/amount");
        assert!(fields.agrees(&amount, &json!("100.10"), &json!("100.11")));
        assert!(!fields.agrees(&amount, &json!("100.10"), &json!("100.111")));
        let whole = field("(answer)");
        let answer = |amount| json!({"lines": [{"amount": amount}]});
        assert!(fields.agrees(&whole, &answer(1.0), &answer(1.01)));
        assert!(!fields.agrees(&whole, &answer(1.0), &answer(1.02)));
    }

    #[test]
    fn an_element_of_an_unordered_array_has_the_rules_of_every_element() {
        let fields = JsonFields::builder()
            .unordered(["/a"])
            .normalised_text(["/a/*"], NormalisedText::new())
            .exact_text(["/a/0"])
            .build()
            .unwrap();
        assert!(fields.agrees(&field("/a/0"), &json!("X"), &json!("x")));
        assert!(fields.agrees(&field("/a/1"), &json!("X"), &json!("x")));
    }

    #[test]
    fn a_difference_carries_the_canonical_text_of_the_candidates_value() {
        let fields = JsonFields::builder()
            .absolute_tolerance("/n", "1")
            .normalised_text(["/t"], NormalisedText::new())
            .build()
            .unwrap();
        let production = json!({"gone": 1, "n": 1, "t": "a", "u": 1, "w": [1]});
        let candidate =
            json!({"n": 5, "t": "B  c", "u": "1", "v": {"z": 1.0, "a": []}, "w": [2.50]});
        let Comparison::Diverged(found) = fields.compare(&production, &candidate) else {
            panic!()
        };
        let found: Vec<_> = found
            .iter()
            .map(|found| (found.field.as_str(), found.comparable.as_ref()))
            .collect();
        let form = |text: &str| Some(Comparable::Form(text.to_owned()));
        assert_eq!(
            found,
            [
                ("/gone", None),
                ("/n", Some(&Comparable::Value(json!(5)))),
                ("/t", form("\"b c\"").as_ref()),
                ("/u", form("\"1\"").as_ref()),
                ("/v", form("{\"a\":[],\"z\":1,}").as_ref()),
                ("/w/0", form("25e-1").as_ref()),
            ]
        );
        assert_eq!(
            fields.canonical(&field("/v"), &candidate["v"]).as_deref(),
            Some("{\"a\":[],\"z\":1,}")
        );
    }

    #[test]
    fn a_value_that_is_nested_too_deeply_has_no_canonical_text() {
        let nested = |levels| (0..levels).fold(json!(1), |value, _| json!([value]));
        let fields = JsonFields::new();
        let answer = field("(answer)");
        assert!(fields.canonical(&answer, &nested(128)).is_some());
        assert_eq!(fields.canonical(&answer, &nested(129)), None);
        assert!(!fields.agrees(&answer, &nested(129), &nested(129)));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop::sample::select(vec![
            json!(null),
            json!(true),
            json!(0),
            json!(-0.0),
            json!(1),
            json!(1.0),
            json!(1.5),
            json!("1"),
            json!("a"),
            json!("A "),
            json!("a,"),
            json!("]"),
        ]);
        leaf.prop_recursive(3, 12, 3, |inner| {
            let member = (prop::sample::select(vec!["a", "b", "0"]), inner.clone());
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::Array),
                prop::collection::btree_map(member.0, member.1, 0..4)
                    .prop_map(|members| json!(members)),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn canonical_texts_are_equal_where_values_match_and_nowhere_else(
            one in value(),
            other in value(),
            unordered in prop::collection::vec(
                prop::sample::select(vec!["", "/*", "/a", "/*/0", "/*/*"]), 0..3),
            ignored in prop::collection::vec(
                prop::sample::select(vec!["/a", "/0", "/*/a", "/*/1", "/*/*/*"]), 0..3),
            normalised in any::<bool>(),
        ) {
            let mut fields = JsonFields::builder().unordered(unordered).ignored(ignored);
            if normalised {
                fields = fields.normalised_text(["/*"], NormalisedText::new());
            }
            let fields = fields.build().unwrap();
            let answer = Field::whole_answer();
            let [text, other_text] = [&one, &other].map(|value| fields.canonical(&answer, value));
            prop_assert!(text.is_some() && other_text.is_some());
            let is_match = fields.compare(&one, &other) == Comparison::Match;
            prop_assert_eq!(text == other_text, is_match, "{} {}", one, other);
            prop_assert_eq!(fields.agrees(&answer, &one, &other), is_match);
        }
    }
}
