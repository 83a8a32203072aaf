//! What one row of a recording says, checked.

use std::borrow::{Borrow, Cow};
use std::collections::HashSet;
use std::hash::Hash;
use std::time::Duration;

use crate::call::Report;
use crate::error::Error;
use crate::failure::FailureKind;
use crate::name::{DocumentId, DocumentType, Field, VersionId};
use crate::time::Timestamp;

/// A row of a recording, or a reference to one. Rows are moved often, so a call is boxed.
#[derive(Clone, Debug)]
pub(super) enum Record<C = Box<RecordedCall>, K = RecordedCorrection> {
    Call(C),
    Correction(K),
}

/// A call that was made.
#[derive(Clone, Debug)]
pub(crate) struct RecordedCall {
    pub(crate) at: Timestamp,
    pub(crate) document: DocumentId,
    pub(crate) document_type: DocumentType,
    pub(crate) tokens: Option<u64>,
    pub(crate) version: Option<VersionId>,
    /// `None` if it was never answered.
    pub(crate) end: Option<RecordedEnd>,
}

#[derive(Clone, Debug)]
pub(crate) struct RecordedEnd {
    pub(crate) latency: Duration,
    /// Input and output tokens, which are true of the recorded version only.
    pub(crate) usage: Option<(u64, u64)>,
    pub(crate) failure: Option<FailureKind>,
    pub(crate) report: Report,
}

#[derive(Clone, Debug)]
pub(crate) struct RecordedCorrection {
    pub(crate) at: Timestamp,
    pub(crate) document: DocumentId,
    pub(crate) fields: Vec<Field>,
}

impl Record {
    /// When the call began or the correction came.
    pub(super) fn at(&self) -> Timestamp {
        match self {
            Self::Call(call) => call.at,
            Self::Correction(correction) => correction.at,
        }
    }

    /// By this rows are sorted: time, calls before corrections, document.
    pub(super) fn order(&self) -> (Timestamp, bool, &DocumentId) {
        match self {
            Self::Call(call) => (call.at, false, &call.document),
            Self::Correction(correction) => (correction.at, true, &correction.document),
        }
    }
}

impl RecordedCall {
    /// When it ended; `None` if it was never answered.
    pub(super) fn ends(&self) -> Option<Timestamp> {
        self.end.as_ref().map(|end| self.at + end.latency)
    }
}

/// A row as it is written, not yet checked.
#[derive(Debug)]
pub(super) struct RecordedRow<'r> {
    pub(super) at: Timestamp,
    pub(super) document: Cow<'r, str>,
    pub(super) document_type: Option<Cow<'r, str>>,
    pub(super) document_tokens: Option<u64>,
    pub(super) version: Option<Cow<'r, str>>,
    pub(super) latency_ms: Option<u64>,
    pub(super) confidences: Vec<(Cow<'r, str>, f64)>,
    pub(super) failure: Option<FailureKind>,
    pub(super) finish_reason: Option<Cow<'r, str>>,
    pub(super) input_tokens: Option<u64>,
    pub(super) output_tokens: Option<u64>,
    pub(super) corrected: Option<Vec<Cow<'r, str>>>,
}

/// The names that most rows share, each kept once.
#[derive(Debug, Default)]
pub(super) struct KnownNames {
    document_types: HashSet<DocumentType>,
    versions: HashSet<VersionId>,
    fields: HashSet<Field>,
}

impl RecordedRow<'_> {
    pub(super) fn check(self, names: &mut KnownNames) -> Result<Record, Error> {
        let document = DocumentId::new(&self.document)?;
        match &self.corrected {
            Some(fields) => {
                self.check_is_correction(fields)?;
                let fields = fields
                    .iter()
                    .map(|field| known(&mut names.fields, field, Field::new))
                    .collect::<Result<_, _>>()?;
                Ok(Record::Correction(RecordedCorrection {
                    at: self.at,
                    document,
                    fields,
                }))
            }
            None => Ok(Record::Call(Box::new(self.call(document, names)?))),
        }
    }

    fn check_is_correction(&self, fields: &[Cow<'_, str>]) -> Result<(), Error> {
        if fields.is_empty() {
            return Err(Error::invalid("corrected", "[]", "at least one field"));
        }
        let has_call = self.document_tokens.is_some()
            || self.version.is_some()
            || self.first_of_an_end().is_some()
            || self.latency_ms.is_some();
        if has_call {
            return Err(Error::invalid(
                "corrected",
                fields.join(", "),
                "no call in the same row; a correction is a row of its own",
            ));
        }
        Ok(())
    }

    fn call(self, document: DocumentId, names: &mut KnownNames) -> Result<RecordedCall, Error> {
        let Some(document_type) = &self.document_type else {
            return Err(Error::invalid(
                "document_type",
                "none",
                "the type of the document, or `corrected` if this is a correction",
            ));
        };
        Ok(RecordedCall {
            at: self.at,
            document,
            document_type: known(&mut names.document_types, document_type, DocumentType::new)?,
            tokens: self.document_tokens,
            version: match &self.version {
                Some(version) => Some(known(&mut names.versions, version, VersionId::new)?),
                None => None,
            },
            end: self.end(names)?,
        })
    }

    fn end(&self, names: &mut KnownNames) -> Result<Option<RecordedEnd>, Error> {
        let Some(latency) = self.latency_ms else {
            return match self.first_of_an_end() {
                None => Ok(None),
                Some(key) => Err(Error::invalid(
                    "latency_ms",
                    "none",
                    format!("the milliseconds until the end that `{key}` is about; 0 if unknown"),
                )),
            };
        };
        let mut report = Report::new().with_room_for(self.confidences.len());
        for (field, score) in &self.confidences {
            report = report.confidence_in(known(&mut names.fields, field, Field::new)?, *score);
        }
        if let Some(word) = &self.finish_reason {
            report = report.finish_reason(&**word);
        }
        let usage = match (self.input_tokens, self.output_tokens) {
            (None, None) => None,
            (input, output) => Some((input.unwrap_or(0), output.unwrap_or(0))),
        };
        Ok(Some(RecordedEnd {
            latency: Duration::from_millis(latency),
            usage,
            failure: self.failure,
            report,
        }))
    }

    /// The first key that only a call has which ended.
    fn first_of_an_end(&self) -> Option<&'static str> {
        let keys = [
            ("failure", self.failure.is_some()),
            ("confidences", !self.confidences.is_empty()),
            ("finish_reason", self.finish_reason.is_some()),
            ("input_tokens", self.input_tokens.is_some()),
            ("output_tokens", self.output_tokens.is_some()),
        ];
        keys.into_iter()
            .find_map(|(key, is_there)| is_there.then_some(key))
    }
}

/// The name with this text, made once.
fn known<'t, N>(
    names: &mut HashSet<N>,
    text: &'t str,
    new: impl FnOnce(&'t str) -> Result<N, Error>,
) -> Result<N, Error>
where
    N: Borrow<str> + Clone + Eq + Hash,
{
    if let Some(name) = names.get(text) {
        return Ok(name.clone());
    }
    let name = new(text)?;
    names.insert(name.clone());
    Ok(name)
}
