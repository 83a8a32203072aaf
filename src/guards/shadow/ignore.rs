//! Differences that a reviewer accepted, and that do not count for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::DifferenceKind;
use crate::error::Error;
use crate::name::{DocumentType, Field};
use crate::time::{Timestamp, hours};

/// The number of rules that a set holds.
const MOST_RULES: usize = 1_000;
const LONGEST_NOTE: usize = 10_000;
const BY: &str = "ignore rule: by";

/// A kind of difference in one field of one document type that does not count until the rule
/// expires.
///
/// The field is compared as it stands. In a JSON pointer the segment `*` matches every index of an
/// array: `/lines/*/amount` matches `/lines/0/amount` and `/lines/17/amount`, and not
/// `/lines/first/amount`.
///
/// ```
/// use std::time::Duration;
/// use fusebox::call::DifferenceKind;
/// use fusebox::shadow::IgnoreRule;
/// use fusebox::{DocumentType, Field, Timestamp};
///
/// let accepted_at = Timestamp::from_millis(1_773_014_400_000);
/// let rule = IgnoreRule::new(
///     DocumentType::new("invoice")?,
///     Field::new("/lines/*/unit")?,
///     DifferenceKind::Changed,
///     accepted_at + IgnoreRule::LASTING,
///     "Ada Okafor",
/// )?;
/// let (invoice, unit) = (DocumentType::new("invoice")?, Field::new("/lines/3/unit")?);
/// assert!(rule.matches(&invoice, &unit, DifferenceKind::Changed, accepted_at));
/// assert!(!rule.matches(&invoice, &unit, DifferenceKind::Changed, rule.expires));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct IgnoreRule {
    /// The type of the documents.
    pub document_type: DocumentType,
    /// The field, or the JSON pointer of values.
    pub field: Field,
    /// In which way the field may differ.
    pub kind: DifferenceKind,
    /// The first moment at which the rule no longer matches.
    pub expires: Timestamp,
    /// Who accepted the difference.
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl IgnoreRule {
    /// How long a rule of an accepted difference lasts by default: 30 days.
    pub const LASTING: Duration = hours(Self::LASTING_DAYS * 24);
    pub(crate) const LASTING_DAYS: u64 = 30;

    /// A rule without a note. An error if `by` is blank, has more than 1,000 bytes or holds control
    /// characters.
    pub fn new(
        document_type: DocumentType,
        field: Field,
        kind: DifferenceKind,
        expires: Timestamp,
        by: impl Into<String>,
    ) -> Result<Self, Error> {
        let by = by.into();
        Error::unless_a_line(BY, &by)?;
        Ok(Self {
            document_type,
            field,
            kind,
            expires,
            by,
            note: String::new(),
        })
    }

    /// The same with a note.
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Whether a difference of this kind does not count at this time.
    pub fn matches(
        &self,
        document_type: &DocumentType,
        field: &Field,
        kind: DifferenceKind,
        now: Timestamp,
    ) -> bool {
        now < self.expires
            && self.kind == kind
            && self.document_type == *document_type
            && covers(self.field.as_str(), field.as_str())
    }

    /// The field of a rule for all elements of an array: a JSON pointer with `*` in place of each
    /// index. Other fields stay as they are.
    ///
    /// ```
    /// # use fusebox::{Field, shadow::IgnoreRule};
    /// let amount = IgnoreRule::field_of_all_elements(&Field::new("/lines/3/amount")?);
    /// assert_eq!(amount, "/lines/*/amount");
    /// # Ok::<(), fusebox::Error>(())
    /// ```
    pub fn field_of_all_elements(field: &Field) -> Field {
        let text = field.as_str();
        if !text.starts_with('/') || !text.split('/').any(is_index) {
            return field.clone();
        }
        let segments: Vec<&str> = text
            .split('/')
            .map(|segment| if is_index(segment) { "*" } else { segment })
            .collect();
        Field::new(segments.join("/")).unwrap_or_else(|_| field.clone())
    }
}

/// The rules of a shadow run: at most 1,000, one for each document type, field and kind.
///
/// ```
/// # use fusebox::call::DifferenceKind;
/// # use fusebox::{DocumentType, Field, Timestamp};
/// use fusebox::shadow::{IgnoreRule, IgnoreRules};
///
/// # let (invoice, vendor) = (DocumentType::new("invoice")?, Field::new("/vendor")?);
/// # let (kind, now) = (DifferenceKind::Changed, Timestamp::from_millis(1_773_014_400_000));
/// let mut rules = IgnoreRules::new();
/// let expires = now + IgnoreRule::LASTING;
/// rules.add(IgnoreRule::new(invoice.clone(), vendor.clone(), kind, expires, "Ada Okafor")?)?;
/// assert!(rules.matches(&invoice, &vendor, kind, now));
/// assert!(!rules.matches(&invoice, &vendor, DifferenceKind::Missing, now));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<IgnoreRule>", into = "Vec<IgnoreRule>")]
pub struct IgnoreRules {
    by_type: BTreeMap<DocumentType, Vec<IgnoreRule>>,
}

impl IgnoreRules {
    /// No rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule. Of two rules for the same document type, field and kind the one that expires
    /// later stays. An error if there are 1,000 other rules, if the rule's author is blank or no
    /// line, or if its note has more than 10,000 bytes.
    pub fn add(&mut self, rule: IgnoreRule) -> Result<(), Error> {
        Error::unless_a_line(BY, &rule.by)?;
        if rule.note.len() > LONGEST_NOTE {
            let allowed = format!("at most {LONGEST_NOTE} bytes");
            return Err(Error::invalid("ignore rule: note", &rule.note, allowed));
        }
        let is_full = self.len() >= MOST_RULES;
        let same = |other: &&mut IgnoreRule| {
            other.document_type == rule.document_type
                && other.field == rule.field
                && other.kind == rule.kind
        };
        let rules = self.by_type.get_mut(&rule.document_type);
        if let Some(other) = rules.and_then(|rules| rules.iter_mut().find(same)) {
            if other.expires < rule.expires {
                *other = rule;
            }
            return Ok(());
        }
        if is_full {
            let allowed = format!("at most {MOST_RULES} rules");
            return Err(Error::invalid("ignore rules", MOST_RULES + 1, allowed));
        }
        let document_type = rule.document_type.clone();
        self.by_type.entry(document_type).or_default().push(rule);
        Ok(())
    }

    /// Adds all rules of another set, as [`add`](Self::add) does.
    pub fn merge(&mut self, other: Self) -> Result<(), Error> {
        Vec::from(other)
            .into_iter()
            .try_for_each(|rule| self.add(rule))
    }

    /// Removes the rules that have expired.
    pub fn remove_expired(&mut self, now: Timestamp) {
        for rules in self.by_type.values_mut() {
            rules.retain(|rule| now < rule.expires);
        }
        self.by_type.retain(|_, rules| !rules.is_empty());
    }

    /// Whether a rule that has not expired matches the difference.
    pub fn matches(
        &self,
        document_type: &DocumentType,
        field: &Field,
        kind: DifferenceKind,
        now: Timestamp,
    ) -> bool {
        self.by_type
            .get(document_type)
            .into_iter()
            .flatten()
            .any(|rule| rule.matches(document_type, field, kind, now))
    }

    /// The number of rules, expired ones included.
    pub fn len(&self) -> usize {
        self.by_type.values().map(Vec::len).sum()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.by_type.is_empty()
    }

    /// The rules, by document type and then in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &IgnoreRule> {
        self.by_type.values().flatten()
    }
}

impl From<IgnoreRules> for Vec<IgnoreRule> {
    fn from(rules: IgnoreRules) -> Self {
        rules.by_type.into_values().flatten().collect()
    }
}

impl TryFrom<Vec<IgnoreRule>> for IgnoreRules {
    type Error = Error;

    fn try_from(rules: Vec<IgnoreRule>) -> Result<Self, Error> {
        let mut all = Self::new();
        for rule in rules {
            all.add(rule)?;
        }
        Ok(all)
    }
}

/// Whether a rule's field is a field, or the JSON pointer of many values of which this is one.
fn covers(rule: &str, field: &str) -> bool {
    if rule == field {
        return true;
    }
    if !rule.starts_with('/') || !rule.contains('*') {
        return false;
    }
    let (mut wanted, mut found) = (rule.split('/'), field.split('/'));
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some("*"), Some(segment)) if segment == "*" || is_index(segment) => {}
            (Some(wanted), Some(segment)) if wanted == segment => {}
            _ => return false,
        }
    }
}

/// An index of an array as RFC 6901 writes it: digits without a leading zero.
fn is_index(segment: &str) -> bool {
    segment == "0"
        || (!segment.is_empty()
            && !segment.starts_with('0')
            && segment.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_773_014_400_000);
    const KINDS: [DifferenceKind; 4] = [
        DifferenceKind::Added,
        DifferenceKind::Changed,
        DifferenceKind::Missing,
        DifferenceKind::TypeChanged,
    ];

    fn rule(document_type: &str, field: &str, expires: Timestamp) -> IgnoreRule {
        IgnoreRule::new(
            DocumentType::new(document_type).unwrap(),
            Field::new(field).unwrap(),
            DifferenceKind::Changed,
            expires,
            "Ada",
        )
        .unwrap()
    }

    fn matches(rules: &IgnoreRules, field: &str, now: Timestamp) -> bool {
        let invoice = DocumentType::new("invoice").unwrap();
        let field = Field::new(field).unwrap();
        rules.matches(&invoice, &field, DifferenceKind::Changed, now)
    }

    #[test]
    fn a_rule_matches_until_the_millisecond_in_which_it_expires() {
        let expires = NOW + IgnoreRule::LASTING;
        assert_eq!(expires.as_millis() - NOW.as_millis(), 2_592_000_000);
        let rules = IgnoreRules::try_from(vec![rule("invoice", "/total", expires)]).unwrap();
        let before = Timestamp::from_millis(expires.as_millis() - 1);
        assert!(matches(&rules, "/total", before));
        assert!(!matches(&rules, "/total", expires));
        let after = Timestamp::from_millis(expires.as_millis() + 1);
        assert!(!matches(&rules, "/total", after));
    }

    #[test]
    fn a_star_stands_for_an_index_and_nothing_else() {
        for (wanted, field, expected) in [
            ("/lines/*/amount", "/lines/0/amount", true),
            ("/lines/*/amount", "/lines/17/amount", true),
            ("/lines/*/amount", "/lines/*/amount", true),
            ("/lines/*/amount", "/lines/017/amount", false),
            ("/lines/*/amount", "/lines/first/amount", false),
            ("/lines/*/amount", "/lines//amount", false),
            ("/lines/*/amount", "/lines/0/amount/net", false),
            ("/lines/*/amount", "/lines/0", false),
            ("/lines/*/2", "/lines/1/2", true),
            ("/lines/*/2", "/lines/1/3", false),
            ("/lines/0/amount", "/lines/1/amount", false),
            ("*", "0", false),
            ("total", "total", true),
            ("total", "/total", false),
        ] {
            assert_eq!(covers(wanted, field), expected, "{wanted} and {field}");
        }
    }

    #[test]
    fn a_set_matches_only_the_type_field_and_kind_of_a_rule() {
        let expires = NOW + IgnoreRule::LASTING;
        let rules = IgnoreRules::try_from(vec![rule("invoice", "/total", expires)]).unwrap();
        for document_type in ["invoice", "contract"] {
            for field in ["/total", "/vendor"] {
                for kind in KINDS {
                    let expected = document_type == "invoice"
                        && field == "/total"
                        && kind == DifferenceKind::Changed;
                    let document_type = DocumentType::new(document_type).unwrap();
                    let field = Field::new(field).unwrap();
                    let found = rules.matches(&document_type, &field, kind, NOW);
                    assert_eq!(found, expected, "{document_type} {field} {kind:?}");
                    let by_rule = rules
                        .iter()
                        .any(|rule| rule.matches(&document_type, &field, kind, NOW));
                    assert_eq!(by_rule, expected, "{document_type} {field} {kind:?}");
                }
            }
        }
    }

    #[test]
    fn of_two_rules_for_the_same_difference_the_later_one_stays() {
        let (early, late) = (rule("a", "f", NOW), rule("a", "f", NOW + hours(1)));
        for order in [[early.clone(), late.clone()], [late.clone(), early]] {
            let rules = IgnoreRules::try_from(order.to_vec()).unwrap();
            assert_eq!(rules.iter().collect::<Vec<_>>(), [&late]);
        }
    }

    #[test]
    fn a_thousand_rules_fit_and_one_more_does_not() {
        let numbered = |n: usize| rule("invoice", &format!("f{n}"), NOW + hours(1));
        let mut rules =
            IgnoreRules::try_from((0..1_000).map(numbered).collect::<Vec<_>>()).unwrap();
        assert_eq!(rules.len(), 1_000);
        rules.add(numbered(7)).unwrap();
        let error = rules.add(numbered(1_000)).unwrap_err().to_string();
        assert_eq!(
            error,
            "ignore rules: got `1001`, expected at most 1000 rules"
        );
        rules.remove_expired(NOW + hours(1));
        assert!(rules.is_empty());
        rules.add(numbered(1_000)).unwrap();
    }

    #[test]
    fn rules_are_read_again_and_a_blank_author_is_refused() {
        let mut rules = IgnoreRules::new();
        rules
            .add(rule("invoice", "/total", NOW).with_note("rounding"))
            .unwrap();
        rules.add(rule("contract", "party", NOW)).unwrap();
        let written = serde_json::to_value(&rules).unwrap();
        assert_eq!(
            written,
            serde_json::json!([
                {"document_type": "contract", "field": "party", "kind": "changed",
                 "expires": 1_773_014_400_000_u64, "by": "Ada"},
                {"document_type": "invoice", "field": "/total", "kind": "changed",
                 "expires": 1_773_014_400_000_u64, "by": "Ada", "note": "rounding"},
            ])
        );
        let read: IgnoreRules = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(read, rules);
        let mut blank = written;
        blank[0]["by"] = "  ".into();
        let error = serde_json::from_value::<IgnoreRules>(blank).unwrap_err();
        assert!(error.to_string().contains("ignore rule: by"), "{error}");
    }

    proptest! {
        /// The form for all elements covers the field it was made of, and is its own form.
        #[test]
        fn the_form_of_all_elements_covers_its_field(text in "(/?[a-z0-9*~/]{1,12}|(/[a-z0-9]{0,3}){1,5})") {
            let field = Field::new(&text).unwrap();
            let all = IgnoreRule::field_of_all_elements(&field);
            prop_assert!(covers(all.as_str(), field.as_str()));
            prop_assert_eq!(IgnoreRule::field_of_all_elements(&all), all);
        }

        /// Whatever else holds, an expired rule never matches.
        #[test]
        fn an_expired_rule_never_matches(field in "[a-z/*0-9]{1,8}", expires in 0_u64..100, late in 0_u64..100) {
            let rules = vec![rule("invoice", &field, Timestamp::from_millis(expires))];
            let rules = IgnoreRules::try_from(rules).unwrap();
            prop_assert!(!matches(&rules, &field, Timestamp::from_millis(expires + late)));
            prop_assert!(expires == 0 || matches(&rules, &field, Timestamp::from_millis(expires - 1)));
        }
    }
}
