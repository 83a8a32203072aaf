//! The scores with which later ones are compared.

use serde::{Deserialize, Serialize};

use crate::confidence::Confidence;
use crate::stats::{Lattice, LatticeCounts, Moments};

/// The sequential test looks for means that are below the baseline by more than this ..
const MARGIN: f64 = 0.01;
/// .. or by more than so many standard errors of the baseline, which may be too high by chance.
const STANDARD_ERRORS: f64 = 2.0;

/// The scores that a field had at first: measured on its first documents, or given. Once frozen, it
/// changes only by command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Baseline {
    /// How many baselines there were, this one included.
    number: u64,
    moments: Moments,
    /// `None` where only the mean was given.
    scores: Option<Lattice>,
    frozen: bool,
}

impl Baseline {
    pub(super) fn measured(number: u64) -> Self {
        Self {
            number,
            moments: Moments::default(),
            scores: Some(Lattice::default()),
            frozen: false,
        }
    }

    pub(super) fn of_mean(mean: Confidence, documents: u64) -> Self {
        Self {
            number: 1,
            moments: Moments::of_mean(mean, documents),
            scores: None,
            frozen: true,
        }
    }

    pub(super) fn of_scores(scores: impl IntoIterator<Item = Confidence>) -> Self {
        let mut baseline = Self::measured(1);
        for score in scores {
            baseline.add(score);
        }
        baseline.frozen = true;
        baseline
    }

    /// The same as the baseline after `before`.
    pub(super) fn after(self, before: &Self) -> Self {
        Self {
            number: before.number.saturating_add(1),
            ..self
        }
    }

    /// Counts a document while the baseline is measured.
    pub(super) fn measure(&mut self, score: Confidence, documents: u64) {
        if !self.frozen {
            self.add(score);
            self.frozen = self.moments.documents() >= documents;
        }
    }

    fn add(&mut self, score: Confidence) {
        self.moments.add(score);
        if let Some(scores) = &mut self.scores {
            scores.add(score);
        }
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.frozen
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn moments(&self) -> Moments {
        self.moments
    }

    /// How often each score came, where that is known.
    pub(super) fn scores(&self) -> Option<LatticeCounts> {
        self.scores.as_ref().map(LatticeCounts::of)
    }

    /// The variance of the scores, where that is known.
    pub(super) fn variance(&self) -> Option<f64> {
        self.scores.is_some().then(|| self.moments.variance())
    }

    /// By how much a mean must be below the baseline before the sequential test looks for it.
    pub(super) fn margin(&self) -> Confidence {
        let chance = STANDARD_ERRORS * self.moments.standard_error();
        Confidence::nearest(chance.max(MARGIN))
    }

    /// The mean that the sequential test tests: the baseline less its margin. `None` where nothing is
    /// left.
    pub(super) fn tested_mean(&self) -> Option<Confidence> {
        let (mean, margin) = (self.moments.mean()?, self.margin());
        let tested = mean.as_millionths().checked_sub(margin.as_millionths());
        let tested = tested.filter(|millionths| *millionths > 0)?;
        Confidence::try_from(tested).ok()
    }
}
