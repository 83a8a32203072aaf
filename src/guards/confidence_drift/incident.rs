//! What the monitor says is wrong, and the events for it.

use super::key::Key;
use super::segment::{Constant, Missing, Shape};
use super::threshold::Settings;
use super::verdict::Fall;
use crate::event::{DriftEvent, EventKind, Severity};
use crate::guard::{Cx, Trouble};

/// How many fields an event names besides the worst.
const ALSO: usize = 9;

/// The threshold of a field is raised; all fields that fall together are one incident.
pub(super) fn drift(name: &str) -> Trouble<'_> {
    Trouble::new("drift").about(name).joins_always()
}

/// Scores are distributed differently: worth a look, not worth a night.
pub(super) fn shape(name: &str) -> Trouble<'_> {
    let trouble = Trouble::new("shape").about(name).joins_always();
    trouble.told_as(Severity::Warning)
}

/// A confidence that is always the same says nothing. One that has always been so is no news.
pub(super) fn constant<'a>(name: &'a str, found: &Constant) -> Trouble<'a> {
    let trouble = Trouble::new("constant").about(name).joins_always();
    if found.always {
        trouble.told_as(Severity::Warning)
    } else {
        trouble
    }
}

/// Answers no longer have a confidence, so they are accepted without one.
pub(super) fn missing(name: &str) -> Trouble<'_> {
    Trouble::new("missing").about(name).joins_always()
}

/// Pages for the fields of one answer whose thresholds were raised: the worst, with the next nine.
pub(super) fn report_falls(mut falls: Vec<(Key, Fall)>, settings: &Settings, cx: &Cx<'_>) {
    falls.sort_by(|(one, fall), (other, other_fall)| {
        let deepest_first = other_fall.drop().cmp(&fall.drop());
        deepest_first.then_with(|| one.cmp(other))
    });
    let Some(((worst, fall), others)) = falls.split_first() else {
        return;
    };
    let also = others.iter().take(ALSO).map(|(key, _)| key.to_string());
    let more = others.len().saturating_sub(ALSO) as u64;
    let event = detected(worst, fall, settings, also.collect(), more);
    cx.page(&drift(&worst.to_string()), event);
    for (key, fall) in others {
        // Named above: it only joins the incident.
        let event = || detected(key, fall, settings, Vec::new(), 0);
        cx.still(&drift(&key.to_string()), event);
    }
}

pub(super) fn detected(
    key: &Key,
    fall: &Fall,
    settings: &Settings,
    also: Vec<String>,
    more: u64,
) -> EventKind {
    EventKind::Drift(DriftEvent::DriftDetected {
        document_type: key.document_type.clone(),
        field: key.field.clone(),
        rule: fall.rule,
        baseline: fall.baseline,
        baseline_number: fall.baseline_number,
        mean: fall.mean,
        standard_error: fall.standard_error,
        documents: fall.documents,
        threshold: settings.raised,
        also,
        more,
    })
}

pub(super) fn recovered(key: &Key, fall: &Fall, settings: &Settings) -> EventKind {
    EventKind::Drift(DriftEvent::DriftRecovered {
        document_type: key.document_type.clone(),
        field: key.field.clone(),
        baseline: fall.baseline,
        mean: fall.mean,
        documents: fall.documents,
        threshold: settings.threshold,
    })
}

pub(super) fn thin(key: &Key, documents: u64, settings: &Settings) -> EventKind {
    EventKind::Drift(DriftEvent::RaisedWithoutData {
        document_type: key.document_type.clone(),
        field: key.field.clone(),
        documents,
        threshold: settings.raised,
    })
}

pub(super) fn shape_changed(key: &Key, found: &Shape) -> EventKind {
    EventKind::Drift(DriftEvent::ShapeChanged {
        document_type: key.document_type.clone(),
        field: key.field.clone(),
        change: found.change,
        ks: found.ks,
        p: found.p,
        distance: found.distance,
        documents: found.documents,
    })
}

pub(super) fn constant_found(key: &Key, found: &Constant) -> EventKind {
    EventKind::Drift(DriftEvent::ConfidenceConstant {
        document_type: key.document_type.clone(),
        field: key.field.clone(),
        confidence: found.confidence,
        documents: found.documents,
    })
}

pub(super) fn missing_found(key: &Key, found: &Missing) -> EventKind {
    EventKind::Drift(DriftEvent::ConfidenceMissing {
        document_type: key.document_type.clone(),
        field: key.field.clone(),
        documents: found.documents,
        answers: found.answers,
    })
}
