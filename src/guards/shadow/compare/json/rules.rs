//! Which settings apply at which place of a JSON value.

use std::collections::BTreeMap;

use serde_json::Value;

use super::decimal::{self, Tolerance};
use super::pointer::{self, Segment};
use crate::call::DifferenceKind;
use crate::guards::shadow::compare::text::NormalisedText;
use crate::name::Field;

/// The segment of a pattern that stands for every key and every index.
const ANY: &str = "*";

/// The settings of all paths, as a tree of their segments. The nodes lie in one list, so that a
/// long path does not become a deep structure.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rules {
    nodes: Vec<Node>,
    names_critical: bool,
}

/// What is set at exactly one path.
#[derive(Clone, Debug)]
pub(super) enum Mark {
    Critical,
    Ignored,
    Text(Option<NormalisedText>),
    Tolerance(Tolerance),
    Unordered,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    keys: BTreeMap<String, usize>,
    any: Option<usize>,
    is_critical: bool,
    is_ignored: bool,
    is_unordered: bool,
    /// Each with the number of the setting: at one place, the later one applies.
    text: Option<(usize, Option<NormalisedText>)>,
    tolerance: Option<(usize, Tolerance)>,
    tolerances_below: usize,
}

impl Rules {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![Node::default()],
            names_critical: false,
        }
    }

    /// Adds a setting at the path with these segments; `number` grows with every call.
    pub(super) fn add(&mut self, segments: &[String], number: usize, mark: Mark) {
        let mut at = 0;
        for segment in segments {
            let next = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else {
                return;
            };
            node.tolerances_below += usize::from(matches!(mark, Mark::Tolerance(_)));
            at = if segment == ANY {
                *node.any.get_or_insert(next)
            } else {
                *node.keys.entry(segment.clone()).or_insert(next)
            };
            if at == next {
                self.nodes.push(Node::default());
            }
        }
        self.names_critical |= matches!(mark, Mark::Critical);
        let Some(node) = self.nodes.get_mut(at) else {
            return;
        };
        match mark {
            Mark::Critical => node.is_critical = true,
            Mark::Ignored => node.is_ignored = true,
            Mark::Unordered => node.is_unordered = true,
            Mark::Text(text) => node.text = Some((number, text)),
            Mark::Tolerance(tolerance) => node.tolerance = Some((number, tolerance)),
        }
    }
}

/// What applies at one place, and which paths go on below it.
#[derive(Clone, Debug)]
pub(super) struct Scope<'a> {
    rules: &'a Rules,
    here: Vec<&'a Node>,
    is_critical: bool,
    is_ignored: bool,
    is_unordered: bool,
    text: Option<&'a NormalisedText>,
    tolerance: Option<&'a Tolerance>,
}

impl<'a> Scope<'a> {
    /// The scope of the whole value.
    pub(super) fn of_answer(rules: &'a Rules) -> Self {
        let scope = Self {
            rules,
            here: Vec::new(),
            is_critical: !rules.names_critical,
            is_ignored: false,
            is_unordered: false,
            text: None,
            tolerance: None,
        };
        scope.enter(rules.nodes.first().into_iter().collect())
    }

    /// The scope of a field: the whole answer, a pointer, or the name of a top-level key.
    pub(super) fn of_field(rules: &'a Rules, field: &Field) -> Self {
        let answer = Self::of_answer(rules);
        if *field == Field::whole_answer() {
            return answer;
        }
        let name = || vec![field.as_str().to_owned()];
        let segments = Some(field.as_str()).filter(|text| text.starts_with('/'));
        let segments = segments.and_then(pointer::parse).unwrap_or_else(name);
        segments.iter().fold(answer, |scope, segment| {
            if scope.is_unordered && segment.parse::<usize>().is_ok() {
                scope.any_element()
            } else {
                scope.key(segment)
            }
        })
    }

    pub(super) fn step(&self, segment: Segment<'_>) -> Self {
        match segment {
            Segment::Key(key) => self.key(key),
            Segment::Index(_) if self.is_unordered => self.any_element(),
            Segment::Index(index) if self.names_elements() => self.key(&index.to_string()),
            Segment::Index(_) => self.any_element(),
        }
    }

    /// The scope of each element of an array in which no path names an element by its index.
    pub(super) fn any_element(&self) -> Self {
        let nodes = self.here.iter().filter_map(|node| node.any);
        self.enter(nodes.filter_map(|at| self.rules.nodes.get(at)).collect())
    }

    /// Whether a path names an element by its index, or a member by its key.
    pub(super) fn names_elements(&self) -> bool {
        self.here.iter().any(|node| !node.keys.is_empty())
    }

    pub(super) fn is_ignored(&self) -> bool {
        self.is_ignored
    }

    pub(super) fn is_unordered(&self) -> bool {
        self.is_unordered
    }

    /// Whether a tolerance applies to the value or to a place inside it.
    pub(super) fn has_tolerance(&self) -> bool {
        self.tolerance.is_some() || self.here.iter().any(|node| node.tolerances_below > 0)
    }

    /// Whether the value, or a value inside it, is critical.
    pub(super) fn is_critical_in(&self, value: &Value) -> bool {
        if self.is_ignored {
            return false;
        }
        if self.is_critical || self.here.is_empty() {
            return self.is_critical;
        }
        match value {
            Value::Object(members) => members
                .iter()
                .any(|(key, value)| self.key(key).is_critical_in(value)),
            Value::Array(elements) => (0..)
                .zip(elements)
                .any(|(index, value)| self.step(Segment::Index(index)).is_critical_in(value)),
            _ => false,
        }
    }

    /// Whether the value, or a place that can be inside it, is critical.
    pub(super) fn is_critical_somewhere(&self) -> bool {
        if self.is_ignored || self.is_critical {
            return !self.is_ignored;
        }
        let mut left: Vec<&Node> = self.here.clone();
        while let Some(node) = left.pop() {
            if node.is_critical {
                return true;
            }
            let below = node.keys.values().copied().chain(node.any);
            left.extend(below.filter_map(|at| self.rules.nodes.get(at)));
        }
        false
    }

    /// In which way two values differ of which at least one is no object and no array.
    pub(super) fn difference(
        &self,
        production: &Value,
        candidate: &Value,
    ) -> Option<DifferenceKind> {
        let agree = match (production, candidate) {
            (Value::Null, Value::Null) => true,
            (Value::Bool(one), Value::Bool(other)) => one == other,
            (Value::Number(one), Value::Number(other)) => {
                decimal::equal(one, other)
                    || self
                        .tolerance
                        .is_some_and(|tolerance| tolerance.admits_numbers(one, other))
            }
            (Value::String(one), Value::String(other)) => {
                one == other
                    || self.text.is_some_and(|text| text.agree(one, other))
                    || self
                        .tolerance
                        .is_some_and(|tolerance| tolerance.admits_texts(one, other))
            }
            _ => return Some(DifferenceKind::TypeChanged),
        };
        (!agree).then_some(DifferenceKind::Changed)
    }

    /// A text in the form that all texts share which agree with it here.
    pub(super) fn normalised(&self, text: &str) -> Option<String> {
        self.text.map(|rule| rule.normalise(text))
    }

    pub(super) fn key(&self, key: &str) -> Self {
        if self.here.is_empty() {
            return self.enter(Vec::new());
        }
        let nodes = self.here.iter().flat_map(|node| {
            let named = node.keys.get(key).copied();
            node.any.into_iter().chain(named)
        });
        self.enter(nodes.filter_map(|at| self.rules.nodes.get(at)).collect())
    }

    // A path that ends here is longer than those that ended above, so that its setting wins; of
    // two that end here, the later one.
    fn enter(&self, here: Vec<&'a Node>) -> Self {
        let texts = here.iter().filter_map(|node| node.text.as_ref());
        let text = texts.max_by_key(|(number, _)| *number);
        let tolerances = here.iter().filter_map(|node| node.tolerance.as_ref());
        let tolerance = tolerances.max_by_key(|(number, _)| *number);
        Self {
            rules: self.rules,
            is_critical: self.is_critical || here.iter().any(|node| node.is_critical),
            is_ignored: self.is_ignored || here.iter().any(|node| node.is_ignored),
            is_unordered: here.iter().any(|node| node.is_unordered),
            text: text.map_or(self.text, |(_, text)| text.as_ref()),
            tolerance: tolerance.map_or(self.tolerance, |(_, tolerance)| Some(tolerance)),
            here,
        }
    }
}
