//! What the monitor says is wrong, and the events for it.

use super::acknowledged::Acknowledged;
use super::corrections::DriftCorrections;
use super::findings::{Constant, Missing, Shape};
use super::key::Key;
use super::review_queue::Full;

use super::slow::SlowFall;
use super::verdict::Fall;
use crate::call::Ticket;
use crate::confidence::Confidence;
use crate::event::{DriftEvent, EventKind, Severity};
use crate::guard::Trouble;
use crate::name::{DocumentType, VersionId};
use crate::ratio::Ratio;

/// The threshold of a field is raised; all fields that fall together are one incident.
pub(super) fn drift(name: &str) -> Trouble<'_> {
    Trouble::new("drift").about(name).joins_always()
}

/// The time has passed until which the operator knew of a drift, and it goes on.
pub(super) fn unresolved(name: &str) -> Trouble<'_> {
    Trouble::new("unresolved").about(name).joins_always()
}

/// More documents should go to review than reviewers have time for.
/// No page where the operator knows of the drifts.
pub(super) fn full<'a>(name: &'a str, version: &'a VersionId, is_known: bool) -> Trouble<'a> {
    let trouble = Trouble::new("review-capacity").about(name);
    let trouble = trouble.of_version(version).joins_always();
    if is_known {
        trouble.told_as(Severity::Warning)
    } else {
        trouble.worse()
    }
}

/// Scores are distributed differently: worth a look, not worth a night.
pub(super) fn shape(name: &str) -> Trouble<'_> {
    let trouble = Trouble::new("shape").about(name).joins_always();
    trouble.told_as(Severity::Warning)
}

/// A mean is a little lower over a week: worth a look, not worth a night.
pub(super) fn slow(name: &str) -> Trouble<'_> {
    let trouble = Trouble::new("slow").about(name).joins_always();
    trouble.told_as(Severity::Warning)
}

/// Documents with a lower confidence come more often: no confidence has fallen.
pub(super) fn mix(version: &VersionId) -> Trouble<'_> {
    let trouble = Trouble::new("mix").of_version(version);
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

pub(super) fn detected(
    key: &Key,
    version: &VersionId,
    fall: &Fall,
    also: Vec<String>,
    more: u64,
) -> EventKind {
    EventKind::Drift(DriftEvent::DriftDetected {
        document_type: key.document_type.clone(),
        field: key.field.clone(),
        version: Some(version.clone()),
        rule: fall.rule,
        baseline: fall.baseline,
        baseline_number: fall.baseline_number,
        mean: fall.mean,
        standard_error: fall.standard_error,
        documents: fall.documents,
        threshold: fall.threshold,
        generation: fall.generation,
        detectable_drop: fall.detectable_drop,
        compared_with: fall.compared_with.map(|slot| slot.to_string()),
        also,
        more,
    })
}

pub(super) fn recovered(key: &Key, version: &VersionId, fall: &Fall, generation: u64) -> EventKind {
    EventKind::Drift(DriftEvent::DriftRecovered {
        document_type: key.document_type.clone(),
        field: key.field.clone(),
        version: Some(version.clone()),
        baseline: fall.baseline,
        mean: fall.mean,
        documents: fall.documents,
        threshold: fall.threshold,
        generation,
    })
}

pub(super) fn thin(key: &Key, documents: u64, threshold: Confidence) -> EventKind {
    EventKind::Drift(DriftEvent::RaisedWithoutData {
        document_type: key.document_type.clone(),
        field: key.field.clone(),
        documents,
        threshold,
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

pub(super) fn slowly_fallen(key: &Key, found: &SlowFall) -> EventKind {
    EventKind::Drift(DriftEvent::SlowDrift {
        document_type: key.document_type.clone(),
        field: key.field.clone(),
        baseline: found.baseline,
        baseline_number: found.baseline_number,
        mean: found.mean,
        standard_error: found.standard_error,
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

pub(super) fn expired(key: &Key, fall: &Fall, acknowledged: &Acknowledged) -> EventKind {
    EventKind::Drift(DriftEvent::AcknowledgementExpired {
        document_type: key.document_type.clone(),
        field: key.field.clone(),
        baseline: fall.baseline,
        mean: fall.mean,
        documents: fall.documents,
        threshold: fall.threshold,
        who: acknowledged.order.who.clone(),
        note: acknowledged.order.why.clone(),
    })
}

pub(super) fn threshold_raised(key: &Key, threshold: Confidence, generation: u64) -> EventKind {
    EventKind::Drift(DriftEvent::ThresholdRaised {
        document_type: key.document_type.clone(),
        field: key.field.clone(),
        threshold,
        generation,
    })
}

pub(super) fn capacity_reached(
    (document_type, version): (&DocumentType, &VersionId),
    found: &Full,
    capacity: Ratio,
) -> EventKind {
    EventKind::Drift(DriftEvent::ReviewCapacityReached {
        document_type: document_type.clone(),
        version: version.clone(),
        capacity,
        wanted: found.wanted,
        documents: found.documents,
        accepted: found.accepted,
    })
}

pub(super) fn accepted_unreviewed(ticket: &Ticket) -> EventKind {
    EventKind::Drift(DriftEvent::AcceptedUnreviewed {
        document: ticket.document().clone(),
        document_type: ticket.document_type().clone(),
        version: ticket.version().clone(),
    })
}

/// What corrections say of a drift.
pub(super) fn corrections_compared(
    key: &Key,
    found: &DriftCorrections,
    is_confirmed: bool,
) -> EventKind {
    let (document_type, field) = (key.document_type.clone(), key.field.clone());
    let DriftCorrections {
        reviewed_before,
        corrected_before,
        reviewed_since,
        corrected_since,
    } = *found;
    EventKind::Drift(DriftEvent::DriftReviewed {
        document_type,
        field,
        confirmed: is_confirmed,
        reviewed_before,
        corrected_before,
        reviewed_since,
        corrected_since,
    })
}
