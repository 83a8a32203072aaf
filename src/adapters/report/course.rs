//! What a timeline keeps: the course of one field.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::{Feedback, Ticket};
use crate::confidence::Confidence;
use crate::drift::{DriftState, DriftStatus};
use crate::event::{DriftEvent, Event, EventKind, IncidentEvent};
use crate::format::Format;
use crate::name::{DocumentType, Field};
use crate::time::{Timestamp, hours, millis, minutes};

/// How long anything is kept.
const KEPT: Duration = hours(8 * 24);
/// Statuses come every few seconds; between changes this is often enough.
const EVERY: Duration = minutes(5);
const MOST_POINTS: usize = 4_096;
const MOST_EVENTS: usize = 500;
const HOUR: Duration = hours(1);

/// The status at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Point {
    pub(super) at: Timestamp,
    pub(super) state: DriftState,
    pub(super) threshold: Confidence,
    pub(super) baseline: Option<Confidence>,
    pub(super) baseline_number: u64,
    /// How far the mean may be below the baseline.
    pub(super) max_drop: Confidence,
    pub(super) mean: Option<Confidence>,
    pub(super) documents: u64,
}

impl Point {
    fn of(at: Timestamp, status: &DriftStatus) -> Self {
        Self {
            at,
            state: status.state,
            threshold: status.threshold,
            baseline: status.means.baseline,
            baseline_number: status.baseline_number,
            max_drop: status.max_drop,
            mean: status.means.window,
            documents: status.means.window_documents,
        }
    }

    /// Whether something changed that a picture must not leave out.
    fn differs_from(&self, before: &Self) -> bool {
        let of = |point: &Self| {
            let is_known = point.mean.is_some();
            (
                point.state,
                point.threshold,
                point.baseline_number,
                is_known,
            )
        };
        of(self) != of(before)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Course {
    format: Format<1>,
    pub(super) document_type: DocumentType,
    pub(super) field: Field,
    pub(super) points: VecDeque<Point>,
    /// The latest status, which may not be a point of the picture yet.
    pub(super) latest: Option<Point>,
    pub(super) events: VecDeque<Event>,
    /// By the beginning of their hour.
    pub(super) corrections: BTreeMap<Timestamp, u64>,
}

impl Course {
    pub(super) fn new(document_type: DocumentType, field: Field) -> Self {
        Self {
            format: Format,
            document_type,
            field,
            points: VecDeque::new(),
            latest: None,
            events: VecDeque::new(),
            corrections: BTreeMap::new(),
        }
    }

    pub(super) fn record(&mut self, at: Timestamp, status: &DriftStatus) {
        let point = Point::of(at, status);
        if self.latest.as_ref().is_some_and(|latest| latest.at > at) {
            return;
        }
        let last = self.points.back();
        let is_change = last.is_some_and(|last| point.differs_from(last));
        let is_due = last.is_none_or(|last| at.since(last.at) >= EVERY);
        if is_change {
            // What was the case until now ends where the change begins.
            let last = last.map(|last| last.at);
            let until_now = self.latest.take();
            let until_now = until_now.filter(|latest| Some(latest.at) > last);
            self.points.extend(until_now);
        }
        if is_change || is_due {
            self.points.push_back(point.clone());
            self.latest = Some(point);
            self.forget();
        } else {
            self.latest = Some(point);
        }
    }

    pub(super) fn observe(&mut self, at: Timestamp, ticket: &Ticket, feedback: &Feedback) {
        let Feedback::Corrected(correction) = feedback else {
            return;
        };
        if *ticket.document_type() != self.document_type || *correction.field() != self.field {
            return;
        }
        let into_hour = at.as_millis() % millis(HOUR);
        let hour = Timestamp::from_millis(at.as_millis() - into_hour);
        let corrections = self.corrections.entry(hour).or_default();
        *corrections = corrections.saturating_add(1);
        self.forget();
    }

    pub(super) fn add(&mut self, event: &Event) {
        if self.is_about(&event.kind) {
            self.events.push_back(event.clone());
            self.forget();
        }
    }

    fn is_about(&self, kind: &EventKind) -> bool {
        match kind {
            EventKind::Drift(event) => {
                let is_of_type =
                    |document_type: &DocumentType| *document_type == self.document_type;
                match event {
                    DriftEvent::ReviewCapacityReached { document_type, .. } => {
                        is_of_type(document_type)
                    }
                    _ => subject(event).is_some_and(|(document_type, field)| {
                        is_of_type(document_type) && *field == self.field
                    }),
                }
            }
            EventKind::Incident(
                IncidentEvent::IncidentResolved { about, .. }
                | IncidentEvent::IncidentAcknowledged { about, .. },
            ) => about.as_ref() == Some(&self.name()),
            _ => false,
        }
    }

    /// `invoice.total`.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.document_type, self.field)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.latest.is_none() && self.events.is_empty() && self.corrections.is_empty()
    }

    /// The statuses that are drawn: the points, and the latest one if it is no point yet.
    pub(super) fn statuses(&self) -> impl Iterator<Item = &Point> {
        let last = self.points.back().map(|last| last.at);
        let latest = self.latest.iter();
        let newer = latest.filter(move |latest| Some(latest.at) > last);
        self.points.iter().chain(newer)
    }

    /// The times of all that is kept.
    pub(super) fn times(&self) -> impl Iterator<Item = Timestamp> {
        let points = self.statuses();
        let events = self.events.iter().map(|event| event.at);
        let corrected = self.corrections.keys();
        let corrected = corrected.flat_map(|hour| [*hour, *hour + HOUR]);
        points.map(|point| point.at).chain(events).chain(corrected)
    }

    /// The same within its bounds, whatever was stored.
    pub(super) fn bounded(mut self) -> Self {
        self.points.make_contiguous().sort_by_key(|point| point.at);
        self.events.make_contiguous().sort_by_key(|event| event.at);
        self.forget();
        self
    }

    /// Forgets what is too old or too much. Of the events, the least urgent go first.
    fn forget(&mut self) {
        let Some(latest) = self.times().max() else {
            return;
        };
        let is_kept = |at: Timestamp| latest.since(at) <= KEPT;
        self.points.retain(|point| is_kept(point.at));
        self.events.retain(|event| is_kept(event.at));
        self.corrections.retain(|hour, _| is_kept(*hour));
        let too_many = self.points.len().saturating_sub(MOST_POINTS);
        self.points.drain(..too_many);
        while self.events.len() > MOST_EVENTS {
            let least = self.events.iter().map(|event| event.severity).min();
            let mut events = self.events.iter();
            let Some(place) = events.position(|event| Some(event.severity) == least) else {
                break;
            };
            self.events.remove(place);
        }
    }
}

/// The document type and the field that an event is about, if it is about one.
fn subject(event: &DriftEvent) -> Option<(&DocumentType, &Field)> {
    match event {
        DriftEvent::AcknowledgementExpired {
            document_type,
            field,
            ..
        }
        | DriftEvent::BaselineRestarted {
            document_type,
            field,
            ..
        }
        | DriftEvent::BaselineRestored {
            document_type,
            field,
            ..
        }
        | DriftEvent::ConfidenceConstant {
            document_type,
            field,
            ..
        }
        | DriftEvent::ConfidenceMissing {
            document_type,
            field,
            ..
        }
        | DriftEvent::DriftAcknowledged {
            document_type,
            field,
            ..
        }
        | DriftEvent::DriftDetected {
            document_type,
            field,
            ..
        }
        | DriftEvent::DriftRecovered {
            document_type,
            field,
            ..
        }
        | DriftEvent::DriftResolved {
            document_type,
            field,
            ..
        }
        | DriftEvent::DriftReviewed {
            document_type,
            field,
            ..
        }
        | DriftEvent::InvalidConfidence {
            document_type,
            field,
            ..
        }
        | DriftEvent::RaisedWithoutData {
            document_type,
            field,
            ..
        }
        | DriftEvent::ShapeChanged {
            document_type,
            field,
            ..
        }
        | DriftEvent::SlowDrift {
            document_type,
            field,
            ..
        }
        | DriftEvent::ThresholdRaised {
            document_type,
            field,
            ..
        } => Some((document_type, field)),
        DriftEvent::AcceptedUnreviewed { .. }
        | DriftEvent::MixShift { .. }
        | DriftEvent::ReviewCapacityReached { .. } => None,
    }
}
