//! What is said of a segment at each tick.

use super::acknowledged::Acknowledged;
use super::corrections::{BeforeAndSince, Reviews};
use super::incident::{self, constant, detected, drift, missing, shape, slow, unresolved};
use super::key::Key;
use super::segment::Segment;
use super::threshold::Settings;
use super::verdict::Fall;
use crate::event::Severity;
use crate::guard::Cx;
use crate::name::VersionId;
use crate::time::Timestamp;

/// What is needed to say what is wrong with a segment.
pub(super) struct Voice<'a> {
    pub(super) key: &'a Key,
    pub(super) acknowledged: Option<&'a Acknowledged>,
    pub(super) version: &'a VersionId,
    pub(super) reviews: Option<Reviews>,
    pub(super) corrected: BeforeAndSince,
    pub(super) generation: &'a mut u64,
    pub(super) now: Timestamp,
    pub(super) settings: &'a Settings,
    pub(super) cx: &'a Cx<'a>,
}

impl Voice<'_> {
    /// Says what is wrong with a segment. Returns whether its threshold was lowered, because all is
    /// well again.
    pub(super) fn say(&mut self, segment: &mut Segment) -> bool {
        let (now, settings, cx) = (self.now, self.settings, self.cx);
        segment.end_window(now, settings);
        let has_recovered = settings.restores && segment.is_recovered();
        if !has_recovered && !segment.has_trouble() {
            return false;
        }
        let name = self.key.to_string();
        if has_recovered {
            self.step_down(segment, &name);
        }
        if let Some(fall) = segment.now_fallen(now) {
            self.say_drift(segment, &fall, &name);
        }
        if let Some(documents) = segment.newly_thin(now, settings) {
            let threshold = segment.raised_threshold().unwrap_or(settings.threshold);
            let kind = incident::thin(self.key, documents, threshold);
            cx.emit(Severity::Warning, kind);
        }
        if let Some(found) = segment.slow.found {
            cx.still(&slow(&name), || incident::slowly_fallen(self.key, &found));
        }
        if let Some(found) = segment.shape {
            cx.still(&shape(&name), || incident::shape_changed(self.key, &found));
        }
        if let Some(found) = segment.constant {
            cx.still(&constant(&name, &found), || {
                incident::constant_found(self.key, &found)
            });
        }
        if let Some(found) = segment.missing {
            cx.still(&missing(&name), || {
                incident::missing_found(self.key, &found)
            });
        }
        has_recovered
    }

    fn step_down(&mut self, segment: &mut Segment, name: &str) {
        let Some(fall) = segment.now_fallen(self.now) else {
            return;
        };
        segment.step_down(self.settings);
        *self.generation += 1;
        let threshold = segment.raised_threshold();
        let fall = Fall {
            threshold: threshold.unwrap_or(self.settings.threshold),
            ..fall
        };
        let kind = incident::recovered(self.key, self.version, &fall, *self.generation);
        self.cx.emit(Severity::Info, kind);
        if threshold.is_none() {
            self.cx.well(&drift(name));
        }
    }

    fn say_drift(&self, segment: &mut Segment, fall: &Fall, name: &str) {
        let (key, generation) = (self.key, *self.generation);
        let fall = &Fall {
            generation,
            ..*fall
        };
        let acknowledged = self.acknowledged;
        let is_known = acknowledged.is_some_and(|acknowledged| acknowledged.holds(self.now));
        let trouble = if is_known {
            drift(name).told_as(Severity::Warning)
        } else {
            drift(name)
        };
        let kind = || detected(key, self.version, fall, Vec::new(), 0);
        self.cx.still(&trouble, kind);
        if let Some(acknowledged) = acknowledged.filter(|_| !is_known) {
            let kind = || incident::expired(key, fall, acknowledged);
            self.cx.still(&unresolved(name), kind);
        }
        if let Some(threshold) = segment.newly_raised() {
            let kind = incident::threshold_raised(key, threshold, generation);
            self.cx.emit(Severity::Info, kind);
        }
        self.compare_corrections(segment);
    }

    /// Says what corrections say of the drift, when that has changed.
    fn compare_corrections(&self, segment: &mut Segment) {
        let Some(reviews) = self.reviews else {
            return;
        };
        segment.note_earlier(reviews, self.corrected);
        let Some(found) = segment.corrections_since(reviews, self.corrected) else {
            return;
        };
        let verdict = found.confirm();
        if let Some(is_confirmed) = verdict.filter(|_| verdict != segment.confirmed) {
            segment.confirmed = verdict;
            let kind = incident::corrections_compared(self.key, &found, is_confirmed);
            let severity = if is_confirmed {
                Severity::Warning
            } else {
                Severity::Info
            };
            self.cx.emit(severity, kind);
        }
    }
}
