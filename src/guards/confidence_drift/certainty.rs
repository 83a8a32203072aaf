//! How certain a fall of a mean must be.

use std::cmp::Ordering;

use crate::confidence::Confidence;
use crate::stats::Moments;

/// The smallest standard deviation that is believed: scores that are all the same are no proof.
const LEAST_DEVIATION: f64 = 0.01;
/// How many standard errors a mean must have fallen ..
const LEAST_Z: f64 = 4.0;
/// .. and how many documents that needs: its square, times variance / drop^2.
const LEAST_Z_SQUARED: f64 = LEAST_Z * LEAST_Z;

/// The larger of what is known of the variance, not below what is believed.
pub(super) fn variance(recent: Moments, before: Option<f64>) -> f64 {
    let least = LEAST_DEVIATION * LEAST_DEVIATION;
    recent.variance().max(before.unwrap_or(0.0)).max(least)
}

/// How many documents a mean needs, at least `least`, before a drop of it is no chance.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of documents; a number beyond 64 bits is as large as can be"
)]
pub(super) fn required(variance: f64, drop: Confidence, least: u64) -> u64 {
    let drop = drop.as_f64();
    let for_chance = LEAST_Z_SQUARED * variance / (drop * drop);
    least.max(for_chance.ceil() as u64)
}

/// Whether two means are so far apart that it is no chance.
pub(super) fn is_certain(before: Moments, recent: Moments) -> bool {
    before.z_of_fall(recent, LEAST_DEVIATION) >= LEAST_Z
}

/// Whether a mean has fallen by more than `drop`, over enough documents and for certain;
/// `variance_before` is that of the scores before, where it is known. It is a function because
/// variances are dear, and most means have not fallen.
pub(super) fn has_fallen(
    before: Moments,
    variance_before: impl FnOnce() -> Option<f64>,
    recent: Moments,
    drop: Confidence,
    least: u64,
) -> bool {
    before.compare_fall(recent, drop) == Ordering::Greater
        && recent.documents() >= required(variance(recent, variance_before()), drop, least)
        && is_certain(before, recent)
}
