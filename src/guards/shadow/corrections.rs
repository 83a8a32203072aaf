//! What people decide of production's answers, for and against the candidate.

use std::borrow::Cow;

use serde_json::Value;

use super::compare::JsonFields;
use super::judged::{Judged, JudgedReport, JudgedVerdict, Settled, StoredJudged};
use crate::call::{Comparison, Correction, Feedback, SettledValue, Ticket};
use crate::error::Error;
use crate::event::ShadowEvent;
use crate::name::{Field, VersionId};
use crate::time::Timestamp;

/// The candidate judged by people's corrections of production's answers.
#[derive(Debug)]
pub(super) struct Corrections {
    judged: Judged,
    /// The rules by which a settled value is the candidate's.
    fields: JsonFields,
    /// The verdict that was reported last.
    reported: Option<JudgedVerdict>,
}

impl Corrections {
    pub(super) fn new(judged: Judged, fields: JsonFields) -> Self {
        Self {
            judged,
            fields,
            reported: None,
        }
    }

    /// Takes in a comparison.
    pub(super) fn compared(&mut self, ticket: &Ticket, comparison: &Comparison, now: Timestamp) {
        self.judged.compared(ticket, comparison, now);
    }

    pub(super) fn observe(&mut self, ticket: &Ticket, feedback: &Feedback, now: Timestamp) {
        match feedback {
            Feedback::Corrected(correction) => {
                if let Some(correction) = self.of_critical_field(correction) {
                    self.correct(ticket, &correction, now);
                }
            }
            Feedback::Retracted(correction) => {
                if let Some(correction) = self.of_critical_field(correction) {
                    self.judged.retracted(ticket, &correction, now);
                }
            }
            Feedback::Reviewed => self.judged.reviewed(ticket, now),
            Feedback::Compared(_) | Feedback::PickedUp => {}
        }
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, now: Timestamp) {
        self.judged.advance(now);
    }

    /// Whether no more documents are needed.
    pub(super) fn is_decided(&self) -> bool {
        self.judged.decided().is_ok()
    }

    pub(super) fn verdict(&self) -> JudgedVerdict {
        self.judged.verdict()
    }

    pub(super) fn report(&self) -> JudgedReport {
        self.judged.report()
    }

    /// The event of a verdict that was not reported yet.
    pub(super) fn event(&mut self, candidate: &VersionId) -> Option<ShadowEvent> {
        let verdict = self.judged.decided().ok()?;
        if self.reported.replace(verdict) == Some(verdict) {
            return None;
        }
        let counts = self.judged.units();
        let (candidate, documents) = (candidate.clone(), counts.total());
        let candidate_wrong = counts.candidate_wrong();
        let production_wrong = counts.production_wrong();
        Some(if verdict == JudgedVerdict::Worse {
            ShadowEvent::CandidateWorse {
                candidate,
                candidate_wrong,
                production_wrong,
                documents,
            }
        } else {
            ShadowEvent::CandidateNoWorse {
                candidate,
                candidate_wrong,
                production_wrong,
                documents,
            }
        })
    }

    pub(super) fn stored(&self) -> StoredJudged {
        self.judged.stored()
    }

    /// Continues from a stored state. A verdict that it has was reported.
    pub(super) fn restore(&mut self, owner: &str, stored: StoredJudged) -> Result<(), Error> {
        self.judged.restore(owner, stored)?;
        self.reported = self.judged.decided().ok();
        Ok(())
    }

    /// The correction under the pointer of its field; `None` if the field is not critical.
    fn of_critical_field<'c>(&self, correction: &'c Correction) -> Option<Cow<'c, Correction>> {
        let field = correction.field();
        if !self.fields.is_critical(field) {
            return None;
        }
        Some(match JsonFields::pointer_of(field) {
            Cow::Borrowed(_) => Cow::Borrowed(correction),
            Cow::Owned(pointer) => Cow::Owned(correction.clone().under(pointer)),
        })
    }

    fn correct(&mut self, ticket: &Ticket, correction: &Correction, now: Timestamp) {
        let field = correction.field();
        let value = match correction.settled() {
            Some(SettledValue::Value(value)) => value,
            settled => {
                let settled = settled.map_or(Settled::Untold, |_| Settled::Absent);
                return self.judged.corrected(ticket, correction, settled, now);
            }
        };
        let normalised = self.fields.canonical(field, value);
        let kept = self.judged.kept(ticket.id(), field).map(str::to_owned);
        let settled = match (&normalised, &kept) {
            (Some(value), _) => Settled::Value(value),
            (None, Some(kept)) if self.agrees(field, value, kept) => Settled::Kept(kept),
            // Another value than the candidate's; which one makes no difference.
            (None, Some(_)) => Settled::Value(""),
            (None, None) => Settled::Untold,
        };
        self.judged.corrected(ticket, correction, settled, now);
    }

    /// Whether the settled value is the candidate's, within the tolerances.
    fn agrees(&self, field: &Field, settled: &Value, kept: &str) -> bool {
        let candidate: Result<Value, _> = serde_json::from_str(kept);
        candidate.is_ok_and(|candidate| self.fields.agrees(field, settled, &candidate))
    }
}
