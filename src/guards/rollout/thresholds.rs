//! How much evidence a decision needs.

use crate::event::{Evidence, Measure};
use crate::stats::RatioTest;

/// The e-value against "no worse" that rolls back: at most 5 % of equal or better candidates reach
/// it, however often it is evaluated.
const E_VALUE: f64 = 20.0;
/// Failures, diversions, truncations and abandonments share another 5 %.
const OUTCOME_FACTOR: f64 = 4.0;
/// The probability that the ratio is above the tolerated one from which the candidate is rolled back.
const CERTAIN: f64 = 0.95;
/// The share of the expected corrections that must have arrived before a stage ends.
pub(super) const MIN_MATURITY: f64 = 0.5;
/// The same where the candidate's reviews take longer than production's: then its missing corrections
/// are not matched by production's.
pub(super) const MIN_MATURITY_OF_SLOW: f64 = 0.9;
/// A stage in which the candidate has answered so many documents waits by the clock: more of them
/// would hardly help.
pub(super) const AMPLE: u32 = 1_000;
/// A type or a measure is evaluated by itself if so many events are expected of the candidate, at the
/// tolerated ratio.
pub(super) const JUDGED: f64 = 3.0;

/// The evidence that a stage requires before the next one begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bar {
    /// The largest allowed probability that the ratio is above the tolerated one.
    pub(super) risk: f64,
    /// The number of corrections that must be expected of the candidate, at the tolerated ratio.
    pub(super) information: f64,
}

impl Bar {
    pub(super) fn of_stage(is_first: bool, is_last: bool) -> Self {
        Self {
            risk: if is_last { 0.05 } else { 0.20 },
            information: if is_first && !is_last { 3.0 } else { 6.0 },
        }
    }
}

/// Whether evidence is strong enough to roll back, as one of so many types that are compared.
pub(super) fn is_worse(evidence: &Evidence, types: usize) -> bool {
    evidence.exceeds
        && evidence.p_exceeds >= CERTAIN
        && evidence.ln_e >= required_e_value(evidence.measure, types).ln()
}

/// Whether so many events of the candidate can be strong enough, in whatever share of the documents.
pub(super) fn can_be_worse(events: u32, measure: Measure, types: usize) -> bool {
    RatioTest::largest_e_value(events) >= required_e_value(measure, types)
}

/// The required e-value, corrected for the number of measures and of types that are evaluated.
fn required_e_value(measure: Measure, types: usize) -> f64 {
    let types = u32::try_from(types)
        .map_or(f64::INFINITY, f64::from)
        .max(1.0);
    let kinds = if measure == Measure::Corrections {
        1.0
    } else {
        OUTCOME_FACTOR
    };
    E_VALUE * kinds * types
}
