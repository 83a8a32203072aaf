//! Which of all ids belong to a share: always the same ones, and more of them when the share grows.
//! And whether a share is what it should be.

use twox_hash::XxHash3_64;

use super::quantile::CHI_SQUARE_ONE_IN_A_THOUSAND;
use crate::ratio::Ratio;

/// With fewer expected on either side a share is not tested.
const MIN_EXPECTED: f64 = 8.0;

/// Maps each id to a point between 0 and 1: a hash of the id, salted with names.
///
/// So a retried document keeps its version, every document in the 5 % is also in the 25 %, and with
/// another salt other documents are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Split {
    salt: u64,
}

impl Split {
    /// The split of a guard with this name, for this version.
    pub(crate) fn new(guard: &str, version: &str) -> Self {
        let seed = guard.len() as u64;
        Self {
            salt: XxHash3_64::oneshot_with_seed(seed, version.as_bytes())
                ^ XxHash3_64::oneshot(guard.as_bytes()),
        }
    }

    /// Whether an id belongs to the share.
    pub(crate) fn contains(self, id: &str, share: Ratio) -> bool {
        let point = XxHash3_64::oneshot_with_seed(self.salt, id.as_bytes());
        share.contains_hash(point)
    }
}

/// Whether `inside` of so many differs from a share by more than it does by chance once in a thousand
/// times (chi-square, one degree of freedom).
#[allow(
    clippy::cast_precision_loss,
    reason = "counts of documents are far below 2^53"
)]
pub(crate) fn is_off_share(inside: u64, all: u64, share: Ratio) -> bool {
    let (inside, all) = (inside as f64, all as f64);
    let expected = all * share.as_f64();
    if expected.min(all - expected) < MIN_EXPECTED {
        return false;
    }
    let off = inside - expected;
    off * off / (expected * (1.0 - share.as_f64())) > *CHI_SQUARE_ONE_IN_A_THOUSAND
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exposed(candidate: &str, share: Ratio) -> Vec<bool> {
        let split = Split::new("canary", candidate);
        (0..20_000)
            .map(|n| split.contains(&format!("doc-{n}"), share))
            .collect()
    }

    #[test]
    fn a_larger_share_keeps_every_document() {
        let shares = [
            Ratio::ZERO,
            Ratio::percent(5),
            Ratio::new(1, 7).unwrap(),
            Ratio::basis_points(2_500),
            Ratio::ONE,
        ];
        for pair in shares.windows(2) {
            let (few, more) = (exposed("v8", pair[0]), exposed("v8", pair[1]));
            assert!(few.iter().zip(&more).all(|(few, more)| more >= few));
        }
        assert!(exposed("v8", Ratio::ONE).iter().all(|exposed| *exposed));
        assert!(!exposed("v8", Ratio::ZERO).iter().any(|exposed| *exposed));
    }

    /// Of 20,000 documents at 5 %, four standard deviations of the binomial are 123.
    #[test]
    fn the_share_is_met_and_depends_on_the_candidate() {
        let count = |exposed: &[bool]| exposed.iter().filter(|exposed| **exposed).count();
        let (one, other) = (
            exposed("v8", Ratio::percent(5)),
            exposed("v9", Ratio::percent(5)),
        );
        for exposed in [&one, &other] {
            assert!(count(exposed).abs_diff(1_000) < 123, "{}", count(exposed));
        }
        let both = one
            .iter()
            .zip(&other)
            .filter(|(one, other)| **one && **other)
            .count();
        assert!(
            both < 100,
            "two candidates get different documents: {both} in common, 50 expected by chance"
        );
    }

    /// scipy, `chisquare([80, 1_120], [60, 1_140])` and with 86: statistics of 7.02 and 11.86.
    #[test]
    fn a_share_is_off_at_one_in_a_thousand() {
        let five = Ratio::percent(5);
        assert!(!is_off_share(80, 1_200, five));
        assert!(is_off_share(86, 1_200, five));
        assert!(
            !is_off_share(50, 159, five),
            "fewer than eight are expected"
        );
    }
}
