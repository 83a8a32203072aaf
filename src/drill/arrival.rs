//! A document that arrives, and how its call goes without a fault.

use std::time::Duration;

use super::document::{Document, Drawn, ShareOf};
use super::made_up::MadeUp;
use super::recorded::{Recorded, RecordedTraffic};
use super::replay::RecordedEnd;
use super::traffic::{Source, Traffic};
use crate::call::Report;
use crate::confidence::Confidence;
use crate::error::Error;
use crate::failure::FailureKind;
use crate::name::{DocumentId, DocumentType, Field, VersionId};
use crate::time::Timestamp;

/// A document of some traffic that arrives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival<'a> {
    pub(super) document: Document,
    pub(super) traffic: &'a Traffic,
    seed: u64,
    of: Of<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Of<'a> {
    MadeUp(&'a MadeUp),
    Recorded(&'a RecordedTraffic, Recorded<'a>),
}

/// That an answer is corrected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Review {
    /// How long after the answer.
    pub(super) after: Duration,
    pub(super) fields: Vec<Field>,
}

/// When the first document of this traffic comes, since the beginning.
pub(super) fn first(traffic: &Traffic, begin: Timestamp) -> Duration {
    match &traffic.source {
        Source::MadeUp(made_up) => made_up.first(begin),
        Source::Recorded(_) => Duration::ZERO,
    }
}

impl<'a> Arrival<'a> {
    /// The document that comes when so many of this traffic have arrived; `None` if none does.
    pub(super) fn of(
        traffic: &'a Traffic,
        arrived: u64,
        document: Document,
        seed: u64,
    ) -> Option<Self> {
        let of = match &traffic.source {
            Source::MadeUp(made_up) => Of::MadeUp(made_up),
            Source::Recorded(recorded) => Of::Recorded(recorded, recorded.call(arrived)?.1),
        };
        Some(Self {
            document,
            traffic,
            seed,
            of,
        })
    }

    /// When the next document of the traffic comes after this one, which came at `last`, as one of
    /// so many that have arrived.
    pub(super) fn next(&self, arrived: u64, last: Duration, begin: Timestamp) -> Option<Duration> {
        match self.of {
            Of::MadeUp(made_up) => Some(made_up.next(self.document, last, begin, self.seed)),
            Of::Recorded(recorded, _) => Some(recorded.call(arrived)?.0),
        }
    }

    pub(super) fn document_type(&self) -> &'a DocumentType {
        match self.of {
            Of::MadeUp(made_up) => &made_up.document_type,
            Of::Recorded(_, recorded) => &recorded.call.document_type,
        }
    }

    /// Its id. `recordings` is how many there are in the drill, and `before` how many stand before
    /// its own: a call that comes again is of another document.
    pub(super) fn id(&self, before: u64, recordings: u64) -> Result<DocumentId, Error> {
        match self.of {
            Of::MadeUp(made_up) => {
                DocumentId::new(format!("{}-{}", made_up.document_type, self.document.0))
            }
            Of::Recorded(_, Recorded { call, round, .. }) => match round * recordings + before {
                0 => Ok(call.document.clone()),
                copy => DocumentId::new(format!("{}~{copy}", call.document.as_str())),
            },
        }
    }

    /// `None` if they are not known.
    pub(super) fn tokens(&self) -> Option<u64> {
        match self.of {
            Of::MadeUp(made_up) => Some(made_up.tokens),
            Of::Recorded(_, recorded) => recorded.call.tokens,
        }
    }

    /// The input tokens that the API usually reports, with so many more, of a prompt with this many
    /// of its own; `None` for a recorded call, which reports its own.
    pub(super) fn usage(&self, prompt: u64, added: u64) -> Option<u64> {
        match self.of {
            Of::MadeUp(made_up) => {
                Some(made_up.tokens.saturating_add(added).saturating_add(prompt))
            }
            Of::Recorded(..) => None,
        }
    }

    /// How long after it began to wait for a person somebody picks it up, if anybody does.
    pub(super) fn picked_up_after(&self) -> Option<Duration> {
        let delays = self.traffic.picked_up_after.as_ref()?;
        Some(delays.at(self.document.draw(Drawn::CorrectionDelay, self.seed)))
    }

    /// How long its call takes; `None` if it never ends.
    pub(super) fn latency(&self) -> Option<Duration> {
        match self.of {
            Of::MadeUp(made_up) => {
                let draw = self.document.draw(Drawn::Latency, self.seed);
                Some(made_up.latency.at(draw))
            }
            Of::Recorded(_, recorded) => Some(recorded.call.end.as_ref()?.latency),
        }
    }

    /// How its call fails, if it does.
    pub(super) fn failure(&self) -> Option<FailureKind> {
        match self.of {
            Of::MadeUp(made_up) => {
                let (kind, share) = made_up.failing?;
                let fails = self.document.is_among(share, ShareOf::Failure);
                fails.then_some(kind)
            }
            Of::Recorded(_, recorded) => recorded.call.end.as_ref()?.failure,
        }
    }

    /// What is reported as its call ends, with so many tokens more than usual, and the confidences
    /// that faults make of the usual ones, if any. A made-up call that fails reports nothing.
    pub(super) fn report(
        &self,
        version: &VersionId,
        added: u64,
        distort: impl Fn(&Field, Confidence) -> Option<Confidence>,
    ) -> Report {
        match self.of {
            Of::MadeUp(_) if self.failure().is_some() => Report::new(),
            Of::MadeUp(made_up) => {
                let fields = made_up.fields().iter().enumerate();
                fields.fold(Report::new(), |report, (place, (field, scores))| {
                    let draw = self.document.draw(Drawn::Confidence(place), self.seed);
                    match distort(field, scores.at(draw)) {
                        Some(score) => report.confidence_in(field.clone(), score.as_f64()),
                        None => report,
                    }
                })
            }
            Of::Recorded(_, Recorded { call, .. }) => {
                let Some(RecordedEnd { usage, report, .. }) = &call.end else {
                    return Report::new();
                };
                let report = report.clone().with_confidences(distort);
                let recorded = call.version.as_ref();
                match usage {
                    Some((input, output)) if recorded.is_none_or(|of| of == version) => {
                        report.usage(input.saturating_add(added), *output)
                    }
                    _ => report,
                }
            }
        }
    }

    pub(super) fn has_field(&self, field: &Field) -> bool {
        match self.of {
            Of::MadeUp(made_up) => made_up.fields().iter().any(|(of, _)| of == field),
            Of::Recorded(_, recorded) => reported(recorded).any(|of| of == field),
        }
    }

    /// One of its fields, each as likely as the others.
    pub(super) fn field(&self) -> Field {
        let fields: Vec<&Field> = match self.of {
            Of::MadeUp(made_up) => made_up.fields().iter().map(|(field, _)| field).collect(),
            Of::Recorded(_, recorded) => reported(recorded).collect(),
        };
        let drawn = self.document.draw(Drawn::Field, self.seed).among(&fields);
        match (drawn, self.of) {
            (Some(field), _) => field.clone(),
            (None, Of::MadeUp(made_up)) => made_up.usual_field().clone(),
            (None, Of::Recorded(recorded, _)) => recorded.usual_field.clone(),
        }
    }

    /// Its corrections without a fault.
    pub(super) fn reviews(&self) -> Vec<Review> {
        match self.of {
            Of::MadeUp(made_up) => {
                let share = made_up.corrections;
                let is_corrected = self.document.is_among(share, ShareOf::Correction);
                let review = is_corrected.then(|| self.review_of(self.field()));
                review.into_iter().collect()
            }
            Of::Recorded(_, recorded) => {
                let corrections = recorded.corrections.iter();
                let reviews = corrections.map(|correction| Review {
                    after: correction.after,
                    fields: correction.fields.clone(),
                });
                reviews.collect()
            }
        }
    }

    /// A correction of this field, when corrections usually come.
    pub(super) fn review_of(&self, field: Field) -> Review {
        let delays = match self.of {
            Of::MadeUp(made_up) => &made_up.correction_delay,
            Of::Recorded(recorded, _) => &recorded.correction_delay,
        };
        Review {
            after: delays.at(self.document.draw(Drawn::CorrectionDelay, self.seed)),
            fields: vec![field],
        }
    }
}

/// The fields of which its call reported a confidence.
fn reported(recorded: Recorded<'_>) -> impl Iterator<Item = &Field> {
    let end = recorded.call.end.iter();
    let confidences = end.flat_map(|end| end.report.confidences());
    confidences.map(|(field, _)| field)
}
