//! What a reviewer marked on a page, read back from the file that it saved.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::DifferenceKind;
use crate::error::Error;
use crate::format::Format;
use crate::name::{DocumentId, DocumentType, Field, VersionId};
use crate::shadow::{IgnoreRule, IgnoreRules};
use crate::time::{Timestamp, hours};

/// The largest file, in bytes.
const LARGEST: usize = 10_000_000;
const MOST_MARKS: usize = 100_000;
/// The longest time for which an accepted difference does not count.
const LONGEST: Duration = hours(366 * 24);
const LONGEST_NOTE: usize = 10_000;

/// The marks that a reviewer saved on the page of a [`ReviewReport`](super::ReviewReport).
///
/// ```
/// use fusebox::Timestamp;
/// use fusebox::report::Marks;
///
/// let saved = r#"{
///     "format": 1, "report": "00f3a1c2d4e5b697", "production": "v7", "candidate": "v8",
///     "reviewer": "Ada Okafor", "saved_at": 1773014400000,
///     "marks": [{
///         "entry": 1, "document": "inv-1", "document_type": "invoice",
///         "field": "/lines/0/unit", "kind": "changed", "verdict": "accept",
///         "note": "pcs is piece", "marked_at": 1773014300000
///     }]
/// }"#;
/// let marks = Marks::read(saved)?;
/// let rules = marks.ignore_rules(Timestamp::from_millis(1_773_014_500_000))?;
/// assert_eq!(rules.iter().next().map(|rule| rule.field.as_str()), Some("/lines/*/unit"));
/// # Ok::<(), fusebox::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marks {
    format: Format<1>,
    report: String,
    production: VersionId,
    candidate: VersionId,
    reviewer: String,
    saved_at: Timestamp,
    #[serde(rename = "marks")]
    all: Vec<Mark>,
}

/// What a reviewer says of one divergence.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Mark {
    /// The number of the divergence on the page, from 1.
    pub entry: u32,
    /// The document.
    pub document: DocumentId,
    /// Its type.
    pub document_type: DocumentType,
    /// The field that differs; `None` if the document diverges as a whole.
    pub field: Option<Field>,
    /// In which way it differs; `None` if the document diverges as a whole.
    pub kind: Option<DifferenceKind>,
    /// What the reviewer says.
    pub verdict: MarkVerdict,
    /// Why; often empty.
    pub note: String,
    /// When, by the clock of the reviewer's browser.
    pub marked_at: Timestamp,
}

/// What a reviewer says of a divergence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MarkVerdict {
    /// The difference is fine.
    Accept,
    /// The candidate is wrong.
    Reject,
}

impl Marks {
    /// Reads the file that the page saves: at most 10 MB and 100,000 marks.
    ///
    /// An error for anything else: another format, an unknown key or word, a blank reviewer, a
    /// field without a kind, a note of more than 10,000 bytes.
    pub fn read(json: impl AsRef<[u8]>) -> Result<Self, Error> {
        let json = json.as_ref();
        if json.len() > LARGEST {
            let allowed = format!("at most {LARGEST} bytes");
            return Err(Error::invalid("marks: file", json.len(), allowed));
        }
        let marks: Self = serde_json::from_slice(json).map_err(|error| {
            Error::invalid(
                "marks: file",
                error,
                "the JSON file that a review page saves",
            )
        })?;
        marks.check()?;
        Ok(marks)
    }

    fn check(&self) -> Result<(), Error> {
        Error::unless_a_line("marks: reviewer", &self.reviewer)?;
        if self.all.len() > MOST_MARKS {
            let allowed = format!("at most {MOST_MARKS} marks");
            return Err(Error::invalid("marks", self.all.len(), allowed));
        }
        for mark in &self.all {
            if mark.field.is_some() != mark.kind.is_some() {
                let allowed = "a field together with a kind, or neither";
                return Err(Error::invalid("marks: field", mark.entry, allowed));
            }
            if mark.note.len() > LONGEST_NOTE {
                let allowed = format!("at most {LONGEST_NOTE} bytes");
                return Err(Error::invalid("marks: note", &mark.note, allowed));
            }
        }
        Ok(())
    }

    /// The [id](super::ReviewReport::id) of the report that was marked.
    pub fn report(&self) -> &str {
        &self.report
    }

    /// The version that served the documents.
    pub fn production(&self) -> &VersionId {
        &self.production
    }

    /// The version that ran beside it.
    pub fn candidate(&self) -> &VersionId {
        &self.candidate
    }

    /// Who marked.
    pub fn reviewer(&self) -> &str {
        &self.reviewer
    }

    /// When the file was saved, by the clock of the reviewer's browser.
    pub fn saved_at(&self) -> Timestamp {
        self.saved_at
    }

    /// The marks, in the order of the page.
    pub fn marks(&self) -> &[Mark] {
        &self.all
    }

    /// Rules by which what was accepted does not count for [`IgnoreRule::LASTING`], as
    /// [`ignore_rules_for`](Self::ignore_rules_for) makes them.
    pub fn ignore_rules(&self, now: Timestamp) -> Result<IgnoreRules, Error> {
        self.ignore_rules_for(IgnoreRule::LASTING, now)
    }

    /// Rules by which what was accepted does not count, each for this time after its latest mark.
    ///
    /// There is one rule for each document type, field and kind that was accepted and never
    /// rejected; an array's elements are one field. A document that diverges as a whole, as when the
    /// candidate failed, gives no rule. A mark of a browser whose clock is ahead counts as of `now`;
    /// what would have expired already gives no rule. An error if the time is zero or above 366
    /// days, or if there are more than 1,000 rules.
    pub fn ignore_rules_for(&self, time: Duration, now: Timestamp) -> Result<IgnoreRules, Error> {
        if time.is_zero() || time > LONGEST {
            let value = format!("{time:?}");
            let allowed = "more than zero and at most 366 days";
            return Err(Error::invalid("ignore rules: time", value, allowed));
        }
        let mut subjects: BTreeMap<_, Vec<&Mark>> = BTreeMap::new();
        for mark in &self.all {
            if let (Some(field), Some(kind)) = (&mark.field, mark.kind) {
                let field = IgnoreRule::field_of_all_elements(field);
                let subject = (&mark.document_type, field, kind);
                subjects.entry(subject).or_default().push(mark);
            }
        }
        let mut rules = IgnoreRules::new();
        for ((document_type, field, kind), marks) in subjects {
            let is_accepted = |mark: &&Mark| mark.verdict == MarkVerdict::Accept;
            let latest = marks.iter().max_by_key(|mark| mark.marked_at);
            let Some(latest) = latest.filter(|_| marks.iter().all(is_accepted)) else {
                continue;
            };
            let expires = latest.marked_at.min(now) + time;
            if expires <= now {
                continue;
            }
            let note = marks
                .iter()
                .map(|mark| &mark.note)
                .find(|note| !note.is_empty());
            let rule = IgnoreRule::new(
                document_type.clone(),
                field,
                kind,
                expires,
                &self.reviewer[..],
            )?;
            rules.add(rule.with_note(note.map_or("", String::as_str)))?;
        }
        Ok(rules)
    }
}
