//! One field of one document type: a segment for each version that answers it, under one set of
//! commands.

use serde::{Deserialize, Serialize};

use super::acknowledged::Acknowledged;
use super::baseline::Baseline;
use super::bets::Pace;
use super::corrections::{BeforeAndSince, DriftCorrections};
use super::segment::Segment;
use super::threshold::Settings;
use super::verdict::{DriftState, DriftStatus};
use crate::call::LineUp;
use crate::confidence::Confidence;
use crate::name::VersionId;
use crate::revision::Revision;
use crate::stats::Span;
use crate::time::Timestamp;

/// The most slots of a field in one version: the hours of a week.
const MOST_SLOTS: usize = 168;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Watch {
    /// The baseline of the configuration: shows on a restore whether the configuration has changed.
    given: Option<Baseline>,
    /// Whether the operator has asked for a new baseline since the given one ..
    restarted: bool,
    /// .. and whether that was so before the last time.
    #[serde(default)]
    restarted_before: bool,
    /// How often a threshold was raised or a command was given.
    #[serde(default)]
    revision: Revision,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) acknowledged: Option<Acknowledged>,
    /// The versions that answer, at most as many as are live.
    segments: Vec<(VersionId, Segment)>,
}

impl Watch {
    pub(super) fn new(given: Option<Baseline>) -> Self {
        Self {
            given,
            restarted: false,
            restarted_before: false,
            revision: Revision::default(),
            acknowledged: None,
            segments: Vec::new(),
        }
    }

    /// Restores what was stored, except for a window or a given baseline that has changed since.
    pub(super) fn restore(&mut self, stored: Self, span: Span, now: Timestamp) {
        let given = self.given.take();
        *self = stored;
        for (_, segment) in &mut self.segments {
            segment.change_span(span, now);
        }
        if given.is_some() && given != self.given {
            self.given = given;
            self.restarted = false;
            for (_, segment) in &mut self.segments {
                segment.forget_replaced_baseline();
                if let Some(baseline) = self.given.as_ref().filter(|_| segment.slot.is_none()) {
                    segment.set_baseline(baseline.clone());
                }
            }
        }
    }

    pub(super) fn has_given_baseline(&self) -> bool {
        self.given.is_some()
    }

    pub(super) fn is_raised(&self) -> bool {
        self.segments.iter().any(|(_, segment)| segment.is_raised())
    }

    /// The highest threshold of all versions, if one is raised.
    pub(super) fn raised_threshold(&self) -> Option<Confidence> {
        let segments = self.segments.iter();
        segments
            .filter_map(|(_, segment)| segment.raised_threshold())
            .max()
    }

    /// The threshold of a version, if it is raised: the highest of all slots.
    pub(super) fn raised_threshold_for(&self, version: &VersionId) -> Option<Confidence> {
        // Few are raised, so few names are compared.
        let raised = self
            .segments
            .iter()
            .filter(|(_, segment)| segment.is_raised());
        let of_version = raised.filter(|(id, _)| id == version);
        of_version
            .filter_map(|(_, segment)| segment.raised_threshold())
            .max()
    }

    /// Whether a tick has something to do besides the end of a bucket.
    pub(super) fn needs_tick(&self, line_up: &LineUp) -> bool {
        let mut segments = self.segments.iter();
        self.acknowledged.is_some()
            || segments.any(|(id, segment)| segment.has_trouble() || line_up.role_of(id).is_none())
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    pub(super) fn advance_revision(&mut self, now: Timestamp) {
        self.revision.advance(now);
    }

    /// How many segments may bet: one of each version at a time.
    pub(super) fn judging(&self) -> usize {
        let of_all_times = self
            .segments
            .iter()
            .filter(|(_, segment)| segment.slot.is_none());
        of_all_times.count()
    }

    /// Whether a slot of a version has a baseline.
    pub(super) fn is_ready(&self, version: &VersionId, slot: u16) -> bool {
        let mut segments = self.segments.iter();
        segments.any(|(id, segment)| {
            segment.slot == Some(slot) && id == version && segment.baseline().is_frozen()
        })
    }

    /// A raised threshold goes on in the slot of now, if that has a baseline: there it shows whether
    /// the drift is over.
    pub(super) fn follow_season(&mut self, slot: u16, now: Timestamp, settings: &Settings) {
        self.move_raised(Some(slot), now, settings);
    }

    fn move_raised(&mut self, to: Option<u16>, now: Timestamp, settings: &Settings) {
        for from in 0..self.segments.len() {
            let Some((version, segment)) = self.segments.get(from) else {
                return;
            };
            let is_elsewhere = segment.is_raised() && segment.slot != to;
            let is_target = |other: &(VersionId, Segment)| {
                let (id, segment) = other;
                let is_ready = to.is_none() || segment.baseline().is_frozen();
                segment.slot == to && id == version && is_ready
            };
            let target = self.segments.iter().position(is_target);
            let Some(target) = target.filter(|_| is_elsewhere) else {
                continue;
            };
            let of_slot = self.segments.get_mut(from);
            let raised = of_slot.and_then(|(_, segment)| segment.take_raised());
            if let Some((raised, (_, segment))) = raised.zip(self.segments.get_mut(target)) {
                segment.go_on_raised(raised, now, settings);
            }
        }
    }

    /// After a restart, perhaps with other thresholds.
    pub(super) fn fit_thresholds(&mut self, settings: &Settings) {
        for (_, segment) in &mut self.segments {
            segment.fit_threshold(settings);
        }
    }

    /// Whether there can be a segment for this slot of a version.
    pub(super) fn has_room(&self, version: &VersionId, slot: u16) -> bool {
        let of_version = self.segments.iter().filter(|(id, _)| id == version);
        let slots = of_version.filter_map(|(_, segment)| segment.slot);
        slots.clone().count() < MOST_SLOTS || slots.into_iter().any(|known| known == slot)
    }

    /// Whether the operator knows of its drift now.
    pub(super) fn is_acknowledged(&self, now: Timestamp) -> bool {
        let acknowledged = self.acknowledged.as_ref();
        acknowledged.is_some_and(|acknowledged| acknowledged.holds(now))
    }

    /// How often the field was corrected, by version; nothing unless a threshold is raised.
    pub(super) fn all_corrected(&self) -> Vec<(VersionId, BeforeAndSince)> {
        let segments = self.segments.iter().filter(|_| self.is_raised());
        let of_all_times = segments.filter(|(_, segment)| segment.slot.is_none());
        of_all_times
            .map(|(id, segment)| (id.clone(), segment.corrected))
            .collect()
    }

    /// After a restart with another season.
    pub(super) fn forget_slots(&mut self, now: Timestamp, settings: &Settings) {
        self.move_raised(None, now, settings);
        self.segments.retain(|(_, segment)| segment.slot.is_none());
        for (_, segment) in &mut self.segments {
            segment.set_judging(true);
        }
    }

    /// Who knows of its drift, and its segments.
    pub(super) fn parts_mut(
        &mut self,
    ) -> (
        Option<&Acknowledged>,
        impl Iterator<Item = (&VersionId, &mut Segment)>,
    ) {
        let segments = self.segments.iter_mut();
        let segments = segments.map(|(id, segment)| (&*id, segment));
        (self.acknowledged.as_ref(), segments)
    }

    /// The segment of a version for all times, if there is one.
    pub(super) fn known_segment(&mut self, version: &VersionId) -> Option<&mut Segment> {
        let mut segments = self.segments.iter_mut();
        let (_, segment) =
            segments.find(|(id, segment)| segment.slot.is_none() && id == version)?;
        Some(segment)
    }

    /// The segment of a version in a slot, made if there is none, and whether it was. `total` is the
    /// number of the type's answers.
    pub(super) fn segment(
        &mut self,
        version: &VersionId,
        slot: Option<u16>,
        total: u64,
        now: Timestamp,
        span: Span,
    ) -> (Option<&mut Segment>, bool) {
        let mut segments = self.segments.iter();
        let known = segments.position(|(id, segment)| segment.slot == slot && id == version);
        let place = known.unwrap_or(self.segments.len());
        if known.is_none() {
            let baseline = match slot {
                None => self.first_baseline(),
                Some(_) => Baseline::measured(1),
            };
            let segment = Segment::new(baseline, total, now, span).in_slot(slot);
            // Most fields have one version: room for four would be half of what a segment takes.
            self.segments.reserve_exact(1);
            self.segments.push((version.clone(), segment));
        }
        let segment = self.segments.get_mut(place);
        (segment.map(|(_, segment)| segment), known.is_none())
    }

    fn first_baseline(&self) -> Baseline {
        let given = self.given.clone().filter(|_| !self.restarted);
        given.unwrap_or_else(|| Baseline::measured(1))
    }

    /// Forgets versions that are no longer live.
    pub(super) fn keep_live(&mut self, line_up: &LineUp) {
        let segments = &mut self.segments;
        segments.retain(|(id, _)| line_up.role_of(id).is_some());
    }

    /// Lowers the threshold of each version that has raised it.
    pub(super) fn lower(&mut self, now: Timestamp) {
        let segments = self.segments.iter();
        let raised = segments.filter(|(_, segment)| segment.is_raised());
        let raised: Vec<_> = raised.map(|(version, _)| version.clone()).collect();
        // The documents that raised it may lie in several slots.
        for (version, segment) in &mut self.segments {
            if raised.contains(version) {
                segment.lower();
            }
        }
        self.acknowledged = None;
        self.revision.advance(now);
    }

    /// No page is needed until then.
    pub(super) fn acknowledge(&mut self, acknowledged: Acknowledged, now: Timestamp) {
        self.acknowledged = Some(acknowledged);
        self.revision.advance(now);
    }

    pub(super) fn has_replaced_baseline(&self) -> bool {
        let mut segments = self.segments.iter();
        segments.any(|(_, segment)| segment.has_replaced_baseline())
    }

    /// Takes back the baseline before the one that the operator asked for.
    pub(super) fn undo_baseline(&mut self, now: Timestamp) {
        self.restarted = self.restarted_before;
        let first = self.first_baseline();
        for (_, segment) in &mut self.segments {
            if segment.has_replaced_baseline() {
                segment.undo_baseline();
            } else {
                // It came after the baseline that is taken back.
                segment.lower();
                let of_slot = segment.slot.map(|_| Baseline::measured(0));
                segment.set_baseline(of_slot.unwrap_or_else(|| first.clone()));
            }
        }
        self.acknowledged = None;
        self.revision.advance(now);
    }

    /// Measures a new baseline of each version on the documents that follow.
    pub(super) fn restart_baseline(&mut self, now: Timestamp) {
        self.restarted_before = self.restarted;
        self.restarted = true;
        for (_, segment) in &mut self.segments {
            segment.restart_baseline();
        }
        self.acknowledged = None;
        self.revision.advance(now);
    }

    /// The version whose segment is read.
    pub(super) fn shown_version(&self, production: Option<&VersionId>) -> Option<&VersionId> {
        let shown = self.segments.get(self.shown(production, None));
        shown.map(|(id, _)| id)
    }

    fn shown(&self, production: Option<&VersionId>, slot: Option<u16>) -> usize {
        let position = |is: &dyn Fn(&VersionId, &Segment) -> bool| {
            let mut segments = self.segments.iter();
            segments.position(|(id, segment)| is(id, segment))
        };
        let of_production = |id: &VersionId| Some(id) == production;
        let is_ready = |segment: &Segment| segment.slot == slot && segment.baseline().is_frozen();
        position(&|_, segment| segment.is_raised())
            .or_else(|| position(&|id, segment| of_production(id) && is_ready(segment)))
            .or_else(|| position(&|id, _| of_production(id)))
            .unwrap_or(0)
    }

    /// Reads the segment whose threshold is raised, or else that of this version, or else any; that
    /// of a field that has never come, if there is none.
    pub(super) fn read<T>(
        &mut self,
        production: Option<&VersionId>,
        slot: Option<u16>,
        span: Span,
        read: impl FnOnce(&mut Segment) -> T,
    ) -> T {
        let place = self.shown(production, slot);
        match self.segments.get_mut(place) {
            Some((_, segment)) => read(segment),
            None => read(&mut Segment::new(
                self.first_baseline(),
                0,
                Timestamp::EPOCH,
                span,
            )),
        }
    }

    pub(super) fn state(
        &mut self,
        production: Option<&VersionId>,
        now: Timestamp,
        settings: &Settings,
    ) -> DriftState {
        let is_known = self.is_acknowledged(now);
        let state = |segment: &mut Segment| segment.state(now, settings);
        match self.read(production, settings.slot_at(now), settings.span, state) {
            DriftState::Raised if is_known => DriftState::Acknowledged,
            state => state,
        }
    }

    /// What a command may change, in words.
    pub(super) fn in_words(
        &mut self,
        production: Option<&VersionId>,
        now: Timestamp,
        settings: &Settings,
    ) -> String {
        let state = self.state(production, now, settings);
        let threshold = self.raised_threshold().unwrap_or(settings.threshold);
        format!("{state}, threshold {threshold}")
    }

    pub(super) fn status(
        &mut self,
        production: Option<&VersionId>,
        now: Timestamp,
        settings: &Settings,
        pace: &Pace,
    ) -> DriftStatus {
        let (revision, raised) = (self.revision, self.raised_threshold());
        let acknowledged = self.acknowledged.as_ref();
        let acknowledged_until = acknowledged.map(|acknowledged| acknowledged.until);
        let state = self.state(production, now, settings);
        let slot = settings.slot_at(now);
        self.read(production, slot, settings.span, |segment| DriftStatus {
            revision,
            state,
            threshold: raised.unwrap_or(settings.threshold),
            generation: 0,
            acknowledged_until,
            corrections: DriftCorrections::default(),
            means: segment.means(now),
            standard_error: segment.standard_error(now),
            max_drop: settings.max_drop,
            baseline_number: segment.baseline().number(),
            is_thin: segment.is_thin(now, settings),
            detectable_drop: segment.detectable_drop(now, settings, pace),
            compared_with: settings.compared_with(segment.slot),
            sequential: segment.sequential(settings),
            shape: segment.compare_shapes(now),
        })
    }
}
