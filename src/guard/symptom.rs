//! How soon a window exceeds its threshold after a step, by arithmetic.

use std::time::Duration;

use crate::confidence::Confidence;
use crate::failure::FailureKind;
use crate::ratio::Ratio;

/// What a guard sees of a fault, for [`Guard::time_to_exceed`](super::Guard::time_to_exceed): a step
/// of this size in what it watches.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Symptom {
    /// This share of the calls fails in this way.
    Failures {
        /// How they fail.
        kind: FailureKind,
        /// How many of them.
        share: Ratio,
    },
    /// Calls never end.
    Hang,
    /// Confidences are lower by so much.
    LowerConfidence(Confidence),
}

/// The time after which a mean over a window, full of nothing before, exceeds a threshold: `window *
/// threshold / step`. `None` if the step does not exceed it.
pub(crate) fn time_to_exceed<N>(window: Duration, threshold: N, step: N) -> Option<Duration>
where
    u128: From<N>,
{
    let (threshold, step) = (u128::from(threshold), u128::from(step));
    let millis = (window.as_millis() * threshold).checked_div(step)?;
    (step > threshold).then(|| Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
}

/// The same for two shares.
pub(crate) fn time_to_exceed_share(
    window: Duration,
    threshold: Ratio,
    share: Ratio,
) -> Option<Duration> {
    let [a, b, c, d] = [
        threshold.numerator(),
        threshold.denominator(),
        share.numerator(),
        share.denominator(),
    ];
    let over = |one: u32, other: u32| u64::from(one) * u64::from(other);
    time_to_exceed(window, over(a, d), over(c, b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{hours, minutes};

    /// 15 minutes and 5 %: 45 s at 100 %, 12 min 30 s at 6 %, never at 5 %. Four hours and 0.05:
    /// two hours at a drop of 0.1.
    #[test]
    fn a_window_exceeds_its_threshold_in_proportion_to_the_step() {
        let five = Ratio::percent(5);
        let rate = |percent| time_to_exceed_share(minutes(15), five, Ratio::percent(percent));
        assert_eq!(rate(100), Some(Duration::from_secs(45)));
        assert_eq!(rate(6), Some(Duration::from_secs(750)));
        assert_eq!(rate(5), None);
        assert_eq!(rate(0), None);
        assert_eq!(
            time_to_exceed(hours(4), 50_000_u32, 100_000),
            Some(hours(2))
        );
    }
}
