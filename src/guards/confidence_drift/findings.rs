//! What is wrong with the scores of a field besides their mean.

use serde::{Deserialize, Serialize};

use super::bets::Pace;
use super::threshold::Settings;
use crate::confidence::Confidence;
use crate::event::ShapeChange;
use crate::stats::{LatticeCounts, TwoSample, float};

/// The probability at which two shapes differ, divided by the number of segments.
const SHAPE_CHANCE: f64 = 0.001;
/// From as many documents with the same confidence, it is constant.
const CONSTANT_FROM: u64 = 100;

/// How the scores of the window differ from those of the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) change: ShapeChange,
    pub(super) ks: Confidence,
    pub(super) p: f64,
    pub(super) distance: Confidence,
    pub(super) documents: u64,
}

impl Shape {
    /// How the scores of now differ, if they do so certainly and by enough.
    pub(super) fn of(
        before: &LatticeCounts,
        now: &LatticeCounts,
        settings: &Settings,
        pace: &Pace,
    ) -> Option<Self> {
        let documents = now.total();
        if documents.min(before.total()) < settings.min_documents {
            return None;
        }
        let found = TwoSample::of(before, now)?;
        let is_significant = found.p <= SHAPE_CHANCE / float(pace.segments());
        let is_large = found.wasserstein() > settings.shape_distance.as_f64();
        (is_significant && is_large).then(|| Self {
            change: ShapeChange::of(found.down, found.up),
            ks: Confidence::nearest(found.ks),
            p: found.p,
            distance: Confidence::nearest(found.wasserstein()),
            documents,
        })
    }
}

/// A confidence that is always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Constant {
    pub(super) confidence: Confidence,
    pub(super) documents: u64,
    /// The baseline was as well.
    pub(super) always: bool,
}

impl Constant {
    /// The confidence that all scores of now have, from enough documents on. With fewer, one that is
    /// `known` goes on: their number changes by chance, and is no recovery.
    pub(super) fn of(
        now: &LatticeCounts,
        known: Option<Self>,
        before: impl FnOnce() -> Option<LatticeCounts>,
    ) -> Option<Self> {
        let confidence = now.only()?;
        let goes_on = known.is_some_and(|known| known.confidence == confidence);
        (goes_on || now.total() >= CONSTANT_FROM).then(|| Self {
            confidence,
            documents: now.total(),
            always: before().is_some_and(|counts| counts.only().is_some()),
        })
    }
}

/// A confidence that answers no longer have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Missing {
    pub(super) answers: u64,
    pub(super) documents: u64,
}
