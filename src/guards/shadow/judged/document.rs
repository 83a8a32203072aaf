//! One compared document: in which fields the answers differ, and which of the two was right.

use serde::{Deserialize, Serialize};

use super::digest::{Digest, DigestKey};
use super::report::{Pair, Standing};
use super::told::Told;
use crate::call::{Comparable, Comparison, Difference, DifferenceKind};
use crate::name::{BatchKey, DocumentType, Field};
use crate::time::Timestamp;

/// The number of differing fields that are kept of one document.
pub(super) const FIELDS: usize = 100;

/// A document that both versions answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Document {
    #[serde(rename = "type")]
    pub(super) of_type: DocumentType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) batch: Option<BatchKey>,
    pub(super) compared_at: Timestamp,
    #[serde(flatten)]
    pub(super) differing: Differing,
    #[serde(flatten)]
    pub(super) told: Told,
    /// Whether it is taken as looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) looked_at: bool,
    /// Whether it was counted when the candidate was called worse.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) in_verdict: bool,
    /// As what it is counted now.
    #[serde(skip)]
    pub(super) counted: Standing,
}

/// The critical fields in which the candidate's answer differs from production's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Differing {
    #[serde(rename = "differing", default, skip_serializing_if = "Vec::is_empty")]
    fields: Vec<(Field, Option<Digest>)>,
    /// The candidate's values that are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    kept: Vec<(Field, String)>,
    /// Whether they differ in what no field names too.
    #[serde(
        rename = "elsewhere",
        default,
        skip_serializing_if = "std::ops::Not::not"
    )]
    elsewhere: bool,
}

impl Differing {
    /// What a comparison says; `None` where the answers could not be compared.
    pub(super) fn of(comparison: &Comparison, key: &DigestKey, kept_bytes: usize) -> Option<Self> {
        match comparison {
            Comparison::Match | Comparison::Ignored(_) => Some(Self::default()),
            Comparison::NotComparable(_) => None,
            Comparison::Diverged(differences) => {
                let critical = differences.iter().filter(|difference| difference.critical);
                let elsewhere =
                    critical.clone().next().is_none() || critical.clone().count() > FIELDS;
                let mut differing = Self {
                    elsewhere,
                    ..Self::default()
                };
                for difference in critical.take(FIELDS) {
                    differing.add(difference, key, kept_bytes);
                }
                Some(differing)
            }
        }
    }

    fn add(&mut self, difference: &Difference, key: &DigestKey, kept_bytes: usize) {
        let field = &difference.field;
        let digest = match (difference.kind, &difference.comparable) {
            (DifferenceKind::Missing, _) => Some(key.absent(field)),
            (_, Some(Comparable::Form(form))) => Some(key.value(field, form)),
            (_, Some(Comparable::Value(value))) if kept_bytes > 0 => {
                let text = value.to_string();
                (text.len() <= kept_bytes).then(|| {
                    let digest = key.kept(field, &text);
                    self.kept.push((field.clone(), text));
                    digest
                })
            }
            (_, Some(Comparable::Value(_)) | None) => None,
        };
        self.fields.push((field.clone(), digest));
    }

    /// The candidate's value, if it is kept.
    pub(super) fn kept(&self, field: &Field) -> Option<&str> {
        let kept = self.kept.iter().find(|(kept, _)| kept == field);
        kept.map(|(_, text)| text.as_str())
    }

    fn is_empty(&self) -> bool {
        self.fields.is_empty() && !self.elsewhere
    }

    /// Whether a stored one is what this type can hold.
    pub(super) fn is_possible(&self) -> bool {
        self.fields.len() <= FIELDS && self.kept.len() <= FIELDS
    }

    /// Whether the candidate is wrong, by what people told; `None` if it cannot be said.
    ///
    /// In a corrected field the candidate is right if it has the settled value. In a field that
    /// nobody corrected production's value is the settled one, if somebody looked at it; then a
    /// candidate that differs is wrong.
    fn candidate_is_wrong(&self, told: &Told, looked_at: bool) -> Option<bool> {
        let uncorrected = looked_at.then_some(true);
        let corrected = told.fields().map(|(field, settled)| {
            if let Some((_, digest)) = self.fields.iter().find(|(differing, _)| differing == field)
            {
                return Some(digest.as_ref()? != settled.as_ref()?);
            }
            let is_near = |(differing, _): &(Field, _)| is_part_of_the_other(differing, field);
            let may_differ = self.elsewhere || self.fields.iter().any(is_near);
            // Where the answers agree, both are wrong.
            (!may_differ).then_some(true)
        });
        let others = self.fields.iter().filter_map(|(differing, _)| {
            let is_any = |related: &dyn Fn(&Field) -> bool| {
                told.fields().any(|(corrected, _)| related(corrected))
            };
            if is_any(&|corrected| corrected == differing) {
                return None;
            }
            let is_near = is_any(&|corrected| is_part_of_the_other(differing, corrected));
            Some(uncorrected.filter(|_| !is_near))
        });
        let elsewhere = self
            .elsewhere
            .then(|| uncorrected.filter(|_| !told.is_corrected()));
        let overfull = told.overfull.then_some(None);
        worst(corrected.chain(others).chain(elsewhere).chain(overfull))
    }
}

impl Document {
    /// As what it should be counted.
    pub(super) fn standing(&self) -> Standing {
        let (told, differing) = (&self.told, &self.differing);
        let pair = || match (
            told.is_corrected(),
            differing.candidate_is_wrong(told, self.looked_at),
        ) {
            (false, _) if differing.is_empty() => Pair::BothRight,
            (false, _) => Pair::OnlyProductionRight,
            (true, None) => Pair::Unknown,
            (true, Some(false)) => Pair::OnlyCandidateRight,
            (true, Some(true)) => Pair::BothWrong,
        };
        if self.looked_at {
            Standing::LookedAt(pair())
        } else if told.is_corrected() {
            Standing::Corrected(pair())
        } else {
            Standing::Unreviewed
        }
    }
}

/// Whether one field lies inside the other, as JSON pointers: `/lines/0/amount` in `/lines`.
fn is_part_of_the_other(one: &Field, other: &Field) -> bool {
    let is_inside = |inner: &Field, outer: &Field| {
        let rest = inner.as_str().strip_prefix(outer.as_str());
        rest.is_some_and(|rest| rest.starts_with('/'))
    };
    is_inside(one, other) || is_inside(other, one)
}

/// True if one is, else unknown if one is, else false.
fn worst(found: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut worst = Some(false);
    for wrong in found {
        match wrong {
            Some(true) => return Some(true),
            None => worst = None,
            Some(false) => {}
        }
    }
    worst
}
